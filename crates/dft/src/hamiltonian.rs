use rustfft::num_complex::Complex64;

use crate::{
    basis::{FftScratch, PlaneWaveBasis, WaveBasis, WaveGrid},
    eigensolver::Operator,
    linear_algebra::{Scalar, ZERO},
    terms::{
        atom_matrices::AtomMatrices, atomic_columns::AtomicScalar, kinetic::apply_kinetic,
        nonlocal::Projectors,
    },
};

/// The operators that a density makes, for all k-points.
pub(crate) struct Operators {
    /// V at the points of the wavefunction box, in hartree.
    potential: Vec<f64>,
    /// D in hartree.
    coupling: AtomMatrices,
    /// q; `None` where S is the identity.
    overlap: Option<AtomMatrices>,
}

impl Operators {
    /// From V on the density grid's G and the matrices of all atoms, for bands of `S`.
    pub(crate) fn new<S: BandScalar>(
        basis: &PlaneWaveBasis,
        potential: &[Complex64],
        coupling: &AtomMatrices,
        overlap: Option<&AtomMatrices>,
    ) -> Self {
        let in_place = |m: &AtomMatrices| Projectors::<S>::matrices_in_place(basis, m);
        Self {
            potential: basis.wave_grid.field_to_real(potential),
            coupling: in_place(coupling),
            overlap: overlap.map(in_place),
        }
    }
}

/// The Kohn–Sham Hamiltonian at one k-point: `H = ½|k+G|² + V(r) + Σ |β_i⟩ D_ij ⟨β_j|`, with the
/// overlap `S = 1 + Σ |β_i⟩ q_ij ⟨β_j|`.
pub(crate) struct Hamiltonian<'a, S> {
    basis: &'a WaveBasis,
    grid: &'a WaveGrid,
    operators: &'a Operators,
    projectors: &'a Projectors<S>,
    diagonal: Vec<f64>,
    overlap_diagonal: Option<Vec<f64>>,
    space: RealSpace,
}

/// The box in which products are formed, and what its transforms need.
pub(crate) struct RealSpace {
    pub(crate) field: Vec<Complex64>,
    pub(crate) scratch: FftScratch,
}

impl RealSpace {
    pub(crate) fn new(grid: &WaveGrid) -> Self {
        Self {
            field: vec![ZERO; grid.fft.len()],
            scratch: grid.fft.scratch(),
        }
    }
}

/// A number that bands can be made of: how they meet the real-space box.
pub(crate) trait BandScalar: AtomicScalar {
    /// `out += V ψ` for a block of bands.
    fn add_local(
        basis: &WaveBasis,
        grid: &WaveGrid,
        potential: &[f64],
        space: &mut RealSpace,
        psi: &[Self],
        out: &mut [Self],
    );

    /// `ρ(r) += Σ_n w_n |ψ_n(r)|²` for a block of bands; what is odd under the inversion that
    /// makes bands real may be wrong, and goes when the density is symmetrised.
    fn add_density(
        basis: &WaveBasis,
        grid: &WaveGrid,
        space: &mut RealSpace,
        psi: &[Self],
        weights: &[f64],
        density: &mut [f64],
    );

    /// A number with an amplitude in [0, 1) and, if it has one, a phase in turns.
    fn from_random(amplitude: f64, turns: f64) -> Self;
}

impl BandScalar for Complex64 {
    fn add_local(
        basis: &WaveBasis,
        grid: &WaveGrid,
        potential: &[f64],
        space: &mut RealSpace,
        psi: &[Self],
        out: &mut [Self],
    ) {
        let n = basis.len();
        for (psi, out) in psi.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            basis.scatter(&grid.fft, psi.iter().copied(), &mut space.field);
            multiply(basis, grid, potential, space);
            for (out, &position) in out.iter_mut().zip(&basis.positions) {
                *out += space.field[position as usize];
            }
        }
    }

    fn add_density(
        basis: &WaveBasis,
        grid: &WaveGrid,
        space: &mut RealSpace,
        psi: &[Self],
        weights: &[f64],
        density: &mut [f64],
    ) {
        for (psi, &weight) in psi.chunks_exact(basis.len()).zip(weights) {
            if weight != 0.0 {
                basis.scatter(&grid.fft, psi.iter().copied(), &mut space.field);
                add_square(basis, grid, space, weight, density);
            }
        }
    }

    fn from_random(amplitude: f64, turns: f64) -> Self {
        Self::from_polar(amplitude, std::f64::consts::TAU * turns)
    }
}

/// Two real bands pass through one transform: `V (a + i b)` has `V a` as real part and `V b` as
/// imaginary part, since V(G) is real too.
impl BandScalar for f64 {
    fn add_local(
        basis: &WaveBasis,
        grid: &WaveGrid,
        potential: &[f64],
        space: &mut RealSpace,
        psi: &[Self],
        out: &mut [Self],
    ) {
        let n = basis.len();
        for (psi, out) in psi.chunks(2 * n).zip(out.chunks_mut(2 * n)) {
            let (first, second) = psi.split_at(n);
            scatter_pair(basis, grid, space, [first, second], [1.0, 1.0]);
            multiply(basis, grid, potential, space);
            let (first, second) = out.split_at_mut(n);
            for (out, &position) in first.iter_mut().zip(&basis.positions) {
                *out += space.field[position as usize].re;
            }
            for (out, &position) in second.iter_mut().zip(&basis.positions) {
                *out += space.field[position as usize].im;
            }
        }
    }

