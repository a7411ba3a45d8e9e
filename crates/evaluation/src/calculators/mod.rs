//! One file per calculator, and the choice among them.

mod config;
mod qe;
mod rigid;

pub use config::{CalculatorConfig, CalculatorName};
pub use qe::{QeCalculator, QeSettings};
pub use rigid::RigidCalculator;
