//! A plane-wave density functional theory engine.

pub mod pseudo;
pub mod xc;
