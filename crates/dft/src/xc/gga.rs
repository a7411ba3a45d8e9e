//! The gradient corrections of PBE and PBEsol.

use std::f64::consts::PI;

use super::{
    lda::{pw_energy_per_electron, wigner_seitz_radius},
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

/// e_GGA(ρ, σ) − e_LDA(ρ) and its derivatives; `pw_a` is the constant A of the uniform gas.
pub(super) fn gradient_correction(
    parameters: PbeParameters,
    rho: f64,
    sigma: f64,
    pw_a: f64,
) -> XcPoint {
    let mut point = exchange(parameters.mu, rho, sigma);
    point += correlation(parameters.beta, rho, sigma, pw_a);
    point
}

/// e = e_x^unif(ρ) (F(s) − 1), F − 1 = κ − κ/(1 + μs²/κ), s² = σ / (4 (3π²)^{2/3} ρ^{8/3});
/// eqs. (10) and (14).
fn exchange(mu: f64, rho: f64, sigma: f64) -> XcPoint {
    let cube_root = rho.cbrt();
    let uniform = -0.75 * (3.0 / PI).cbrt() * rho * cube_root;
    // ds²/dσ
    let scale = 0.25 / ((3.0 * PI * PI).powf(2.0 / 3.0) * (rho * cube_root).powi(2));
    let s2 = scale * sigma;
    let denominator = 1.0 + mu * s2 / KAPPA;
    // κ − κ/d = μs²/d avoids the cancellation at small s.
    let enhancement = mu * s2 / denominator;
    let enhancement_slope = mu / (denominator * denominator);
    XcPoint {
        energy: uniform * enhancement,
        // e_x ∝ ρ^{4/3}, s² ∝ ρ^{−8/3}
        v_rho: uniform / rho * (4.0 / 3.0 * enhancement - 8.0 / 3.0 * s2 * enhancement_slope),
        v_sigma: uniform * enhancement_slope * scale,
    }
}

/// e = ρ H, H = γ ln(1 + β/γ t² (1 + At²)/(1 + At² + A²t⁴)), A = β/γ / (exp(−ε_c/γ) − 1),
/// t² = σ / (2 k_s ρ)², k_s² = 4 k_F/π; eqs. (7) and (8) without spin polarisation.
fn correlation(beta: f64, rho: f64, sigma: f64, pw_a: f64) -> XcPoint {
    let rs = wigner_seitz_radius(rho);
    let (epsilon, epsilon_slope) = pw_energy_per_electron(rs, pw_a);
    // dε/dρ = −r_s/(3ρ) dε/dr_s
    let epsilon_rho = -rs / (3.0 * rho) * epsilon_slope;

    // dt²/dσ; t² ∝ σ ρ^{−7/3}
    let k_fermi = (3.0 * PI * PI * rho).cbrt();
    let scale = PI / (16.0 * k_fermi * rho * rho);
    let t2 = scale * sigma;

    let ratio = beta / GAMMA;
    let expm1 = (-epsilon / GAMMA).exp_m1();
    let a = ratio / expm1;
    // dA/dε = A (e^{−ε/γ}) / (γ (e^{−ε/γ} − 1))
    let a_rho = a * (1.0 + 1.0 / expm1) / GAMMA * epsilon_rho;

    let at2 = a * t2;
    let numerator = 1.0 + at2;
    let denominator = 1.0 + at2 * (1.0 + at2);
    // u = t² (1 + At²)/(1 + At² + A²t⁴)
    let u = t2 * numerator / denominator;
    // With y = At²: d/dt² [t²(1+y)/(1+y+y²)] = (1 + 2y)/(1+y+y²)²
    let u_t2 = (1.0 + 2.0 * at2) / (denominator * denominator);
    // d/dA = −t⁴ y (2 + y)/(1+y+y²)²
    let u_a = -t2 * t2 * at2 * (2.0 + at2) / (denominator * denominator);

    let h = GAMMA * (ratio * u).ln_1p();
    let h_u = beta / (1.0 + ratio * u);
    let h_rho = h_u * (u_t2 * (-7.0 / 3.0) * t2 / rho + u_a * a_rho);
    XcPoint {
        energy: rho * h,
        v_rho: h + rho * h_rho,
        v_sigma: rho * h_u * u_t2 * scale,
    }
}
