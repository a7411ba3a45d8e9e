//! What a worker is to do, and what it did.

use std::{num::NonZeroUsize, time::Duration};

use crate::queue::makers::CalculatorMaker;

/// What a worker is to do.
pub struct WorkerOptions<'a> {
    /// Calculations at a time.
    pub threads: NonZeroUsize,
    /// Names of the calculators whose work is taken.
    pub calculators: Vec<String>,
    /// End when there has been nothing to do for so long.
    pub until_idle: Option<Duration>,
    /// How long what is under way may go on after the worker was told to end; the rest is handed back.
    pub grace: Duration,
    /// How long the jobs taken hold without being renewed.
    pub lease: Option<Duration>,
    /// Makes calculators.
    pub makers: &'a dyn CalculatorMaker,
    /// Prepares a thread for its calculations, told its number: to bind it to cores.
    pub prepare_thread: &'a (dyn Fn(usize) + Sync),
    /// Whether to end.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told what a person should know.
    pub report: &'a (dyn Fn(&str) + Sync),
}

/// What a worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WorkerSummary {
    /// Calculations done.
    pub finished: u64,
    /// Calculations handed back.
    pub handed_back: u64,
    /// Wall time of the calculations done, in seconds.
    pub busy_seconds: f64,
}
