//! A model in the place of most calculations, and what it learns from the others.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use crystalgym_conservative::{
    Attack, Belief, Epoch, Example, Examples, Losses, ObjectiveModel, ObjectiveModelError, Truth,
};
use crystalgym_crystal::Crystal;
use crystalgym_environment::{Appraisal, FinishedEpisode, Prediction, RewardForm, Task};
use crystalgym_surrogate::{Filling, Known, canonical};
use serde::{Deserialize, Serialize};

use super::{FineTuning, Forecast, LearnedRewardConfig};
use crate::{AgentError, LearnedEpisode, Observer, agent_seed};

/// Calculations that the model's skill is told from: the last ones, which the agent has come to.
const JUDGED: usize = 100;

/// A model that says what most crystals are worth, pretrained on a file and taught by calculations.
pub struct LearnedReward {
    pub(super) config: LearnedRewardConfig,
    pub(super) task: Arc<Task>,
    pub(super) seed: u64,
    pub(super) model: ObjectiveModel,
    /// What it was pretrained on.
    pub(super) before: Examples,
    pretraining: Vec<Epoch>,
    pub(super) progress: Progress,
    /// Decisions of before a restart, for the episodes that were under way.
    pub(super) again: VecDeque<Forecast>,
    /// The crystals that were calculated.
    pub(super) known: BTreeSet<(usize, Filling)>,
    /// What went wrong where nobody could be told.
    error: Option<ObjectiveModelError>,
}

/// What a learned reward has come to, beside its networks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Crystals that were asked about.
    pub(super) asked: u64,
    /// Decisions about episodes that have ended and not been delivered.
    pub(super) open: VecDeque<Forecast>,
    /// Calculations, one for each crystal.
    pub(super) results: Vec<Example>,
    /// Skill in cross-validation; absent before it can be told.
    pub(super) skill: Option<f64>,
    /// Best return of a calculation; absent before there is one.
    pub(super) best: Option<f64>,
}

impl LearnedReward {
    /// Reads the data and pretrains a model on them.
    ///
    /// # Errors
    /// [`AgentError::Config`] for a task whose reward is not that of one property at the end, or for
    /// settings that cannot be; [`AgentError::Model`] for the data or a model that diverged.
    pub fn pretrained(
        config: LearnedRewardConfig,
        task: Arc<Task>,
        seed: u64,
    ) -> Result<Self, AgentError> {
        let mut reward = Self::untrained(config, task, seed)?;
        if !reward.before.all.is_empty() {
            reward.pretraining = reward.model.pretrain(&reward.before.all)?;
        }
        Ok(reward)
    }

    pub(super) fn untrained(
        config: LearnedRewardConfig,
        task: Arc<Task>,
        seed: u64,
    ) -> Result<Self, AgentError> {
        config.check()?;
        if task.terms().is_some() || task.objective().form() != RewardForm::Final {
            return Err(AgentError::Config {
                field: "learned_reward",
                found: "a task with another reward".to_owned(),
                expected: "the reward of one property of the crystal at the end".to_owned(),
            });
        }
        let before = match &config.data {
            None => Examples::default(),
            Some(path) => {
                let name = task.property().to_string();
                let columns = match &config.value_column {
                    Some(column) => vec![column.as_str()],
                    None => vec![name.as_str(), "value"],
                };
                let (all, most) = (config.all_elements, config.examples);
                Examples::read(path, &task, &columns, all, most, agent_seed(seed))?
            }
        };
        let seed_of_model = agent_seed(seed).rotate_left(32);
        let model = config.model.clone();
        Ok(Self {
            model: ObjectiveModel::new(model, &task, &before, seed_of_model)?,
            config,
            task,
            seed,
            before,
            pretraining: Vec::new(),
            progress: Progress::default(),
            again: VecDeque::new(),
            known: BTreeSet::new(),
            error: None,
        })
    }

    /// The settings.
    pub fn config(&self) -> &LearnedRewardConfig {
        &self.config
    }

    /// How the pretraining went; nothing after a restart.
    pub fn pretraining(&self) -> &[Epoch] {
        &self.pretraining
    }

    /// Crystals that it was pretrained on, and lines of the file that were left out.
    pub fn pretrained_on(&self) -> (usize, usize) {
        (self.before.all.len(), self.before.left_out)
    }

    /// Whether a crystal is calculated, and what is expected of it.
    pub fn decide(&mut self, crystal: &Crystal) -> Forecast {
        // An episode that was under way at a restart is decided as it was.
        let forecast = self.again.pop_front().unwrap_or_else(|| {
            self.progress.asked += 1;
            match self.forecast(crystal) {
                Ok(forecast) => forecast,
                Err(error) => {
                    self.error.get_or_insert(error);
                    Forecast {
                        prediction: Prediction::default(),
                        predicted_return: 0.0,
                        is_calculated: true,
                    }
                }
            }
        });
        self.progress.open.push_back(forecast);
        forecast
    }

    fn forecast(&mut self, crystal: &Crystal) -> Result<Forecast, ObjectiveModelError> {
        let Some((skeleton, node_types)) = self.place(crystal) else {
            let message = format!("{} is no crystal of the task", crystal.formula());
            return Err(ObjectiveModelError::Crystal(message));
        };
        let asked = Attack {
            skeleton,
            node_types: &node_types,
        };
        let beliefs = self.model.predict(&[asked])?;
        let prediction = beliefs.first().map(|belief| self.prediction(belief));
        let prediction = prediction.unwrap_or_default();
        let (reward, target) = (self.task.objective().reward(), self.task.target());
        let predicted_return = reward.of_prediction(target, &prediction);
        let config = &self.config;
        let is_known = || {
            let filling = canonical(&self.task, skeleton, &node_types);
            self.known.contains(&(skeleton, filling))
        };
        let is_promise = || {
            self.progress
                .best
                .is_none_or(|best| predicted_return > best)
        };
        Ok(Forecast {
            prediction,
            predicted_return,
            is_calculated: self.progress.asked.is_multiple_of(config.calculate_every)
                || !self.is_believed()
                || config.recalls && is_known()
                || config.checks_promises && is_promise(),
        })
    }

