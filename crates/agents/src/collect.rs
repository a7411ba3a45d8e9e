//! How experience is collected; part of every algorithm's settings.

use crate::{AgentError, check};

/// How an agent collects experience; part of every algorithm's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing; 0 waits for each.
    pub in_flight: usize,
}

impl CollectConfig {
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        check::counts(&[
            ("total_steps", (self.total_steps, check::TOTAL_STEPS)),
            (
                "environments",
                (self.environments as u64, check::ENVIRONMENTS),
            ),
            ("in_flight", (self.in_flight as u64, check::IN_FLIGHT)),
        ])
    }
}
