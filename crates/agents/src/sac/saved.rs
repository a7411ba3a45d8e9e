//! What SAC needs to go on.

use std::borrow::Cow;

use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Sac, Temperature};
use crate::{
    AgentError, ReplayBuffer,
    checkpoint::{CheckpointFile, Memory, check_progress, invalid},
    finds::Finds,
};

/// Names of the two critics in the file of networks.
const CRITICS: [&str; 2] = ["critic_1", "critic_2"];

/// Everything but the networks.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    learned_until: u64,
    updates: u64,
    temperature: Temperature,
    rng: Pcg64,
    replay: Cow<'a, ReplayBuffer>,
    #[serde(default, skip_serializing_if = "Finds::is_empty")]
    finds: Cow<'a, Finds>,
}

impl<N: GraphNetwork> Sac<N> {
    pub(super) fn saved(&self) -> Result<Memory, AgentError> {
        let mut networks = Checkpoint::new();
        let own = &self.networks;
        let trained = std::iter::once(("actor", &own.actor));
        for (name, trained) in trained.chain(CRITICS.into_iter().zip(&own.critics)) {
            trained.insert_into(&mut networks, name);
        }
        for (name, target) in CRITICS.into_iter().zip(&own.targets) {
            networks.insert_parameters(&format!("{name}_target"), target.parameters());
        }
        let saved = Saved {
            learned_until: self.learned_until,
            updates: self.updates,
            temperature: self.temperature.clone(),
            rng: self.rng.clone(),
            replay: Cow::Borrowed(&self.replay),
            finds: Cow::Borrowed(&self.finds),
        };
        Memory::new(&saved, Some(networks))
    }

    pub(super) fn restore_from(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        let bad = |message: String| invalid(file.folder(), message);
        let (saved, read) = (file.memory::<Saved>()?, file.networks()?);
        let own = &mut self.networks;
        let trained = std::iter::once(("actor", &mut own.actor));
        for (name, trained) in trained.chain(CRITICS.into_iter().zip(&mut own.critics)) {
            trained.restore_from(&read, name)?;
        }
        for (name, target) in CRITICS.into_iter().zip(&mut own.targets) {
            read.restore_parameters(&format!("{name}_target"), target.parameters_mut())?;
        }
        saved.replay.check(&self.task, &self.replay).map_err(bad)?;
        self.replay = saved.replay.into_owned();
        let (finds, returns) = (saved.finds.into_owned(), self.config.returns());
        self.finds = finds
            .restored(&self.task, &self.config.finds, returns)
            .map_err(bad)?;
        saved.temperature.check().map_err(bad)?;
        self.temperature = saved.temperature;
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
