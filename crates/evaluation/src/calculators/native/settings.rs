//! Settings of the built-in engine, each with its range.

use std::num::NonZeroUsize;

use crystalgym_crystal::{Lattice, automatic_density};
use crystalgym_dft::SetUp;
use crystalgym_dft::Smearing;
use crystalgym_qe::SettingRange;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::gap_settings::GapSettings;
use crate::{
    Accuracy, EquationOfStateLimits, Ions,
    elasticity::{DEFAULT_ELASTIC_STRAIN, ELASTIC_STRAIN},
};

/// Settings of [`NativeCalculator`](crate::NativeCalculator).
///
/// By default mesh, smearing and its width are those of the CrystalGym paper (appendix B.5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct NativeSettings {
    /// How accurate the numbers shall be: cutoffs, mesh and stress, each unless it is given by itself.
    pub accuracy: Accuracy,
    /// Cutoff of the wave functions in Ry. If none: [`gth_cutoff_ry`](Self::gth_cutoff_ry) for the
    /// built-in pseudopotentials; for a family what it recommends for the elements of the crystal,
    /// and 50 Ry (the published decks) where it recommends nothing.
    pub ecutwfc_ry: Option<f64>,
    /// Cutoff of the density in Ry. If none: what the family recommends, at least four times the
    /// other. Where nothing is recommended: four times the other, which is all that
    /// norm-conserving pseudopotentials need, and eight times with ultrasoft or PAW ones.
    pub ecutrho_ry: Option<f64>,
    /// Cutoff of the wave functions with the built-in pseudopotentials in Ry, for all elements
    /// alike. `recommended` takes the largest of those that
    /// [`GthParameters::recommended_cutoff_ry`](crystalgym_dft::pseudo::GthParameters::recommended_cutoff_ry)
    /// gives for the elements. If none, the accuracy's ([`gth_cutoff_ry`](crate::gth_cutoff_ry)).
    pub gth_cutoff_ry: Option<GthCutoff>,
    /// k-points per reciprocal atom; if none, the accuracy's.
    pub kppa: Option<f64>,
    /// Whether the mesh has even divisions along every axis, the next above those of the rule; if
    /// none, the accuracy's.
    pub even_mesh: Option<bool>,
    /// Whether the stress is that of a fixed cutoff, measured by two more calculations at other
    /// cutoffs, and not that of a fixed set of plane waves, as in `pw.x` (Pulay stress); if none, the
    /// accuracy's. Never with the verdict `paper`. For densities and for pressures.
    pub pulay_correction: Option<bool>,
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
    /// keeps the cutoff). For the shear modulus, which always keeps the cutoff: whether what the basis
    /// changes with the volume is taken off the stiffness.
    pub volume_basis: VolumeBasis,
    /// Threads that share the k-points of one calculation; outcomes do not depend on them.
    pub threads: NonZeroUsize,
    /// Wall time of one evaluation in seconds; none for no limit.
    pub time_limit_seconds: Option<f64>,
    /// The most memory that one calculation may take, by an estimate before it starts, in GiB. What
    /// needs more fails at once, with the estimate, and is never stored.
    pub memory_limit_gib: f64,
    /// How a band gap is found.
    pub gap: GapSettings,
    /// What is called the bulk modulus.
    pub bulk_modulus: BulkModulusDefinition,
    /// What a fitted equation of state must fulfil (verdict `engine`).
    pub equation_of_state: EquationOfStateLimits,
    /// Amplitude of the strains that a shear modulus is measured with.
    pub elastic_strain: f64,
    /// What the atoms do in strained cells, for the shear modulus.
    pub ions: Ions,
}

