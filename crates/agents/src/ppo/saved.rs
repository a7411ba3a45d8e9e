use std::{borrow::Cow, collections::VecDeque, path::Path, sync::Arc};

use crystalgym_environment::{State, Task, VectorSnapshot, is_terminal};
use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Ppo, PpoConfig, Traces, sample::Sample};
use crate::{
    AgentError, Evaluator,
    check::sane,
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
            .all(|state| state.belongs_to(&self.task) && !is_terminal(state));
        let targets = self.samples.iter().map(|sample| sample.target);
        let seen = self.first_observations.iter().map(|(_, target)| *target);
        let (rollout, first) = (self.config.rollout_steps, self.first_observations.len());
        let first_fit = first == 0 || (self.config.first_observations_only && first == rollout);
        let sound = self.samples.iter().all(|sample| {
            let numbers = [sample.log_probability, sample.value, sample.advantage];
            sane(numbers)
                && sample
                    .state
                    .action_mask(&self.task)
                    .get(usize::from(sample.action))
                    == Some(&true)
        });
        if fit
            && first_fit
            && sound
            && targets
                .chain(seen)
                .all(|target| target == self.task.target())
        {
            Ok(())
        } else {
            Err("a sample does not belong to this task".to_owned())
        }
    }

    /// Each episode under way or without a reward has one probability an action.
    fn check_traces(&self) -> Result<(), String> {
        let Traces { current, ended } = &self.traces;
        let states = self.collector.states();
        let open = self.collector.open_states();
        let under_way = current.len() == states.len()
            && current
                .iter()
                .zip(states)
                .all(|(trace, state)| trace.len() == usize::from(state.step));
        let over = ended.len() == open.len()
            && ended
                .iter()
                .zip(open)
                .all(|(trace, state)| trace.len() == usize::from(state.step));
        if under_way && over && sane(current.iter().chain(ended).flatten().copied()) {
            Ok(())
        } else {
            Err("the probabilities of actions do not fit the episodes".to_owned())
        }
    }
}
