use std::num::NonZeroUsize;

use crystalgym_qe::Smearing;
use serde::{Deserialize, Serialize};

use crate::EquationOfStateLimits;

/// Settings of [`NativeCalculator`](crate::NativeCalculator).
///
/// Mesh, smearing and their widths are those of the CrystalGym paper (appendix B.5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NativeSettings {
    /// Cutoff of the wave functions in Ry. If none: [`gth_cutoff_ry`](Self::gth_cutoff_ry) for the
    /// built-in pseudopotentials; for a family what it recommends for the elements of the crystal,
    /// and 50 Ry (the published decks) where it recommends nothing.
    pub ecutwfc_ry: Option<f64>,
    /// Cutoff of the density in Ry. If none: what the family recommends, at least four times the
    /// other. Where nothing is recommended: four times the other, which is all that
    /// norm-conserving pseudopotentials need, and eight times with ultrasoft or PAW ones.
    pub ecutrho_ry: Option<f64>,
    /// Cutoff of the wave functions with the built-in pseudopotentials in Ry, for all elements
    /// alike: a compromise for training. `recommended` takes the largest of those that
    /// [`GthParameters::recommended_cutoff_ry`](crystalgym_dft::pseudo::GthParameters::recommended_cutoff_ry)
    /// gives for the elements, several times as expensive for O, F and the like.
    pub gth_cutoff_ry: GthCutoff,
    /// k-points per reciprocal atom.
    pub kppa: f64,
    /// Smearing where occupations are not fixed.
    pub smearing: Smearing,
    /// Its width in Ry.
    pub degauss_ry: f64,
    /// Estimated error of the energy in Ry at which an SCF stops.
    pub convergence_ry: f64,
    /// The same where derivatives are taken: of the energies of an equation of state, and for forces
    /// and stress, whose error is of first order in the density's.
    pub derivative_convergence_ry: f64,
    /// Most SCF iterations.
    pub max_iterations: usize,
    /// What counts as a failure.
    pub verdict: Verdict,
    /// What stays the same from volume to volume in an equation of state (verdict `engine`; `paper`
    /// keeps the cutoff).
    pub volume_basis: VolumeBasis,
    /// Threads that share the k-points of one calculation; outcomes do not depend on them.
    pub threads: NonZeroUsize,
    /// Wall time of one evaluation in seconds; none for no limit.
    pub time_limit_seconds: Option<f64>,
    /// What a fitted equation of state must fulfil (verdict `engine`).
    pub equation_of_state: EquationOfStateLimits,
}

impl Default for NativeSettings {
    fn default() -> Self {
        Self {
            ecutwfc_ry: None,
            ecutrho_ry: None,
            gth_cutoff_ry: GthCutoff::Ry(GthCutoff::TRAINING_RY),
            kppa: 1000.0,
            smearing: Smearing::Gaussian,
            degauss_ry: 0.001,
            convergence_ry: 1e-6,
            derivative_convergence_ry: 1e-9,
            max_iterations: 300,
            verdict: Verdict::Engine,
            volume_basis: VolumeBasis::FixedPlaneWaves,
            threads: NonZeroUsize::MIN,
            time_limit_seconds: Some(3600.0),
            equation_of_state: EquationOfStateLimits::default(),
        }
    }
}

/// Cutoff with the built-in pseudopotentials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GthCutoff {
    /// So many Ry for every crystal.
    Ry(f64),
    /// By the elements of the crystal.
    ByElements(RecommendedCutoff),
}

/// The word `recommended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecommendedCutoff {
    /// The largest of those recommended for the elements of the crystal.
    Recommended,
}

impl GthCutoff {
    /// The default in Ry.
    pub const TRAINING_RY: f64 = 30.0;
}

/// What counts as a failure of a calculation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What the engine cannot compute with its own mixing, or what gives no believable equation of
    /// state.
    #[default]
    Engine,
    /// What pw.x with the published decks would hardly have computed: plain mixing with
    /// factor 0.7 and 8 steps of history, 1e-6 Ry, all of 300 iterations; an odd number of electrons is
    /// pw.x's "charge is wrong"; and any fitted equation of state counts, however rough.
    Paper,
}

/// What the basis sets of the volumes of an equation of state have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeBasis {
    /// The plane waves of the given volume; what the change of their effective cutoff brings is
    /// taken off, by two more calculations. Smooth for any basis.
    #[default]
    FixedPlaneWaves,
    /// The cutoff, as `pw.x` does: the number of plane waves jumps from volume to volume, which only
    /// a converged basis makes harmless.
    FixedCutoff,
}

/// Cutoff of the published decks in Ry, for families that recommend none.
pub(super) const PUBLISHED_ECUTWFC_RY: f64 = 50.0;

/// A setting that no calculation can use.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("setting native.{field} is {value}, expected {expected}")]
pub struct InvalidNativeSettings {
    /// Name of the field.
    pub field: &'static str,
    /// Its value.
    pub value: f64,
    /// What would be right.
    pub expected: &'static str,
}

impl NativeSettings {
    /// Whether all volumes of an equation of state have the same plane waves.
    pub(super) fn has_fixed_plane_waves(&self) -> bool {
        self.verdict == Verdict::Engine && self.volume_basis == VolumeBasis::FixedPlaneWaves
    }

    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// [`InvalidNativeSettings`] for the first that does not.
    pub fn validate(&self) -> Result<(), InvalidNativeSettings> {
        let gth_cutoff = match self.gth_cutoff_ry {
            GthCutoff::Ry(cutoff) => Some(cutoff),
            GthCutoff::ByElements(_) => None,
        };
        let positive = [
            ("ecutwfc_ry", self.ecutwfc_ry),
            ("ecutrho_ry", self.ecutrho_ry),
            ("gth_cutoff_ry", gth_cutoff),
            ("kppa", Some(self.kppa)),
            ("degauss_ry", Some(self.degauss_ry)),
            ("convergence_ry", Some(self.convergence_ry)),
            (
                "derivative_convergence_ry",
                Some(self.derivative_convergence_ry),
            ),
            ("max_iterations", Some(self.max_iterations as f64)),
            ("time_limit_seconds", self.time_limit_seconds),
        ];
        for (field, value) in positive {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(InvalidNativeSettings {
                    field,
                    value,
                    expected: "a positive number",
                });
            }
        }
        match (self.ecutwfc_ry, self.ecutrho_ry) {
            (Some(waves), Some(density)) if density < 4.0 * waves * (1.0 - 1e-9) => {
                Err(InvalidNativeSettings {
                    field: "ecutrho_ry",
                    value: density,
                    expected: "at least four times ecutwfc_ry",
                })
            }
            _ => Ok(()),
        }
    }
}
