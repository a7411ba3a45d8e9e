use rustfft::num_complex::Complex64;

use crate::basis::WaveBasis;

/// Bands to start from: random, but mostly made of long waves, as the lowest bands are.
///
/// The numbers follow from the k-point's index alone, so that every run starts alike.
pub(crate) fn starting_bands(basis: &WaveBasis, bands: usize, k_index: usize) -> Vec<Complex64> {
    let mut random = SplitMix(k_index as u64);
    let mut psi = Vec::with_capacity(bands * basis.len());
    for _ in 0..bands {
        for kinetic in &basis.kinetic {
            let amplitude = random.unit() / (1.0 + 4.0 * kinetic * kinetic);
            psi.push(Complex64::from_polar(
                amplitude,
                std::f64::consts::TAU * random.unit(),
            ));
        }
    }
    psi
}

/// Steele, Lea and Flood's SplitMix64: a few lines, and the same numbers for ever.
struct SplitMix(u64);

impl SplitMix {
    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}
