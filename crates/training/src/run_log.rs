//! Writes what an agent does while it learns.

use std::{collections::BTreeMap, io, time::Instant};

use crystalgym_agents::{LearnedEpisode, Observer, Update};
use crystalgym_environment::{Appraisal, FinishedEpisode, Terms};
use crystalgym_evaluation::{FailureCode, Outcome};

use crate::{
    EpisodeRow, EpisodeTable, EventWriter, Look, PredictionRow, RowSource, RunStatistics,
    TrainingConfig, checkpoints::RunState, prediction_row::symbols,
    prediction_table::PredictionTable,
};

/// Gradient steps between points of the loss curves.
const UPDATES_BETWEEN_POINTS: u64 = 10;

/// Writes what an agent does: a table row an episode, curves, counts, the best crystals.
pub(crate) struct RunLog<'a> {
    pub(crate) table: EpisodeTable,
    /// Of a learned reward.
    pub(crate) predictions: Option<PredictionTable>,
    pub(crate) events: EventWriter,
    pub(crate) statistics: RunStatistics,
    pub(crate) stop: &'a dyn Fn() -> bool,
    /// The first error of the file system; an observer cannot return one.
    pub(crate) error: Option<io::Error>,
    /// The last complaint of the store, for the caller to show once.
    pub(crate) store_error: Option<String>,
    start: Instant,
    steps_at_start: u64,
}

impl<'a> RunLog<'a> {
    pub(crate) fn new(
        table: EpisodeTable,
        predictions: Option<PredictionTable>,
        events: EventWriter,
        statistics: RunStatistics,
        stop: &'a dyn Fn() -> bool,
    ) -> Self {
        let steps_at_start = statistics.steps;
        Self {
            table,
            predictions,
            events,
            statistics,
            stop,
            error: None,
            store_error: None,
            start: Instant::now(),
            steps_at_start,
        }
    }

    /// Puts everything on disk and says how far it goes.
    pub(crate) fn sync(&mut self, config: &TrainingConfig) -> io::Result<RunState> {
        Ok(RunState {
            config: config.clone(),
            events_file: self.events.name().to_owned(),
            episodes_length: self.table.sync()?,
            predictions_length: (self.predictions.as_mut())
                .map(PredictionTable::sync)
                .transpose()?,
            events_length: self.events.sync()?,
            statistics: self.statistics.clone(),
        })
    }

    fn log_episode(&mut self, step: u64, episode: &FinishedEpisode) -> io::Result<()> {
        let row = episode_row(step, episode);
        self.table.write(&row)?;
        self.table.flush()?;
        self.statistics.record(&row);
        if let Some(value) = row.value {
            self.statistics.best.offer(
                &episode.crystal,
                value,
                episode.crystal_reward,
                episode.number,
            );
        }
        let rate = (step - self.steps_at_start) as f64 / self.start.elapsed().as_secs_f64();
        let mut scalars = BTreeMap::from([
            ("charts/episodic_return".to_owned(), episode.reward),
            (
                "charts/episodic_length".to_owned(),
                episode.episode.actions.len() as f64,
            ),
            ("charts/SPS".to_owned(), rate),
            (
                "dft/calls".to_owned(),
                self.statistics.from_source(RowSource::Computed) as f64,
            ),
            (
                "dft/store_hits".to_owned(),
                self.statistics.from_source(RowSource::Store) as f64,
            ),
            ("dft/seconds".to_owned(), row.calculation_seconds),
            (
                "dft/scf_iterations".to_owned(),
                f64::from(row.scf_iterations),
            ),
        ]);
        if let Some(value) = row.value {
            scalars.insert(format!("charts/{}", row.property), value);
        }
        for (property, value) in row.values_of_terms() {
            if let Some(value) = value {
                scalars.insert(format!("charts/{property}"), value);
            }
        }
        if let Some(code) = row.failure {
            let count = self.statistics.failures.get(code.name());
            let count = count.copied().unwrap_or(0) as f64;
            scalars.insert(format!("dft/failures/{code}"), count);
        }
        for (tag, value) in scalars {
            self.events.scalar(&tag, step, value)?;
        }
        self.events.flush()
    }

    /// Takes a look at the greedy policy.
    pub(crate) fn looked(&mut self, look: &Look) {
        self.statistics.looks.push(*look);
        let written = self
            .events
            .scalar("eval/greedy_return", look.step, look.mean_return);
        self.keep_first_error(written);
    }

