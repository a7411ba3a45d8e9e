//! The main loop of every algorithm: environments that run on while rewards are computed, and a
//! learner.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use crystalgym_conservative::Epoch;
use crystalgym_environment::{
    Autoreset, EnvironmentError, FinishedEpisode, Observation, Task, VectorEnvironment,
    VectorSnapshot,
};

use crate::{
    AgentConfig, AgentError, CollectConfig, Evaluator, LearnedReward, Learner, Observer, Policy,
    PolicyMode,
    checkpoint::{CheckpointFile, invalid, write_checkpoint},
    learned_reward::{LearnedAppraiser, SharedReward},
    registry::{new_learner, restored_learner},
};

/// Whether there is more to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Go on.
    Continue,
    /// All steps are taken and every episode has its reward.
    Finished,
    /// [`Observer::interrupted`] turned true while a result was waited for; the agent can be
    /// saved, or go on.
    Interrupted,
}

/// A learner with the environments that it learns in.
///
/// Between two calls of [`Self::step`] the caller may stop, save, and go on later: a saved and
/// loaded agent goes on exactly as this one would.
pub struct Agent<L: Learner + ?Sized = dyn Learner> {
    environment: VectorEnvironment,
    task: Arc<Task>,
    collect: CollectConfig,
    learner: Box<L>,
    /// What most rewards come from, if not from calculations.
    reward: Option<SharedReward>,
}

impl Agent {
    /// An agent at the start of its run.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] for settings that cannot be.
    pub fn new(
        config: &AgentConfig,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        let learner = new_learner(config, &task)?;
        Ok(Self::with_learner(learner, task, evaluator))
    }

    /// The same on a learned reward: the model says what most crystals are worth.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on_learned_reward(
        config: &AgentConfig,
        reward: LearnedReward,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        let learner = new_learner(config, &task)?;
        Ok(Self::with_reward(learner, Some(reward), task, evaluator))
    }

    /// An agent that goes on where the saved one was, whatever its algorithm, with the saved
    /// settings.
    ///
    /// Episodes that were being calculated are calculated again, or found in the store.
    ///
    /// # Errors
    /// [`AgentError::Io`] or [`AgentError::Checkpoint`] if the folder holds no whole checkpoint of
    /// an agent in this task.
    pub fn load(folder: &Path, task: Arc<Task>, evaluator: &Evaluator) -> Result<Self, AgentError> {
        let file = CheckpointFile::read(folder)?;
        let learner = restored_learner(&file, &task)?;
        Self::resumed(learner, &file, task, evaluator)
    }
}

impl<L: Learner + ?Sized> Agent<L> {
    /// An agent of a learner that has learned nothing yet.
    pub fn with_learner(learner: Box<L>, task: Arc<Task>, evaluator: &Evaluator) -> Self {
        Self::with_reward(learner, None, task, evaluator)
    }

