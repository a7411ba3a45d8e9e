//! The uniform electron gas.

use std::f64::consts::PI;

use super::point::XcPoint;

/// Constant A of eq. (10) of Perdew and Wang as printed, which `pw.x` uses throughout. The PBE
/// reference code has 0.0310907 instead; the two differ by 1e-5 of the correlation energy.
pub(super) const PW_A: f64 = 0.031_091;

/// Wigner–Seitz radius r_s = (3 / 4πρ)^{1/3} in bohr.
pub(super) fn wigner_seitz_radius(rho: f64) -> f64 {
    (3.0 / (4.0 * PI * rho)).cbrt()
}

/// Energy per volume and potential from ε(r_s) and dε/dr_s: v = ε − r_s/3 dε/dr_s.
fn from_energy_per_electron(rho: f64, rs: f64, energy: f64, slope: f64) -> XcPoint {
    XcPoint {
        energy: rho * energy,
        v_rho: energy - rs / 3.0 * slope,
        v_sigma: 0.0,
    }
}

/// Slater exchange: e = −3/4 (3/π)^{1/3} ρ^{4/3}.
pub(super) fn exchange(rho: f64) -> XcPoint {
    let energy = -0.75 * (3.0 / PI * rho).cbrt();
    XcPoint {
        energy: rho * energy,
        v_rho: 4.0 / 3.0 * energy,
        v_sigma: 0.0,
    }
}

/// Perdew and Zunger, PRB 23, 5048 (1981), eqs. (C3) and (C5), unpolarised row of table XII.
pub(super) fn correlation_pz(rho: f64) -> XcPoint {
    const A: f64 = 0.0311;
    const B: f64 = -0.048;
    const C: f64 = 0.0020;
    const D: f64 = -0.0116;
    const GAMMA: f64 = -0.1423;
    const BETA_1: f64 = 1.0529;
    const BETA_2: f64 = 0.3334;
    let rs = wigner_seitz_radius(rho);
    let (energy, slope) = if rs < 1.0 {
        let ln = rs.ln();
        (
            A * ln + B + C * rs * ln + D * rs,
            A / rs + C * (ln + 1.0) + D,
        )
    } else {
        let sqrt = rs.sqrt();
        let denominator = 1.0 + BETA_1 * sqrt + BETA_2 * rs;
        let energy = GAMMA / denominator;
        (
            energy,
            -energy / denominator * (0.5 * BETA_1 / sqrt + BETA_2),
        )
    };
    from_energy_per_electron(rho, rs, energy, slope)
}

/// ε_c(r_s) and dε_c/dr_s of Perdew and Wang, PRB 45, 13244 (1992), eqs. (10) and (A5):
/// ε = −2A(1 + α₁ r_s) ln(1 + 1 / 2A(β₁ r_s^½ + β₂ r_s + β₃ r_s^{3/2} + β₄ r_s²)).
pub(super) fn pw_energy_per_electron(rs: f64, a: f64) -> (f64, f64) {
    const ALPHA_1: f64 = 0.213_70;
    const BETA: [f64; 4] = [7.595_7, 3.587_6, 1.638_2, 0.492_94];
    let sqrt = rs.sqrt();
    let q0 = -2.0 * a * (1.0 + ALPHA_1 * rs);
    let q1 = 2.0 * a * sqrt * (BETA[0] + sqrt * (BETA[1] + sqrt * (BETA[2] + sqrt * BETA[3])));
    let q1_slope = a * (BETA[0] / sqrt + 2.0 * BETA[1] + 3.0 * BETA[2] * sqrt + 4.0 * BETA[3] * rs);
    let log = (1.0 / q1).ln_1p();
    (
        q0 * log,
        -2.0 * a * ALPHA_1 * log - q0 * q1_slope / (q1 * (q1 + 1.0)),
    )
}

/// Perdew–Wang correlation with the constant A given.
pub(super) fn correlation_pw(rho: f64, a: f64) -> XcPoint {
    let rs = wigner_seitz_radius(rho);
    let (energy, slope) = pw_energy_per_electron(rs, a);
    from_energy_per_electron(rho, rs, energy, slope)
}