    /// Whether the gate is open, or there is none.
    fn is_believed(&self) -> bool {
        let config = &self.config;
        let is_skilled = |skill: f64| skill >= config.least_skill;
        !config.gate
            || self.progress.results.len() >= config.gate_results
                && self.progress.skill.is_some_and(is_skilled)
    }

    /// What the members say together: the doubt is the spread of their rewards.
    fn prediction(&self, belief: &Belief) -> Prediction {
        let (reward, target) = (self.task.objective().reward(), self.task.target());
        let pairs = belief.values.iter().zip(&belief.failures);
        let rewards: Vec<f64> = pairs
            .map(|(value, failure)| {
                let success = reward.of_value(target, *value);
                success + failure * (reward.of_failure() - success)
            })
            .collect();
        let count = rewards.len().max(1) as f64;
        let mean = rewards.iter().sum::<f64>() / count;
        let variance = rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / count;
        Prediction {
            value: belief.value(),
            spread: belief.spread(),
            failure_probability: belief.failure_probability(),
            penalty: self.config.doubt * variance.sqrt(),
        }
    }

    /// Takes a finished episode, in the order of the decisions, and learns from it if it was calculated.
    ///
    /// # Errors
    /// [`AgentError::Model`] for a model that diverged.
    pub(crate) fn delivered(
        &mut self,
        step: u64,
        episode: &FinishedEpisode,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        if let Some(error) = self.error.take() {
            return Err(error.into());
        }
        // Nobody was asked about what arithmetic says.
        if self.task.known_outcome(&episode.crystal).is_some() {
            return Ok(());
        }
        let Some(forecast) = self.progress.open.pop_front() else {
            return Ok(());
        };
        let losses = match &episode.appraisal {
            Appraisal::Computed(evaluation) => match Known::of(&evaluation.outcome) {
                Some(known) => self.learn(episode, known)?,
                None => None,
            },
            Appraisal::Predicted(_) => None,
        };
        observer.predicted(&LearnedEpisode {
            step,
            episode,
            forecast,
            results: self.progress.results.len(),
            skill: self.progress.skill,
            losses,
        });
        Ok(())
    }

    fn learn(
        &mut self,
        episode: &FinishedEpisode,
        known: Known,
    ) -> Result<Option<Losses>, AgentError> {
        let skeleton = usize::from(episode.state.skeleton);
        let filling = canonical(&self.task, skeleton, &episode.state.node_types);
        let example = Example {
            skeleton,
            node_types: filling.as_slice().into(),
            truth: match known {
                Known::Value(value) => Truth::Value(value),
                Known::Failure(_) => Truth::Failure,
            },
        };
        let best = self
            .progress
            .best
            .map_or(episode.reward, |best| best.max(episode.reward));
        self.progress.best = Some(best);
        let is_new = self.known.insert((skeleton, filling));
        let single = [example];
        if is_new {
            self.progress.results.extend_from_slice(&single);
        }
        let teaches = self.config.model.predicts_failures || single[0].truth != Truth::Failure;
        let steps = self.config.fine_tuning_steps;
        let losses = match self.config.fine_tuning {
            FineTuning::None => None,
            FineTuning::Single if teaches => Some(self.model.fine_tune(&single, &[], steps)?),
            FineTuning::Single => None,
            FineTuning::All if is_new => {
                let (results, before) = (&self.progress.results, &self.before.all);
                Some(self.model.fine_tune(results, before, steps)?)
            }
            FineTuning::All => None,
        };
        if self.config.gate && is_new {
            self.progress.skill = self.skill()?;
        }
        Ok(losses)
    }

    /// 1 − squared error over variance of the last rewards, by the members that have not learned from
    /// them; `None` where all rewards are the same.
    fn skill(&mut self) -> Result<Option<f64>, AgentError> {
        let results = &self.progress.results;
        let said = self.model.cross_validated(results, JUDGED)?;
        let (reward, target) = (self.task.objective().reward(), self.task.target());
        // From the last one backwards.
        let pairs = results.iter().rev().zip(said.into_iter().rev());
        let pairs: Vec<(f64, f64)> = pairs
            .map(|(result, (value, failure))| {
                let success = reward.of_value(target, value);
                let expected = success + failure * (reward.of_failure() - success);
                let found = match result.truth {
                    Truth::Value(value) => reward.of_value(target, value),
                    Truth::Failure => reward.of_failure(),
                };
                (expected, found)
            })
            .collect();
        let mean = pairs.iter().map(|(_, found)| found).sum::<f64>() / pairs.len() as f64;
        let sum = |term: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(term).sum::<f64>();
        let error = sum(&|(expected, found)| (expected - found).powi(2));
        let variance = sum(&|(_, found)| (found - mean).powi(2));
        Ok((variance > 1e-12).then(|| 1.0 - error / variance))
    }

    /// The skeleton of a crystal and the element of each site.
    fn place(&self, crystal: &Crystal) -> Option<(usize, Filling)> {
        let mut skeletons = self.task.skeletons().iter();
        let skeleton = skeletons.position(|one| Arc::ptr_eq(one, crystal.skeleton()))?;
        let elements = crystal.elements().iter();
        let node_types = elements.map(|element| self.task.elements().action_of(*element));
        Some((skeleton, node_types.collect::<Option<_>>()?))
    }
}
