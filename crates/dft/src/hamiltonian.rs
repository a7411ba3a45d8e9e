use rustfft::num_complex::Complex64;

use crate::{
    basis::FftScratch,
    basis::{WaveBasis, WaveGrid},
    eigensolver::Operator,
    linear_algebra::ZERO,
    terms::{atom_matrices::AtomMatrices, kinetic::apply_kinetic, nonlocal::Projectors},
};

/// The Kohn–Sham Hamiltonian at one k-point: `H = ½|k+G|² + V(r) + Σ |β_i⟩ D_ij ⟨β_j|`, with the
/// overlap `S = 1 + Σ |β_i⟩ q_ij ⟨β_j|`.
pub(crate) struct Hamiltonian<'a> {
    basis: &'a WaveBasis,
    grid: &'a WaveGrid,
    /// V at the points of the wavefunction box, in hartree.
    potential: &'a [f64],
    projectors: &'a Projectors,
    coupling: &'a AtomMatrices,
    /// q; `None` where S is the identity.
    overlap: Option<&'a AtomMatrices>,
    diagonal: Vec<f64>,
    overlap_diagonal: Option<Vec<f64>>,
    field: Vec<Complex64>,
    scratch: FftScratch,
}

impl<'a> Hamiltonian<'a> {
    pub(crate) fn new(
        basis: &'a WaveBasis,
        grid: &'a WaveGrid,
        potential: &'a [f64],
        projectors: &'a Projectors,
        coupling: &'a AtomMatrices,
        overlap: Option<&'a AtomMatrices>,
    ) -> Self {
        // ⟨G|V|G⟩ is the mean of V.
        let mean = potential.iter().sum::<f64>() / potential.len() as f64;
        let nonlocal = projectors.diagonal(coupling);
        let diagonal = basis.kinetic.iter().zip(nonlocal);
        Self {
            basis,
            grid,
            potential,
            projectors,
            coupling,
            overlap,
            overlap_diagonal: overlap.map(|q| {
                let diagonal = projectors.diagonal(q);
                diagonal.into_iter().map(|q| 1.0 + q).collect()
            }),
            diagonal: diagonal.map(|(kinetic, d)| kinetic + mean + d).collect(),
            field: vec![ZERO; grid.fft.len()],
            scratch: grid.fft.scratch(),
        }
    }

    /// `out += V ψ` for a block of bands.
    fn add_local(&mut self, psi: &[Complex64], out: &mut [Complex64]) {
        let (n, fft) = (self.basis.len(), &self.grid.fft);
        for (psi, out) in psi.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            self.basis.scatter(psi, fft, &mut self.field);
            let occupied = &self.basis.occupied;
            fft.multiply_in_real_space(
                &mut self.field,
                occupied,
                &mut self.scratch,
                self.potential,
            );
            for (out, &position) in out.iter_mut().zip(&self.basis.positions) {
                *out += self.field[position as usize];
            }
        }
    }
}

impl Operator for Hamiltonian<'_> {
    fn len(&self) -> usize {
        self.basis.len()
    }

    fn diagonal(&self) -> &[f64] {
        &self.diagonal
    }

    fn overlap_diagonal(&self) -> Option<&[f64]> {
        self.overlap_diagonal.as_deref()
    }

    fn apply_overlap(&self, psi: &[Complex64]) -> Option<Vec<Complex64>> {
        let projections = self.overlap?.apply(&self.projectors.project(psi));
        let mut out = psi.to_vec();
        self.projectors.add_combination(&projections, &mut out);
        Some(out)
    }

    fn apply(&mut self, psi: &[Complex64], out: &mut [Complex64]) {
        apply_kinetic(self.basis, psi, out);
        self.add_local(psi, out);
        let projections = self.projectors.project(psi);
        self.projectors
            .add_combination(&self.coupling.apply(&projections), out);
    }
}
