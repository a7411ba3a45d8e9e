//! A language model that names the elements of a crystal, trained by REINFORCE.

mod advantage;
mod best;
mod config;
mod decoder;
mod failure;
mod policy;
mod prompts;
mod saved;
mod update;

use std::{collections::VecDeque, path::Path, sync::Arc};

use crystalgym_environment::{Action, FinishedEpisode, Observation, ProcessName, Task};
use crystalgym_evaluation::Outcome;
use crystalgym_language::{
    AdamW, AdamWConfig, CrystalTokenizer, Llama, TokenRows, Trainable, TrainedPart, Work,
    read_trained,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use rayon::{ThreadPool, ThreadPoolBuilder};

pub use self::config::{Baseline, LanguageConfig};

use self::{
    advantage::advantages,
    best::BestEpisodes,
    decoder::{Decoder, Seen},
    failure::language_error,
    policy::{LanguagePolicy, among_likeliest},
    prompts::Prompts,
    update::{Means, Models, Sample, Weights, gradient, grouped, micro_batches},
};
use crate::{
    AgentConfig, AgentError, Learner, Observer, Policy, PolicyMode, agent_seed, check,
    checkpoint::{CheckpointFile, Memory},
    observer::report_update,
};

/// How fast the weight of the entropy follows its target: its logarithm moves by at most this much in a
/// gradient step.
const ENTROPY_RATE: f64 = 0.2;

/// A language model as an agent: it reads cell and places as text and names one element after the other.
pub struct LanguageAgent {
    config: LanguageConfig,
    prompts: Prompts,
    model: Arc<Llama>,
    trainable: Trainable,
    /// What was trained when the run began.
    reference: Trainable,
    optimiser: AdamW,
    decoder: Decoder,
    pool: Arc<ThreadPool>,
    /// Episodes that were not learned from yet.
    waiting: VecDeque<Sample>,
    best: BestEpisodes,
    entropy_coefficient: f64,
    rng: Pcg64,
    updates: u64,
}

impl LanguageAgent {
    /// A learner with the base model and what was fine-tuned of it, as the settings name them.
    ///
    /// # Errors
    /// [`AgentError::Config`] for settings, files or a task that cannot be.
    pub fn new(config: LanguageConfig, task: Arc<Task>) -> Result<Self, AgentError> {
        config.check()?;
        if task.process_name() != ProcessName::Filling {
            let found = format!("for a task of {}", task.process_name().name());
            return Err(check::bad(
                "algorithm",
                found,
                "filling: the model writes crystals from nothing",
            ));
        }
        if config.model.is_empty() {
            let expected = "the folder of a model or a GGUF file: --set llm.model=PATH";
            return Err(check::bad("model", "not given", expected));
        }
        let path = Path::new(&config.model);
        let load = || {
            let model = Llama::read(path, config.precision)?;
            let tokenizer = CrystalTokenizer::read(path, model.config())?;
            let rows = TokenRows::mean_of_pieces(&model, &tokenizer.symbol_pieces()?)?;
            let trainable = match config.adapter.is_empty() {
                true => {
                    let part = TrainedPart::Lora(config.lora.clone());
                    Trainable::new(&model, part, &rows, config.seed)?
                }
                false => read_trained(Path::new(&config.adapter), &model, &rows)?.0,
            };
            Ok((model, tokenizer, trainable))
        };
        let (model, tokenizer, trainable) = load().map_err(|error| language_error(&error))?;
        Self::with_model(config, task, Arc::new(model), tokenizer, trainable)
    }

    /// A learner with a model at hand.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_model(
        config: LanguageConfig,
        task: Arc<Task>,
        model: Arc<Llama>,
        tokenizer: CrystalTokenizer,
        trainable: Trainable,
    ) -> Result<Self, AgentError> {
        config.check()?;
        let prompts = Prompts::new(task, Arc::new(tokenizer), config.target_in_prompt);
        let optimiser = AdamWConfig {
            max_gradient_norm: config.max_gradient_norm,
            ..AdamWConfig::default()
        };
        let pool = ThreadPoolBuilder::new().num_threads(config.threads).build();
        let pool =
            pool.map_err(|error| check::bad("threads", error, "threads that can be started"))?;
        let agent = Self {
            decoder: Decoder::new(Arc::clone(&model), prompts.clone(), config.temperature),
            prompts,
            optimiser: AdamW::new(optimiser, trainable.values().len()),
            reference: trainable.clone(),
            trainable,
            model,
            pool: Arc::new(pool),
            waiting: VecDeque::new(),
            best: BestEpisodes::default(),
            entropy_coefficient: config.entropy_coefficient,
            rng: Pcg64::seed_from_u64(agent_seed(config.seed)),
            updates: 0,
            config,
        };
        agent
            .work()
            .check_memory(&agent.model, &agent.trainable)
            .map_err(|error| language_error(&error))?;
        Ok(agent)
    }

    /// What is trained.
    pub fn trainable(&self) -> &Trainable {
        &self.trainable
    }

    fn work(&self) -> Work {
        Work {
            micro_batch_tokens: self.config.micro_batch_tokens,
            checkpointing: self.config.checkpointing,
            threads: self.config.threads,
        }
    }

    /// One gradient step on a batch.
    fn update(
        &mut self,
        samples: &[Sample],
        step: u64,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        let config = &self.config;
        let advantages = advantages(samples, config.baseline, config.normalize_advantages);
        let mean = samples.iter().map(|sample| sample.reward).sum::<f64>() / samples.len() as f64;
        let mut episodes: Vec<(Sample, f64)> = samples.iter().cloned().zip(advantages).collect();
        // What was better than this batch is learned from again, never what was worse.
        let again = self
            .best
            .draw(config.best_replayed, &self.prompts.task, &mut self.rng);
        let spread = samples
            .iter()
            .map(|sample| (sample.reward - mean).powi(2))
            .sum::<f64>();
        let spread = (spread / samples.len() as f64).sqrt().max(1e-1);
        for sample in again {
            let better = (sample.reward - mean).max(0.0);
            let better = if config.normalize_advantages {
                (better / spread).min(2.0)
            } else {
                better
            };
            episodes.push((sample, better));
        }
        let count = episodes.len();
        let groups = grouped(&self.prompts, episodes)?;
        let ranges = micro_batches(&groups, config.micro_batch_tokens);
        let weights = Weights {
            kl: config.kl_coefficient,
            entropy: self.entropy_coefficient,
            temperature: config.temperature,
        };
        let models = Models {
            llama: &self.model,
            trainable: &self.trainable,
            reference: &self.reference,
        };
        let (prompts, checkpointing) = (&self.prompts, config.checkpointing);
        let one = |number: usize| {
            let groups = &groups[ranges[number].clone()];
            gradient(models, prompts, groups, count, weights, checkpointing)
        };
        let mut means = Means::default();
        let mut gradients = vec![0.0_f32; self.trainable.values().len()];
        let work = self.work();
        let done = self.pool.install(|| {
            work.in_order(ranges.len(), one, |(found, part)| {
                means.add(found);
                gradients
                    .iter_mut()
                    .zip(&part)
                    .for_each(|(sum, part)| *sum += part);
            })
        });
        done.map_err(|error| language_error(&error))?;
        let means = means.averaged();
        let values = self.trainable.values_mut();
        let norm = self
            .optimiser
            .step(config.learning_rate, &mut gradients, values);
        self.decoder.forget();
        if let Some(target) = config.entropy_target {
            let off = (target - means.relative_entropy).clamp(-1.0, 1.0);
            let moved = self.entropy_coefficient * (ENTROPY_RATE * off).exp();
            self.entropy_coefficient = moved.clamp(1e-5, 1.0);
        }
        self.updates += 1;
        let scalars = vec![
            ("losses/policy_loss", means.policy_loss),
            ("losses/entropy", means.entropy),
            ("losses/relative_entropy", means.relative_entropy),
            ("losses/kl", means.kl),
            ("losses/gradient_norm", norm),
            ("charts/entropy_coefficient", self.entropy_coefficient),
            ("charts/batch_reward", mean),
        ];
        report_update(observer, step, self.updates, scalars)
    }
}

