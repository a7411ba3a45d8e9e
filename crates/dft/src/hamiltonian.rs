//! The Kohn–Sham Hamiltonian and its application to bands.

use rustfft::num_complex::{Complex, Complex64};

use crate::{
    DftError,
    basis::{FftBox, FftScratch, PlaneWaveBasis, Precision, WaveBasis, WaveBox, WaveGrid},
    cancellation::Cancellation,
    eigensolver::{Exactness, Operator},
    terms::{
        atomic_columns::AtomicScalar, kinetic::apply_kinetic, nonlocal::Projectors,
        projector_matrices::ProjectorMatrices,
    },
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
    space: RealSpace<T>,
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
    space: RealSpace<f32>,
}

/// Bands that the local operator is applied to between two questions: real ones go in pairs.
const BANDS_AT_ONCE: usize = 2;

/// The box in which products are formed, and what its transforms need.
pub(crate) struct RealSpace<T> {
    field: Vec<Complex<T>>,
    scratch: FftScratch<T>,
}

impl<T: Precision> RealSpace<T> {
    pub(crate) fn new(fft: &FftBox<T>) -> Self {
        Self {
            field: vec![Complex::new(T::zero(), T::zero()); fft.len()],
            scratch: fft.scratch(),
        }
    }
}

/// A number that bands can be made of: how they meet the real-space box.
pub(crate) trait BandScalar: AtomicScalar {
    /// `out += V ψ` for a block of bands.
    fn add_local<T: Precision>(
        waves: WaveBox<'_, T>,
        potential: &[T],
        space: &mut RealSpace<T>,
        psi: &[Self],
        out: &mut [Self],
    );

    /// `ρ(r) += Σ_n w_n |ψ_n(r)|²` for a block of bands; what is odd under the inversion that
    /// makes bands real may be wrong, and goes when the density is symmetrised.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    fn add_density<T: Precision>(
        waves: WaveBox<'_, T>,
        space: &mut RealSpace<T>,
        psi: &[Self],
        weights: &[f64],
        density: &mut [f64],
        cancellation: Cancellation<'_>,
    ) -> Result<(), DftError>;

    /// A number with an amplitude in [0, 1) and, if it has one, a phase in turns.
    fn from_random(amplitude: f64, turns: f64) -> Self;
}

impl BandScalar for Complex64 {
    fn add_local<T: Precision>(
        waves: WaveBox<'_, T>,
        potential: &[T],
        space: &mut RealSpace<T>,
        psi: &[Self],
        out: &mut [Self],
    ) {
        let n = waves.len();
        for (psi, out) in psi.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            waves.scatter(psi.iter().copied(), &mut space.field);
            multiply(waves, potential, space);
            for (out, &position) in out.iter_mut().zip(&waves.places.positions) {
                let value = space.field[position as usize];
                *out += Complex64::new(value.re.widened(), value.im.widened());
            }
        }
    }

    fn add_density<T: Precision>(
        waves: WaveBox<'_, T>,
        space: &mut RealSpace<T>,
        psi: &[Self],
        weights: &[f64],
        density: &mut [f64],
        cancellation: Cancellation<'_>,
    ) -> Result<(), DftError> {
        for (psi, &weight) in psi.chunks_exact(waves.len()).zip(weights) {
            if weight != 0.0 {
                cancellation.check()?;
                waves.scatter(psi.iter().copied(), &mut space.field);
                add_square(waves, space, weight, density);
            }
        }
        Ok(())
    }

    fn from_random(amplitude: f64, turns: f64) -> Self {
        Self::from_polar(amplitude, std::f64::consts::TAU * turns)
    }
}

/// Two real bands pass through one transform: `V (a + i b)` has `V a` as real part and `V b` as
/// imaginary part, since V(G) is real too.
impl BandScalar for f64 {
    fn add_local<T: Precision>(
        waves: WaveBox<'_, T>,
        potential: &[T],
        space: &mut RealSpace<T>,
        psi: &[Self],
        out: &mut [Self],
    ) {
        let n = waves.len();
        for (psi, out) in psi.chunks(2 * n).zip(out.chunks_mut(2 * n)) {
            let (first, second) = psi.split_at(n);
            scatter_pair(waves, space, [first, second], [1.0, 1.0]);
            multiply(waves, potential, space);
            let (first, second) = out.split_at_mut(n);
            for (out, &position) in first.iter_mut().zip(&waves.places.positions) {
                *out += space.field[position as usize].re.widened();
            }
            for (out, &position) in second.iter_mut().zip(&waves.places.positions) {
                *out += space.field[position as usize].im.widened();
            }
        }
    }

