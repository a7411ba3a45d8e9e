//! All algorithms by name: the one place that knows how each is made and read back.

use std::{path::Path, sync::Arc};

use crystalgym_environment::Task;

use crate::{
    AgentConfig, AgentError, Dqn, GFlowNet, GeneticProposer, LanguageAgent, Learner, LocalProposer,
    Policy, PolicyMode, Ppo, RandomProposer, Sac, Search, SurrogateAgent,
    checkpoint::{CheckpointFile, invalid},
};

/// A learner that knows nothing yet.
///
/// # Errors
/// [`AgentError`] for settings that cannot be.
pub(crate) fn new_learner(
    config: &AgentConfig,
    task: &Arc<Task>,
) -> Result<Box<dyn Learner>, AgentError> {
    config.check()?;
    let task = Arc::clone(task);
    Ok(match config.clone() {
        AgentConfig::Dqn(config) => Box::new(Dqn::new(config, task)?),
        AgentConfig::Rainbow(config) => Box::new(Dqn::rainbow(config, task)?),
        AgentConfig::Ppo(config) => Box::new(Ppo::new(config, task)?),
        AgentConfig::Sac(config) => Box::new(Sac::new(config, task)?),
        AgentConfig::GFlowNet(config) => Box::new(GFlowNet::new(config, task)?),
        AgentConfig::Surrogate(config) => Box::new(SurrogateAgent::new(config, task)?),
        AgentConfig::Llm(config) => Box::new(LanguageAgent::new(config, task)?),
        AgentConfig::RandomSearch(config) => {
            Box::new(Search::new(Box::new(RandomProposer::new(config)), task)?)
        }
        AgentConfig::Genetic(config) => {
            Box::new(Search::new(Box::new(GeneticProposer::new(config)), task)?)
        }
        AgentConfig::LocalSearch(config) => {
            Box::new(Search::new(Box::new(LocalProposer::new(config)), task)?)
        }
    })
}

/// The settings in a checkpoint.
fn settings(file: &CheckpointFile) -> Result<AgentConfig, AgentError> {
    Ok(match file.info().algorithm.as_str() {
        "dqn" => AgentConfig::Dqn(file.settings()?),
        "rainbow" => AgentConfig::Rainbow(file.settings()?),
        "ppo" => AgentConfig::Ppo(file.settings()?),
        "sac" => AgentConfig::Sac(file.settings()?),
        "gflownet" => AgentConfig::GFlowNet(file.settings()?),
        "surrogate" => AgentConfig::Surrogate(file.settings()?),
        "llm" => AgentConfig::Llm(file.settings()?),
        "random_search" => AgentConfig::RandomSearch(file.settings()?),
        "genetic" => AgentConfig::Genetic(file.settings()?),
        "local_search" => AgentConfig::LocalSearch(file.settings()?),
        other => {
            let message = format!("it is of '{other}', which is no algorithm");
            return Err(invalid(file.folder(), message));
        }
    })
}

/// A learner as a checkpoint has it.
///
/// # Errors
/// [`AgentError::Checkpoint`] if it is none of this task.
pub(crate) fn restored_learner(
    file: &CheckpointFile,
    task: &Arc<Task>,
) -> Result<Box<dyn Learner>, AgentError> {
    file.check_task(task)?;
    let mut learner = new_learner(&settings(file)?, task)?;
    learner.restore(file)?;
    Ok(learner)
}

/// What an agent has learned, without the environments that it learned in.
pub struct LoadedAgent {
    learner: Box<dyn Learner>,
    step: u64,
}

impl LoadedAgent {
    /// Reads a checkpoint, whatever its algorithm. Neither a calculator nor a store is needed.
    ///
    /// # Errors
    /// [`AgentError::Io`] or [`AgentError::Checkpoint`] if the folder holds no whole checkpoint of
    /// an agent in this task.
    pub fn read(folder: &Path, task: &Arc<Task>) -> Result<Self, AgentError> {
        let file = CheckpointFile::read(folder)?;
        Ok(Self {
            learner: restored_learner(&file, task)?,
            step: file.info().step,
        })
    }

    /// The algorithm with its settings.
    pub fn settings(&self) -> AgentConfig {
        self.learner.settings()
    }

    /// Environment steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// A copy of what was learned, to act in a task with the same elements (the skeletons and the
    /// target may be others).
    ///
    /// # Errors
    /// [`AgentError`] if the task does not fit.
    pub fn policy(
        &self,
        task: &Arc<Task>,
        mode: PolicyMode,
    ) -> Result<Box<dyn Policy>, AgentError> {
        self.learner.policy(task, mode, self.step)
    }
}
