//! One file per calculator, and the choice among them.

mod config;
mod rigid;

pub use config::{CalculatorConfig, CalculatorName};
pub use rigid::RigidCalculator;
