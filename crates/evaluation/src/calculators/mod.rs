//! One file per calculator, and the choice among them.

mod build;
mod config;
mod empirical;
mod ev_x_lattice;
mod native;
mod needs_references;
mod potential;
mod qe;
mod relaxing;
mod rigid;
mod stability;
mod table;
mod terms;

pub use config::{CalculatorConfig, CalculatorName, Relaxation, StabilitySettings};
pub use empirical::EmpiricalCalculator;
pub use native::{
    BulkModulusDefinition, EnginePotential, GapKind, GapSettings, GroundState, GthCutoff,
    InvalidNativeSettings, NativeCalculator, NativeSettings, RecommendedCutoff, SpeciesSource,
    Verdict, VolumeBasis,
};
pub use potential::PotentialCalculator;
pub use qe::{QeCalculator, QeSettings};
pub use relaxing::RelaxingCalculator;
pub use rigid::RigidCalculator;
pub use stability::{ElementEnergies, StabilityCalculator};
pub use table::{TableCalculator, TableSettings};
pub use terms::{Decides, Term, TermsCalculator};