impl Default for NativeSettings {
    fn default() -> Self {
        Self {
            accuracy: Accuracy::Fast,
            ecutwfc_ry: None,
            ecutrho_ry: None,
            gth_cutoff_ry: None,
            kppa: None,
            even_mesh: None,
            pulay_correction: None,
            smearing: Smearing::Gaussian,
            degauss_ry: 0.001,
            convergence_ry: 1e-6,
            derivative_convergence_ry: 1e-9,
            max_iterations: 300,
            verdict: Verdict::Engine,
            volume_basis: VolumeBasis::FixedPlaneWaves,
            threads: NonZeroUsize::MIN,
            time_limit_seconds: Some(3600.0),
            memory_limit_gib: SetUp::MEMORY_LIMIT_GIB,
            gap: GapSettings::default(),
            bulk_modulus: BulkModulusDefinition::default(),
            equation_of_state: EquationOfStateLimits::default(),
            elastic_strain: DEFAULT_ELASTIC_STRAIN,
            ions: Ions::default(),
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

/// What is called the bulk modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkModulusDefinition {
    /// B₀ of Murnaghan's equation of state through five volumes around the given one, as in the
    /// CrystalGym paper: at the volume without pressure, however far that is from them.
    #[default]
    Extrapolated,
    /// `−V dP/dV` at the given volume from the analytic stress of three volumes. Always defined;
    /// negative where the cell is unstable against a change of its volume.
    Cell,
    /// B₀ of Murnaghan's equation of state through five volumes around the one without pressure, which
    /// is looked for first.
    Equilibrium,
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

const THREADS: SettingRange = SettingRange::new(1.0, 1024.0, "threads");
const SPACING_PER_ANG: SettingRange = SettingRange::new(1e-3, 10.0, "Å⁻¹");
const MEMORY_GIB: SettingRange = SettingRange::new(1e-3, 1e6, "GiB");

/// A setting that no calculation can use.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("setting native.{field} is {value}, expected {expected}")]
pub struct InvalidNativeSettings {
    /// Name of the field.
    pub field: &'static str,
    /// Its value.
    pub value: f64,
    /// What would be right.
    pub expected: String,
}

impl NativeSettings {
    /// Whether all volumes of an equation of state have the same plane waves.
    pub(super) fn has_fixed_plane_waves(&self) -> bool {
        self.verdict == Verdict::Engine && self.volume_basis == VolumeBasis::FixedPlaneWaves
    }

    /// k-points per reciprocal atom.
    pub fn kppa(&self) -> f64 {
        self.kppa.unwrap_or(self.accuracy.kppa())
    }

    /// Whether the mesh has even divisions along every axis.
    pub fn has_even_mesh(&self) -> bool {
        self.even_mesh.unwrap_or(self.accuracy.has_even_mesh())
    }

    /// Whether stress and pressure are those of a fixed cutoff.
    pub fn corrects_stress(&self) -> bool {
        let chosen = self.pulay_correction;
        self.verdict == Verdict::Engine && chosen.unwrap_or(self.accuracy.corrects_stress())
    }

    /// Divisions of the mesh of k-points for so many sites in a cell.
    pub(super) fn k_divisions(&self, lattice: &Lattice, sites: usize) -> [u32; 3] {
        let divisions = automatic_density(lattice, sites, self.kppa());
        match self.has_even_mesh() {
            true => divisions.map(|d| d.next_multiple_of(2)),
            false => divisions,
        }
    }

    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// [`InvalidNativeSettings`] for the first that does not.
    pub fn validate(&self) -> Result<(), InvalidNativeSettings> {
        let gth_cutoff = match self.gth_cutoff_ry {
            Some(GthCutoff::Ry(cutoff)) => Some(cutoff),
            Some(GthCutoff::ByElements(_)) | None => None,
        };
        let ranges = [
            ("ecutwfc_ry", self.ecutwfc_ry, SettingRange::CUTOFF_RY),
            (
                "ecutrho_ry",
                self.ecutrho_ry,
                SettingRange::DENSITY_CUTOFF_RY,
            ),
            ("gth_cutoff_ry", gth_cutoff, SettingRange::CUTOFF_RY),
            ("kppa", self.kppa, SettingRange::KPPA),
            (
                "degauss_ry",
                Some(self.degauss_ry),
                SettingRange::SMEARING_RY,
            ),
            (
                "convergence_ry",
                Some(self.convergence_ry),
                SettingRange::CONVERGENCE_RY,
            ),
            (
                "derivative_convergence_ry",
                Some(self.derivative_convergence_ry),
                SettingRange::CONVERGENCE_RY,
            ),
            (
                "max_iterations",
                Some(self.max_iterations as f64),
                SettingRange::ITERATIONS,
            ),
            ("threads", Some(self.threads.get() as f64), THREADS),
            (
                "time_limit_seconds",
                self.time_limit_seconds,
                SettingRange::TIME_SECONDS,
            ),
            (
                "gap.path_spacing_per_ang",
                Some(self.gap.path_spacing_per_ang),
                SPACING_PER_ANG,
            ),
            (
                "gap.mesh_spacing_per_ang",
                Some(self.gap.mesh_spacing_per_ang),
                SPACING_PER_ANG,
            ),
            ("elastic_strain", Some(self.elastic_strain), ELASTIC_STRAIN),
            ("memory_limit_gib", Some(self.memory_limit_gib), MEMORY_GIB),
        ];
        let invalid = |field, value, expected| {
            Err(InvalidNativeSettings {
                field,
                value,
                expected,
            })
        };
        for (field, value, range) in ranges {
            if let Some(value) = value.filter(|&value| !range.contains(value)) {
                return invalid(field, value, range.to_string());
            }
        }
        if let Some((field, value, range)) = odd_limit(&self.equation_of_state) {
            return invalid(field, value, range.to_string());
        }
        match (self.ecutwfc_ry, self.ecutrho_ry) {
            (Some(waves), Some(density)) if density < 4.0 * waves * (1.0 - 1e-9) => {
                let expected = "at least four times ecutwfc_ry".to_owned();
                invalid("ecutrho_ry", density, expected)
            }
            _ => Ok(()),
        }
    }
}

impl Serialize for NativeSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// Numbers out of range are refused.
impl<'de> Deserialize<'de> for NativeSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let settings = Self::deserialize(deserializer)?;
        settings.validate().map_err(D::Error::custom)?;
        Ok(settings)
    }
}

/// The first number among the limits of an equation of state that no fit can be held to.
pub(in crate::calculators) fn odd_limit(
    limits: &EquationOfStateLimits,
) -> Option<(&'static str, f64, SettingRange)> {
    let [least_volume, most_volume] = limits.volume_ratio;
    let [least_derivative, most_derivative] = limits.derivative;
    let ratio = "of the cell's volume, the smaller first";
    let derivative = "for B', the smaller first";
    let checks = [
        (
            "equation_of_state.volume_ratio",
            least_volume,
            SettingRange::new(0.0, most_volume, ratio),
        ),
        (
            "equation_of_state.volume_ratio",
            most_volume,
            SettingRange::new(least_volume, 100.0, ratio),
        ),
        (
            "equation_of_state.derivative",
            least_derivative,
            SettingRange::new(-1000.0, most_derivative, derivative),
        ),
        (
            "equation_of_state.derivative",
            most_derivative,
            SettingRange::new(least_derivative, 1000.0, derivative),
        ),
        (
            "equation_of_state.relative_residual",
            limits.relative_residual,
            SettingRange::new(0.0, 100.0, "of the curvature"),
        ),
    ];
    let mut checks = checks.into_iter();
    checks.find(|(_, value, range)| !range.contains(*value))
}
