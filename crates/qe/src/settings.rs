//! Settings of pw.x calculations, each with its range.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::SettingRange;

/// What decides the numbers of a pw.x calculation, apart from crystal and pseudopotentials.
///
/// Defaults are those of the CrystalGym paper (appendix B.5 and its published decks), but for the
/// sharper threshold of the equation of state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
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
    pub expected: String,
}

impl PwSettings {
    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// [`InvalidPwSettings`] for the first that does not.
    pub fn validate(&self) -> Result<(), InvalidPwSettings> {
        let steps = f64::from(self.electron_maxstep);
        let ranges = [
            ("ecutwfc_ry", self.ecutwfc_ry, SettingRange::CUTOFF_RY),
            (
                "ecutrho_ry",
                self.ecutrho_ry,
                SettingRange::DENSITY_CUTOFF_RY,
            ),
            ("degauss_ry", self.degauss_ry, SettingRange::SMEARING_RY),
            (
                "conv_thr_ry",
                self.conv_thr_ry,
                SettingRange::CONVERGENCE_RY,
            ),
            (
                "equation_of_state_conv_thr_ry",
                self.equation_of_state_conv_thr_ry,
                SettingRange::CONVERGENCE_RY,
            ),
            ("mixing_beta", self.mixing_beta, SettingRange::MIXING),
            ("electron_maxstep", steps, SettingRange::ITERATIONS),
            ("kppa", self.kppa, SettingRange::KPPA),
        ];
        let invalid = |field, value, expected| {
            Err(InvalidPwSettings {
                field,
                value,
                expected,
            })
        };
        for (field, value, range) in ranges {
            if !range.contains(value) {
                return invalid(field, value, range.to_string());
            }
        }
        if self.ecutrho_ry < 4.0 * self.ecutwfc_ry * (1.0 - 1e-9) {
            let expected = "at least four times ecutwfc_ry".to_owned();
            return invalid("ecutrho_ry", self.ecutrho_ry, expected);
        }
        Ok(())
    }
}

impl Serialize for PwSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// Numbers out of range are refused.
impl<'de> Deserialize<'de> for PwSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let settings = Self::deserialize(deserializer)?;
        settings.validate().map_err(D::Error::custom)?;
        Ok(settings)
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

    /// Every field at both sides of both ends of its range, as files give them.
    #[test]
    fn every_number_has_its_range_in_files_too() {
        for (field, good, bad) in [
            ("ecutwfc_ry", ["1.0", "100.0"], ["0.9", "1001.0"]),
            ("ecutrho_ry", ["200.0", "10000.0"], ["199.0", "10001.0"]),
            ("degauss_ry", ["1e-6", "1.0"], ["1e-300", "1e300"]),
            ("conv_thr_ry", ["1e-15", "0.1"], ["1e-16", "0.2"]),
            (
                "equation_of_state_conv_thr_ry",
                ["1e-15", "0.1"],
                ["0.0", "1e300"],
            ),
            ("mixing_beta", ["1e-4", "1.0"], ["0.0", "1.1"]),
            ("electron_maxstep", ["1", "10000"], ["0", "4294967295"]),
            ("kppa", ["1e-3", "1e5"], ["-1.0", "1e9"]),
        ] {
            for value in good {
                let read: PwSettings =
                    serde_json::from_str(&format!("{{\"{field}\":{value}}}")).unwrap();
                let written = serde_json::to_string(&read).unwrap();
                assert_eq!(serde_json::from_str::<PwSettings>(&written).unwrap(), read);
            }
            for value in bad {
                let text = format!("{{\"{field}\":{value}}}");
                let error = serde_json::from_str::<PwSettings>(&text)
                    .unwrap_err()
                    .to_string();
                let expected = format!("pw.x setting {field} is ");
                assert!(
                    error.contains(&expected) && error.contains("expected"),
                    "{error}"
                );
            }
        }
    }
}
