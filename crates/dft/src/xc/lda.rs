//! The uniform electron gas.

use super::{
    elementary::{inverse_cube_root, ln, ln_1p},
    point::XcPoint,
};

/// Constant A of eq. (10) of Perdew and Wang as printed, which `pw.x` uses throughout. The PBE
/// reference code has 0.0310907 instead; the two differ by 1e-5 of the correlation energy.
pub(super) const PW_A: f64 = 0.031_091;

/// (3/4π)^{1/3}
const WIGNER_SEITZ: f64 = 0.620_350_490_899_4;
/// (3/π)^{1/3}
const SLATER: f64 = 0.984_745_021_842_696_5;

/// The powers of a density ρ > 0 that functionals are made of, all from one cube root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gas {
    pub(super) rho: f64,
    pub(super) cube_root: f64,
    pub(super) inverse_cube_root: f64,
    /// Wigner–Seitz radius r_s = (3 / 4πρ)^{1/3} in bohr.
    pub(super) rs: f64,
    inverse_rs: f64,
}

impl Gas {
    #[inline(always)]
    pub(super) fn new(rho: f64) -> Self {
        let inverse = inverse_cube_root(rho);
        let cube_root = rho * inverse * inverse;
        Self {
            rho,
            cube_root,
            inverse_cube_root: inverse,
            rs: WIGNER_SEITZ * inverse,
            inverse_rs: cube_root * (1.0 / WIGNER_SEITZ),
        }
    }

    /// Exchange energy per electron, −3/4 (3/π)^{1/3} ρ^{1/3} (Slater).
    #[inline(always)]
    pub(super) fn exchange_per_electron(&self) -> f64 {
        -0.75 * SLATER * self.cube_root
    }

    /// Exchange: e ∝ ρ^{4/3}.
    #[inline(always)]
    pub(super) fn exchange(&self) -> XcPoint {
        let energy = self.exchange_per_electron();
        XcPoint {
            energy: self.rho * energy,
            v_rho: 4.0 / 3.0 * energy,
            v_sigma: 0.0,
        }
    }
}

/// Correlation of the uniform gas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlation {
    /// ε(r_s) per electron.
    pub(super) energy: f64,
    /// ρ dε/dρ = −r_s/3 dε/dr_s
    pub(super) rho_slope: f64,
}

impl Correlation {
    #[inline(always)]
    fn new(gas: &Gas, energy: f64, slope: f64) -> Self {
        Self {
            energy,
            rho_slope: gas.rs * slope * (-1.0 / 3.0),
        }
    }

    /// Energy per volume and potential, v = ε + ρ dε/dρ.
    #[inline(always)]
    pub(super) fn point(&self, gas: &Gas) -> XcPoint {
        XcPoint {
            energy: gas.rho * self.energy,
            v_rho: self.energy + self.rho_slope,
            v_sigma: 0.0,
        }
    }
}

/// Perdew and Zunger, PRB 23, 5048 (1981), eqs. (C3) and (C5), unpolarised row of table XII.
#[inline(always)]
pub(super) fn correlation_pz(gas: &Gas) -> Correlation {
    const A: f64 = 0.0311;
    const B: f64 = -0.048;
    const C: f64 = 0.0020;
    const D: f64 = -0.0116;
    const GAMMA: f64 = -0.1423;
    const BETA_1: f64 = 1.0529;
    const BETA_2: f64 = 0.3334;
    let rs = gas.rs;
    let log = ln(rs);
    let dense = (
        A * log + B + C * rs * log + D * rs,
        A * gas.inverse_rs + C * (log + 1.0) + D,
    );
    let sqrt = rs.sqrt();
    let inverse = 1.0 / (1.0 + BETA_1 * sqrt + BETA_2 * rs);
    let energy = GAMMA * inverse;
    let slope = -energy * inverse * (0.5 * BETA_1 * sqrt * gas.inverse_rs + BETA_2);
    let is_dense = rs < 1.0;
    Correlation::new(
        gas,
        if is_dense { dense.0 } else { energy },
        if is_dense { dense.1 } else { slope },
    )
}

/// Perdew and Wang, PRB 45, 13244 (1992), eqs. (10) and (A5), with the constant A given:
/// ε = −2A(1 + α₁ r_s) ln(1 + 1 / 2A(β₁ r_s^½ + β₂ r_s + β₃ r_s^{3/2} + β₄ r_s²)).
#[inline(always)]
pub(super) fn correlation_pw(gas: &Gas, a: f64) -> Correlation {
    const ALPHA_1: f64 = 0.213_70;
    const BETA: [f64; 4] = [7.595_7, 3.587_6, 1.638_2, 0.492_94];
    let rs = gas.rs;
    let sqrt = rs.sqrt();
    let inverse_sqrt = sqrt * gas.inverse_rs;
    let q0 = -2.0 * a * (1.0 + ALPHA_1 * rs);
    let q1 = 2.0 * a * ((BETA[0] * sqrt + BETA[1] * rs) + rs * (BETA[2] * sqrt + BETA[3] * rs));
    let q1_slope = a
        * ((BETA[0] * inverse_sqrt + 2.0 * BETA[1]) + (3.0 * BETA[2] * sqrt + 4.0 * BETA[3] * rs));
    let inverse = 1.0 / q1;
    let log = ln_1p(inverse);
    // q₁'/(q₁ (q₁ + 1)) by 1/q₁
    let fall = q1_slope * inverse * inverse / (1.0 + inverse);
    Correlation::new(gas, q0 * log, -2.0 * a * ALPHA_1 * log - q0 * fall)
}
