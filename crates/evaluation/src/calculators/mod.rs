//! One file per calculator, and the choice among them.

mod config;
mod empirical;
mod qe;
mod rigid;

pub use config::{CalculatorConfig, CalculatorName};
pub use empirical::EmpiricalCalculator;
pub use qe::{QeCalculator, QeSettings};
pub use rigid::RigidCalculator;