    fn add_density(
        basis: &WaveBasis,
        grid: &WaveGrid,
        space: &mut RealSpace,
        psi: &[Self],
        weights: &[f64],
        density: &mut [f64],
    ) {
        let n = basis.len();
        for sign in [1.0, -1.0] {
            // |√w₁ a + i √w₂ b|² = w₁|a|² + w₂|b|² and a part that is odd under inversion.
            let chosen: Vec<(&[f64], f64)> = (psi.chunks_exact(n).zip(weights))
                .filter(|(_, weight)| *weight * sign > 0.0)
                .map(|(band, weight)| (band, weight.abs().sqrt()))
                .collect();
            for pair in chosen.chunks(2) {
                let (second, root) = pair.get(1).copied().unwrap_or((&[], 0.0));
                scatter_pair(basis, grid, space, [pair[0].0, second], [pair[0].1, root]);
                add_square(basis, grid, space, sign, density);
            }
        }
    }

    fn from_random(amplitude: f64, turns: f64) -> Self {
        amplitude * (2.0 * turns - 1.0)
    }
}

/// `c₁ a + i c₂ b` in the box; b may be empty.
fn scatter_pair(
    basis: &WaveBasis,
    grid: &WaveGrid,
    space: &mut RealSpace,
    [first, second]: [&[f64]; 2],
    [c1, c2]: [f64; 2],
) {
    let imaginary = second.iter().copied().chain(std::iter::repeat(0.0));
    let pairs = first.iter().zip(imaginary);
    let values = pairs.map(|(a, b)| Complex64::new(c1 * a, c2 * b));
    basis.scatter(&grid.fft, values, &mut space.field);
}

/// The local operator on what is in the box.
fn multiply(basis: &WaveBasis, grid: &WaveGrid, potential: &[f64], space: &mut RealSpace) {
    let (field, scratch) = (&mut space.field, &mut space.scratch);
    (grid.fft).multiply_in_real_space(field, &basis.occupied, scratch, potential);
}

/// `ρ += w |ψ|²` of what is in the box.
fn add_square(
    basis: &WaveBasis,
    grid: &WaveGrid,
    space: &mut RealSpace,
    weight: f64,
    density: &mut [f64],
) {
    let (field, scratch) = (&mut space.field, &mut space.scratch);
    (grid.fft).visit_real_rows(field, &basis.occupied, scratch, |first, chunk| {
        for (rho, psi) in density[first..].iter_mut().zip(chunk.iter()) {
            *rho += weight * Scalar::norm_sqr(*psi);
        }
    });
}

impl<'a, S: BandScalar> Hamiltonian<'a, S> {
    pub(crate) fn new(
        basis: &'a WaveBasis,
        grid: &'a WaveGrid,
        operators: &'a Operators,
        projectors: &'a Projectors<S>,
    ) -> Self {
        // ⟨G|V|G⟩ is the mean of V.
        let potential = &operators.potential;
        let mean = potential.iter().sum::<f64>() / potential.len() as f64;
        let nonlocal = projectors.diagonal(&operators.coupling);
        let diagonal = basis.kinetic.iter().zip(nonlocal);
        Self {
            basis,
            grid,
            operators,
            projectors,
            overlap_diagonal: operators.overlap.as_ref().map(|q| {
                let diagonal = projectors.diagonal(q);
                diagonal.into_iter().map(|q| 1.0 + q).collect()
            }),
            diagonal: diagonal.map(|(kinetic, d)| kinetic + mean + d).collect(),
            space: RealSpace::new(grid),
        }
    }
}

impl<S: BandScalar> Operator for Hamiltonian<'_, S> {
    type Scalar = S;

    fn len(&self) -> usize {
        self.basis.len()
    }

    fn diagonal(&self) -> &[f64] {
        &self.diagonal
    }

    fn overlap_diagonal(&self) -> Option<&[f64]> {
        self.overlap_diagonal.as_deref()
    }

    fn apply_overlap(&self, psi: &[S]) -> Option<Vec<S>> {
        let overlap = self.operators.overlap.as_ref()?;
        let projections = overlap.apply(&self.projectors.project(psi));
        let mut out = psi.to_vec();
        self.projectors.add_combination(&projections, &mut out);
        Some(out)
    }

    fn apply(&mut self, psi: &[S], out: &mut [S]) {
        apply_kinetic(self.basis, psi, out);
        let potential = &self.operators.potential;
        S::add_local(self.basis, self.grid, potential, &mut self.space, psi, out);
        let projections = self.projectors.project(psi);
        let coupled = self.operators.coupling.apply(&projections);
        self.projectors.add_combination(&coupled, out);
    }
}
