use std::{borrow::Cow, path::Path, sync::Arc};

use crystalgym_environment::{Task, VectorSnapshot};
use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Sac, SacConfig, Temperature};
use crate::{
    AgentError, Evaluator, ReplayBuffer,
    checkpoint::{TaskIdentity, check_progress, invalid, read_checkpoint, write_checkpoint},
};

/// Names of the two critics in the file of networks.
const CRITICS: [&str; 2] = ["critic_1", "critic_2"];

/// Everything but the networks.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    config: SacConfig,
    task: TaskIdentity,
    learned_until: u64,
    updates: u64,
    temperature: Temperature,
    rng: Pcg64,
    environment: VectorSnapshot,
    replay: Cow<'a, ReplayBuffer>,
}

impl Sac {
    pub(super) fn save_to(&self, folder: &Path) -> Result<(), AgentError> {
        let mut networks = Checkpoint::new();
        let learner = &self.learner;
        let trained = std::iter::once(("actor", &learner.actor));
        for (name, trained) in trained.chain(CRITICS.into_iter().zip(&learner.critics)) {
            let parameters = trained.network.parameters();
            networks.insert_parameters(name, parameters);
            networks.insert_adam(&format!("{name}_adam"), &trained.adam, parameters);
        }
        for (name, target) in CRITICS.into_iter().zip(&learner.targets) {
            networks.insert_parameters(&format!("{name}_target"), target.parameters());
        }
        let saved = Saved {
            config: self.config.clone(),
            task: TaskIdentity::new(&self.task),
            learned_until: self.learned_until,
            updates: self.updates,
            temperature: self.temperature.clone(),
            rng: self.rng.clone(),
            environment: self.collector.snapshot(),
            replay: Cow::Borrowed(&self.replay),
        };
        write_checkpoint(
            folder,
            "sac",
            self.collector.steps(),
            Some(&networks),
            &saved,
        )
    }

    /// An agent that goes on where the saved one was, with the saved settings.
    ///
    /// Episodes that were being calculated are calculated again, or found in the store.
    ///
    /// # Errors
    /// [`AgentError::Io`] or [`AgentError::Checkpoint`] if the folder holds no whole checkpoint of
    /// this algorithm and task.
    pub fn load(folder: &Path, task: Arc<Task>, evaluator: &Evaluator) -> Result<Self, AgentError> {
        let (saved, networks) = read_checkpoint::<Saved>(folder, "sac")?;
        saved.task.check(&TaskIdentity::new(&task), folder)?;
        let networks = networks.ok_or_else(|| invalid(folder, "the networks are missing"))?;
        let mut agent = Self::new(saved.config, task, evaluator)?;
        let learner = &mut agent.learner;
        let trained = std::iter::once(("actor", &mut learner.actor));
        for (name, trained) in trained.chain(CRITICS.into_iter().zip(&mut learner.critics)) {
            networks.restore_parameters(name, trained.network.parameters_mut())?;
            let parameters = trained.network.parameters();
            networks.restore_adam(&format!("{name}_adam"), &mut trained.adam, parameters)?;
        }
        for (name, target) in CRITICS.into_iter().zip(&mut learner.targets) {
            networks.restore_parameters(&format!("{name}_target"), target.parameters_mut())?;
        }
        saved
            .replay
            .check(&agent.task, &agent.replay)
            .map_err(|message| invalid(folder, message))?;
        agent.replay = saved.replay.into_owned();
        saved
            .temperature
            .check()
            .map_err(|message| invalid(folder, message))?;
        agent.temperature = saved.temperature;
        agent.rng = saved.rng;
        agent.learned_until = saved.learned_until;
        agent.updates = saved.updates;
        agent.collector.restore(saved.environment)?;
        let config = &agent.config;
        check_progress(
            agent.collector.steps(),
            config.environments,
            agent.learned_until,
            agent.updates,
            config.gradient_steps,
        )
        .map_err(|message| invalid(folder, message))?;
        Ok(agent)
    }
}