impl Learner for LanguageAgent {
    fn settings(&self) -> AgentConfig {
        AgentConfig::Llm(self.config.clone())
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let evaluation = episode.appraisal.evaluation();
        let failed = evaluation.is_some_and(|found| matches!(found.outcome, Outcome::Failure(_)));
        let reward = match self.config.failure_reward {
            Some(reward) if failed => reward,
            _ => episode.reward,
        };
        let sample = Sample {
            episode: episode.episode.clone(),
            target: episode.target,
            reward,
        };
        if self.config.best_kept > 0 && !failed {
            self.best
                .add(&sample, &episode.state.node_types, self.config.best_kept);
        }
        self.waiting.push_back(sample);
        Ok(())
    }

    fn learn(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        while self.waiting.len() >= self.config.batch_episodes {
            let batch: Vec<Sample> = self.waiting.drain(..self.config.batch_episodes).collect();
            self.update(&batch, step, observer)?;
        }
        Ok(())
    }

    fn act(&mut self, step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let episodes = seen.iter().map(Seen::new).collect::<Result<Vec<_>, _>>()?;
        let (decoder, trainable) = (&mut self.decoder, &self.trainable);
        let policies = self
            .pool
            .install(|| decoder.distributions(trainable, &episodes))?;
        let (rng, top_k) = (&mut self.rng, self.config.top_k);
        policies
            .into_iter()
            .map(|policy| {
                let policy = policy.ok_or(AgentError::no_logit(step))?;
                Ok(among_likeliest(&policy, top_k, rng) as Action)
            })
            .collect()
    }

    fn memory(&self) -> Result<Memory, AgentError> {
        self.saved()
    }

    fn restore(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        self.restore_from(file)
    }

    fn policy(
        &self,
        task: &Arc<Task>,
        mode: PolicyMode,
        _step: u64,
    ) -> Result<Box<dyn Policy>, AgentError> {
        if task.process_name() != ProcessName::Filling {
            let found = format!("for a task of {}", task.process_name().name());
            return Err(check::bad("algorithm", found, "filling"));
        }
        let tokenizer = Arc::clone(&self.prompts.tokenizer);
        let prompts = Prompts::new(Arc::clone(task), tokenizer, self.config.target_in_prompt);
        let model = Arc::clone(&self.model);
        Ok(Box::new(LanguagePolicy {
            decoder: Decoder::new(model, prompts, self.config.temperature),
            trainable: self.trainable.clone(),
            pool: Arc::clone(&self.pool),
            top_k: self.config.top_k,
            rng: LanguagePolicy::rng(mode),
        }))
    }
}

#[cfg(test)]
mod tests;
