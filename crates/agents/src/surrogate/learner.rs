//! The agent: models all results of its run, and plays what the model says is to be calculated next.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use crystalgym_environment::{
    Action, Appraisal, FinishedEpisode, Observation, Task, VectorEnvironment,
};
use crystalgym_surrogate::{
    Calibration, Filling, Forecast, Known, ModelHyperparameters, NEXT_FIT, Pair, canonical,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{
    belief::{Belief, Knowledge},
    cheap_calculator::Screening,
    completion::CompletionPolicy,
    config::SurrogateConfig,
    pool::Pools,
    results::{Finding, Results, reward_of},
    sight::Sight,
    trust::Trust,
};
use crate::{
    AgentConfig, AgentError, Evaluator, Learner, Observer, Policy, PolicyMode, Update, agent_seed,
    check,
    checkpoint::{CheckpointFile, Memory, invalid},
    search::{fits, planned_action},
};

/// Results after which hyperparameters are found for the first time.
const FIRST_FIT: usize = 6;

/// An agent that models the property: a Gaussian process of its value and of each kind of failure.
pub struct SurrogateAgent {
    pub(super) config: SurrogateConfig,
    pub(super) task: Arc<Task>,
    pub(super) sight: Sight,
    /// Standardised features of each result.
    features: Vec<Box<[f64]>>,
    /// What looks at crystals cheaply, if anything does.
    pub(super) screening: Option<Screening>,
    /// Standardised features of each cheap result.
    pub(super) screened_features: Vec<Box<[f64]>>,
    /// As of all results and what is being calculated; none while there is something newer.
    pub(super) belief: Option<Belief>,
    pub(super) progress: Progress<'static>,
}

/// All that the agent knows and remembers.
#[derive(Serialize, Deserialize)]
pub(super) struct Progress<'a> {
    pub(super) results: Cow<'a, Results>,
    /// What is being played or calculated, in the order in which it was chosen.
    pub(super) pending: Cow<'a, [Pending]>,
    /// What each environment is being filled with; none at the start of an episode.
    plans: Cow<'a, [Option<Filling>]>,
    pub(super) pools: Cow<'a, Pools>,
    /// What was found out cheaply.
    #[serde(default)]
    pub(super) screened: Cow<'a, Results>,
    /// Skeletons of which the first crystals were looked at cheaply.
    #[serde(default)]
    pub(super) screened_skeletons: BTreeSet<u16>,
    /// How long that took, in seconds.
    #[serde(default)]
    pub(super) screening_seconds: f64,
    /// Whether that foretells what calculations give.
    #[serde(default)]
    trust: Trust,
    hyperparameters: Cow<'a, ModelHyperparameters>,
    /// Results when these were found.
    fitted_at: usize,
    calibration: Calibration,
    /// Results reported so far.
    reported: usize,
    /// Highest score of the last choice.
    pub(super) acquisition: f64,
    pub(super) rng: Pcg64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    environment: usize,
    pub(super) skeleton: u16,
    /// In canonical form.
    pub(super) filling: Filling,
    /// Before its result is there; none of a random one.
    forecast: Option<Forecast>,
    /// The same by cheap results with their correction, and by calculations alone, where crystals are
    /// screened.
    #[serde(default)]
    rivals: Option<Box<[Forecast; 2]>>,
}

impl SurrogateAgent {
    /// An agent that knows nothing yet.
    ///
    /// # Errors
    /// [`AgentError::Config`] for settings that cannot be.
    pub fn new(config: SurrogateConfig, task: Arc<Task>) -> Result<Self, AgentError> {
        config.check()?;
        if task.terms().is_some() {
            let found = "an objective of several terms";
            return Err(check::bad(
                "task",
                found,
                "one property: it is what surrogate models",
            ));
        }
        Ok(Self {
            sight: Sight::new(&task, config.rule),
            features: Vec::new(),
            screening: None,
            screened_features: Vec::new(),
            belief: None,
            progress: Progress {
                results: Cow::default(),
                pending: Cow::Owned(Vec::new()),
                plans: Cow::Owned(vec![None; config.environments]),
                pools: Cow::default(),
                screened: Cow::default(),
                screened_skeletons: BTreeSet::new(),
                screening_seconds: 0.0,
                trust: Trust::default(),
                hyperparameters: Cow::default(),
                fitted_at: 0,
                calibration: Calibration::default(),
                reported: 0,
                acquisition: 0.0,
                rng: Pcg64::seed_from_u64(agent_seed(config.seed)),
            },
            config,
            task,
        })
    }