    fn add_density<T: Precision>(
        waves: WaveBox<'_, T>,
        space: &mut RealSpace<T>,
        psi: &[Self],
        weights: &[f64],
        density: &mut [f64],
        cancellation: Cancellation<'_>,
    ) -> Result<(), DftError> {
        let n = waves.len();
        for sign in [1.0, -1.0] {
            // |√w₁ a + i √w₂ b|² = w₁|a|² + w₂|b|² and a part that is odd under inversion.
            let chosen: Vec<(&[f64], f64)> = (psi.chunks_exact(n).zip(weights))
                .filter(|(_, weight)| *weight * sign > 0.0)
                .map(|(band, weight)| (band, weight.abs().sqrt()))
                .collect();
            for pair in chosen.chunks(2) {
                cancellation.check()?;
                let (second, root) = pair.get(1).copied().unwrap_or((&[], 0.0));
                scatter_pair(waves, space, [pair[0].0, second], [pair[0].1, root]);
                add_square(waves, space, sign, density);
            }
        }
        Ok(())
    }

    fn from_random(amplitude: f64, turns: f64) -> Self {
        amplitude * (2.0 * turns - 1.0)
    }
}

/// `c₁ a + i c₂ b` in the box; b may be empty.
fn scatter_pair<T: Precision>(
    waves: WaveBox<'_, T>,
    space: &mut RealSpace<T>,
    [first, second]: [&[f64]; 2],
    [c1, c2]: [f64; 2],
) {
    let imaginary = second.iter().copied().chain(std::iter::repeat(0.0));
    let pairs = first.iter().zip(imaginary);
    let values = pairs.map(|(a, b)| Complex64::new(c1 * a, c2 * b));
    waves.scatter(values, &mut space.field);
}

/// The local operator on what is in the box.
fn multiply<T: Precision>(waves: WaveBox<'_, T>, potential: &[T], space: &mut RealSpace<T>) {
    let (field, scratch) = (&mut space.field, &mut space.scratch);
    let WaveBox { fft, places } = waves;
    fft.multiply_in_real_space(field, &places.occupied, scratch, potential);
}

/// `ρ += w |ψ|²` of what is in the box.
fn add_square<T: Precision>(
    waves: WaveBox<'_, T>,
    space: &mut RealSpace<T>,
    weight: f64,
    density: &mut [f64],
) {
    let (field, scratch) = (&mut space.field, &mut space.scratch);
    let WaveBox { fft, places } = waves;
    fft.visit_real_rows(field, &places.occupied, scratch, |first, chunk| {
        for (rho, psi) in density[first..].iter_mut().zip(chunk.iter()) {
            *rho += weight * psi.norm_sqr().widened();
        }
    });
}

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
            space: RealSpace::new(in_box.fft),
            inexact: None,
            cancellation,
        }
    }

    /// The same, with cheaper operators for the eigensolver's corrections.
    pub(crate) fn with_inexact(self, grid: &'a WaveGrid, potential: &'a InexactPotential) -> Self {
        let single = |in_box: WaveBox<'a, f32>, potential| SinglePotential {
            in_box,
            potential,
            space: RealSpace::new(in_box.fft),
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

    fn diagonal(&self) -> &[f64] {
        &self.diagonal
    }

    fn overlap_diagonal(&self) -> Option<&[f64]> {
        self.overlap_diagonal.as_deref()
    }

    fn project(&self, psi: &[S]) -> Vec<S> {
        self.projectors.project(psi)
    }

    fn apply(&mut self, psi: &[S], projections: &[S], out: &mut [S]) -> Option<()> {
        apply_kinetic(self.basis, psi, out);
        let (potential, space) = (&self.operators.potential, &mut self.space);
        add_local_to_all(self.cancellation, self.in_box, potential, space, psi, out)?;
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
        let (in_box, potential, space) = (single.in_box, single.potential, &mut single.space);
        add_local_to_all(self.cancellation, in_box, potential, space, psi, out)?;
        self.add_combination(&self.operators.coupling.apply(projections), out);
        Some(())
    }

    fn overlap_coefficients(&self, projections: &[S]) -> Option<Vec<S>> {
        let overlap = self.operators.overlap.as_ref()?;
        Some(overlap.apply(projections))
    }

    fn add_combination(&self, coefficients: &[S], out: &mut [S]) {
        self.projectors.add_combination(coefficients, out);
    }
}

/// `out += V ψ` for any number of bands; `None` if it is cancelled.
fn add_local_to_all<S: BandScalar, T: Precision>(
    cancellation: Cancellation<'_>,
    waves: WaveBox<'_, T>,
    potential: &[T],
    space: &mut RealSpace<T>,
    psi: &[S],
    out: &mut [S],
) -> Option<()> {
    let some = BANDS_AT_ONCE * waves.len();
    for (psi, out) in psi.chunks(some).zip(out.chunks_mut(some)) {
        if cancellation.is_requested() {
            return None;
        }
        S::add_local(waves, potential, space, psi, out);
    }
    Some(())
}
