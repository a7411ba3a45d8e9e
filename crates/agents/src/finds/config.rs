//! Settings of what agents on networks do with what they have found.

use serde::{Deserialize, Serialize};

use crate::{AgentError, check};

/// What an agent on networks does with what it has found; all of it off by default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FindsConfig {
    /// Whether the last action may not leave an odd number of electrons, where the property needs
    /// filled bands: such a crystal fails without a calculation.
    pub parity_mask: bool,
    /// Whether no action is taken in training that ends in a crystal that was made before, while
    /// there is another: the episode would teach nothing new.
    pub new_crystals: bool,
    /// Best different crystals of each skeleton and target that are never forgotten; 0 for none.
    pub elites: usize,
    /// Share of each batch that is drawn from them, the better the more often. Of PPO, what is
    /// imitated in each gradient step over its minibatch.
    pub elite_share: f64,
    /// Failed crystals of each code that are never forgotten, the last ones; 0 for none.
    pub failures: usize,
    /// Share of each batch that is drawn from them; PPO has no use for them.
    pub failure_share: f64,
    /// Whether the value of an action is learned to be at least the return of the best crystal that
    /// it is known to lead to. Processes are deterministic, so that it is no less.
    pub value_bound: bool,
    /// Weight of a loss that has the policy prefer what leads to the best crystal of a skeleton and
    /// target, in every state on a way to it: of DQN a large margin, of PPO and SAC the probability
    /// of such actions; 0 for none.
    pub imitation: f64,
    /// Most gradient steps more, each time an episode has its reward, that a policy takes which does
    /// not make the best crystal from all starts; in the end a hundred times as many (a tenth of the
    /// run's environment steps times, in short runs, but ten times at least). 0 for none.
    pub rehearsal: usize,
}

impl FindsConfig {
    /// All of it, as in the presets `standard`.
    pub fn standard() -> Self {
        Self {
            parity_mask: true,
            new_crystals: true,
            elites: 16,
            elite_share: 0.25,
            failures: 32,
            failure_share: 0.0625,
            value_bound: true,
            imitation: 1.0,
            rehearsal: 20,
        }
    }

    /// Most gradient steps of a rehearsal; in the end of a run of so many environment steps, or before.
    pub(crate) fn rehearsals(&self, ended_after: Option<u64>) -> usize {
        let times = ended_after.map_or(1, |steps| (steps / 10).clamp(10, 100));
        times as usize * self.rehearsal
    }

    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        check::counts(&[
            ("finds.elites", (self.elites as u64, 0..=100_000)),
            ("finds.failures", (self.failures as u64, 0..=100_000)),
            ("finds.rehearsal", (self.rehearsal as u64, 0..=10_000)),
        ])?;
        check::fractions(&[
            ("finds.elite_share", self.elite_share),
            ("finds.failure_share", self.failure_share),
        ])?;
        check::not_negative(&[("finds.imitation", self.imitation)])?;
        match self.elite_share + self.failure_share <= 1.0 {
            true => Ok(()),
            false => Err(check::bad(
                "finds.failure_share",
                self.failure_share,
                format!(
                    "at most {:?}, what is left of a batch",
                    1.0 - self.elite_share
                ),
            )),
        }
    }
}
