//! One file per calculator, and the choice among them.

mod config;
mod empirical;
mod ev_x_lattice;
mod native;
mod qe;
mod rigid;
mod table;

pub use config::{CalculatorConfig, CalculatorName};
pub use empirical::EmpiricalCalculator;
pub use native::{
    BulkModulusDefinition, GapKind, GapSettings, GroundState, GthCutoff, InvalidNativeSettings,
    NativeCalculator, NativeSettings, RecommendedCutoff, SpeciesSource, Verdict, VolumeBasis,
};
pub use qe::{QeCalculator, QeSettings};
pub use rigid::RigidCalculator;
pub use table::{TableCalculator, TableSettings};
