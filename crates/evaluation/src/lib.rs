//! Calculators, outcomes, the shared result store and the pool of workers.
//!
//! A [`Calculator`] turns a [`Crystal`](crystalgym_crystal::Crystal) and a [`Property`] into an
//! [`Outcome`]: [`Values`] or a [`Failure`] with a stable [`FailureCode`]. A calculation that does
//! not converge is an outcome, not an error.

mod accuracy;
mod calculation_settings;
mod calculator;
mod calculators;
mod convergence;
mod elasticity;
mod electronic;
mod equation_of_state;
mod ev_x;
mod evaluate;
mod evaluation;
mod formation;
mod identity;
mod levenberg_marquardt;
mod outcome;
mod pool;
mod property;
mod pulay;
mod queue;
mod source;
mod store;
mod table;
mod text;
mod warning;
mod warnings;

pub use accuracy::{
    Accuracy, GTH_ERRORS, GthError, StatedError, UnknownAccuracy, gth_cutoff_ry, gth_error,
};
pub use calculation_settings::{BUILT_IN, CalculationSettings};
pub use calculator::{Calculator, CalculatorError, CancelToken, Fingerprint};
pub use calculators::{
    BulkModulusDefinition, CalculatorConfig, CalculatorName, Decides, ElementEnergies,
    EmpiricalCalculator, EnginePotential, GapKind, GapSettings, GroundState, GthCutoff,
    InvalidNativeSettings, NativeCalculator, NativeSettings, PotentialCalculator, QeCalculator,
    QeSettings, RecommendedCutoff, Relaxation, RelaxingCalculator, RigidCalculator, SpeciesSource,
    StabilityCalculator, StabilitySettings, TableCalculator, TableSettings, Term, TermsCalculator,
    Verdict, VolumeBasis,
};
pub use convergence::{ConvergenceAxis, ConvergenceCurve, ConvergencePoint, ConvergenceSettings};
pub use elasticity::{
    ElasticConstants, ElasticallyUnstable, Ions, IsotropicAverage, IsotropicModuli, StressStrain,
    fewest_strains,
};
pub use electronic::{
    BandEdge, BandStructure, DENSE_SPACING_PER_ANG, ElectronicError, GapEdges,
    PATH_SPACING_PER_ANG, StatesOptions, StatesPerEv, dense_divisions,
};
pub use equation_of_state::{
    EquationOfStateError, EquationOfStateLimits, GPA_PER_EV_ANG3, fit_birch_murnaghan,
    fit_murnaghan,
};
pub use ev_x::{EvXFit, fit_as_ev_x};
pub use evaluate::{evaluate, evaluate_instantly};
pub use evaluation::Evaluation;
pub use formation::{
    ElementalReferences, ElementalStructure, OwnElements, formation_energy_ev_per_atom,
    reference_structure,
};
pub use outcome::{
    EquationOfStateFit, Failure, FailureCode, Outcome, TermOutcome, UnknownFailureCode, Values,
};
pub use pool::{EvaluationPool, Ticket};
pub use property::{Property, PropertyFacts, Tolerance, UnknownProperty};
pub use pulay::measure_pulay_pressure;
pub use queue::{
    calculation::{BadCalculation, QueuedCalculation},
    makers::{CalculatorMaker, MachineCalculators, MachineSettings},
    status::{QueueStatus, WorkerStatus},
    worker::{WorkerOptions, WorkerSummary, work},
};
pub use source::Source;
pub use store::{
    Claim, Claimed, Copied, DamagedResult, ExportFormat, ResultStore, StoreError, StoreKey,
    StoredResult, check_store_name, is_on_a_server,
};
pub use table::{
    ResultTable, SHIPPED_TABLES, ShippedTable, TABLE_COLUMNS, TableColumn, TableDescription,
    TableFileError, TableRow, TableSkeleton, TableSource,
};
pub use text::{csv_row, latex, markdown, markdown_code, visible, visible_lines};
pub use warning::{UnknownWarningCode, Warning, WarningCode};
pub use warnings::{COARSE_SPACING_PER_ANG, REST_PRESSURE_GPA, symmetry_snapped, warnings};
