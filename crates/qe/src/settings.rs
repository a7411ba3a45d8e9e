use serde::{Deserialize, Serialize};

/// What decides the numbers of a pw.x calculation, apart from crystal and pseudopotentials.
///
/// Defaults are those of the CrystalGym paper (appendix B.5 and its published decks), but for the
/// sharper threshold of the equation of state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PwSettings {
    /// Which decks are written and how the results are read.
    pub profile: Profile,
    /// Cutoff of the wave functions in Ry.
    pub ecutwfc_ry: f64,
    /// Cutoff of the density in Ry.
    pub ecutrho_ry: f64,
    /// Smearing where occupations are not fixed.
    pub smearing: Smearing,
    /// Its width in Ry.
    pub degauss_ry: f64,
    /// Estimated accuracy in Ry at which an SCF stops.
    pub conv_thr_ry: f64,
    /// The same for the energies of an equation of state (standard profile). Extrapolated to zero
    /// pressure, 5e-7 Ry in five energies made 20 % of a bulk modulus.
    pub equation_of_state_conv_thr_ry: f64,
    /// Mixing factor of the density.
    pub mixing_beta: f64,
    /// Most SCF iterations.
    pub electron_maxstep: u32,
    /// Density of the k-mesh: points per reciprocal atom.
    pub kppa: f64,
}

impl Default for PwSettings {
    fn default() -> Self {
        Self {
            profile: Profile::Standard,
            ecutwfc_ry: 50.0,
            ecutrho_ry: 400.0,
            smearing: Smearing::Gaussian,
            degauss_ry: 0.001,
            conv_thr_ry: 1e-6,
            equation_of_state_conv_thr_ry: 1e-9,
            mixing_beta: 0.7,
            electron_maxstep: 300,
            kppa: 1000.0,
        }
    }
}

/// How closely the published calculations are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The same physics with exactly symmetric cells along pw.x's axes, bands by the valence
    /// electrons, and an equation of state on true volumes.
    #[default]
    Standard,
    /// The published decks with their quirks, for comparing with published numbers.
    Paper,
}

impl Profile {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Paper => "paper",
        }
    }
}

/// Smearing functions of pw.x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Smearing {
    /// Ordinary Gaussian.
    #[default]
    Gaussian,
    /// Methfessel–Paxton of first order.
    MethfesselPaxton,
    /// Marzari–Vanderbilt–DeVita–Payne cold smearing.
    MarzariVanderbilt,
    /// Fermi–Dirac.
    FermiDirac,
}

impl Smearing {
    /// The name that pw.x knows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::MethfesselPaxton => "methfessel-paxton",
            Self::MarzariVanderbilt => "marzari-vanderbilt",
            Self::FermiDirac => "fermi-dirac",
        }
    }
}

/// A setting that no calculation can use.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("pw.x setting {field} is {value}, expected {expected}")]
pub struct InvalidPwSettings {
    /// Name of the field.
    pub field: &'static str,
    /// Its value.
    pub value: f64,
    /// What would be right.
    pub expected: &'static str,
}

impl PwSettings {
    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// [`InvalidPwSettings`] for the first that does not.
    pub fn validate(&self) -> Result<(), InvalidPwSettings> {
        let positive = "a positive number";
        let ratio = self.ecutrho_ry / self.ecutwfc_ry;
        let steps = f64::from(self.electron_maxstep);
        let checks = [
            (
                "ecutwfc_ry",
                self.ecutwfc_ry,
                self.ecutwfc_ry > 0.0,
                positive,
            ),
            (
                "ecutrho_ry",
                self.ecutrho_ry,
                ratio >= 4.0 - 1e-9,
                "at least four times ecutwfc_ry",
            ),
            (
                "degauss_ry",
                self.degauss_ry,
                self.degauss_ry > 0.0,
                positive,
            ),
            (
                "conv_thr_ry",
                self.conv_thr_ry,
                self.conv_thr_ry > 0.0,
                positive,
            ),
            (
                "equation_of_state_conv_thr_ry",
                self.equation_of_state_conv_thr_ry,
                self.equation_of_state_conv_thr_ry > 0.0,
                positive,
            ),
            (
                "mixing_beta",
                self.mixing_beta,
                self.mixing_beta > 0.0 && self.mixing_beta <= 1.0,
                "a number in (0, 1]",
            ),
            (
                "electron_maxstep",
                steps,
                self.electron_maxstep > 0,
                positive,
            ),
            ("kppa", self.kppa, self.kppa > 0.0, positive),
        ];
        match checks
            .into_iter()
            .find(|(_, value, holds, _)| !(value.is_finite() && *holds))
        {
            None => Ok(()),
            Some((field, value, _, expected)) => Err(InvalidPwSettings {
                field,
                value,
                expected,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_is_named() {
        assert!(PwSettings::default().validate().is_ok());
        let settings = PwSettings {
            ecutrho_ry: 100.0,
            ..PwSettings::default()
        };
        assert_eq!(
            settings.validate().unwrap_err().to_string(),
            "pw.x setting ecutrho_ry is 100, expected at least four times ecutwfc_ry"
        );
        let settings = PwSettings {
            degauss_ry: f64::NAN,
            ..PwSettings::default()
        };
        assert_eq!(settings.validate().unwrap_err().field, "degauss_ry");
    }
}