    /// How well what came was expected.
    pub fn calibration(&self) -> &Calibration {
        &self.progress.calibration
    }

    /// Whether crystals are chosen by cheap results: where there are such, and they tell more than
    /// calculations alone.
    pub(super) fn goes_by_cheap_results(&self) -> bool {
        let there_are = self.screening.is_some() || self.progress.screened.iter().len() > 0;
        there_are && self.progress.trust.is_deserved()
    }

    /// What is known, in the order of its features: cheap results or calculations.
    fn data(&self, cheap: bool) -> Vec<(&[f64], Known)> {
        let progress = &self.progress;
        let (results, features) = match cheap {
            true => (&progress.screened, &self.screened_features),
            false => (&progress.results, &self.features),
        };
        let results = results.iter().zip(features);
        results
            .filter_map(|(result, features)| Some((&**features, result.known?)))
            .collect()
    }

    /// What was calculated both ways.
    fn pairs(&self) -> Vec<Pair<'_>> {
        let results = self.progress.results.iter().zip(&self.features);
        results
            .filter_map(|(result, features)| {
                let cheap = self.cheap(result.skeleton, &result.filling)?;
                Some((&**features, cheap, result.known?))
            })
            .collect()
    }

    /// What all results say, without what is being calculated.
    pub(super) fn belief_of_results(&self) -> Belief {
        self.belief_by(self.goes_by_cheap_results())
    }

    fn belief_by(&self, cheap: bool) -> Belief {
        // Hyperparameters are those of the model that crystals are chosen by.
        let expected = ModelHyperparameters::default();
        let hyperparameters = match cheap == self.goes_by_cheap_results() {
            true => &self.progress.hyperparameters,
            false => &expected,
        };
        let pairs = cheap.then(|| self.pairs());
        Belief::new(
            self.task.property(),
            &self.data(cheap),
            hyperparameters,
            pairs.as_deref(),
        )
    }

    /// What cheap results and calculations alone say of a canonical filling that is to be calculated, where
    /// crystals are screened.
    fn rivals(&self, skeleton: u16, filling: &Filling) -> Option<Box<[Forecast; 2]>> {
        self.screening.as_ref()?;
        let features = self.sight.features(&self.task, skeleton.into(), filling);
        let by_cheap = self.belief_by(true);
        let by_cheap = by_cheap.forecast(&features, self.cheap(skeleton, filling));
        let alone = self.belief_by(false).forecast(&features, None);
        Some(Box::new([by_cheap, alone]))
    }

    fn take(&mut self, skeleton: u16, filling: &[u8], appraisal: &Appraisal) {
        let results = self.progress.results.to_mut();
        let count = results.iter().len();
        results.take(&self.task, skeleton, filling, appraisal);
        if results.iter().len() > count {
            // Of the canonical image, as after a restart: images agree up to rounding alone.
            let filling = canonical(&self.task, skeleton.into(), filling);
            let features = self.sight.features(&self.task, skeleton.into(), &filling);
            self.features.push(features);
        }
    }

    /// Takes note of how well a result was foreseen.
    fn compare(&mut self, expected: &Pending, known: Known) {
        let property = self.task.property();
        if let Some(forecast) = &expected.forecast {
            self.progress.calibration.take(property, forecast, known);
        }
        if let Some(rivals) = &expected.rivals {
            let [by_cheap, alone] = rivals.each_ref().map(|of| of.log_score(property, known));
            let before = self.goes_by_cheap_results();
            self.progress.trust.take(by_cheap - alone);
            if self.goes_by_cheap_results() != before {
                self.progress.hyperparameters = Cow::default();
                self.progress.fitted_at = 0;
            }
        }
    }

    fn report(&self, step: u64, observer: &mut dyn Observer) {
        let Progress {
            results,
            calibration,
            acquisition,
            ..
        } = &self.progress;
        let (reward, target) = (self.task.objective().reward(), self.task.target());
        let known = || results.iter().filter_map(|result| result.known);
        let rewards = known().map(|known| reward_of(reward, target, known));
        let tolerance = hit_tolerance(&self.config, &self.task, target);
        let is_hit = |known: &Known| matches!(known, Known::Value(value) if (value - target).abs() <= tolerance);
        let mut scalars = vec![
            ("surrogate/results", results.iter().len() as f64),
            ("surrogate/acquisition", *acquisition),
            ("surrogate/hits", known().filter(is_hit).count() as f64),
            (
                "surrogate/best_reward",
                rewards.fold(reward.of_failure(), f64::max),
            ),
        ];
        if self.screening.is_some() {
            scalars.push((
                "surrogate/screening_advantage",
                self.progress.trust.advantage(),
            ));
            let screened = self.progress.screened.iter().len() as f64;
            scalars.push(("surrogate/screened", screened));
            let seconds = self.progress.screening_seconds;
            scalars.push(("surrogate/screening_seconds", seconds));
        }
        let measured = [
            ("surrogate/coverage_50", calibration.coverage_50()),
            ("surrogate/coverage_90", calibration.coverage_90()),
            ("surrogate/failure_score", calibration.failure_score()),
        ];
        scalars.extend(
            measured
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        observer.updated(&Update {
            step,
            updates: results.iter().len() as u64,
            scalars,
        });
    }
}

