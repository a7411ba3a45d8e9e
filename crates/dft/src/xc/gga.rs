//! The gradient corrections of PBE and PBEsol.

use std::f64::consts::PI;

use super::{
    elementary::{exp_m1, ln_1p},
    lda::{Correlation, Gas},
    point::XcPoint,
};

/// What distinguishes PBE from PBEsol.
#[derive(Debug, Clone, Copy)]
pub(super) struct PbeParameters {
    /// Gradient coefficient of exchange.
    mu: f64,
    /// Gradient coefficient of correlation.
    beta: f64,
}

/// PRL 77, 3865 (1996): β from eq. (4) to the digits of the reference code, μ = βπ²/3.
pub(super) const PBE: PbeParameters = PbeParameters {
    mu: 0.066_724_550_603_149_22 * PI * PI / 3.0,
    beta: 0.066_724_550_603_149_22,
};
/// PRL 100, 136406 (2008): μ = 10/81, β = 0.046.
pub(super) const PBE_SOL: PbeParameters = PbeParameters {
    mu: 10.0 / 81.0,
    beta: 0.046,
};

/// Bound of the exchange enhancement, eq. (14).
const KAPPA: f64 = 0.804;
/// γ = (1 − ln 2)/π², eq. (5).
const GAMMA: f64 = 0.031_090_690_869_654_895;

/// ds²/dσ ρ^{8/3} = 1 / 4 (3π²)^{2/3}
const S2_SCALE: f64 = 0.026_121_172_985_233_6;
/// dt²/dσ ρ^{7/3} = π / 16 (3π²)^{1/3}
const T2_SCALE: f64 = 0.063_468_206_097_703_7;

/// e_GGA(ρ, σ) − e_LDA(ρ) and its derivatives; `correlation` is that of the uniform gas.
#[inline(always)]
pub(super) fn gradient_correction(
    parameters: PbeParameters,
    gas: &Gas,
    sigma: f64,
    correlation: &Correlation,
) -> XcPoint {
    let mut point = exchange(parameters.mu, gas, sigma);
    point += self::correlation(parameters.beta, gas, sigma, correlation);
    point
}

/// e = e_x^unif(ρ) (F(s) − 1), F − 1 = κ − κ/(1 + μs²/κ), s² = σ / (4 (3π²)^{2/3} ρ^{8/3});
/// eqs. (10) and (14).
#[inline(always)]
fn exchange(mu: f64, gas: &Gas, sigma: f64) -> XcPoint {
    let per_electron = gas.exchange_per_electron();
    // ds²/dσ
    let two_thirds = gas.inverse_cube_root * gas.inverse_cube_root;
    let four_thirds = two_thirds * two_thirds;
    let scale = S2_SCALE * four_thirds * four_thirds;
    let s2 = scale * sigma;
    let inverse = 1.0 / (1.0 + mu / KAPPA * s2);
    // κ − κ/d = μs²/d avoids the cancellation at small s.
    let enhancement = mu * s2 * inverse;
    let enhancement_slope = mu * inverse * inverse;
    let uniform = gas.rho * per_electron;
    XcPoint {
        energy: uniform * enhancement,
        // e_x ∝ ρ^{4/3}, s² ∝ ρ^{−8/3}
        v_rho: per_electron * (4.0 / 3.0 * enhancement - 8.0 / 3.0 * s2 * enhancement_slope),
        v_sigma: uniform * enhancement_slope * scale,
    }
}

/// e = ρ H, H = γ ln(1 + β/γ t² (1 + At²)/(1 + At² + A²t⁴)), A = β/γ / (exp(−ε_c/γ) − 1),
/// t² = σ / (2 k_s ρ)², k_s² = 4 k_F/π; eqs. (7) and (8) without spin polarisation.
#[inline(always)]
fn correlation(beta: f64, gas: &Gas, sigma: f64, uniform: &Correlation) -> XcPoint {
    // dt²/dσ; t² ∝ σ ρ^{−7/3}
    let two_thirds = gas.inverse_cube_root * gas.inverse_cube_root;
    let scale = T2_SCALE * (two_thirds * two_thirds) * (two_thirds * gas.inverse_cube_root);
    let t2 = scale * sigma;

    let ratio = beta / GAMMA;
    let inverse = 1.0 / exp_m1(uniform.energy * (-1.0 / GAMMA));
    let a = ratio * inverse;
    // ρ dA/dρ, dA/dε = A (e^{−ε/γ}) / (γ (e^{−ε/γ} − 1))
    let a_rho = a * (1.0 + inverse) * (1.0 / GAMMA) * uniform.rho_slope;

    let at2 = a * t2;
    let fraction = 1.0 / (1.0 + at2 * (1.0 + at2));
    let fraction2 = fraction * fraction;
    // u = t² (1 + At²)/(1 + At² + A²t⁴)
    let u = t2 * (1.0 + at2) * fraction;
    // With y = At²: d/dt² [t²(1+y)/(1+y+y²)] = (1 + 2y)/(1+y+y²)²
    let u_t2 = (1.0 + 2.0 * at2) * fraction2;
    // d/dA = −t⁴ y (2 + y)/(1+y+y²)²
    let u_a = -t2 * t2 * at2 * (2.0 + at2) * fraction2;

    let h = GAMMA * ln_1p(ratio * u);
    let h_u = beta / (1.0 + ratio * u);
    // ρ dH/dρ
    let h_rho = h_u * (u_t2 * (-7.0 / 3.0) * t2 + u_a * a_rho);
    XcPoint {
        energy: gas.rho * h,
        v_rho: h + h_rho,
        v_sigma: gas.rho * h_u * u_t2 * scale,
    }
}
