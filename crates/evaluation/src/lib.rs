//! Calculators, outcomes, the shared result store and the pool of workers.
//!
//! A [`Calculator`] turns a [`Crystal`](crystalgym_crystal::Crystal) and a [`Property`] into an
//! [`Outcome`]: [`Values`] or a [`Failure`] with a stable [`FailureCode`]. A calculation that does
//! not converge is an outcome, not an error.

mod calculator;
mod outcome;
mod property;

pub use calculator::{Calculator, CancelToken, Fingerprint};
pub use outcome::{EquationOfStateFit, Failure, FailureCode, Outcome, UnknownFailureCode, Values};
pub use property::{Property, UnknownProperty};