/// How far from the target a value is a hit.
pub(super) fn hit_tolerance(config: &SurrogateConfig, task: &Task, target: f64) -> f64 {
    let usual = || task.property().hit_tolerance(target);
    config.hit_tolerance.unwrap_or_else(usual) + task.objective().tolerance()
}

impl Learner for SurrogateAgent {
    fn settings(&self) -> AgentConfig {
        AgentConfig::Surrogate(self.config.clone())
    }

    fn begin(&mut self, evaluator: &Evaluator) {
        self.screening = Screening::of(evaluator);
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let skeleton = episode.state.skeleton;
        let pending = self.progress.pending.to_mut();
        let environment = |pending: &Pending| pending.environment == episode.environment;
        let place = pending.iter().position(environment);
        let expected = place.map(|place| pending.remove(place));
        self.take(skeleton, &episode.state.node_types, &episode.appraisal);
        let filling = canonical(&self.task, skeleton.into(), &episode.state.node_types);
        let known = self.progress.results.known(skeleton, &filling);
        if let (Some(expected), Some(known)) = (expected, known) {
            self.compare(&expected, known);
        }
        // What the episode started from was calculated too, where the reward is a difference.
        if let Some(appraisal) = &episode.start_appraisal {
            self.take(skeleton, &episode.episode.start.node_types, appraisal);
        }
        self.belief = None;
        Ok(())
    }

    fn learn(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let wanted = FIRST_FIT.max((NEXT_FIT * self.progress.fitted_at as f64) as usize);
        let cheap = self.goes_by_cheap_results();
        let count = match cheap {
            true => self.progress.screened.iter().len(),
            false => self.progress.results.iter().len(),
        };
        if count >= wanted {
            let data = self.data(cheap);
            let hyperparameters = ModelHyperparameters::fitted(self.task.property(), &data);
            self.progress.hyperparameters = Cow::Owned(hyperparameters);
            self.progress.fitted_at = count;
            self.belief = None;
        }
        let count = self.progress.results.iter().len();
        if count > self.progress.reported {
            self.progress.reported = count;
            self.report(step, observer);
        }
        Ok(())
    }

