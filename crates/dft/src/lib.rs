//! A plane-wave density functional theory engine.
