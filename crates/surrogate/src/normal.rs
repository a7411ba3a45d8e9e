//! The normal distribution.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Below this the tail is its asymptotic series.
const FAR: f64 = -30.0;

/// Density φ of the standard normal distribution.
pub(crate) fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Probability Φ of a standard normal number below `z`.
pub(crate) fn below(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// Probability between two numbers, exact to rounding in either tail.
pub(crate) fn between(low: f64, high: f64) -> f64 {
    match low > 0.0 {
        true => below(-low) - below(-high),
        false => below(high) - below(low),
    }
}

/// `ln Φ(z)`.
pub(crate) fn log_below(z: f64) -> f64 {
    match z > FAR {
        true => below(z).ln(),
        false => -0.5 * z * z - (-z).ln() - 0.5 * (2.0 * PI).ln() - (z * z).recip(),
    }
}

/// `φ(z) / Φ(z)`, the slope of `ln Φ`.
pub(crate) fn inverse_mills(z: f64) -> f64 {
    match z > FAR {
        true => density(z) / below(z),
        false => -z - z.recip() + 2.0 * z.powi(-3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: tables of the normal distribution, and its slope by central differences.
    #[test]
    fn tables_and_slopes() {
        for (z, expected) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
            (-3.0, 0.001_349_898_031_630_095),
        ] {
            assert!((below(z) - expected).abs() < 1e-15, "{z}");
        }
        assert!((between(8.0, 9.0) / 6.220_960_574_271_78e-16 - 1.0).abs() < 3e-4);
        for z in [-40.0, -31.0, -29.0, -3.0, 0.0, 2.0] {
            let step = 1e-4;
            let slope = (log_below(z + step) - log_below(z - step)) / (2.0 * step);
            assert!((slope / inverse_mills(z) - 1.0).abs() < 1e-6, "{z} {slope}");
        }
    }

    /// The series takes over without a jump.
    #[test]
    fn the_far_tail_is_continuous() {
        let near = FAR + 1e-9;
        assert!((log_below(near) - log_below(FAR)).abs() < 1e-5);
        assert!((inverse_mills(near) - inverse_mills(FAR)).abs() < 1e-4);
    }
}
