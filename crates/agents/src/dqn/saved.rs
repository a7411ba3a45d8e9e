use std::{borrow::Cow, path::Path, sync::Arc};

use crystalgym_environment::{Task, VectorSnapshot};
use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Dqn, DqnConfig};
use crate::{
    AgentError, Evaluator, ReplayBuffer,
    checkpoint::{TaskIdentity, check_progress, invalid, read_checkpoint, write_checkpoint},
};

/// Everything but the networks.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    config: DqnConfig,
    task: TaskIdentity,
    learned_until: u64,
    updates: u64,
    rng: Pcg64,
    environment: VectorSnapshot,
    replay: Cow<'a, ReplayBuffer>,
}

impl Dqn {
    pub(super) fn save_to(&self, folder: &Path) -> Result<(), AgentError> {
        let mut networks = Checkpoint::new();
        let parameters = self.learner.online.parameters();
        networks.insert_parameters("online", parameters);
        networks.insert_parameters("target", self.learner.target.parameters());
        networks.insert_adam("adam", &self.learner.adam, parameters);
        let saved = Saved {
            config: self.config.clone(),
            task: TaskIdentity::new(&self.task),
            learned_until: self.learned_until,
            updates: self.updates,
            rng: self.rng.clone(),
            environment: self.collector.snapshot(),
            replay: Cow::Borrowed(&self.replay),
        };
        write_checkpoint(
            folder,
            self.name,
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
        Self::load_named("dqn", folder, task, evaluator)
    }

    /// The same for an agent made with [`Self::rainbow`].
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_rainbow(
        folder: &Path,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        Self::load_named("rainbow", folder, task, evaluator)
    }

    fn load_named(
        name: &'static str,
        folder: &Path,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        let (saved, networks) = read_checkpoint::<Saved>(folder, name)?;
        saved.task.check(&TaskIdentity::new(&task), folder)?;
        let networks = networks.ok_or_else(|| invalid(folder, "the networks are missing"))?;
        let mut agent = Self::named(name, saved.config, task, evaluator)?;
        let learner = &mut agent.learner;
        networks.restore_parameters("online", learner.online.parameters_mut())?;
        networks.restore_parameters("target", learner.target.parameters_mut())?;
        networks.restore_adam("adam", &mut learner.adam, learner.online.parameters())?;
        learner.online.remove_noise();
        learner.target.remove_noise();
        saved
            .replay
            .check(&agent.task, &agent.replay)
            .map_err(|message| invalid(folder, message))?;
        agent.replay = saved.replay.into_owned();
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
