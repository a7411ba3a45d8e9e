//! What the GFlowNet needs to go on.

use std::{borrow::Cow, collections::VecDeque};

use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{GFlowNet, trajectory::Trajectory};
use crate::{
    AgentError,
    checkpoint::{CheckpointFile, Memory, invalid},
    finds::{Finds, Returns},
};

/// Everything but the networks.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    made: Cow<'a, VecDeque<Trajectory>>,
    new_episodes: usize,
    episodes: u64,
    rng: Pcg64,
    updates: u64,
    #[serde(default, skip_serializing_if = "Finds::is_empty")]
    finds: Cow<'a, Finds>,
}

impl<N: GraphNetwork> GFlowNet<N> {
    pub(super) fn saved(&self) -> Result<Memory, AgentError> {
        let mut networks = Checkpoint::new();
        for (name, trained) in [
            ("policy", &self.networks.policy),
            ("partition", &self.networks.partition),
        ] {
            trained.insert_into(&mut networks, name);
        }
        let saved = Saved {
            made: Cow::Borrowed(&self.made),
            new_episodes: self.new_episodes,
            episodes: self.episodes,
            rng: self.rng.clone(),
            updates: self.updates,
            finds: Cow::Borrowed(&self.finds),
        };
        Memory::new(&saved, Some(networks))
    }

    pub(super) fn restore_from(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        let bad = |message: String| invalid(file.folder(), message);
        let (saved, read) = (file.memory::<Saved>()?, file.networks()?);
        for (name, trained) in [
            ("policy", &mut self.networks.policy),
            ("partition", &mut self.networks.partition),
        ] {
            trained.restore_from(&read, name)?;
        }
        let (made, most) = (&saved.made, self.config.replay_trajectories);
        let belong = |made: &Trajectory| made.belongs_to(&self.task);
        if made.len() > most || !made.iter().all(belong) {
            return Err(bad("a trajectory does not belong to this task".to_owned()));
        }
        // New ones have come at once: those that were in flight, and what ended with them.
        let at_once = self.config.in_flight + self.config.environments;
        let (new, all) = (saved.new_episodes, saved.episodes);
        if new > at_once || all < new as u64 || (all > 0) == made.is_empty() {
            let message = format!("{new} of {all} episodes are new, {} are kept", made.len());
            return Err(bad(message));
        }
        let returns = Returns {
            n_step: usize::MAX,
            discount: 1.0,
        };
        let finds = saved.finds.into_owned();
        self.finds = finds
            .restored(&self.task, &self.config.finds(), returns)
            .map_err(bad)?;
        self.made = saved.made.into_owned();
        self.new_episodes = saved.new_episodes;
        self.episodes = saved.episodes;
        self.rng = saved.rng;
        self.updates = saved.updates;
        Ok(())
    }
}
