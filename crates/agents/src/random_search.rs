use std::{path::Path, sync::Arc};

use crystalgym_environment::{State, Task, VectorEnvironment, VectorSnapshot};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::{
    Agent, AgentError, Evaluator, Observer, Policy, Progress, agent_seed,
    checkpoint::{TaskIdentity, read_checkpoint, write_checkpoint},
    dqn::random_action,
};

/// Settings of [`RandomSearch`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomSearchConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing.
    pub in_flight: usize,
}

impl Default for RandomSearchConfig {
    fn default() -> Self {
        Self {
            total_steps: 4000,
            seed: 1,
            environments: 4,
            in_flight: 8,
        }
    }
}

/// Fills every site with a random allowed element: what learning has to beat.
pub struct RandomSearch {
    config: RandomSearchConfig,
    task: Arc<Task>,
    environment: VectorEnvironment,
    rng: Pcg64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    config: RandomSearchConfig,
    task: TaskIdentity,
    rng: Pcg64,
    environment: VectorSnapshot,
}

impl RandomSearch {
    /// A search at its start.
    pub fn new(config: RandomSearchConfig, task: Arc<Task>, evaluator: &Evaluator) -> Self {
        Self {
            environment: evaluator.environments(&task, config.environments, config.seed),
            rng: Pcg64::seed_from_u64(agent_seed(config.seed)),
            config,
            task,
        }
    }

    /// A search that goes on where the saved one was, with the saved settings.
    ///
    /// # Errors
    /// [`AgentError::Io`] or [`AgentError::Checkpoint`] if the folder holds no whole checkpoint of
    /// a random search in this task.
    pub fn load(folder: &Path, task: Arc<Task>, evaluator: &Evaluator) -> Result<Self, AgentError> {
        let (saved, _) = read_checkpoint::<Saved>(folder, "random_search")?;
        saved.task.check(&TaskIdentity::new(&task), folder)?;
        let mut agent = Self::new(saved.config, task, evaluator);
        agent.rng = saved.rng;
        agent.environment.restore(saved.environment)?;
        Ok(agent)
    }
}

impl Agent for RandomSearch {
    fn name(&self) -> &'static str {
        "random_search"
    }

    fn step(&mut self, observer: &mut dyn Observer) -> Result<Progress, AgentError> {
        let steps = self.environment.steps();
        let acting = steps < self.config.total_steps;
        let in_flight = if acting { self.config.in_flight } else { 0 };
        loop {
            match self
                .environment
                .next_finished(in_flight, &|| observer.interrupted())
            {
                Ok(Some(episode)) => observer.episode_finished(steps, &episode),
                Ok(None) => break,
                Err(_) => return Ok(Progress::Interrupted),
            }
        }
        if !acting {
            return Ok(Progress::Finished);
        }
        let actions: Vec<u8> = (0..self.environment.len())
            .map(|index| {
                let mask = self.environment.state(index).action_mask(&self.task);
                random_action(mask, &mut self.rng)
            })
            .collect();
        self.environment.step(&actions)?;
        Ok(Progress::Continue)
    }

    fn steps(&self) -> u64 {
        self.environment.steps()
    }

    fn total_steps(&self) -> u64 {
        self.config.total_steps
    }

    fn save(&self, folder: &Path) -> Result<(), AgentError> {
        let saved = Saved {
            config: self.config.clone(),
            task: TaskIdentity::new(&self.task),
            rng: self.rng.clone(),
            environment: self.environment.snapshot(),
        };
        write_checkpoint(folder, self.name(), self.steps(), None, &saved)
    }

    fn policy(&self, task: &Arc<Task>) -> Result<Box<dyn Policy>, AgentError> {
        Ok(Box::new(RandomPolicy {
            task: Arc::clone(task),
            rng: self.rng.clone(),
        }))
    }
}

struct RandomPolicy {
    task: Arc<Task>,
    rng: Pcg64,
}

impl Policy for RandomPolicy {
    fn act(&mut self, states: &[&State], _target: f64) -> Result<Vec<u8>, AgentError> {
        let choose = |state: &&State| random_action(state.action_mask(&self.task), &mut self.rng);
        Ok(states.iter().map(choose).collect())
    }
}
