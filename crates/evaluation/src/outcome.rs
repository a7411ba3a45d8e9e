//! What came of an evaluation: values, or a failure with its code.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{CalculationSettings, ElasticConstants, GapEdges, Property, Warning};

/// What came of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// The property was computed.
    Success(Values),
    /// It was not, and this is why.
    Failure(Failure),
}

impl Outcome {
    /// The property's value, if it was computed.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Success(values) => Some(values.value),
            Self::Failure(_) => None,
        }
    }

    /// The failure, if it was not.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Success(_) => None,
            Self::Failure(failure) => Some(failure),
        }
    }

    /// What came of each property, in the order of computation, if several were asked for.
    pub fn terms(&self) -> &[TermOutcome] {
        match self {
            Self::Success(values) => &values.terms,
            Self::Failure(failure) => &failure.terms,
        }
    }

    /// Wall time of the calculation in seconds.
    pub fn seconds(&self) -> f64 {
        match self {
            Self::Success(values) => values.seconds,
            Self::Failure(failure) => failure.seconds,
        }
    }

    /// The outcome of a cell, for so many of them together: energies and volumes are multiples,
    /// properties, levels and pressures stay.
    #[must_use]
    pub fn of_cells(self, cells: usize) -> Self {
        match self {
            Self::Success(values) if cells > 1 => Self::Success(values.of_cells(cells as f64)),
            same => same,
        }
    }
}

/// Values of a finished calculation; what a calculator does not know is `None`.
///
/// Energies and volumes are those of one cell: to a calculator of the one that it was given, to who
/// asked of the one that was asked for, in the store and its exports of the structure there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Values {
    /// The requested property in [`Property::unit`](crate::Property::unit).
    pub value: f64,
    /// Total energy of the cell in eV (of the unstrained cell, where there are several).
    pub total_energy_ev: Option<f64>,
    /// Highest occupied level on the mesh in eV.
    pub homo_ev: Option<f64>,
    /// Lowest unoccupied level on the mesh in eV.
    pub lumo_ev: Option<f64>,
    /// Fermi level in eV, for smeared occupations.
    pub fermi_ev: Option<f64>,
    /// Pressure in GPa, positive when the cell wants to expand.
    pub pressure_gpa: Option<f64>,
    /// Volume of the unrelaxed cell in Å³.
    pub volume_ang3: f64,
    /// Density of the unrelaxed cell in g/cm³.
    pub rigid_density_g_cm3: f64,
    /// SCF iterations, summed over the calculations of the property.
    pub scf_iterations: u32,
    /// Symmetry operations that the DFT code found in the cell that it computed.
    pub symmetry_operations: Option<u32>,
    /// Irreducible k-points.
    pub k_points: Option<u32>,
    /// Whether the step of the cell met its trust radius, for the density.
    pub is_cell_step_limited: Option<bool>,
    /// The fitted equation of state, for the bulk modulus.
    pub equation_of_state: Option<Box<EquationOfStateFit>>,
    /// Where the band edges are, for a gap that is not that of the density's mesh; k-points in units of
    /// the reciprocal vectors of the cell that was computed, a reduced one.
    pub gap_edges: Option<Box<GapEdges>>,
    /// The elastic constants, for the shear modulus.
    pub elastic_constants: Option<Box<ElasticConstants>>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// What it was computed with.
    pub settings: Option<Box<CalculationSettings>>,
    /// What is to be said against the value; [`evaluate`](crate::evaluate) says it.
    pub warnings: Vec<Warning>,
    /// What came of each property of an objective of several, in the order of computation. Never
    /// stored: each is a result of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<TermOutcome>,
}

/// What came of one property of an objective of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TermOutcome {
    /// The property.
    pub property: Property,
    /// Name of its calculator.
    pub calculator: String,
    /// Its value in its unit.
    pub value: Option<f64>,
    /// Why there is none.
    pub failure: Option<FailureCode>,
}

impl Values {
    fn of_cells(self, cells: f64) -> Self {
        let times = |x: f64| x * cells;
        Self {
            total_energy_ev: self.total_energy_ev.map(times),
            volume_ang3: times(self.volume_ang3),
            equation_of_state: self.equation_of_state.map(|mut fit| {
                let numbers = fit.volumes_ang3.iter_mut().chain(&mut fit.energies_ev);
                numbers.for_each(|x| *x = times(*x));
                fit.equilibrium_volume_ang3 = times(fit.equilibrium_volume_ang3);
                fit.rms_residual_ev = times(fit.rms_residual_ev);
                fit
            }),
            ..self
        }
    }
}

