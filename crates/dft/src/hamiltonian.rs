//! The Kohn–Sham Hamiltonian and its application to bands.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use crate::{
    band_scalar::{BandScalar, RealSpace},
    basis::{PlaneWaveBasis, Precision, WaveBasis, WaveBox, WaveGrid},
    cancellation::Cancellation,
    eigensolver::{Exactness, Operator},
    parallel::parallel_map_in,
    terms::{kinetic::apply_kinetic, nonlocal::Projectors, projector_matrices::ProjectorMatrices},
};

/// The operators that a density makes, for all k-points; the local one in precision `T`, single on a
/// smaller box.
pub(crate) struct Operators<T = f64> {
    /// V at the points of the box in which H acts, in hartree.
    potential: Vec<T>,
    /// Its mean, `⟨G|V|G⟩`.
    mean_potential_ha: f64,
    /// D in hartree.
    coupling: ProjectorMatrices,
    /// q; `None` where S is the identity.
    overlap: Option<ProjectorMatrices>,
}

impl<T: Precision> Operators<T> {
    /// From V on the density grid's G and the matrices of all atoms, for bands of `S`.
    pub(crate) fn new<S: BandScalar>(
        basis: &PlaneWaveBasis,
        potential: &[Complex64],
        coupling: &ProjectorMatrices,
        overlap: Option<&ProjectorMatrices>,
    ) -> Self {
        let in_place = |m: &ProjectorMatrices| Projectors::<S>::matrices_in_place(basis, m);
        Self {
            mean_potential_ha: potential[0].re,
            potential: basis.wave_grid.field_to_real(potential),
            coupling: in_place(coupling),
            overlap: overlap.map(in_place),
        }
    }

    /// The potential for corrections to what H was applied to; `potential` is what it was made of.
    pub(crate) fn inexact(
        &self,
        basis: &PlaneWaveBasis,
        potential: &[Complex64],
    ) -> InexactPotential {
        let rounded = self.potential.iter().map(|v| f32::rounded(v.widened()));
        InexactPotential {
            draft: basis.wave_grid.field_to_real(potential),
            rounded: rounded.collect(),
        }
    }

    /// `V ψ` for a block of bands.
    pub(crate) fn local_product<S: BandScalar>(
        &self,
        waves: &WaveBasis,
        grid: &WaveGrid,
        psi: &[S],
    ) -> Vec<S> {
        let waves = waves.operator_box(grid);
        let mut product = vec![S::from_real(0.0); psi.len()];
        let mut space = RealSpace::new(waves.fft);
        S::add_local(waves, &self.potential, &mut space, psi, &mut product);
        product
    }
}

/// The Kohn–Sham Hamiltonian at one k-point: `H = ½|k+G|² + V(r) + Σ |β_i⟩ D_ij ⟨β_j|`, with the
/// overlap `S = 1 + Σ |β_i⟩ q_ij ⟨β_j|`. Bands are made of `S`; transforms are done in `T`.
pub(crate) struct Hamiltonian<'a, S, T = f64> {
    basis: &'a WaveBasis,
    in_box: WaveBox<'a, T>,
    operators: &'a Operators<T>,
    projectors: &'a Projectors<S>,
    diagonal: Vec<f64>,
    overlap_diagonal: Option<Vec<f64>>,
    /// What each thread transforms bands in.
    spaces: Vec<RealSpace<T>>,
    threads: NonZeroUsize,
    /// Cheaper local operators for corrections.
    inexact: Option<[SinglePotential<'a>; 2]>,
    cancellation: Cancellation<'a>,
}

/// The potential for corrections in single precision.
pub(crate) struct InexactPotential {
    /// At the points of the smaller box.
    draft: Vec<f32>,
    /// At those of the whole one.
    rounded: Vec<f32>,
}

/// A local operator in single precision.
struct SinglePotential<'a> {
    in_box: WaveBox<'a, f32>,
    potential: &'a [f32],
    spaces: Vec<RealSpace<f32>>,
}

/// Bands that a thread applies the local operator to between two questions: real ones go in pairs.
const BANDS_AT_ONCE: usize = 2;

impl<'a, S: BandScalar, T: Precision> Hamiltonian<'a, S, T> {
    pub(crate) fn new(
        basis: &'a WaveBasis,
        grid: &'a WaveGrid,
        operators: &'a Operators<T>,
        projectors: &'a Projectors<S>,
        cancellation: Cancellation<'a>,
    ) -> Self {
        let mean = operators.mean_potential_ha;
        let in_box = basis.operator_box(grid);
        let nonlocal = projectors.diagonal(&operators.coupling);
        let diagonal = basis.kinetic.iter().zip(nonlocal);
        Self {
            basis,
            in_box,
            operators,
            projectors,
            overlap_diagonal: operators.overlap.as_ref().map(|q| {
                let diagonal = projectors.diagonal(q);
                diagonal.into_iter().map(|q| 1.0 + q).collect()
            }),
            diagonal: diagonal.map(|(kinetic, d)| kinetic + mean + d).collect(),
            spaces: vec![RealSpace::new(in_box.fft)],
            threads: NonZeroUsize::MIN,
            inexact: None,
            cancellation,
        }
    }

