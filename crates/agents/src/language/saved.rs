//! A language-model agent in a checkpoint: what is trained, not the base model, which is read again.

use std::{borrow::Cow, collections::VecDeque};

use crystalgym_language::Trainable;
use crystalgym_networks::Checkpoint;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{LanguageAgent, best::BestEpisodes, update::Sample};
use crate::{
    AgentError,
    check::sane,
    checkpoint::{CheckpointFile, Memory, invalid},
};

#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    waiting: Cow<'a, VecDeque<Sample>>,
    best: Cow<'a, BestEpisodes>,
    entropy_coefficient: f64,
    rng: Pcg64,
    updates: u64,
    optimiser_steps: u64,
    /// Tells base models apart.
    model: u64,
}

impl LanguageAgent {
    pub(super) fn saved(&self) -> Result<Memory, AgentError> {
        let mut networks = Checkpoint::new();
        let [first, second] = self.optimiser.moments();
        let mut flats = vec![
            ("trained", self.trainable.values()),
            ("exp_avg", first),
            ("exp_avg_sq", second),
        ];
        if self.config.kl_coefficient > 0.0 {
            flats.push(("reference", self.reference.values()));
        }
        for (prefix, flat) in flats {
            for info in self.trainable.tensors() {
                let values = &flat[info.offset..info.offset + info.count()];
                networks.insert_tensor(&format!("{prefix}.{}", info.name), &info.shape, values);
            }
        }
        let saved = Saved {
            waiting: Cow::Borrowed(&self.waiting),
            best: Cow::Borrowed(&self.best),
            entropy_coefficient: self.entropy_coefficient,
            rng: self.rng.clone(),
            updates: self.updates,
            optimiser_steps: self.optimiser.steps(),
            model: self.model.fingerprint(),
        };
        Memory::new(&saved, Some(networks))
    }

    pub(super) fn restore_from(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        let (saved, networks) = (file.memory::<Saved>()?, file.networks()?);
        let bad = |message: String| invalid(file.folder(), message);
        if saved.model != self.model.fingerprint() {
            let message = format!("it was trained on another model than {}", self.config.model);
            return Err(bad(message));
        }
        let flat = |prefix: &str| read_flat(&networks, prefix, &self.trainable).map_err(bad);
        let trained = flat("trained")?;
        let moments = [flat("exp_avg")?, flat("exp_avg_sq")?];
        if self.config.kl_coefficient > 0.0 {
            let reference = flat("reference")?;
            self.reference.values_mut().copy_from_slice(&reference);
        }
        self.optimiser
            .restore(saved.optimiser_steps, moments)
            .map_err(|error| bad(error.to_string()))?;
        self.trainable.values_mut().copy_from_slice(&trained);
        self.waiting = saved.waiting.into_owned();
        self.best = saved.best.into_owned();
        self.entropy_coefficient = saved.entropy_coefficient;
        self.rng = saved.rng;
        self.updates = saved.updates;
        self.decoder.forget();
        let task = &self.prompts.task;
        let mut samples = self.waiting.iter().chain(self.best.samples());
        let sound = samples
            .all(|sample| sample.episode.belongs_to(task) && sane([sample.reward, sample.target]));
        if !sound || !sane([self.entropy_coefficient]) {
            return Err(bad("an episode does not belong to this task".to_owned()));
        }
        Ok(())
    }
}

fn read_flat(
    networks: &Checkpoint,
    prefix: &str,
    trainable: &Trainable,
) -> Result<Vec<f32>, String> {
    let mut flat = vec![0.0; trainable.values().len()];
    for info in trainable.tensors() {
        let name = format!("{prefix}.{}", info.name);
        let values = networks
            .tensor(&name, &info.shape)
            .ok_or_else(|| format!("tensor '{name}' is missing or of another shape"))?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(format!("tensor '{name}' holds what is no number"));
        }
        flat[info.offset..info.offset + info.count()].copy_from_slice(values);
    }
    Ok(flat)
}
