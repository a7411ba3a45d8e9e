//! What is measured of a finished job: returns, calculations, failures, crystals.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crystalgym_environment::{Reward, Terms};
use crystalgym_evaluation::Property;
use crystalgym_training::{EpisodeRow, RowSource};

use crate::{
    EvaluationRow, ExactMeasure, FoundCrystals, JobManifest, LearnedMeasure, LearningCurve,
    RewardSource, RolloutKind,
    area::LearningArea,
    found::CrystalCounter,
    limits::{LARGEST_VALUE, LONGEST_CALCULATION, MOST_STEPS},
    pareto::ObjectiveMeasure,
    solving::{News, SolvingMeasure, hit_tolerance},
    statistics::mean,
};

/// Episodes over which the last return is taken.
const LAST_EPISODES: usize = 100;

/// What the files of one finished job say.
#[derive(Debug, Clone, PartialEq)]
pub struct JobMeasure {
    /// The job.
    pub manifest: JobManifest,
    /// What its training episodes say.
    pub training: TrainingMeasure,
    /// Where its rewards come from; `None` where its settings cannot be read.
    pub rewards: Option<RewardSource>,
    /// Mean return of the final greedy rollouts on the skeletons of training, failures counted; of a
    /// search, its best find.
    pub greedy_return: f64,
    /// The same as the agent acts while it learns.
    pub sampled_return: f64,
    /// Greedy rollouts on held-out skeletons.
    pub held_out_return: Option<f64>,
    /// Distinct crystals among the final rollouts, and how many rollouts there were.
    pub unique_rollouts: (usize, usize),
    /// How far from the optimum it came, where its rewards come from a table.
    pub exact: Option<ExactMeasure>,
    /// What its model said, if its rewards were learned; all else here is of calculations alone.
    pub learned: Option<LearnedMeasure>,
    /// Formation energies in eV an atom, where they have been computed.
    pub formation_energies_ev_per_atom: Vec<f64>,
}

/// What the episodes of one run say, finished or not.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingMeasure {
    /// Episodes.
    pub episodes: usize,
    /// Results that this run computed, failures included; the others came from the store.
    pub calculations: usize,
    /// Wall time of these in seconds.
    pub calculation_seconds: f64,
    /// Failures by code.
    pub failures: BTreeMap<String, usize>,
    /// Failed episodes by an element of their crystal, and all episodes with it.
    pub failures_by_element: BTreeMap<String, (usize, usize)>,
    /// Mean return of the last 100 episodes, or of all if there are fewer.
    pub last_return: f64,
    /// Largest return.
    pub best_return: f64,
    /// Area under the learning curve in returns times steps, as docs/benchmark.md defines it: see
    /// [`LearningArea`].
    pub area_under_curve: f64,
    /// Returns in their order.
    pub curve: LearningCurve,
    /// Value of the property in each episode, NaN after a failure.
    pub values: Vec<f32>,
    /// Wall time in seconds of each calculation that this run made.
    pub seconds: Vec<f32>,
    /// The different crystals.
    pub found: FoundCrystals,
    /// How soon what was wanted was found.
    pub solving: SolvingMeasure,
    /// What the crystals are worth by each term, where the objective has several.
    pub objective: Option<ObjectiveMeasure>,
}

impl JobMeasure {
    /// What its greedy rollouts are.
    pub fn rollout_kind(&self) -> RolloutKind {
        RolloutKind::of(self.manifest.algorithm)
    }

    /// The measures of a job's tables, which must not be empty.
    pub(crate) fn of(
        manifest: JobManifest,
        training: TrainingMeasure,
        evaluation: &[EvaluationRow],
    ) -> Self {
        let returns = |mode: &str, held_out: bool| {
            let rows = evaluation.iter();
            let chosen = rows.filter(|row| row.mode == mode && row.held_out == held_out);
            mean(chosen.map(|row| row.episodic_return))
        };
        let distinct: BTreeSet<(&str, &str)> = (evaluation.iter())
            .map(|row| (row.skeleton.as_str(), row.elements.as_str()))
            .collect();
        Self {
            training,
            rewards: None,
            greedy_return: returns("greedy", false).unwrap_or(f64::NAN),
            sampled_return: returns("sampled", false).unwrap_or(f64::NAN),
            held_out_return: returns("greedy", true),
            unique_rollouts: (distinct.len(), evaluation.len()),
            exact: None,
            learned: None,
            formation_energies_ev_per_atom: Vec::new(),
            manifest,
        }
    }
}

impl TrainingMeasure {
    /// What a list of episodes says.
    ///
    /// # Errors
    /// The first episode whose crystal is none.
    pub(crate) fn of(property: Property, episodes: &[EpisodeRow]) -> Result<Self, String> {
        let mut counter = TrainingCounter::new(property);
        for row in episodes {
            let named = |error| format!("episode {}: {error}", row.episode);
            counter.add(row).map_err(named)?;
        }
        Ok(counter.finish())
    }
}

