use std::{borrow::Cow, collections::VecDeque, path::Path, sync::Arc};

use crystalgym_environment::{State, Task, VectorSnapshot};
use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Ppo, PpoConfig, Traces, sample::Sample};
use crate::{
    AgentError, Evaluator,
    checkpoint::{TaskIdentity, invalid, read_checkpoint, write_checkpoint},
};

/// Everything but the networks.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    config: PpoConfig,
    task: TaskIdentity,
    traces: Cow<'a, Traces>,
    samples: Cow<'a, VecDeque<Sample>>,
    first_observations: Cow<'a, [(State, f64)]>,
    rng: Pcg64,
    updates: u64,
    environment: VectorSnapshot,
}

impl Ppo {
    pub(super) fn save_to(&self, folder: &Path) -> Result<(), AgentError> {
        let mut networks = Checkpoint::new();
        let learner = &self.learner;
        for (name, network, adam) in [
            ("actor", &learner.actor, &learner.actor_adam),
            ("critic", &learner.critic, &learner.critic_adam),
        ] {
            networks.insert_parameters(name, network.parameters());
            networks.insert_adam(&format!("{name}_adam"), adam, network.parameters());
        }
        let saved = Saved {
            config: self.config.clone(),
            task: TaskIdentity::new(&self.task),
            traces: Cow::Borrowed(&self.traces),
            samples: Cow::Borrowed(&self.samples),
            first_observations: Cow::Borrowed(&self.first_observations),
            rng: self.rng.clone(),
            updates: self.updates,
            environment: self.collector.snapshot(),
        };
        write_checkpoint(
            folder,
            "ppo",
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
        let (saved, networks) = read_checkpoint::<Saved>(folder, "ppo")?;
        saved.task.check(&TaskIdentity::new(&task), folder)?;
        let networks = networks.ok_or_else(|| invalid(folder, "the networks are missing"))?;
        let mut agent = Self::new(saved.config, task, evaluator)?;
        let learner = &mut agent.learner;
        for (name, network, adam) in [
            ("actor", &mut learner.actor, &mut learner.actor_adam),
            ("critic", &mut learner.critic, &mut learner.critic_adam),
        ] {
            networks.restore_parameters(name, network.parameters_mut())?;
            networks.restore_adam(&format!("{name}_adam"), adam, network.parameters())?;
        }
        agent.traces = saved.traces.into_owned();
        agent.samples = saved.samples.into_owned();
        agent.first_observations = saved.first_observations.into_owned();
        agent
            .check_saved()
            .map_err(|message| invalid(folder, message))?;
        agent.rng = saved.rng;
        agent.updates = saved.updates;
        agent.collector.restore(saved.environment)?;
        agent
            .check_traces()
            .map_err(|message| invalid(folder, message))?;
        Ok(agent)
    }

    fn check_saved(&self) -> Result<(), String> {
        let samples = self.samples.iter().map(|sample| &sample.state);
        let stale = self.first_observations.iter().map(|(state, _)| state);
        let fit = samples
            .chain(stale)
            .all(|state| state.belongs_to(&self.task));
        let actions = self.task.actions().len();
        let act = self.samples.iter().all(|s| usize::from(s.action) < actions);
        if fit && act {
            Ok(())
        } else {
            Err("a sample does not belong to this task".to_owned())
        }
    }

    /// Each episode under way or without a reward has one probability an action.
    fn check_traces(&self) -> Result<(), String> {
        let Traces { current, ended } = &self.traces;
        let states = self.collector.states();
        let fit = current.len() == states.len()
            && current
                .iter()
                .zip(states)
                .all(|(trace, state)| trace.len() == usize::from(state.step));
        if fit && ended.len() == self.collector.open_episodes() {
            Ok(())
        } else {
            Err("the probabilities of actions do not fit the episodes".to_owned())
        }
    }
}
