//! The model's choice of the next element, prompts and what was chosen before kept from step to step.

use std::{collections::HashMap, sync::Arc};

use crystalgym_environment::Observation;
use crystalgym_language::{Cache, Continuation, Llama, Trainable};

use super::{
    failure::language_error,
    prompts::{PromptKey, Prompts},
};
use crate::{AgentError, MaskedCategorical, policy::state_of};

/// Prompts that are kept.
const MOST_PROMPTS: usize = 512;

/// What is seen of one episode.
pub(super) struct Seen<'a> {
    pub(super) prompt: PromptKey,
    /// Actions taken.
    pub(super) history: Vec<usize>,
    pub(super) allowed: &'a [bool],
}

impl<'a> Seen<'a> {
    /// # Errors
    /// [`AgentError::UnknownStart`] if the observation does not say in which order sites are filled.
    pub(super) fn new(seen: &Observation<'a>) -> Result<Self, AgentError> {
        let state = state_of(seen)?;
        let order = seen.traversal.map_or(&[][..], |traversal| traversal.order);
        let filled = order.iter().take(seen.step);
        let action = |&site: &u16| usize::from(seen.node_types[usize::from(site)]);
        Ok(Self {
            prompt: PromptKey::of_state(&state, seen.target),
            history: filled.map(action).collect(),
            allowed: seen.allowed,
        })
    }
}

/// Computes distributions over actions; must be told when the weights have changed.
pub(super) struct Decoder {
    model: Arc<Llama>,
    prompts: Prompts,
    places: Vec<usize>,
    temperature: f64,
    /// What was read of each prompt, but for its last token, which is kept beside.
    read: HashMap<PromptKey, (Cache, u32)>,
    /// What was read behind it, by the actions before the last.
    branches: HashMap<(PromptKey, Vec<usize>), Cache>,
}

impl Decoder {
    pub(super) fn new(model: Arc<Llama>, prompts: Prompts, temperature: f64) -> Self {
        Self {
            model,
            places: prompts.places(),
            prompts,
            temperature,
            read: HashMap::new(),
            branches: HashMap::new(),
        }
    }

    /// Forgets what was read with other weights.
    pub(super) fn forget(&mut self) {
        self.read.clear();
        self.branches.clear();
    }

    /// The distribution over the allowed actions of each episode; `None` where no logit is a number.
    pub(super) fn distributions(
        &mut self,
        trainable: &Trainable,
        seen: &[Seen<'_>],
    ) -> Result<Vec<Option<MaskedCategorical>>, AgentError> {
        self.read_prompts(trainable, seen)?;
        let mut own: Vec<Cache> = Vec::with_capacity(seen.len());
        let mut tokens = Vec::with_capacity(seen.len());
        for seen in seen {
            let before = seen
                .history
                .split_last()
                .map(|(last, before)| (*last, before.to_vec()));
            let known = before.and_then(|(last, before)| {
                let branch = self.branches.get(&(seen.prompt, before))?;
                Some((branch.clone(), self.prompts.completion([last])))
            });
            let (branch, new) = known.unwrap_or_else(|| {
                let last = self.read.get(&seen.prompt).map(|(_, last)| *last);
                let chosen = self.prompts.completion(seen.history.iter().copied());
                (Cache::default(), last.into_iter().chain(chosen).collect())
            });
            own.push(branch);
            tokens.push(new);
        }
        let empty = Cache::default();
        let mut continuations: Vec<Continuation<'_>> = own
            .iter_mut()
            .zip(&tokens)
            .zip(seen)
            .map(|((own, tokens), seen)| Continuation {
                prefix: self
                    .read
                    .get(&seen.prompt)
                    .map_or(&empty, |(cache, _)| cache),
                own,
                tokens,
            })
            .collect();
        let hidden = self
            .model
            .read_on(trainable, &mut continuations)
            .map_err(|error| language_error(&error))?;
        let logits = self.model.new_token_logits(trainable, &hidden);
        let count = trainable.rows();
        self.branches = seen
            .iter()
            .zip(own)
            .map(|(seen, own)| ((seen.prompt, seen.history.clone()), own))
            .collect();
        let rows = logits.chunks_exact(count).zip(seen);
        Ok(rows
            .map(|(logits, seen)| {
                distribution(logits, &self.places, self.temperature, seen.allowed)
            })
            .collect())
    }

    fn read_prompts(&mut self, trainable: &Trainable, seen: &[Seen<'_>]) -> Result<(), AgentError> {
        let mut missing: Vec<PromptKey> = seen.iter().map(|seen| seen.prompt).collect();
        missing.sort_unstable();
        missing.dedup();
        if self.read.len() + missing.len() > MOST_PROMPTS {
            self.forget();
        }
        missing.retain(|key| !self.read.contains_key(key));
        let mut texts = Vec::with_capacity(missing.len());
        for &key in &missing {
            let mut tokens = self.prompts.tokens(key)?;
            // A prompt ends with the end of a line.
            let last = tokens.pop().unwrap_or_default();
            texts.push((key, tokens, last));
        }
        let empty = Cache::default();
        let mut caches = vec![Cache::default(); texts.len()];
        let mut continuations: Vec<Continuation<'_>> = caches
            .iter_mut()
            .zip(&texts)
            .map(|(own, (_, tokens, _))| Continuation {
                prefix: &empty,
                own,
                tokens,
            })
            .collect();
        if !continuations.is_empty() {
            self.model
                .read_on(trainable, &mut continuations)
                .map_err(|error| language_error(&error))?;
        }
        for ((key, _, last), cache) in texts.into_iter().zip(caches) {
            self.read.insert(key, (cache, last));
        }
        Ok(())
    }
}

/// The distribution over actions that logits of the elements' tokens give.
pub(super) fn distribution(
    logits: &[f32],
    places: &[usize],
    temperature: f64,
    allowed: &[bool],
) -> Option<MaskedCategorical> {
    let values: Vec<f64> = places
        .iter()
        .map(|&place| f64::from(logits[place]) / temperature)
        .collect();
    MaskedCategorical::from_values(&values, allowed)
}
