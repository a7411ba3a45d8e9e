//! How agents collect experience while rewards are computed.

use std::{ops::ControlFlow, sync::Arc};

use crystalgym_environment::{
    EnvironmentError, FinishedEpisode, State, Task, VectorEnvironment, VectorSnapshot,
};

use crate::{AgentError, Evaluator, Observer, Progress, check};

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

/// Environments that run on while rewards are computed, and the end of the run.
pub(crate) struct Collector {
    environment: VectorEnvironment,
    total_steps: u64,
    in_flight: usize,
}

impl Collector {
    pub(crate) fn new(config: CollectConfig, task: &Arc<Task>, evaluator: &Evaluator) -> Self {
        Self {
            environment: evaluator.environments(task, config.environments, config.seed),
            total_steps: config.total_steps,
            in_flight: config.in_flight,
        }
    }

    /// The next episode that is due, in the order in which they ended, or why there is none.
    ///
    /// [`Progress::Continue`] if there is more to act; else nothing is in flight any more, or the
    /// observer interrupted the wait.
    fn next_due(&mut self, observer: &dyn Observer) -> ControlFlow<Progress, FinishedEpisode> {
        let acting = self.steps() < self.total_steps;
        let in_flight = if acting { self.in_flight } else { 0 };
        match self
            .environment
            .next_finished(in_flight, &|| observer.interrupted())
        {
            Ok(Some(episode)) => ControlFlow::Continue(episode),
            Ok(None) if acting => ControlFlow::Break(Progress::Continue),
            Ok(None) => ControlFlow::Break(Progress::Finished),
            Err(_) => ControlFlow::Break(Progress::Interrupted),
        }
    }

    /// One step of every environment.
    pub(crate) fn step(&mut self, actions: &[u8]) -> Result<(), EnvironmentError> {
        self.environment.step(actions)
    }

    /// Where each environment stands.
    pub(crate) fn states(&self) -> Vec<&State> {
        (0..self.environment.len())
            .map(|index| self.environment.state(index))
            .collect()
    }

    /// Environment steps taken.
    pub(crate) fn steps(&self) -> u64 {
        self.environment.steps()
    }

    /// Environment steps that the run is made of.
    pub(crate) fn total_steps(&self) -> u64 {
        self.total_steps
    }

    /// Last states of the episodes that have ended and not been delivered, in that order.
    pub(crate) fn open_states(&self) -> impl ExactSizeIterator<Item = &State> {
        self.environment.open_states()
    }

    pub(crate) fn snapshot(&self) -> VectorSnapshot {
        self.environment.snapshot()
    }

    /// # Errors
    /// [`EnvironmentError::Snapshot`] if it cannot be one of this run.
    pub(crate) fn restore(&mut self, snapshot: VectorSnapshot) -> Result<(), EnvironmentError> {
        self.environment.restore(snapshot)?;
        let (steps, last) = (
            self.steps(),
            self.total_steps + self.environment.len() as u64,
        );
        if steps > last {
            let message = format!("{steps} steps of a run of {}", self.total_steps);
            return Err(EnvironmentError::Snapshot(message));
        }
        Ok(())
    }
}

/// The parts of an agent's step, in the order in which [`step`] runs them.
pub(crate) trait Cycle {
    fn collector(&mut self) -> &mut Collector;

    /// Takes an episode that has its reward.
    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError>;

    /// Learns from what is new.
    fn learn(&mut self, observer: &mut dyn Observer) -> Result<(), AgentError>;

    /// One allowed action for each environment.
    fn act(&mut self) -> Result<Vec<u8>, AgentError>;
}

/// The main loop of every agent: take the episodes whose rewards are due, learn, act.
pub(crate) fn step(
    agent: &mut impl Cycle,
    observer: &mut dyn Observer,
) -> Result<Progress, AgentError> {
    let steps = agent.collector().steps();
    let progress = loop {
        match agent.collector().next_due(observer) {
            ControlFlow::Continue(episode) => {
                agent.remember(&episode)?;
                observer.episode_finished(steps, &episode);
            }
            ControlFlow::Break(progress) => break progress,
        }
    };
    if progress == Progress::Interrupted {
        return Ok(progress);
    }
    agent.learn(observer)?;
    if progress == Progress::Continue {
        let actions = agent.act()?;
        agent.collector().step(&actions)?;
    }
    Ok(progress)
}
