//! Settings of the language-model agent.

use crystalgym_language::{LoraConfig, Precision};
use serde::{Deserialize, Serialize};

use crate::{AgentError, check};

/// What a return is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Nothing: the advantage is the return, as published.
    None,
    /// The mean of the other episodes of the batch on the same crystal (RLOO, Kool et al. 2019, Ahmadian
    /// et al. 2024), or of all others where there is none.
    LeaveOneOut,
}

/// Settings of [`LanguageAgent`](crate::LanguageAgent); the default is [`LanguageConfig::standard`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanguageConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing; 0 waits for each.
    pub in_flight: usize,
    /// Threads of the model; the results are the same for any number.
    pub threads: usize,
    /// The base model: a folder as Hugging Face lays it out, or a GGUF file.
    pub model: String,
    /// What was fine-tuned of it, the folder that `crystalgym llm sft` or `peft` wrote; empty: nothing.
    pub adapter: String,
    /// How the frozen weights are held.
    pub precision: Precision,
    /// What is trained where there is no adapter that says it.
    pub lora: LoraConfig,
    /// Whether prompts tell the target.
    pub target_in_prompt: bool,
    /// Episodes of a gradient step.
    pub batch_episodes: usize,
    /// What returns are compared with.
    pub baseline: Baseline,
    /// Whether advantages are divided by their deviation in the batch.
    pub normalize_advantages: bool,
    /// What a failed calculation is worth instead of its penalty; absent: its penalty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reward: Option<f64>,
    /// Learning rate of AdamW.
    pub learning_rate: f64,
    /// Largest norm of the gradient; absent: not clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_gradient_norm: Option<f64>,
    /// Weight of the divergence from the policy that the run began with, in nats an episode.
    pub kl_coefficient: f64,
    /// Weight of the entropy, at the start if there is a target for it.
    pub entropy_coefficient: f64,
    /// The entropy that its weight is steered to, as a share of that of a uniform choice; absent: the
    /// weight is fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy_target: Option<f64>,
    /// Best crystals of each skeleton that are kept to be learned from again.
    pub best_kept: usize,
    /// Of those, how many each gradient step learns from again.
    pub best_replayed: usize,
    /// Divides logits before they become probabilities.
    pub temperature: f64,
    /// A sampled choice is among so many most probable elements; absent: among all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Tokens that a thread works on at a time.
    pub micro_batch_tokens: usize,
    /// Whether activations are computed again in the backward pass instead of kept.
    pub checkpointing: bool,
}

impl Default for LanguageConfig {
    fn default() -> Self {
        Self::standard()
    }
}

impl LanguageConfig {
    /// What is published of the case study (CrystalGym, section 6 and appendix E): REINFORCE on single
    /// episodes, the return as advantage, divergence and entropy with fixed weights, no target in the
    /// prompt. Those weights, the learning rate and the rank are not published: they are ours.
    pub fn paper() -> Self {
        Self {
            total_steps: 50_000,
            environments: 1,
            in_flight: 0,
            target_in_prompt: false,
            batch_episodes: 1,
            baseline: Baseline::None,
            normalize_advantages: false,
            failure_reward: None,
            learning_rate: 1e-4,
            kl_coefficient: 0.05,
            entropy_coefficient: 0.01,
            entropy_target: None,
            best_kept: 0,
            best_replayed: 0,
            ..Self::standard()
        }
    }

    /// Our own settings, for rewards that cost a calculation each.
    pub fn standard() -> Self {
        Self {
            total_steps: 4000,
            seed: 1,
            environments: 16,
            in_flight: 0,
            threads: 2,
            model: String::new(),
            adapter: String::new(),
            precision: Precision::AsStored,
            lora: LoraConfig {
                dropout: 0.0,
                ..LoraConfig::default()
            },
            target_in_prompt: true,
            batch_episodes: 16,
            baseline: Baseline::LeaveOneOut,
            normalize_advantages: true,
            failure_reward: Some(0.0),
            learning_rate: 5e-4,
            max_gradient_norm: Some(1.0),
            kl_coefficient: 0.0,
            entropy_coefficient: 0.02,
            entropy_target: Some(0.25),
            best_kept: 8,
            best_replayed: 4,
            temperature: 1.0,
            top_k: None,
            micro_batch_tokens: 1024,
            checkpointing: false,
        }
    }

    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        check::counts(&[
            ("threads", (self.threads as u64, check::THREADS)),
            ("batch_episodes", (self.batch_episodes as u64, 1..=4096)),
            ("best_kept", (self.best_kept as u64, 0..=4096)),
            (
                "best_replayed",
                (self.best_replayed as u64, 0..=self.best_kept as u64),
            ),
            ("top_k", (self.top_k.unwrap_or(1) as u64, 1..=118)),
            (
                "micro_batch_tokens",
                (self.micro_batch_tokens as u64, 1..=1 << 20),
            ),
        ])?;
        check::positive(&[
            ("learning_rate", self.learning_rate),
            ("max_gradient_norm", self.max_gradient_norm.unwrap_or(1.0)),
            ("temperature", self.temperature),
        ])?;
        check::not_negative(&[
            ("kl_coefficient", self.kl_coefficient),
            ("entropy_coefficient", self.entropy_coefficient),
        ])?;
        check::fractions(&[("entropy_target", self.entropy_target.unwrap_or(0.5))])?;
        if self.entropy_target.is_some() && self.entropy_coefficient <= 0.0 {
            let expected = "a number above 0, where it is steered to a target";
            return Err(check::bad(
                "entropy_coefficient",
                self.entropy_coefficient,
                expected,
            ));
        }
        let is_odd = |reward: &f64| reward.is_nan() || reward.abs() > 1e6;
        if let Some(reward) = self.failure_reward.filter(is_odd) {
            return Err(check::bad("failure_reward", reward, "a number"));
        }
        Ok(())
    }
}
