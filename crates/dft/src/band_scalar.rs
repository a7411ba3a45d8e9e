//! How bands of real and complex numbers meet the real-space box.

use rustfft::num_complex::{Complex, Complex64};

use crate::{
    DftError,
    basis::{FftBox, FftScratch, Precision, WaveBasis, WaveBox},
    cancellation::Cancellation,
    terms::atomic_columns::AtomicScalar,
};

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
    /// Whether bands are real: inversion must make them so, or time reversal.
    const IS_REAL: bool;

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

    /// `c(G)` of each plane wave, from the numbers of a block of bands.
    fn coefficients(waves: &WaveBasis, bands: &[Self]) -> Vec<Complex64>;

    /// The numbers of a block of bands, from `c(G)` of each plane wave; what bands of this kind do not have is
    /// left out.
    fn of_coefficients(waves: &WaveBasis, coefficients: Vec<Complex64>) -> Vec<Self>;
}

impl BandScalar for Complex64 {
    const IS_REAL: bool = false;

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

    fn coefficients(_: &WaveBasis, bands: &[Self]) -> Vec<Complex64> {
        bands.to_vec()
    }

    fn of_coefficients(_: &WaveBasis, coefficients: Vec<Complex64>) -> Vec<Self> {
        coefficients
    }
}

/// Two real bands pass through one transform, as `a + i b`. Where inversion makes them real, V(G) is real too,
/// and `V (a + i b)` has `V a` as real part and `V b` as imaginary part in reciprocal space; where time reversal
/// does, in real space.
impl BandScalar for f64 {
    const IS_REAL: bool = true;

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
            add_pair(waves, &space.field, [first, second]);
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
            // |√w₁ a + i √w₂ b|² = w₁|a|² + w₂|b|² and a part that is odd under inversion, and zero where a
            // and b are real.
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

    fn coefficients(waves: &WaveBasis, bands: &[Self]) -> Vec<Complex64> {
        match &waves.reversal {
            None => bands.iter().map(|&c| Complex64::new(c, 0.0)).collect(),
            Some(reversal) => {
                let bands = bands.chunks_exact(waves.len());
                bands.flat_map(|band| reversal.coefficients(band)).collect()
            }
        }
    }

    fn of_coefficients(waves: &WaveBasis, coefficients: Vec<Complex64>) -> Vec<Self> {
        match &waves.reversal {
            None => coefficients.iter().map(|c| c.re).collect(),
            Some(reversal) => {
                let bands = coefficients.chunks_exact(waves.len());
                bands.flat_map(|band| reversal.numbers(band)).collect()
            }
        }
    }
}

/// `c₁ a + i c₂ b` in the box; b may be empty.
fn scatter_pair<T: Precision>(
    waves: WaveBox<'_, T>,
    space: &mut RealSpace<T>,
    [first, second]: [&[f64]; 2],
    [c1, c2]: [f64; 2],
) {
    let Some(reversal) = waves.reversal else {
        let imaginary = second.iter().copied().chain(std::iter::repeat(0.0));
        let pairs = first.iter().zip(imaginary);
        let values = pairs.map(|(a, b)| Complex64::new(c1 * a, c2 * b));
        waves.scatter(values, &mut space.field);
        return;
    };
    let field = &mut space.field;
    let positions = &waves.places.positions;
    waves.fft.clear(field, &waves.places.occupied);
    for pair in reversal.pairs() {
        let a = pair.coefficient(first) * c1;
        let b = match second.is_empty() {
            true => Complex64::new(0.0, 0.0),
            false => pair.coefficient(second) * c2,
        };
        // a + i b, and at −q a* + i b*.
        let mut set = |wave: usize, re: f64, im: f64| {
            field[positions[wave] as usize] = Complex::new(T::rounded(re), T::rounded(im));
        };
        set(pair.q, a.re - b.im, a.im + b.re);
        set(pair.opposite, a.re + b.im, b.re - a.im);
    }
}

/// Adds what [`scatter_pair`] would have made a field of; the second may be empty.
fn add_pair<T: Precision>(
    waves: WaveBox<'_, T>,
    field: &[Complex<T>],
    [first, second]: [&mut [f64]; 2],
) {
    let Some(reversal) = waves.reversal else {
        for (out, &position) in first.iter_mut().zip(&waves.places.positions) {
            *out += field[position as usize].re.widened();
        }
        for (out, &position) in second.iter_mut().zip(&waves.places.positions) {
            *out += field[position as usize].im.widened();
        }
        return;
    };
    for pair in reversal.pairs() {
        let (u, v) = (
            waves.coefficient(pair.q, field),
            waves.coefficient(pair.opposite, field),
        );
        // u = a + i b and v = a* + i b*.
        pair.add(Complex64::new(u.re + v.re, u.im - v.im) * 0.5, first);
        if !second.is_empty() {
            pair.add(Complex64::new(u.im + v.im, v.re - u.re) * 0.5, second);
        }
    }
}

/// The local operator on what is in the box.
fn multiply<T: Precision>(waves: WaveBox<'_, T>, potential: &[T], space: &mut RealSpace<T>) {
    let (field, scratch) = (&mut space.field, &mut space.scratch);
    let WaveBox { fft, places, .. } = waves;
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
    let WaveBox { fft, places, .. } = waves;
    fft.visit_real_rows(field, &places.occupied, scratch, |first, chunk| {
        for (rho, psi) in density[first..].iter_mut().zip(chunk.iter()) {
            *rho += weight * psi.norm_sqr().widened();
        }
    });
}
