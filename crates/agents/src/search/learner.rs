//! A search as a learner: each proposal is played as an episode.

use std::{borrow::Cow, sync::Arc};

use crystalgym_environment::{Action, FinishedEpisode, Observation, Task, VectorEnvironment};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    filling::{Filling, fits},
    plans::planned_action,
    policy::SearchPolicy,
    proposer::Proposer,
};
use crate::{
    AgentConfig, AgentError, Learner, Observer, Policy, PolicyMode, agent_seed,
    checkpoint::{CheckpointFile, Memory, invalid},
};

/// A search that plays each proposal as an episode.
pub struct Search {
    task: Arc<Task>,
    proposer: Box<dyn Proposer>,
    rng: Pcg64,
    /// What each environment is being filled with; none at the start of an episode.
    plans: Vec<Option<Filling>>,
}

#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    knowledge: Value,
    rng: Pcg64,
    plans: Cow<'a, [Option<Filling>]>,
}

impl Search {
    /// A search at its start.
    ///
    /// # Errors
    /// [`AgentError::Config`] for settings that cannot be.
    pub fn new(proposer: Box<dyn Proposer>, task: Arc<Task>) -> Result<Self, AgentError> {
        let settings = proposer.settings();
        settings.check()?;
        let collect = settings.collect();
        Ok(Self {
            proposer,
            rng: Pcg64::seed_from_u64(agent_seed(collect.seed)),
            plans: vec![None; collect.environments],
            task,
        })
    }
}

impl Learner for Search {
    fn settings(&self) -> AgentConfig {
        self.proposer.settings()
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        self.proposer.learn(&self.task, episode)
    }

    /// Nothing: what there is to learn was taken from each episode.
    fn learn(&mut self, _step: u64, _observer: &mut dyn Observer) -> Result<(), AgentError> {
        Ok(())
    }

    /// The next action of each environment's plan; a new plan where an episode begins.
    fn act(&mut self, _step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let mut actions = Vec::with_capacity(seen.len());
        for (seen, plan) in seen.iter().zip(&mut self.plans) {
            let filling = match plan.take().filter(|_| seen.step > 0) {
                Some(filling) => filling,
                None => {
                    let skeleton = seen.skeleton as u16;
                    self.proposer.propose(&self.task, skeleton, &mut self.rng)?
                }
            };
            actions.push(planned_action(&self.task, seen, &filling));
            *plan = Some(filling);
        }
        Ok(actions)
    }

    fn memory(&self) -> Result<Memory, AgentError> {
        let saved = Saved {
            knowledge: self.proposer.knowledge()?,
            rng: self.rng.clone(),
            plans: Cow::Borrowed(&self.plans),
        };
        Memory::new(&saved, None)
    }

    fn restore(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        let saved: Saved<'_> = file.memory()?;
        self.proposer
            .restore(saved.knowledge, &self.task)
            .map_err(|message| invalid(file.folder(), message))?;
        self.rng = saved.rng;
        self.plans = saved.plans.into_owned();
        Ok(())
    }

    fn fits(&self, environment: &VectorEnvironment) -> Result<(), String> {
        let fit = |(index, plan): (usize, &Option<Filling>)| {
            let state = environment.state(index);
            let is_new = state.step == 0;
            let plan = plan.as_ref();
            plan.map_or(is_new, |plan| {
                is_new || fits(&self.task, state.skeleton, plan)
            })
        };
        match self.plans.len() == environment.len() && self.plans.iter().enumerate().all(fit) {
            true => Ok(()),
            false => Err("its fillings do not belong to this task".to_owned()),
        }
    }

    /// Greedy: the best filling known of the task's skeletons; random on skeletons that were never
    /// tried. Sampled: the next proposals.
    fn policy(
        &self,
        task: &Arc<Task>,
        mode: PolicyMode,
        _step: u64,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let proposer = self.proposer.copy();
        let searched = Arc::clone(&self.task);
        Ok(Box::new(SearchPolicy::new(
            searched,
            Arc::clone(task),
            proposer,
            mode,
        )))
    }
}
