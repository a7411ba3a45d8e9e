//! The gradient of a batch of episodes.

use std::collections::BTreeMap;

use crystalgym_environment::Episode;
use crystalgym_language::{LanguageError, Llama, PassOptions, Sequence, Trainable};
use serde::{Deserialize, Serialize};

use super::{
    decoder::distribution,
    prompts::{PromptKey, Prompts},
};
use crate::AgentError;

/// An episode that is learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    /// What happened.
    pub(super) episode: Episode,
    /// Target that it aimed at.
    pub(super) target: f64,
    /// Its return.
    pub(super) reward: f64,
}

/// Weights of the parts of a loss.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    pub(super) kl: f64,
    pub(super) entropy: f64,
    pub(super) temperature: f64,
}

/// What a batch was like, means over its steps but for the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Means {
    pub(super) policy_loss: f64,
    pub(super) entropy: f64,
    /// Entropy over that of a uniform choice.
    pub(super) relative_entropy: f64,
    pub(super) kl: f64,
    steps: usize,
}

impl Means {
    pub(super) fn add(&mut self, other: Self) {
        self.policy_loss += other.policy_loss;
        self.entropy += other.entropy;
        self.relative_entropy += other.relative_entropy;
        self.kl += other.kl;
        self.steps += other.steps;
    }

    pub(super) fn averaged(mut self) -> Self {
        let steps = self.steps.max(1) as f64;
        self.entropy /= steps;
        self.relative_entropy /= steps;
        self.kl /= steps;
        self
    }
}

/// Episodes that share a prompt, with their advantages.
pub(super) struct Group {
    sequence: Sequence,
    prompt_length: usize,
    episodes: Vec<(Sample, f64)>,
}

/// Puts episodes together by what they read first, in a fixed order.
pub(super) fn grouped(
    prompts: &Prompts,
    episodes: Vec<(Sample, f64)>,
) -> Result<Vec<Group>, AgentError> {
    let mut groups: BTreeMap<PromptKey, Vec<(Sample, f64)>> = BTreeMap::new();
    for (sample, advantage) in episodes {
        let key = PromptKey::of_state(&sample.episode.start, sample.target);
        groups.entry(key).or_default().push((sample, advantage));
    }
    groups
        .into_iter()
        .map(|(key, episodes)| {
            let prompt = prompts.tokens(key)?;
            // The last element predicts nothing.
            let completions: Vec<Vec<u32>> = episodes
                .iter()
                .map(|(sample, _)| {
                    let actions = &sample.episode.actions;
                    let read = actions.len().saturating_sub(1);
                    prompts.completion(actions[..read].iter().map(|&action| action.into()))
                })
                .collect();
            Ok(Group {
                sequence: Sequence::branched(&prompt, &completions),
                prompt_length: prompt.len(),
                episodes,
            })
        })
        .collect()
}

/// Ranges of groups that are read together, in their order.
pub(super) fn micro_batches(groups: &[Group], tokens: usize) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    let mut filled = 0;
    for (index, group) in groups.iter().enumerate() {
        match ranges.last_mut() {
            Some(last) if filled + group.sequence.len() <= tokens => {
                last.end = index + 1;
                filled += group.sequence.len();
            }
            _ => {
                ranges.push(index..index + 1);
                filled = group.sequence.len();
            }
        }
    }
    ranges
}

/// The model with what is trained of it, and with what it was before.
#[derive(Clone, Copy)]
pub(super) struct Models<'a> {
    pub(super) llama: &'a Llama,
    pub(super) trainable: &'a Trainable,
    pub(super) reference: &'a Trainable,
}

