//! Settings of the agent that models the property.

use serde::{Deserialize, Serialize};

use super::acquisition::Acquisition;
use crate::{AgentError, ChemistryRule, check};

/// Settings of the agent that models the property and calculates where that tells it most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SurrogateConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing.
    pub in_flight: usize,
    /// Crystals that are drawn at random before the model says which to calculate.
    pub initial: usize,
    /// What the next crystal is chosen by.
    pub acquisition: Acquisition,
    /// What the agent is told of chemistry.
    pub rule: ChemistryRule,
    /// How far from the target a value is a hit, in the property's unit; 0.1 eV for a gap and 5 % of
    /// the target otherwise if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_tolerance: Option<f64>,
    /// Fillings that are looked at for each choice, where there are more.
    pub candidates: usize,
    /// With a calculator for screening: random crystals of each skeleton that are looked at cheaply to
    /// begin with.
    pub screened_first: usize,
    /// With one: crystals that are looked at cheaply at a time, twice before each calculation at
    /// most, while the best of all is none of those that were.
    pub screened_at_once: usize,
}

impl Default for SurrogateConfig {
    fn default() -> Self {
        Self {
            total_steps: 1500,
            seed: 1,
            // Two calculations at a time: every further one is chosen knowing less.
            environments: 1,
            in_flight: 1,
            initial: 10,
            acquisition: Acquisition::Hit,
            rule: ChemistryRule::ChargeBalance,
            hit_tolerance: None,
            candidates: 4096,
            screened_first: 40,
            screened_at_once: 8,
        }
    }
}

impl SurrogateConfig {
    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        check::counts(&[
            ("initial", (self.initial as u64, 1..=1_000_000)),
            ("candidates", (self.candidates as u64, 16..=1_000_000)),
            ("screened_first", (self.screened_first as u64, 0..=10_000)),
            (
                "screened_at_once",
                (self.screened_at_once as u64, 1..=10_000),
            ),
        ])?;
        let tolerance = self.hit_tolerance.unwrap_or(1.0);
        check::positive(&[("hit_tolerance", tolerance)])
    }
}
