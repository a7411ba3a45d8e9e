//! The projectors of all atoms at one k-point, and what couples them.

use std::num::NonZeroUsize;

use pulp::{Arch, Simd, WithSimd};

use crate::{
    basis::{PlaneWaveBasis, WaveBasis},
    model::Model,
    pseudo::{Pseudopotential, RadialTable},
    shared_products::{adjoint_product, product_into},
    terms::{
        atomic_columns::{AtomicScalar, RadialFunction, atomic_columns},
        projector_channels::{projector_channels, projector_sides},
        projector_matrices::ProjectorMatrices,
    },
};

/// The bare couplings D of the pseudopotentials in hartree, diagonal in l and m.
pub(crate) fn bare_coupling(model: &Model) -> ProjectorMatrices {
    let mut matrices = ProjectorMatrices::zeros(projector_sides(model));
    for (atom, block) in model.atoms.iter().zip(matrices.blocks_mut()) {
        let species = &model.species[atom.species];
        let channels = projector_channels(species);
        let side = channels.len();
        for (row, a) in channels.iter().enumerate() {
            for (column, b) in channels.iter().enumerate() {
                if a.harmonic == b.harmonic {
                    block[row * side + column] = species.coupling_between(a.radial, b.radial);
                }
            }
        }
    }
    matrices
}

/// All projectors at one k-point as a matrix, one column each, atoms in order.
#[derive(Debug, Clone)]
pub(crate) struct Projectors<S> {
    n: usize,
    matrix: Vec<S>,
}

impl<S: AtomicScalar> Projectors<S> {
    pub(crate) const NONE: Self = Self {
        n: 0,
        matrix: Vec::new(),
    };

    /// None, with memory for those at any k-point.
    pub(crate) fn with_room(basis: &PlaneWaveBasis) -> Self {
        let columns: usize = projector_sides(&basis.model).into_iter().sum();
        Self {
            matrix: Vec::with_capacity(columns * basis.most_waves()),
            ..Self::NONE
        }
    }

    pub(crate) fn new(basis: &PlaneWaveBasis, waves: &WaveBasis) -> Self {
        let mut projectors = Self::NONE;
        projectors.renew(basis, waves);
        projectors
    }

    /// `⟨k+G|β⟩ = Ω^{−1/2} (−i)^l β(q) Y_lm(q̂) e^{−iG·τ}`, as [`atomic_columns`] has it, in the place
    /// of those of another k-point.
    pub(crate) fn renew(&mut self, basis: &PlaneWaveBasis, waves: &WaveBasis) {
        let scale = 1.0 / basis.model.cell.volume().sqrt();
        let q_max = waves.q_max();
        let functions = |species: &Pseudopotential, lengths: &[f64]| {
            radial_projectors(species, lengths, q_max, scale)
        };
        self.n = waves.len();
        atomic_columns(basis, waves, functions, &mut self.matrix);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.matrix.len() / self.n
    }

    /// The matrices that act on the projections of this kind of number: where a pair of atoms is
    /// represented by the parts of the first, both have its matrix.
    pub(crate) fn matrices_in_place(
        basis: &PlaneWaveBasis,
        matrices: &ProjectorMatrices,
    ) -> ProjectorMatrices {
        let places = (0..matrices.sides().len()).map(|a| S::place(basis.inversion.as_deref(), a).0);
        matrices.rearranged(places)
    }

    /// `⟨β|ψ⟩`, one column per band.
    pub(crate) fn project(&self, psi: &[S]) -> Vec<S> {
        self.project_on(NonZeroUsize::MIN, psi)
    }

    /// The same, by so many threads.
    pub(crate) fn project_on(&self, threads: NonZeroUsize, psi: &[S]) -> Vec<S> {
        adjoint_product(threads, &self.matrix, psi, self.n)
    }

    /// `out += Σ |β⟩ c`, by so many threads.
    pub(crate) fn add_combination(&self, threads: NonZeroUsize, coefficients: &[S], out: &mut [S]) {
        product_into(
            threads,
            out,
            true,
            [&self.matrix, coefficients],
            self.n,
            1.0,
        );
    }

    /// `⟨ψ|β⟩ D ⟨β|ψ⟩` of each band, in hartree.
    #[cfg(test)]
    pub(crate) fn energies(&self, coupling: &ProjectorMatrices, bands: &[S]) -> Vec<f64> {
        let count = bands.len() / self.n.max(1);
        let projections = self.project(bands);
        let coupled = coupling.apply(&projections);
        let side = projections.len() / count.max(1);
        (0..count)
            .map(|band| {
                let range = band * side..(band + 1) * side;
                let pairs = projections[range.clone()].iter().zip(&coupled[range]);
                pairs.map(|(&p, &d)| S::real_product(p, d)).sum()
            })
            .collect()
    }

