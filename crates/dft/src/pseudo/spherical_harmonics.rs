//! Real spherical harmonics.

use std::f64::consts::{PI, SQRT_2};

/// Index of (l, m), m = −l … l, in a list of all harmonics: l² + l + m.
pub fn harmonic_index(l: usize, m: isize) -> usize {
    (l * l + l).saturating_add_signed(m)
}

/// Real spherical harmonics Y_lm of the direction of `q` for all l ≤ `l_max`, orthonormal on the
/// unit sphere, at [`harmonic_index`].
///
/// √2 N P_l^|m|(cos θ) sin |m|φ for m < 0, N P_l(cos θ) for m = 0, √2 N P_l^m(cos θ) cos mφ for
/// m > 0, with N² = (2l+1)/4π (l−|m|)!/(l+|m|)!, without the Condon–Shortley phase. A zero vector
/// counts as pointing along z.
///
/// # Source
/// Blanco, Flórez and Bermejo, J. Mol. Struct. THEOCHEM 419, 19 (1997), eqs. (6) and (7).
pub fn real_spherical_harmonics(l_max: usize, q: [f64; 3]) -> Vec<f64> {
    let [x, y, z] = q;
    let length = (x * x + y * y + z * z).sqrt();
    let unit = if length > 0.0 {
        [x / length, y / length, z / length]
    } else {
        [0.0, 0.0, 1.0]
    };
    let [x, y, z] = unit;
    let mut out = vec![0.0; (l_max + 1) * (l_max + 1)];
    // sin^m θ (cos mφ + i sin mφ) = (x + iy)^m, so that no angle is ever computed
    let (mut re, mut im) = (1.0, 0.0);
    // P_m^m / sin^m θ = (2m − 1)!!
    let mut p_mm = 1.0;
    for m in 0..=l_max {
        if m > 0 {
            (re, im) = (re * x - im * y, re * y + im * x);
            p_mm *= (2 * m - 1) as f64;
        }
        // (l − m) P_l^m = (2l − 1) z P_{l−1}^m − (l + m − 1) P_{l−2}^m
        let (mut below, mut p) = (0.0, p_mm);
        for l in m..=l_max {
            if l > m {
                let next =
                    ((2 * l - 1) as f64 * z * p - (l + m - 1) as f64 * below) / (l - m) as f64;
                (below, p) = (p, next);
            }
            let factorials: f64 = (l - m + 1..=l + m).map(|k| k as f64).product();
            let norm = ((2 * l + 1) as f64 / (4.0 * PI * factorials)).sqrt();
            let center = l * l + l;
            if m == 0 {
                out[center] = norm * p;
            } else {
                out[center + m] = SQRT_2 * norm * p * re;
                out[center - m] = SQRT_2 * norm * p * im;
            }
        }
    }
    out
}

