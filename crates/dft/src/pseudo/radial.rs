//! Radial integrals and spherical Bessel functions.

/// A radial mesh r_i with the derivative dr/di of its numbering.
#[derive(Debug, Clone, PartialEq)]
pub struct RadialMesh {
    /// Radii in bohr, ascending.
    pub r: Vec<f64>,
    /// dr/di in bohr, the weight of point i before Simpson's factors.
    pub rab: Vec<f64>,
}

impl RadialMesh {
    /// Number of points that radial integrals over long-ranged functions use.
    ///
    /// The first point beyond 10 bohr ends the mesh, which is then made odd in number; this is
    /// what `pw.x` does to cut the numerical noise of the tails, so total energies depend on it.
    pub fn integration_points(&self) -> usize {
        const R_CUT_BOHR: f64 = 10.0;
        let points = self
            .r
            .iter()
            .position(|&r| r > R_CUT_BOHR)
            .map_or(self.r.len(), |index| index + 1);
        2 * points.div_ceil(2) - 1
    }

    /// ∫ f dr by Simpson's rule over the first `points` points.
    ///
    /// `f` gives the integrand at point i. An even number of points leaves the last one out, as
    /// `pw.x` does.
    pub fn integrate(&self, points: usize, f: impl Fn(usize) -> f64) -> f64 {
        simpson_weights(&self.rab, points)
            .enumerate()
            .map(|(i, weight)| weight * f(i))
            .sum()
    }

    /// The weights w_i with ∫ f dr = Σ w_i f(r_i) of [`Self::integrate`].
    pub fn weights(&self, points: usize) -> Vec<f64> {
        simpson_weights(&self.rab, points).collect()
    }
}

/// Simpson's weights 1/3, 4/3, 2/3, …, 4/3, 1/3 times dr/di, over an odd number of points.
fn simpson_weights(rab: &[f64], points: usize) -> impl Iterator<Item = f64> {
    let odd = if points.is_multiple_of(2) {
        points.saturating_sub(1)
    } else {
        points
    };
    rab.iter().take(odd).enumerate().map(move |(i, &rab)| {
        let factor = if i == 0 || i + 1 == odd {
            1.0
        } else if i % 2 == 1 {
            4.0
        } else {
            2.0
        };
        factor * rab / 3.0
    })
}

/// Spherical Bessel function j_l(x) for x ≥ 0.
///
/// Closed forms by upward recursion where x exceeds the order (stable there), the power series
/// j_l(x) = x^l Σ_k (−x²/2)^k / (k! (2l+2k+1)!!) below (no cancellation there).
///
/// # Source
/// Abramowitz and Stegun, Handbook of Mathematical Functions, 10.1.2 and 10.1.19.
pub fn spherical_bessel(l: usize, x: f64) -> f64 {
    if x < l as f64 + 1.0 {
        return bessel_series(l, x);
    }
    let (sin, cos) = x.sin_cos();
    let mut previous = sin / x;
    if l == 0 {
        return previous;
    }
    let mut current = (previous - cos) / x;
    for order in 1..l {
        // j_{n+1} = (2n+1)/x j_n − j_{n−1}
        let next = (2 * order + 1) as f64 / x * current - previous;
        previous = current;
        current = next;
    }
    current
}

/// Derivative j_l′(x) = l/x j_l − j_{l+1} (10.1.22), with its limits at x = 0.
pub fn spherical_bessel_derivative(l: usize, x: f64) -> f64 {
    if x < 1e-8 {
        return if l == 1 { 1.0 / 3.0 } else { 0.0 };
    }
    l as f64 / x * spherical_bessel(l, x) - spherical_bessel(l + 1, x)
}

fn bessel_series(l: usize, x: f64) -> f64 {
    let mut term = 1.0;
    for k in 1..=l {
        term *= x / (2 * k + 1) as f64;
    }
    let mut sum = term;
    let half_square = 0.5 * x * x;
    for k in 1..60 {
        term *= -half_square / (k * (2 * (l + k) + 1)) as f64;
        sum += term;
        if term.abs() <= 1e-17 * sum.abs() {
            break;
        }
    }
    sum
}

/// Error function by its series below 2 and by the continued fraction of erfc above, to 1e-15.
///
/// # Source
/// Abramowitz and Stegun 7.1.6 and 7.1.14.
pub fn erf(x: f64) -> f64 {
    if x < 0.0 {
        return -erf(-x);
    }
    if x > 6.0 {
        return 1.0;
    }
    let gauss = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.5 {
        // erf x = 2/√π e^{−x²} Σ 2ⁿ x^{2n+1} / (2n+1)!!
        let mut term = x;
        let mut sum = x;
        let mut n = 0;
        while term > 1e-17 * sum {
            n += 1;
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        2.0 * gauss * sum
    } else {
        // √π e^{x²} erfc x = 1/(x + ½/(x + 1/(x + 3/2/(x + 2/(x + …
        let fraction = (1..=80)
            .rev()
            .fold(x, |tail, k| x + 0.5 * f64::from(k) / tail);
        1.0 - gauss / fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: closed forms j0, j1, j2 and Rayleigh's recursion identity for the higher ones.
    #[test]
    fn bessel_functions_match_closed_forms_and_recursion() {
        for step in 1..400 {
            let x = 0.05 * f64::from(step);
            let (sin, cos) = x.sin_cos();
            let closed = [
                sin / x,
                sin / (x * x) - cos / x,
                (3.0 / (x * x) - 1.0) * sin / x - 3.0 * cos / (x * x),
            ];
            for (l, closed) in closed.into_iter().enumerate() {
                // The closed forms cancel at small x.
                let tolerance = 1e-15 * (1.0 + 10.0 / x.powi(l as i32 + 1));
                assert!(
                    (spherical_bessel(l, x) - closed).abs() < tolerance,
                    "{l} {x}"
                );
            }
            for l in 1..7 {
                let left = spherical_bessel(l - 1, x) + spherical_bessel(l + 1, x);
                let right = (2 * l + 1) as f64 / x * spherical_bessel(l, x);
                assert!((left - right).abs() < 1e-13, "{l} {x}");
                let h = 1e-4;
                let slope = (spherical_bessel(l, x + h) - spherical_bessel(l, x - h)) / (2.0 * h);
                assert!((slope - spherical_bessel_derivative(l, x)).abs() < 1e-8);
            }
        }
    }

    // Oracle: values of Abramowitz and Stegun, table 7.1 and 7.2.
    #[test]
    fn error_function_has_its_tabulated_values() {
        for (x, value) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.0, 0.999_977_909_503_001_4),
        ] {
            assert!((erf(x) - value).abs() < 2e-15, "{x}: {}", erf(x));
        }
        assert!((erf(2.5 - 1e-12) - erf(2.5 + 1e-12)).abs() < 1e-14);
    }

    // Oracle: ∫ x³ dx, which Simpson's rule integrates exactly.
    #[test]
    fn simpson_is_exact_for_cubics_and_drops_an_even_last_point() {
        let r: Vec<f64> = (0..12).map(f64::from).collect();
        let mesh = RadialMesh {
            rab: vec![1.0; r.len()],
            r,
        };
        let cube = |points| mesh.integrate(points, |i| mesh.r[i].powi(3));
        assert!((cube(11) - 2500.0).abs() < 1e-10);
        assert_eq!(cube(12).to_bits(), cube(11).to_bits());
        assert_eq!(mesh.integration_points(), 11);
    }
}
