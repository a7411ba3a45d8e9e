//! What DQN and Rainbow need to go on.

use std::borrow::Cow;

use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::Dqn;
use crate::{
    AgentError, ReplayBuffer,
    checkpoint::{CheckpointFile, Memory, check_progress, invalid},
    finds::Finds,
};

/// Everything but the networks.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    learned_until: u64,
    updates: u64,
    rng: Pcg64,
    replay: Cow<'a, ReplayBuffer>,
    #[serde(default, skip_serializing_if = "Finds::is_empty")]
    finds: Cow<'a, Finds>,
}

impl<N: GraphNetwork> Dqn<N> {
    pub(super) fn saved(&self) -> Result<Memory, AgentError> {
        let mut networks = Checkpoint::new();
        let parameters = self.networks.online.parameters();
        networks.insert_parameters("online", parameters);
        networks.insert_parameters("target", self.networks.target.parameters());
        networks.insert_adam("adam", &self.networks.adam, parameters);
        let saved = Saved {
            learned_until: self.learned_until,
            updates: self.updates,
            rng: self.rng.clone(),
            replay: Cow::Borrowed(&self.replay),
            finds: Cow::Borrowed(&self.finds),
        };
        Memory::new(&saved, Some(networks))
    }

    pub(super) fn restore_from(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        let bad = |message: String| invalid(file.folder(), message);
        let (saved, read) = (file.memory::<Saved>()?, file.networks()?);
        let networks = &mut self.networks;
        read.restore_parameters("online", networks.online.parameters_mut())?;
        read.restore_parameters("target", networks.target.parameters_mut())?;
        read.restore_adam("adam", &mut networks.adam, networks.online.parameters())?;
        networks.online.remove_noise();
        networks.target.remove_noise();
        saved.replay.check(&self.task, &self.replay).map_err(bad)?;
        self.replay = saved.replay.into_owned();
        let (finds, returns) = (saved.finds.into_owned(), self.config.returns());
        self.finds = finds
            .restored(&self.task, &self.config.finds, returns)
            .map_err(bad)?;
        self.rng = saved.rng;
        self.learned_until = saved.learned_until;
        self.updates = saved.updates;
        check_progress(
            file.info().step,
            self.config.environments,
            self.learned_until,
            self.updates,
            // A rehearsal comes after an episode, which takes a step at least.
            self.config.gradient_steps + self.config.finds.rehearsals(Some(u64::MAX)) as u64,
        )
        .map_err(bad)
    }
}
