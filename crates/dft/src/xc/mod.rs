//! Exchange and correlation of an unpolarised density: LDA (PZ, PW92), PBE and PBEsol.
//!
//! The energy per volume e(ρ, σ) of a density ρ with σ = |∇ρ|², and its derivatives, from which
//! the potential is v = ∂e/∂ρ − ∇·(2 ∂e/∂σ ∇ρ). Hartree atomic units.

mod elementary;
mod gga;
mod lda;
mod many_points;
mod point;

use std::{fmt, str::FromStr};

pub use point::XcPoint;

use self::lda::Gas;
use crate::pseudo::PseudoError;

/// Below this density (bohr⁻³) exchange and correlation are zero, as in `pw.x`.
pub const LDA_DENSITY_THRESHOLD: f64 = 1e-10;
/// Below this density (bohr⁻³) the gradient correction is zero, as in `pw.x`.
pub const GGA_DENSITY_THRESHOLD: f64 = 1e-6;
/// Below this |∇ρ|² (bohr⁻⁸) the gradient correction is zero, as in `pw.x`.
pub const GGA_SIGMA_THRESHOLD: f64 = 1e-10;

/// An exchange-correlation functional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Functional {
    /// LDA, correlation of Perdew and Zunger, PRB 23, 5048 (1981).
    LdaPz,
    /// LDA, correlation of Perdew and Wang, PRB 45, 13244 (1992).
    LdaPw,
    /// Perdew, Burke and Ernzerhof, PRL 77, 3865 (1996).
    Pbe,
    /// PBE for solids: Perdew et al., PRL 100, 136406 (2008).
    PbeSol,
}

impl Functional {
    /// Whether e depends on σ.
    pub fn needs_gradient(self) -> bool {
        matches!(self, Self::Pbe | Self::PbeSol)
    }

    /// e(ρ, σ) and its derivatives with the thresholds of `pw.x`.
    ///
    /// `rho` is the density in bohr⁻³; where it is negative (a plane-wave density may be, by a few
    /// per cent of its peaks where a core charge is too sharp for the cutoff), the energy per electron is
    /// that of |ρ|. `sigma` = |∇ρ|² in bohr⁻⁸, ignored by LDA.
    ///
    /// Implementation details. (1) Local part: zero where |ρ| ≤ [`LDA_DENSITY_THRESHOLD`].
    /// (2) Gradient correction: zero where |ρ| ≤ [`GGA_DENSITY_THRESHOLD`] or
    /// σ ≤ [`GGA_SIGMA_THRESHOLD`]. (3) At ρ < 0 the energy changes its sign, e = ρ ε(|ρ|, σ), and the
    /// derivatives are those at |ρ|. For ∂e/∂σ that is not the derivative of the energy; it is what
    /// `pw.x` does, and it keeps the numbers comparable.
    pub fn evaluate(self, rho: f64, sigma: f64) -> XcPoint {
        self.point(rho, sigma)
    }

    /// The same, without branches that depend on the numbers: what compilers turn into code for several
    /// points at once.
    #[inline(always)]
    fn point(self, rho: f64, sigma: f64) -> XcPoint {
        let density = rho.abs();
        let is_dense = density > LDA_DENSITY_THRESHOLD;
        // Elsewhere any density serves, for a result that is thrown away.
        let gas = Gas::new(if is_dense { density } else { 1.0 });
        let (mut point, correlation) = self.local(&gas);
        if let Some(parameters) = self.gradient_parameters() {
            let has_gradient = (density > GGA_DENSITY_THRESHOLD) & (sigma > GGA_SIGMA_THRESHOLD);
            let sigma = if has_gradient { sigma } else { 0.0 };
            let correction = gga::gradient_correction(parameters, &gas, sigma, &correlation);
            point += correction.only_if(has_gradient);
        }
        point = point.only_if(is_dense);
        point.energy *= rho.signum();
        point
    }

    /// The uniform-gas part, no threshold, and the correlation that is in it.
    #[inline(always)]
    fn local(self, gas: &Gas) -> (XcPoint, lda::Correlation) {
        let correlation = match self {
            Self::LdaPz => lda::correlation_pz(gas),
            Self::LdaPw | Self::Pbe | Self::PbeSol => lda::correlation_pw(gas, lda::PW_A),
        };
        let mut point = gas.exchange();
        point += correlation.point(gas);
        (point, correlation)
    }

    #[inline(always)]
    fn gradient_parameters(self) -> Option<gga::PbeParameters> {
        match self {
            Self::Pbe => Some(gga::PBE),
            Self::PbeSol => Some(gga::PBE_SOL),
            Self::LdaPz | Self::LdaPw => None,
        }
    }

    /// The functional's name as pseudopotential files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LdaPz => "PZ",
            Self::LdaPw => "PW",
            Self::Pbe => "PBE",
            Self::PbeSol => "PBESOL",
        }
    }
}

impl fmt::Display for Functional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Functional {
    type Err = PseudoError;

    /// Reads the short names (`PBE`), the four-part names (`SLA PW PBX PBC`, in which old files
    /// write `PBE PBE`, with or without the short name after them) and the four numbers (`1 4 3 4`) of
    /// UPF files, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<String> = text
            .split(|c: char| c.is_whitespace() || c == '-' || c == '+')
            .filter(|word| !word.is_empty())
            .map(str::to_uppercase)
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["PZ" | "LDA"]
            | ["1", "1", "0", "0"]
            | ["SLA", "PZ", "NOGX", "NOGC"]
            | ["SLA", "PZ", "NOGX", "NOGC", "PZ"] => Ok(Self::LdaPz),
            ["PW"]
            | ["1", "4", "0", "0"]
            | ["SLA", "PW", "NOGX", "NOGC"]
            | ["SLA", "PW", "NOGX", "NOGC", "PW"] => Ok(Self::LdaPw),
            ["PBE"]
            | ["1", "4", "3", "4"]
            | ["SLA", "PW", "PBX" | "PBE", "PBC" | "PBE"]
            | ["SLA", "PW", "PBX" | "PBE", "PBC" | "PBE", "PBE"] => Ok(Self::Pbe),
            ["PBESOL"]
            | ["1", "4", "10", "8"]
            | ["SLA", "PW", "PSX", "PSC"]
            | ["SLA", "PW", "PSX", "PSC", "PBESOL"] => Ok(Self::PbeSol),
            _ => Err(PseudoError::UnknownFunctional(text.trim().to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