    /// A row of what was said, and curves of that under names of their own.
    fn log_prediction(&mut self, learned: &LearnedEpisode<'_>) -> io::Result<()> {
        let row = PredictionRow::of(learned);
        if let Some(table) = &mut self.predictions {
            table.write(&row)?;
        }
        let scalars = [
            ("predicted_return", Some(row.predicted_return)),
            ("predicted_spread", Some(row.predicted_spread)),
            ("calculated_return", row.calculated_return),
            ("calculations", Some(row.calculations as f64)),
            ("skill", row.skill),
            ("model_error", row.model_error),
            ("model_gap", row.model_gap),
        ];
        for (name, value) in scalars {
            if let Some(value) = value {
                let tag = format!("learned_reward/{name}");
                self.events.scalar(&tag, learned.step, value)?;
            }
        }
        self.events.flush()
    }

    fn log_update(&mut self, update: &Update) -> io::Result<()> {
        for &(tag, value) in &update.scalars {
            self.events.scalar(tag, update.step, value)?;
        }
        Ok(())
    }

    fn keep_first_error(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}

impl Observer for RunLog<'_> {
    fn episode_finished(&mut self, step: u64, episode: &FinishedEpisode) {
        // What was predicted is in a table of its own, and nowhere else.
        let Some(evaluation) = episode.appraisal.evaluation() else {
            self.statistics.predicted += 1;
            self.statistics.steps = step;
            return;
        };
        if let Some(error) = evaluation.store_error.clone() {
            self.store_error = Some(error);
        }
        let result = self.log_episode(step, episode);
        self.keep_first_error(result);
    }

    fn predicted(&mut self, episode: &LearnedEpisode<'_>) {
        let result = self.log_prediction(episode);
        self.keep_first_error(result);
    }

    fn updated(&mut self, update: &Update) {
        if update.updates.is_multiple_of(UPDATES_BETWEEN_POINTS) {
            let result = self.log_update(update);
            self.keep_first_error(result);
        }
    }

    fn interrupted(&self) -> bool {
        (self.stop)()
    }
}

/// SCF iterations, failure and value of what was said of a crystal.
fn result_of(appraisal: &Appraisal) -> (u32, Option<FailureCode>, Option<f64>) {
    match appraisal {
        Appraisal::Computed(evaluation) => match &evaluation.outcome {
            Outcome::Success(values) => (values.scf_iterations, None, Some(values.value)),
            Outcome::Failure(failure) => (failure.scf_iterations, Some(failure.code), None),
        },
        // A prediction is no value.
        Appraisal::Predicted(_) => (0, None, None),
    }
}

fn episode_row(step: u64, episode: &FinishedEpisode) -> EpisodeRow {
    let (scf_iterations, failure, property_value) = result_of(&episode.appraisal);
    let start = episode.start_appraisal.as_ref();
    let (start_failure, start_value) = start.map_or((None, None), |start| {
        let (_, failure, value) = result_of(start);
        (failure, value)
    });
    let first_elements = || {
        let known = episode.task.elements().elements();
        let node_types = episode.episode.start.node_types.iter();
        symbols(node_types.filter_map(|&node_type| known.get(usize::from(node_type)).copied()))
    };
    let evaluation = episode.appraisal.evaluation();
    EpisodeRow {
        episode: episode.number,
        step,
        environment: episode.environment,
        skeleton: episode.crystal.skeleton().label.clone(),
        elements: symbols(episode.crystal.elements().iter().copied()),
        property: episode.task.property(),
        target: episode.target,
        value: property_value,
        episodic_return: episode.reward,
        failure,
        source: (&episode.appraisal).into(),
        scf_iterations,
        calculation_seconds: evaluation.map_or(0.0, |e| e.outcome.seconds()),
        start_elements: start.map(|_| first_elements()),
        start_value,
        start_failure,
        terms: (episode.task.terms()).map(|terms| terms_text(terms, &episode.appraisal)),
    }
}

/// What came of each property: its value, why there is none, or that nothing was computed.
fn terms_text(terms: &Terms, appraisal: &Appraisal) -> String {
    let known = appraisal
        .evaluation()
        .map_or(&[][..], |evaluation| evaluation.outcome.terms());
    let texts = terms.properties().into_iter().map(|property| {
        let found = known.iter().find(|term| term.property == property);
        match found.map(|term| (term.value, term.failure)) {
            Some((Some(value), _)) => format!("{property}={value}"),
            Some((None, Some(code))) => format!("{property}={code}"),
            Some((None, None)) | None => format!("{property}={}", FailureCode::Skipped),
        }
    });
    texts.collect::<Vec<_>>().join(" ")
}