    /// The same, by so many threads.
    pub(crate) fn on_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads;
        let fft = self.in_box.fft;
        self.spaces
            .resize_with(threads.get(), || RealSpace::new(fft));
        self
    }

    /// The same, with cheaper operators for the eigensolver's corrections.
    pub(crate) fn with_inexact(self, grid: &'a WaveGrid, potential: &'a InexactPotential) -> Self {
        let threads = self.threads.get();
        let single = |in_box: WaveBox<'a, f32>, potential| SinglePotential {
            in_box,
            potential,
            spaces: (0..threads).map(|_| RealSpace::new(in_box.fft)).collect(),
        };
        let draft = single(self.basis.operator_box(grid), &potential.draft[..]);
        let rounded = single(self.basis.density_box(grid), &potential.rounded[..]);
        Self {
            inexact: Some([draft, rounded]),
            ..self
        }
    }
}

impl<S: BandScalar, T: Precision> Hamiltonian<'_, S, T> {
    /// `U†HU` and `U†SU` of vectors U whose product with the local operator is known, approximately;
    /// the product is destroyed.
    pub(crate) fn matrices_in(&self, u: &[S], local_product: &mut [S]) -> (Vec<S>, Vec<S>) {
        let n = self.basis.len();
        for (product, u) in (local_product.chunks_exact_mut(n)).zip(u.chunks_exact(n)) {
            for ((product, u), &kinetic) in product.iter_mut().zip(u).zip(&self.basis.kinetic) {
                *product += *u * kinetic;
            }
        }
        let mut h = S::adjoint_product(u, local_product, n);
        let mut s = S::adjoint_product(u, u, n);
        let projections = self.projectors.project(u);
        let count = self.projectors.count();
        let add = |sum: &mut [S], coefficients: &[S]| {
            if count > 0 {
                let part = S::adjoint_product(&projections, coefficients, count);
                for (sum, part) in sum.iter_mut().zip(part) {
                    *sum += part;
                }
            }
        };
        add(&mut h, &self.operators.coupling.apply(&projections));
        if let Some(coefficients) = self.overlap_coefficients(&projections) {
            add(&mut s, &coefficients);
        }
        make_hermitian(&mut h, u.len() / n);
        (h, s)
    }
}

/// `½ (M + M†)`
fn make_hermitian<S: BandScalar>(matrix: &mut [S], side: usize) {
    for j in 0..side {
        for i in 0..=j {
            let (a, b) = (matrix[j * side + i], matrix[i * side + j]);
            let mean = (a + b.conjugate()) * 0.5;
            matrix[j * side + i] = mean;
            matrix[i * side + j] = mean.conjugate();
        }
    }
}

impl<S: BandScalar, T: Precision> Operator for Hamiltonian<'_, S, T> {
    type Scalar = S;

    fn len(&self) -> usize {
        self.basis.len()
    }

    fn projector_count(&self) -> usize {
        self.projectors.count()
    }

    fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    fn diagonal(&self) -> &[f64] {
        &self.diagonal
    }

    fn overlap_diagonal(&self) -> Option<&[f64]> {
        self.overlap_diagonal.as_deref()
    }

    fn project(&self, psi: &[S]) -> Vec<S> {
        self.projectors.project_on(self.threads(), psi)
    }

    fn apply(&mut self, psi: &[S], projections: &[S], out: &mut [S]) -> Option<()> {
        apply_kinetic(self.basis, psi, out);
        let (potential, spaces) = (&self.operators.potential, &mut self.spaces);
        add_local_to_all(self.cancellation, self.in_box, potential, spaces, psi, out)?;
        self.add_combination(&self.operators.coupling.apply(projections), out);
        Some(())
    }

    fn apply_at_least(
        &mut self,
        exactness: Exactness,
        psi: &[S],
        projections: &[S],
        out: &mut [S],
    ) -> Option<()> {
        let single = match (&mut self.inexact, exactness) {
            (None, _) | (_, Exactness::Full) => return self.apply(psi, projections, out),
            (Some([draft, _]), Exactness::Draft) => draft,
            (Some([_, rounded]), Exactness::Rounded) => rounded,
        };
        apply_kinetic(self.basis, psi, out);
        let (in_box, potential, spaces) = (single.in_box, single.potential, &mut single.spaces);
        add_local_to_all(self.cancellation, in_box, potential, spaces, psi, out)?;
        self.add_combination(&self.operators.coupling.apply(projections), out);
        Some(())
    }

    fn overlap_coefficients(&self, projections: &[S]) -> Option<Vec<S>> {
        let overlap = self.operators.overlap.as_ref()?;
        Some(overlap.apply(projections))
    }

    fn add_combination(&self, coefficients: &[S], out: &mut [S]) {
        let threads = self.threads();
        self.projectors.add_combination(threads, coefficients, out);
    }
}

/// `out += V ψ` for any number of bands; `None` if it is cancelled.
fn add_local_to_all<S: BandScalar, T: Precision>(
    cancellation: Cancellation<'_>,
    waves: WaveBox<'_, T>,
    potential: &[T],
    spaces: &mut [RealSpace<T>],
    psi: &[S],
    out: &mut [S],
) -> Option<()> {
    let some = BANDS_AT_ONCE * waves.len();
    let blocks = psi.chunks(some).zip(out.chunks_mut(some));
    let done = parallel_map_in(spaces, blocks, |space, (psi, out)| {
        if cancellation.is_requested() {
            return None;
        }
        S::add_local(waves, potential, space, psi, out);
        Some(())
    });
    done.into_iter().collect()
}
