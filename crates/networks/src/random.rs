//! Samplers whose values depend on the generator alone, not on the version of a library.

use rand::Rng;

/// Uniform on [0, 1) with 24 random bits, exact in f32.
pub(crate) fn unit(rng: &mut impl Rng) -> f32 {
    (rng.next_u64() >> 40) as f32 / 16_777_216.0
}

/// Uniform on [−bound, bound).
pub(crate) fn uniform(rng: &mut impl Rng, bound: f32) -> f32 {
    (2.0 * unit(rng) - 1.0) * bound
}

/// Two independent standard normal numbers by the transform of Box and Muller (1958).
pub(crate) fn normal_pair(rng: &mut impl Rng) -> [f32; 2] {
    // 1 − u lies in (0, 1], so the logarithm is finite.
    let radius = (-2.0 * (1.0 - f64::from(unit(rng))).ln()).sqrt();
    let angle = std::f64::consts::TAU * f64::from(unit(rng));
    [(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;

    /// Oracle: moments of the two distributions, within five standard errors.
    #[test]
    fn samples_have_the_moments_of_their_distributions() {
        let mut rng = Pcg64::seed_from_u64(7);
        let n = 40_000;
        let normal: Vec<f64> = (0..n / 2)
            .flat_map(|_| normal_pair(&mut rng))
            .map(f64::from)
            .collect();
        let uniform: Vec<f64> = (0..n).map(|_| f64::from(uniform(&mut rng, 1.0))).collect();
        let moment = |x: &[f64], k: i32| x.iter().map(|x| x.powi(k)).sum::<f64>() / n as f64;
        let root = (n as f64).sqrt();
        assert!(moment(&normal, 1).abs() < 5.0 / root);
        assert!((moment(&normal, 2) - 1.0).abs() < 5.0 * 2.0_f64.sqrt() / root);
        assert!((moment(&normal, 4) - 3.0).abs() < 5.0 * 96.0_f64.sqrt() / root);
        assert!(moment(&uniform, 1).abs() < 5.0 * (1.0_f64 / 3.0).sqrt() / root);
        assert!((moment(&uniform, 2) - 1.0 / 3.0).abs() < 5.0 * 0.3 / root);
        assert!(uniform.iter().all(|x| (-1.0..1.0).contains(x)));
    }
}