    fn with_reward(
        mut learner: Box<L>,
        reward: Option<LearnedReward>,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Self {
        learner.begin(evaluator);
        let collect = learner.settings().collect();
        let CollectConfig {
            seed, environments, ..
        } = collect;
        let autoreset = Autoreset::SameStep;
        let reward = reward.map(SharedReward::new);
        let environment = match &reward {
            None => evaluator.environments(&task, environments, seed, autoreset),
            Some(reward) => {
                let appraiser = LearnedAppraiser::new(reward.clone(), evaluator.appraiser());
                let (count, appraiser) = (environments.max(1), Box::new(appraiser));
                VectorEnvironment::of_one_task(&task, count, seed, appraiser, autoreset)
            }
        };
        Self {
            environment,
            task,
            collect,
            learner,
            reward,
        }
    }

    /// The same for a learner that the caller has made, with the settings of the saved one.
    ///
    /// # Errors
    /// As [`Agent::load`]; also if the checkpoint is of another algorithm.
    pub fn resume(
        mut learner: Box<L>,
        folder: &Path,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        let file = CheckpointFile::read(folder)?;
        let (found, expected) = (&file.info().algorithm, learner.settings().name());
        if found != expected {
            let message = format!("it is of {found}, expected {expected}");
            return Err(invalid(folder, message));
        }
        file.check_task(&task)?;
        learner.restore(&file)?;
        Self::resumed(learner, &file, task, evaluator)
    }

    fn resumed(
        learner: Box<L>,
        file: &CheckpointFile,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        let reward = match file.learned_reward()? {
            None => None,
            Some(saved) => {
                let (networks, task) = (file.networks()?, Arc::clone(&task));
                Some(LearnedReward::restored(saved, &networks, task)?)
            }
        };
        let mut agent = Self::with_reward(learner, reward, task, evaluator);
        agent.restore(file.environment()?)?;
        let is_settled = |reward: &SharedReward| reward.get().is_settled();
        if !agent.reward.as_ref().is_none_or(is_settled) {
            let message = "the learned reward has decided about episodes that there are not";
            return Err(invalid(file.folder(), message));
        }
        agent
            .learner
            .fits(&agent.environment)
            .map_err(|message| invalid(file.folder(), message))?;
        Ok(agent)
    }

    /// What learns.
    pub fn learner(&self) -> &L {
        &self.learner
    }

    /// How its learned reward was pretrained, if it has one; nothing after a restart.
    pub fn pretraining(&self) -> Option<Vec<Epoch>> {
        let reward = self.reward.as_ref()?;
        Some(reward.get().pretraining().to_vec())
    }

    /// The algorithm with its settings.
    pub fn settings(&self) -> AgentConfig {
        self.learner.settings()
    }

    /// Takes the episodes whose rewards are due, learns, and acts once in every environment.
    ///
    /// # Errors
    /// [`AgentError`]; the agent should then not be used on.
    pub fn step(&mut self, observer: &mut dyn Observer) -> Result<Progress, AgentError> {
        let step = self.steps();
        let progress = loop {
            match self.next_due(observer) {
                ControlFlow::Continue(episode) => {
                    if let Some(reward) = &self.reward {
                        reward.get().delivered(step, &episode, observer)?;
                    }
                    self.learner.remember(&episode)?;
                    observer.episode_finished(step, &episode);
                }
                ControlFlow::Break(progress) => break progress,
            }
        };
        if progress == Progress::Interrupted {
            return Ok(progress);
        }
        self.learner.learn(step, observer)?;
        if progress == Progress::Continue {
            let environments = 0..self.environment.len();
            let seen: Vec<Observation<'_>> = environments
                .map(|environment| self.environment.observe(environment))
                .collect();
            let actions = self.learner.act(step, &seen)?;
            self.environment.step(&actions)?;
        }
        Ok(progress)
    }

    /// The next episode that is due, in the order in which they ended, or why there is none.
    ///
    /// [`Progress::Continue`] if there is more to act; else nothing is in flight any more, or the
    /// observer interrupted the wait.
    fn next_due(&mut self, observer: &dyn Observer) -> ControlFlow<Progress, FinishedEpisode> {
        let acting = self.steps() < self.collect.total_steps;
        let in_flight = if acting { self.collect.in_flight } else { 0 };
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

    /// Environment steps taken.
    pub fn steps(&self) -> u64 {
        self.environment.steps()
    }

    /// Environment steps that the run is made of.
    pub fn total_steps(&self) -> u64 {
        self.collect.total_steps
    }

    /// Saves everything that [`Self::step`] depends on into a folder, whole or not at all.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn save(&self, folder: &Path) -> Result<(), AgentError> {
        let mut memory = self.learner.memory()?;
        let reward = self.reward.as_ref().map(|reward| {
            let networks = memory.networks.get_or_insert_default();
            reward.get().save(networks)
        });
        let (settings, environment) = (self.settings(), self.environment.snapshot());
        write_checkpoint(
            folder,
            &settings,
            &self.task,
            self.steps(),
            &environment,
            &memory,
            reward.as_ref(),
        )
    }

    fn restore(&mut self, snapshot: VectorSnapshot) -> Result<(), EnvironmentError> {
        self.environment.restore(snapshot)?;
        let (steps, count) = (self.steps(), self.environment.len() as u64);
        let total = self.collect.total_steps;
        if steps > total + count || !steps.is_multiple_of(count) {
            let message = format!("{steps} steps of {count} environments in a run of {total}");
            return Err(EnvironmentError::Snapshot(message));
        }
        Ok(())
    }

    /// A copy of what the agent has learned, to act in a task with the same elements (the skeletons
    /// and the target may be others).
    ///
    /// # Errors
    /// [`AgentError`] if the task does not fit.
    pub fn policy(
        &self,
        task: &Arc<Task>,
        mode: PolicyMode,
    ) -> Result<Box<dyn Policy>, AgentError> {
        self.learner.policy(task, mode, self.steps())
    }
}
