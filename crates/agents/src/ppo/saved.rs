//! What PPO needs to go on.

use std::{borrow::Cow, collections::VecDeque};

use crystalgym_environment::{Episode, State, VectorEnvironment};
use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Ppo, Traces, sample::Sample};
use crate::{
    AgentError,
    check::sane,
    checkpoint::{CheckpointFile, Memory, invalid},
    finds::Finds,
};

/// Everything but the networks.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    traces: Cow<'a, Traces>,
    samples: Cow<'a, VecDeque<Sample>>,
    first_observations: Cow<'a, [(State, f64)]>,
    rng: Pcg64,
    updates: u64,
    #[serde(default, skip_serializing_if = "Finds::is_empty")]
    finds: Cow<'a, Finds>,
}

impl<N: GraphNetwork> Ppo<N> {
    pub(super) fn saved(&self) -> Result<Memory, AgentError> {
        let mut networks = Checkpoint::new();
        let own = &self.networks;
        for (name, network, adam) in [
            ("actor", &own.actor, &own.actor_adam),
            ("critic", &own.critic, &own.critic_adam),
        ] {
            networks.insert_parameters(name, network.parameters());
            networks.insert_adam(&format!("{name}_adam"), adam, network.parameters());
        }
        let saved = Saved {
            traces: Cow::Borrowed(&self.traces),
            samples: Cow::Borrowed(&self.samples),
            first_observations: Cow::Borrowed(&self.first_observations),
            rng: self.rng.clone(),
            updates: self.updates,
            finds: Cow::Borrowed(&self.finds),
        };
        Memory::new(&saved, Some(networks))
    }

    pub(super) fn restore_from(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        let (saved, read) = (file.memory::<Saved>()?, file.networks()?);
        let own = &mut self.networks;
        for (name, network, adam) in [
            ("actor", &mut own.actor, &mut own.actor_adam),
            ("critic", &mut own.critic, &mut own.critic_adam),
        ] {
            read.restore_parameters(name, network.parameters_mut())?;
            read.restore_adam(&format!("{name}_adam"), adam, network.parameters())?;
        }
        self.traces = saved.traces.into_owned();
        self.samples = saved.samples.into_owned();
        self.first_observations = saved.first_observations.into_owned();
        self.rng = saved.rng;
        self.updates = saved.updates;
        let (finds, returns) = (saved.finds.into_owned(), self.config.returns());
        self.finds = finds
            .restored(&self.task, &self.config.finds, returns)
            .map_err(|message| invalid(file.folder(), message))?;
        self.check_saved()
            .map_err(|message| invalid(file.folder(), message))
    }

    fn check_saved(&self) -> Result<(), String> {
        let samples = self.samples.iter().map(|sample| &sample.state);
        let stale = self.first_observations.iter().map(|(state, _)| state);
        let fit = samples
            .chain(stale)
            .all(|state| self.task.can_hold(state) && !self.task.is_terminal(state));
        let targets = self.samples.iter().map(|sample| sample.target);
        let seen = self.first_observations.iter().map(|(_, target)| *target);
        let (rollout, first) = (self.config.rollout_steps, self.first_observations.len());
        let first_fit = first == 0 || (self.config.first_observations_only && first == rollout);
        let sound = self.samples.iter().all(|sample| {
            let numbers = [sample.log_probability, sample.value, sample.advantage];
            sane(numbers) && self.task.check(&sample.state, sample.action.into()).is_ok()
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

    /// Each episode under way or without a reward has one probability per action.
    pub(super) fn traces_fit(&self, environment: &VectorEnvironment) -> Result<(), String> {
        let Traces { current, ended } = &self.traces;
        let environments = 0..environment.len();
        let open = environment.open();
        let under_way = current.len() == environment.len()
            && environments
                .zip(current)
                .all(|(i, trace)| trace.len() == usize::from(environment.state(i).step));
        let fits = |(trace, episode): (&Vec<f64>, &Episode)| trace.len() == episode.actions.len();
        let over = ended.len() == open.len() && ended.iter().zip(open).all(fits);
        if under_way && over && sane(current.iter().chain(ended).flatten().copied()) {
            Ok(())
        } else {
            Err("the probabilities of actions do not fit the episodes".to_owned())
        }
    }
}
