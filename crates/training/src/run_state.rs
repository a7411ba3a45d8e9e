//! Whether the saved state of a run fits its agent, its task and itself.

use crystalgym_agents::Agent;
use crystalgym_environment::Task;
use crystalgym_evaluation::FailureCode;

use crate::{Look, RowSource, RunStatistics, checkpoints::RunState, statistics::WINDOW};

impl RunState {
    /// The state, if it can be that of a run of this agent on this task.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn checked(self, agent: &Agent, task: &Task) -> Result<Self, String> {
        if agent.settings() != self.config.agent() {
            return Err("the agent's settings are not those of the run".to_owned());
        }
        let RunStatistics {
            steps,
            episodes,
            predicted,
            sources,
            failures,
            recent_returns,
            best,
            looks,
        } = self.statistics;
        let all = episodes.saturating_add(predicted);
        if steps > agent.steps() || all > agent.steps() {
            let taken = agent.steps();
            return Err(format!(
                "{all} episodes by step {steps}, but the agent took {taken} steps"
            ));
        }
        let sum = |counts: &std::collections::BTreeMap<String, u64>| {
            let mut counts = counts.values();
            counts.try_fold(0_u64, |sum, count| sum.checked_add(*count))
        };
        let known_sources = sources
            .keys()
            .all(|name| RowSource::ALL.iter().any(|known| known.name() == name));
        if !known_sources || sum(&sources) != Some(episodes) {
            return Err(format!("sources {sources:?} of {episodes} episodes"));
        }
        let known_failures = failures
            .keys()
            .all(|name| name.parse::<FailureCode>().is_ok());
        if !known_failures || sum(&failures).is_none_or(|failed| failed > episodes) {
            return Err(format!("failures {failures:?} of {episodes} episodes"));
        }
        let recent = episodes.min(WINDOW as u64);
        if recent_returns.len() as u64 != recent || recent_returns.iter().any(|r| !r.is_finite()) {
            let found = recent_returns.len();
            return Err(format!("{found} recent returns, expected {recent} numbers"));
        }
        if !Look::are_sane(&looks, all) {
            return Err("its looks at the greedy policy cannot be what they are".to_owned());
        }
        let best = best.checked(task, self.config.output.best_crystals, all)?;
        Ok(Self {
            statistics: RunStatistics {
                steps,
                episodes,
                predicted,
                sources,
                failures,
                recent_returns,
                best,
                looks,
            },
            ..self
        })
    }
}
