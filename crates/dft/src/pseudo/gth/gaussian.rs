//! Bessel transforms of Gaussians.

use std::f64::consts::PI;

/// ∫ r^{2+l+2n} e^{−ar²} j_l(qr) dr = √π n! q^l / (2^{l+2} a^{l+n+3/2}) L_n^{l+1/2}(x) e^{−x} with
/// x = q²/4a and the associated Laguerre polynomial L_n, n ≤ 3.
///
/// # Source
/// Gradshteyn and Ryzhik, Table of Integrals, 6.631.10, with j_l(x) = √(π/2x) J_{l+1/2}(x).
pub(super) fn gaussian_transform(l: usize, n: usize, a: f64, q: f64) -> f64 {
    let x = q * q / (4.0 * a);
    prefactor(l, n, a) * q.powi(l as i32) * laguerre(n, l as f64 + 0.5, x) * (-x).exp()
}

/// Derivative of [`gaussian_transform`] with respect to q; dL_n^α/dx = −L_{n−1}^{α+1}.
pub(super) fn gaussian_transform_derivative(l: usize, n: usize, a: f64, q: f64) -> f64 {
    let x = q * q / (4.0 * a);
    let alpha = l as f64 + 0.5;
    let value = laguerre(n, alpha, x);
    let slope = if n == 0 {
        0.0
    } else {
        -laguerre(n - 1, alpha + 1.0, x)
    };
    let power = if l == 0 {
        0.0
    } else {
        l as f64 * q.powi(l as i32 - 1)
    };
    prefactor(l, n, a)
        * (-x).exp()
        * (power * value + q.powi(l as i32 + 1) / (2.0 * a) * (slope - value))
}

fn prefactor(l: usize, n: usize, a: f64) -> f64 {
    let factorial: f64 = (1..=n).map(|k| k as f64).product();
    PI.sqrt() * factorial / (2f64.powi(l as i32 + 2) * a.powf((l + n) as f64 + 1.5))
}

/// L_n^α(x) by its recursion (k+1) L_{k+1} = (2k+1+α−x) L_k − (k+α) L_{k−1}.
fn laguerre(n: usize, alpha: f64, x: f64) -> f64 {
    let (mut below, mut value) = (0.0, 1.0);
    for k in 0..n {
        let k = k as f64;
        (below, value) = (
            value,
            ((2.0 * k + 1.0 + alpha - x) * value - (k + alpha) * below) / (k + 1.0),
        );
    }
    value
}

/// Γ(n + ½) = √π (2n−1)!!/2ⁿ.
pub(super) fn gamma_half(n: usize) -> f64 {
    (1..=n).fold(PI.sqrt(), |value, k| value * (k as f64 - 0.5))
}