    /// The next action of each environment's plan; a new plan where an episode begins.
    fn act(&mut self, _step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let mut actions = Vec::with_capacity(seen.len());
        for (environment, seen) in seen.iter().enumerate() {
            let plan = self.progress.plans.to_mut()[environment].take();
            let filling = match plan.filter(|_| seen.step > 0) {
                Some(filling) => filling,
                None => {
                    let skeleton = seen.skeleton as u16;
                    let (filling, forecast) = self.propose(seen)?;
                    let canonical = canonical(&self.task, seen.skeleton, &filling);
                    let rivals = self.rivals(skeleton, &canonical);
                    if let Some(belief) = &mut self.belief {
                        let sight = &self.sight;
                        belief.believe(&sight.features(&self.task, seen.skeleton, &canonical));
                    }
                    self.progress.pending.to_mut().push(Pending {
                        environment,
                        skeleton,
                        rivals,
                        filling: canonical,
                        forecast,
                    });
                    filling
                }
            };
            actions.push(planned_action(&self.task, seen, &filling));
            self.progress.plans.to_mut()[environment] = Some(filling);
        }
        Ok(actions)
    }

    fn memory(&self) -> Result<Memory, AgentError> {
        Memory::new(&self.progress, None)
    }

    fn restore(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        let mut progress: Progress<'static> = file.memory()?;
        let task = &self.task;
        let fit = progress.results.to_mut().restored(task)
            && progress.screened.to_mut().restored(task)
            && progress.screening_seconds.is_finite()
            && progress.trust.is_sane()
            && progress.pools.belongs_to(task)
            && progress.hyperparameters.are_sane()
            && progress.calibration.is_sane()
            && progress.plans.len() == self.config.environments
            && progress.pending.iter().all(|pending| {
                fits(task, pending.skeleton, &pending.filling)
                    && pending.environment < self.config.environments
            });
        if !fit {
            let message = "its fillings do not belong to this task";
            return Err(invalid(file.folder(), message));
        }
        let features = |results: &Results| {
            let results = results.iter();
            let of = |result: &Finding| {
                let skeleton = result.skeleton.into();
                self.sight.features(task, skeleton, &result.filling)
            };
            results.map(of).collect()
        };
        let (features, screened) = (features(&progress.results), features(&progress.screened));
        (self.features, self.screened_features) = (features, screened);
        self.belief = None;
        self.progress = progress;
        Ok(())
    }

    fn fits(&self, environment: &VectorEnvironment) -> Result<(), String> {
        let plans = self.progress.plans.iter().enumerate();
        let fit = |(index, plan): (usize, &Option<Filling>)| {
            let state = environment.state(index);
            let is_new = state.step == 0;
            let plan = plan.as_ref();
            plan.map_or(is_new, |plan| {
                is_new || fits(&self.task, state.skeleton, plan)
            })
        };
        match plans.len() == environment.len() && plans.into_iter().all(fit) {
            true => Ok(()),
            false => Err("its fillings do not belong to this task".to_owned()),
        }
    }

    /// Greedy: the crystal with the highest reward, the true one where it is known and the expected
    /// one otherwise, of all that the episode can come to. Sampled: the same after a draw from what
    /// is believed.
    fn policy(
        &self,
        task: &Arc<Task>,
        mode: PolicyMode,
        _step: u64,
    ) -> Result<Box<dyn Policy>, AgentError> {
        Ok(Box::new(CompletionPolicy::new(
            Arc::clone(&self.task),
            Arc::clone(task),
            Knowledge {
                results: self.progress.results.clone().into_owned(),
                screened: self.progress.screened.clone().into_owned(),
                belief: self.belief_of_results(),
            },
            &self.sight,
            self.config.rule,
            mode,
        )))
    }
}