/// Gradients ∇_q Y_lm(q̂) of the real spherical harmonics for all l ≤ `l_max`, at
/// [`harmonic_index`]; zero at q = 0.
///
/// Off the unit sphere each harmonic goes on as the polynomial that
/// [`real_spherical_harmonics`] evaluates; the gradient of Y(q̂) is that polynomial's gradient at q̂
/// without its part along q̂, divided by |q|.
pub fn real_spherical_harmonics_gradient(l_max: usize, q: [f64; 3]) -> Vec<[f64; 3]> {
    let mut out = vec![[0.0; 3]; (l_max + 1) * (l_max + 1)];
    let length = q.iter().map(|c| c * c).sum::<f64>().sqrt();
    if length == 0.0 {
        return out;
    }
    let [x, y, z] = q.map(|c| c / length);
    let tangential = |[gx, gy, gz]: [f64; 3]| {
        let along = gx * x + gy * y + gz * z;
        [gx - along * x, gy - along * y, gz - along * z].map(|c| c / length)
    };
    // (x + iy)^m and (x + iy)^{m−1}
    let (mut re, mut im) = (1.0, 0.0);
    let (mut re_below, mut im_below) = (0.0, 0.0);
    let mut p_mm = 1.0;
    for m in 0..=l_max {
        if m > 0 {
            (re_below, im_below) = (re, im);
            (re, im) = (re * x - im * y, re * y + im * x);
            p_mm *= (2 * m - 1) as f64;
        }
        let order = m as f64;
        let (mut below, mut p) = (0.0, p_mm);
        // dP/dz by the derivative of the recursion
        let (mut slope_below, mut slope) = (0.0, 0.0);
        for l in m..=l_max {
            if l > m {
                let (a, b, c) = ((2 * l - 1) as f64, (l + m - 1) as f64, (l - m) as f64);
                let next = (a * z * p - b * below) / c;
                let next_slope = (a * (p + z * slope) - b * slope_below) / c;
                (below, p) = (p, next);
                (slope_below, slope) = (slope, next_slope);
            }
            let factorials: f64 = (l - m + 1..=l + m).map(|k| k as f64).product();
            let norm = ((2 * l + 1) as f64 / (4.0 * PI * factorials)).sqrt();
            let center = l * l + l;
            if m == 0 {
                out[center] = tangential([0.0, 0.0, norm * slope]);
            } else {
                let norm = SQRT_2 * norm;
                let p_m = order * p;
                out[center + m] =
                    tangential([p_m * re_below, -p_m * im_below, slope * re].map(|c| norm * c));
                out[center - m] =
                    tangential([p_m * im_below, p_m * re_below, slope * im].map(|c| norm * c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: closed Cartesian forms up to l = 2 and the addition theorem
    // Σ_m Y_lm(u) Y_lm(v) = (2l+1)/4π P_l(u·v) above.
    #[test]
    fn closed_forms_and_addition_theorem() {
        let u: [f64; 3] = [0.36, -0.48, 0.8];
        let v: [f64; 3] = [-2.0 / 3.0, 1.0 / 3.0, 2.0 / 3.0];
        let (a, b) = (
            real_spherical_harmonics(6, u.map(|c| 2.5 * c)),
            real_spherical_harmonics(6, v),
        );
        let [x, y, z] = u;
        let p = (0.75 / PI).sqrt();
        let d = (3.75 / PI).sqrt();
        let expected = [
            (0.25 / PI).sqrt(),
            p * y,
            p * z,
            p * x,
            d * x * y,
            d * y * z,
            (5.0 / (16.0 * PI)).sqrt() * (3.0 * z * z - 1.0),
            d * x * z,
            0.5 * d * (x * x - y * y),
        ];
        // Y_{2,−2} = √(15/4π) xy
        for (index, expected) in expected.into_iter().enumerate() {
            assert!((a[index] - expected).abs() < 1e-14, "{index}");
        }
        let c = x * v[0] + y * v[1] + z * v[2];
        let mut legendre = vec![1.0, c];
        for l in 2..=6 {
            let next = ((2 * l - 1) as f64 * c * legendre[l - 1]
                - (l - 1) as f64 * legendre[l - 2])
                / l as f64;
            legendre.push(next);
        }
        for (l, legendre) in legendre.into_iter().enumerate() {
            let sum: f64 = (l * l..(l + 1) * (l + 1)).map(|i| a[i] * b[i]).sum();
            assert!((sum - (2 * l + 1) as f64 / (4.0 * PI) * legendre).abs() < 1e-13);
        }
        assert_eq!(harmonic_index(2, -2), 4);
        assert_eq!(harmonic_index(3, 3), 15);
    }

    // Oracle: central differences.
    #[test]
    fn gradients_are_derivatives() {
        for q in [[0.9, -1.2, 2.0], [0.0, 0.0, 1.5], [-0.3, 0.0, 0.1]] {
            let gradient = real_spherical_harmonics_gradient(5, q);
            for axis in 0..3 {
                let step = 1e-5;
                let at = |sign: f64| {
                    let mut moved = q;
                    moved[axis] += sign * step;
                    real_spherical_harmonics(5, moved)
                };
                let (above, below) = (at(1.0), at(-1.0));
                for index in 0..36 {
                    let slope = (above[index] - below[index]) / (2.0 * step);
                    assert!(
                        (slope - gradient[index][axis]).abs() < 1e-6,
                        "{index} {axis}"
                    );
                }
            }
        }
    }
}