    /// `Σ_ij M_ij β_i(G) β_j*(G)` of each plane wave: the diagonal of the operator.
    pub(crate) fn diagonal(&self, matrices: &ProjectorMatrices) -> Vec<f64> {
        Arch::new().dispatch(Diagonal {
            projectors: self,
            matrices,
        })
    }
}

struct Diagonal<'a, S> {
    projectors: &'a Projectors<S>,
    matrices: &'a ProjectorMatrices,
}

/// Plane waves that are looked at together: as much of all projectors of an atom stays in cache.
const WAVES_AT_ONCE: usize = 64;

impl<S: AtomicScalar> WithSimd for Diagonal<'_, S> {
    type Output = Vec<f64>;

    /// One copy of the loops for each instruction set, with the same bits.
    #[inline(always)]
    fn with_simd<I: Simd>(self, _: I) -> Vec<f64> {
        let Projectors { n, matrix } = self.projectors;
        let mut diagonal = vec![0.0; *n];
        for (index, sums) in diagonal.chunks_mut(WAVES_AT_ONCE).enumerate() {
            let part = index * WAVES_AT_ONCE..index * WAVES_AT_ONCE + sums.len();
            let column = |index: usize| &matrix[index * n..(index + 1) * n][part.clone()];
            let mut first = 0;
            for (&side, block) in self.matrices.sides().iter().zip(self.matrices.blocks()) {
                for row in 0..side {
                    let mut coupled = [S::from_real(0.0); WAVES_AT_ONCE];
                    for other in 0..=row {
                        // Symmetric: both halves at once.
                        let weight = if other == row { 1.0 } else { 2.0 };
                        let d = weight * block[row * side + other];
                        if d != 0.0 {
                            for (sum, b) in coupled.iter_mut().zip(column(first + other)) {
                                *sum += *b * d;
                            }
                        }
                    }
                    let pairs = column(first + row).iter().zip(coupled);
                    for (sum, (&a, b)) in sums.iter_mut().zip(pairs) {
                        *sum += S::real_product(a, b);
                    }
                }
                first += side;
            }
        }
        diagonal
    }
}

/// `Σ_n w_n Re ⟨ψ_n|β_i⟩⟨β_j|ψ_n⟩` of the projectors of each atom, from `⟨β|ψ⟩` with one column a
/// band, added to `sum`; of a pair of atoms that inversion exchanges the first gets the sum of
/// both, and symmetrisation gives the second its half.
pub(crate) fn add_occupations<S: AtomicScalar>(
    basis: &PlaneWaveBasis,
    projections: &[S],
    weights: &[f64],
    sum: &mut ProjectorMatrices,
) {
    let sides = sum.sides().to_vec();
    let total: usize = sides.iter().sum();
    if total == 0 {
        return;
    }
    let mut first = 0;
    for (atom, side) in sides.into_iter().enumerate() {
        let (place, _) = S::place(basis.inversion.as_deref(), atom);
        let Some(block) = sum.blocks_mut().nth(place) else {
            continue;
        };
        for (p, &weight) in projections.chunks_exact(total).zip(weights) {
            if weight == 0.0 {
                continue;
            }
            let p = &p[first..first + side];
            for (row, &a) in block.chunks_exact_mut(side.max(1)).zip(p) {
                let a = a * weight;
                for (sum, &b) in row.iter_mut().zip(p) {
                    *sum += S::real_product(a, b);
                }
            }
        }
        first += side;
    }
}

/// `scale · β(|k+G|)` of each radial projector; interpolated in the tables that `pw.x` has too,
/// but for closed forms.
fn radial_projectors(
    species: &Pseudopotential,
    lengths: &[f64],
    q_max: f64,
    scale: f64,
) -> Vec<RadialFunction> {
    let tables = (species.radial_functions()).map(|_| species.wave_tables(q_max));
    let closed_form = |index| {
        lengths
            .iter()
            .map(|&q| species.projector(index, q))
            .collect()
    };
    let functions: Vec<Vec<f64>> = match &tables {
        Some(tables) => RadialTable::values_of(&tables.projectors, lengths),
        None => (0..species.projector_l().len()).map(closed_form).collect(),
    };
    (species.projector_l().iter().zip(functions))
        .map(|(&l, values)| RadialFunction {
            l,
            values: values.into_iter().map(|value| scale * value).collect(),
        })
        .collect()
}