/// A fitted equation of state with its quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EquationOfStateFit {
    /// Volumes in Å³.
    pub volumes_ang3: Vec<f64>,
    /// Energies in eV.
    pub energies_ev: Vec<f64>,
    /// Equilibrium volume in Å³.
    pub equilibrium_volume_ang3: f64,
    /// Bulk modulus at zero pressure in GPa.
    pub bulk_modulus_gpa: f64,
    /// Its pressure derivative.
    pub bulk_modulus_derivative: f64,
    /// Root mean square residual in eV.
    pub rms_residual_ev: f64,
    /// V·d²E/dV² at the unstrained volume in GPa: what the data say without extrapolation.
    pub modulus_at_reference_gpa: f64,
}

impl EquationOfStateFit {
    /// Whether the equilibrium volume lies between the smallest and the largest volume computed; if
    /// not, it is an extrapolation.
    pub fn brackets_minimum(&self) -> bool {
        let beyond = |volume: &&f64| **volume > self.equilibrium_volume_ang3;
        let above = self.volumes_ang3.iter().filter(beyond).count();
        above > 0 && above < self.volumes_ang3.len()
    }
}

/// A calculation that gave no value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Why, as a stable code.
    pub code: FailureCode,
    /// What happened, for a person; no paths, times or host names.
    pub message: String,
    /// SCF iterations done before it failed.
    #[serde(default)]
    pub scf_iterations: u32,
    /// Wall time in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// As [`Values::terms`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<TermOutcome>,
}

impl Failure {
    /// A failure of which nothing else is known.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            scf_iterations: 0,
            seconds: 0.0,
            terms: Vec::new(),
        }
    }
}

macro_rules! failure_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $kind:ident;)*) => {
        /// Why a calculation failed: stable names, safe to count and to store.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum FailureCode {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl FailureCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name, such as `scf_not_converged`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Whether another try could end otherwise (killed, time limit, full disk, …). Such a
            /// failure is never stored.
            pub fn depends_on_the_moment(self) -> bool {
                match self { $(Self::$variant => failure_codes!(@$kind)),* }
            }
        }
    };
    (@lasting) => { false };
    (@momentary) => { true };
}

failure_codes! {
    /// Odd number of electrons with fixed occupations: no calculation can succeed.
    OddElectronCount = "odd_electron_count", lasting;
    /// The SCF did not converge within its iterations.
    ScfNotConverged = "scf_not_converged", lasting;
    /// The eigensolver or its linear algebra broke down.
    DiagonalizationFailed = "diagonalization_failed", lasting;
    /// The electron number came out wrong (for pw.x "charge is wrong").
    WrongCharge = "wrong_charge", lasting;
    /// The equation of state does not fit, or its minimum lies too far outside the data.
    BadEquationOfState = "bad_equation_of_state", lasting;
    /// A strain lowers the energy of the given cell, which then has no elastic moduli.
    ElasticallyUnstable = "elastically_unstable", lasting;
    /// Forces were left on the atoms after all steps of their relaxation.
    IonsNotRelaxed = "ions_not_relaxed", lasting;
    /// No HOMO and LUMO could be told apart (too few bands).
    NoBandEdges = "no_band_edges", lasting;
    /// Two atoms (almost) on top of each other, or another geometry that the code refuses.
    BadGeometry = "bad_geometry", lasting;
    /// The calculator does not know the property.
    UnsupportedProperty = "unsupported_property", lasting;
    /// The family has no pseudopotential for an element, or the file is not the right one.
    MissingPseudopotential = "missing_pseudopotential", momentary;
    /// An energy that the value is measured from is not there.
    MissingReference = "missing_reference", momentary;
    /// The calculator program could not be started.
    ProgramNotFound = "program_not_found", momentary;
    /// The calculation would take more memory than it may have.
    TooLarge = "too_large", momentary;
    /// The time limit was reached.
    TimeLimit = "time_limit", momentary;
    /// The program was ended by a signal.
    Killed = "killed", momentary;
    /// The program ended without saying why, or for lack of memory.
    Crashed = "crashed", momentary;
    /// The program ended with an error of its own that has no code here.
    ProgramError = "program_error", lasting;
    /// The output could not be understood.
    UnreadableOutput = "unreadable_output", momentary;
    /// The scratch folder is full or not writable.
    ScratchUnavailable = "scratch_unavailable", momentary;
    /// The filling is not in the table that was asked for it.
    NotInTable = "not_in_table", momentary;
    /// Another property of the objective had decided what the crystal earns; nothing was computed.
    Skipped = "skipped", momentary;
    /// The evaluation was cancelled.
    Cancelled = "cancelled", momentary;
    /// Several workers of a queue were lost while they computed it; it is set aside there.
    LostWorkers = "lost_workers", momentary;
    /// The calculator itself panicked; a bug to report.
    Internal = "internal", momentary;
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no failure code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown failure code '{0}'")]
pub struct UnknownFailureCode(pub String);

impl FromStr for FailureCode {
    type Err = UnknownFailureCode;

    fn from_str(name: &str) -> Result<Self, UnknownFailureCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.name() == name)
            .ok_or_else(|| UnknownFailureCode(name.to_owned()))
    }
}
