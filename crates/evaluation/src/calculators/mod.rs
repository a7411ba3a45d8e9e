//! One file per calculator.

mod rigid;

pub use rigid::RigidCalculator;