/// The gradient of `Σ_e [−A_e Σ_t ln π(a_t) + Σ_t (β KL(π‖π_ref) − c H(π))] / count` over some groups
/// (Williams 1992, with the regularisers of the case study).
pub(super) fn gradient(
    models: Models<'_>,
    prompts: &Prompts,
    groups: &[Group],
    count: usize,
    weights: Weights,
    checkpointing: bool,
) -> Result<(Means, Vec<f32>), LanguageError> {
    let Models {
        llama,
        trainable,
        reference,
    } = models;
    let sequences: Vec<Sequence> = groups.iter().map(|group| group.sequence.clone()).collect();
    let chosen = chosen_rows(groups);
    let options = PassOptions {
        checkpointing,
        ..PassOptions::PLAIN
    };
    let before = match weights.kl > 0.0 {
        true => {
            let options = PassOptions {
                checkpointing: true,
                ..options
            };
            let (hidden, _) = llama.forward(reference, &sequences, chosen.clone(), options)?;
            Some(llama.new_token_logits(reference, &hidden))
        }
        false => None,
    };
    let (hidden, pass) = llama.forward(trainable, &sequences, chosen, options)?;
    let logits = llama.new_token_logits(trainable, &hidden);
    let rows = trainable.rows();
    let (places, board) = (prompts.places(), prompts.task.board());
    let mut d_logits = vec![0.0; logits.len()];
    let mut means = Means::default();
    let mut row = 0;
    for (sample, advantage) in groups.iter().flat_map(|group| &group.episodes) {
        let start = &sample.episode.start;
        let order = board.traversal(start.skeleton.into(), start.start.into());
        for (&action, &site) in sample.episode.actions.iter().zip(order) {
            let here = row * rows..(row + 1) * rows;
            row += 1;
            let allowed = board.allowed_at(start.skeleton.into(), site.into());
            let of = |logits: &[f32]| distribution(logits, &places, weights.temperature, allowed);
            let not_a_number = || LanguageError::Tokens("a logit is no number".to_owned());
            let policy = of(&logits[here.clone()]).ok_or_else(not_a_number)?;
            let before = match &before {
                Some(before) => Some(of(&before[here.clone()]).ok_or_else(not_a_number)?),
                None => None,
            };
            let logs = policy.log_probabilities();
            let away = |action: usize| {
                before.as_ref().map_or(0.0, |before| {
                    logs[action] - before.log_probabilities()[action]
                })
            };
            let mut slopes = vec![0.0; places.len()];
            let scale = 1.0 / (count as f64 * weights.temperature);
            policy.add_log_probability_gradient(action.into(), -advantage * scale, &mut slopes);
            if before.is_some() {
                policy.add_expectation_gradient(away, weights.kl * scale, &mut slopes);
            }
            policy.add_expectation_gradient(
                |action| logs[action],
                weights.entropy * scale,
                &mut slopes,
            );
            for (&place, slope) in places.iter().zip(slopes) {
                d_logits[here.start + place] += slope;
            }
            let choices = allowed.iter().filter(|allowed| **allowed).count();
            let entropy = policy.entropy();
            means.add(Means {
                policy_loss: -advantage * logs[usize::from(action)] / count as f64,
                entropy,
                relative_entropy: entropy / (choices.max(2) as f64).ln(),
                kl: policy.expectation(away),
                steps: 1,
            });
        }
    }
    let mut gradients = vec![0.0; trainable.values().len()];
    let d_hidden = llama.new_token_logits_backward(trainable, &hidden, &d_logits, &mut gradients);
    llama.backward(trainable, pass, &d_hidden, &mut gradients);
    Ok((means, gradients))
}

/// The rows that predict the elements, episode by episode: the last of the prompt, which all share, then
/// those of the elements before.
fn chosen_rows(groups: &[Group]) -> Vec<usize> {
    let (mut chosen, mut start) = (Vec::new(), 0);
    for group in groups {
        let mut next = start + group.prompt_length;
        for (sample, _) in &group.episodes {
            let read = sample.episode.actions.len().saturating_sub(1);
            chosen.push(start + group.prompt_length - 1);
            chosen.extend(next..next + read);
            next += read;
        }
        start += group.sequence.len();
    }
    chosen
}