/// Counts a [`TrainingMeasure`] episode by episode, so that no table is held as a whole.
#[derive(Debug)]
pub(crate) struct TrainingCounter {
    measure: TrainingMeasure,
    /// Of the task; 0 without one.
    tolerance: f64,
    area: LearningArea,
    last_returns: VecDeque<f64>,
    crystals: CrystalCounter,
}

impl TrainingCounter {
    pub(crate) fn new(property: Property) -> Self {
        Self {
            measure: TrainingMeasure {
                episodes: 0,
                calculations: 0,
                calculation_seconds: 0.0,
                failures: BTreeMap::new(),
                failures_by_element: BTreeMap::new(),
                last_return: f64::NAN,
                best_return: f64::NEG_INFINITY,
                area_under_curve: 0.0,
                curve: LearningCurve::default(),
                values: Vec::new(),
                seconds: Vec::new(),
                found: FoundCrystals::default(),
                solving: SolvingMeasure::default(),
                objective: None,
            },
            tolerance: 0.0,
            area: LearningArea::above(Reward::of(property).of_failure()),
            last_returns: VecDeque::with_capacity(LAST_EPISODES),
            crystals: CrystalCounter::default(),
        }
    }

    /// The same for a task with a tolerance.
    pub(crate) fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// The same for an objective of several terms.
    pub(crate) fn with_objective(mut self, terms: Option<Terms>) -> Self {
        self.measure.objective = terms.map(ObjectiveMeasure::of);
        self
    }

    /// Takes the next episode.
    ///
    /// # Errors
    /// A message for one whose crystal is none, or whose numbers are out of all range.
    pub(crate) fn add(&mut self, row: &EpisodeRow) -> Result<(), String> {
        let numbers = [row.episodic_return, row.value.unwrap_or(0.0)];
        if let Some(number) = numbers
            .iter()
            .find(|number| number.is_nan() || number.abs() > LARGEST_VALUE)
        {
            return Err(format!("{number}, expected a number up to {LARGEST_VALUE}"));
        }
        if !(0.0..=LONGEST_CALCULATION).contains(&row.calculation_seconds) || row.step > MOST_STEPS
        {
            return Err(format!(
                "{} s at step {}, expected a time and at most {MOST_STEPS} steps",
                row.calculation_seconds, row.step
            ));
        }
        let is_new = self.crystals.add(row)?;
        let within = hit_tolerance(row.property, row.target, self.tolerance);
        let news = is_new.then(|| match row.value {
            None => News::Failure,
            Some(value) if (value - row.target).abs() <= within => News::Hit,
            Some(_) => News::Other,
        });
        let measure = &mut self.measure;
        if let Some(objective) = measure.objective.as_mut().filter(|_| is_new) {
            objective.add(row);
        }
        measure.episodes += 1;
        if row.source == RowSource::Computed {
            measure.calculations += 1;
            measure.calculation_seconds += row.calculation_seconds;
            measure.seconds.push(row.calculation_seconds as f32);
        }
        if let Some(code) = row.failure {
            add_one(&mut measure.failures, code.name(), |count| *count += 1);
        }
        let failed = row.failure.is_some();
        let mut elements: Vec<&str> = row.elements.split_whitespace().collect();
        elements.sort_unstable();
        elements.dedup();
        for element in elements {
            add_one(&mut measure.failures_by_element, element, |counts| {
                counts.0 += usize::from(failed);
                counts.1 += 1;
            });
        }
        measure
            .solving
            .add(self.crystals.distinct(), news, row.episodic_return);
        self.area.add(row.episodic_return, row.step);
        measure.best_return = measure.best_return.max(row.episodic_return);
        measure
            .curve
            .add(row.episodic_return, row.step, self.crystals.distinct());
        measure
            .values
            .push(row.value.map_or(f32::NAN, |value| value as f32));
        if self.last_returns.len() == LAST_EPISODES {
            self.last_returns.pop_front();
        }
        self.last_returns.push_back(row.episodic_return);
        Ok(())
    }

    pub(crate) fn episodes(&self) -> usize {
        self.measure.episodes
    }

    pub(crate) fn last_step(&self) -> u64 {
        self.area.last_step()
    }

    pub(crate) fn finish(self) -> TrainingMeasure {
        TrainingMeasure {
            last_return: mean(self.last_returns.into_iter()).unwrap_or(f64::NAN),
            area_under_curve: self.area.finish(),
            found: self.crystals.finish(),
            ..self.measure
        }
    }
}

fn add_one<T: Default>(counts: &mut BTreeMap<String, T>, key: &str, add: impl FnOnce(&mut T)) {
    match counts.get_mut(key) {
        Some(count) => add(count),
        None => add(counts.entry(key.to_owned()).or_default()),
    }
}
