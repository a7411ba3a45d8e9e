//! What no number of a benchmark exceeds.

/// No property of any crystal is larger, whatever the unit, nor any energy.
pub(crate) const LARGEST_VALUE: f64 = 1e6;
/// The reward of hitting a target.
pub(crate) const LARGEST_RETURN: f64 = 1.0;
/// No calculation takes longer, in seconds.
pub(crate) const LONGEST_CALCULATION: f64 = 1e7;
/// Episodes have not more steps together.
pub(crate) const MOST_STEPS: u64 = 1_000_000_000_000;
