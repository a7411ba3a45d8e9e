//! The most probable hyperparameters of a process.

use crate::{
    kernel::{Hyperparameters, log_prior},
    maximum::climb,
};

/// Those with the greatest product of marginal likelihood and prior that so many steps find, for so
/// many groups of features; `evidence` gives the logarithm of the former with its gradient.
pub(crate) fn most_probable(
    groups: usize,
    steps: usize,
    evidence: impl Fn(&Hyperparameters) -> Option<(f64, Vec<f64>)>,
) -> Hyperparameters {
    let start = Hyperparameters::expected(groups).to_vec();
    let best = climb(&start, steps, |point| {
        let (value, mut gradient) = evidence(&Hyperparameters::from_slice(point))?;
        let prior = log_prior(point, &mut gradient);
        Some((value + prior, gradient))
    });
    Hyperparameters::from_slice(&best)
}
