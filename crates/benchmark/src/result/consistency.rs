//! Whether a result agrees with itself, with the experiments and with this version.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use crystalgym_crystal::Element;
use crystalgym_environment::{Reward, TaskConfig};
use crystalgym_evaluation::{Failure, FailureCode, GthCutoff, Outcome, Property, Source, Values};
use crystalgym_training::{ConfigLayers, TrainingConfig};

use super::{
    compositions::{Composition, Compositions},
    elements::action_elements,
    file::{Measures, ResultFile, ResultJob},
    identity::run_identity,
    rows::measure,
    whole::first_difference,
};
use crate::{
    Job, Selection, experiments,
    limits::{LARGEST_VALUE, LONGEST_CALCULATION},
    runner::ROLLOUTS,
};

/// More than these are not listed.
const MOST_PROBLEMS: usize = 50;
/// Longest name of whoever made a result.
const LONGEST_NAME: usize = 100;
/// Returns come from the values by one exponential, which differs between mathematical libraries in
/// the last bit.
const RETURN_TOLERANCE: f64 = 2.0 * f64::EPSILON;
/// Cutoffs in Ry of wave functions and densities, and k-points per reciprocal atom, that no
/// calculation of a benchmark needs, and that could keep a machine busy for days.
const LARGEST_CUTOFF_RY: f64 = 300.0;
const LARGEST_DENSITY_CUTOFF_RY: f64 = 3600.0;
const LARGEST_KPPA: f64 = 20_000.0;

/// Where a result does not agree with itself, with the experiments or with this version: each with
/// the field, its value and what would be right. Empty if all is in order.
///
/// Nothing is computed by DFT here. Checked are: names, targets, tasks and numbers of steps against
/// the experiments; that every episode of so many steps is there; returns against values; equal
/// outcomes of equal crystals; measures against rows; and that no job, no seed and no run is there
/// twice.
pub fn problems(result: &ResultFile) -> Vec<String> {
    let mut checker = Checker::default();
    if result.jobs.is_empty() {
        checker.found("jobs", "is empty, expected at least one".to_owned());
    }
    let version = env!("CARGO_PKG_VERSION");
    checker.expect(
        "crystalgym_version",
        &result.crystalgym_version.as_str(),
        &version,
    );
    checker.name(&result.name);
    for (index, pair) in result.jobs.windows(2).enumerate() {
        if pair[0].id > pair[1].id {
            let message = format!(
                "{} comes after {}, expected the order of their names",
                pair[1].id, pair[0].id
            );
            checker.found(&format!("jobs[{}].id", index + 1), message);
        }
    }
    for (index, job) in result.jobs.iter().enumerate() {
        checker.job(index, job);
    }
    let more = checker.problems.len().saturating_sub(MOST_PROBLEMS);
    checker.problems.truncate(MOST_PROBLEMS);
    if more > 0 {
        checker.problems.push(format!("and {more} more"));
    }
    checker.problems
}

/// What one crystal came to, and the row that said so first.
struct Known {
    value: Option<f64>,
    failure: Option<FailureCode>,
    row: String,
}

#[derive(Default)]
struct Checker {
    problems: Vec<String>,
    ids: BTreeMap<String, usize>,
    runs: HashMap<String, usize>,
    compositions: Compositions,
    outcomes: HashMap<(String, Property, Composition), Known>,
}

/// What episodes and rollouts have in common.
struct Row<'a> {
    skeleton: &'a str,
    elements: &'a str,
    value: Option<f64>,
    failure: Option<FailureCode>,
    episodic_return: f64,
}

impl Checker {
    fn found(&mut self, field: &str, message: String) {
        self.problems.push(format!("{field}: {message}"));
    }

    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, field: &str, found: &T, expected: &T) {
        if found != expected {
            self.found(field, format!("is {found:?}, expected {expected:?}"));
        }
    }

    fn name(&mut self, name: &str) {
        let length = name.chars().count();
        if length > LONGEST_NAME || name.trim().is_empty() {
            let message = format!("has {length} characters, expected 1 to {LONGEST_NAME}");
            self.found("name", message);
        }
    }

    fn job(&mut self, index: usize, job: &ResultJob) {
        let at = format!("jobs[{index}]");
        if let Some(first) = self.ids.insert(job.id.clone(), index) {
            self.found(
                &format!("{at}.id"),
                format!("{} is that of jobs[{first}] too", job.id),
            );
        }
        if let Some(first) = self.runs.insert(run_identity(job), index) {
            self.found(
                &at,
                format!("has the episodes and rollouts of jobs[{first}], which is another job"),
            );
        }
        let version = env!("CARGO_PKG_VERSION");
        if job.crystalgym_version != version {
            let message = format!(
                "is {}, this is {version}: verify the file with the version that made it",
                job.crystalgym_version
            );
            self.found(&format!("{at}.crystalgym_version"), message);
        }
        let expected = match expected_job(job) {
            Ok(expected) => expected,
            Err(message) => return self.found(&at, message),
        };
        self.against_experiment(&at, job, &expected);
        self.settings(&at, job);
        self.rows(&at, job, &expected);
        self.measures(&at, job);
    }

    fn against_experiment(&mut self, at: &str, job: &ResultJob, expected: &Job) {
        let manifest = &expected.manifest;
        self.expect(&format!("{at}.id"), &job.id, &manifest.id);
        self.expect(&format!("{at}.target"), &job.target, &manifest.target);
        self.expect(&format!("{at}.held_out"), &job.held_out, &manifest.held_out);
        // Failing at once what cannot succeed changes the cost of a run and not its results.
        let task = TaskConfig {
            odd_electrons_fail_at_once: job.settings.task.odd_electrons_fail_at_once,
            ..expected.config.task.clone()
        };
        self.expect(&format!("{at}.settings.task"), &job.settings.task, &task);
    }

    fn settings(&mut self, at: &str, job: &ResultJob) {
        let calculator = &job.settings.calculator;
        if *calculator != calculator.portable() {
            let message = "names commands, folders, threads or another calculator's settings, \
                           expected only what decides the numbers";
            self.found(&format!("{at}.settings.calculator"), message.to_owned());
        }
        let (native, pw) = (&calculator.native, &calculator.qe.pw);
        let gth = match native.gth_cutoff_ry {
            Some(GthCutoff::Ry(cutoff)) => Some(cutoff),
            _ => None,
        };
        let limits = [
            ("native.ecutwfc_ry", native.ecutwfc_ry, LARGEST_CUTOFF_RY),
            ("native.gth_cutoff_ry", gth, LARGEST_CUTOFF_RY),
            (
                "native.ecutrho_ry",
                native.ecutrho_ry,
                LARGEST_DENSITY_CUTOFF_RY,
            ),
            ("native.kppa", native.kppa, LARGEST_KPPA),
            ("qe.pw.ecutwfc_ry", Some(pw.ecutwfc_ry), LARGEST_CUTOFF_RY),
            (
                "qe.pw.ecutrho_ry",
                Some(pw.ecutrho_ry),
                LARGEST_DENSITY_CUTOFF_RY,
            ),
            ("qe.pw.kppa", Some(pw.kppa), LARGEST_KPPA),
        ];
        for (field, found, most) in limits {
            if let Some(found) = found.filter(|found| !(0.0..=most).contains(found)) {
                let message = format!("is {found}, expected at most {most}");
                self.found(&format!("{at}.settings.calculator.{field}"), message);
            }
        }
    }

    fn rows(&mut self, at: &str, job: &ResultJob, expected: &Job) {
        let agent = match agent(job, expected) {
            Ok(agent) => agent,
            Err(message) => {
                return self.found(&format!("{at}.settings.hyperparameters"), message);
            }
        };
        let task = &expected.config.task;
        let allowed = match action_elements(task) {
            Ok(elements) => elements.into_iter().collect::<BTreeSet<_>>(),
            Err(error) => return self.found(at, error.to_string()),
        };
        let trained: BTreeSet<&str> = task.skeletons.iter().map(String::as_str).collect();
        let held_out: BTreeSet<&str> = job.held_out.iter().map(String::as_str).collect();
        let mut sites = Vec::new();
        for label in &trained {
            match self.compositions.skeleton(label) {
                Ok(skeleton) => sites.push(skeleton.sites() as u64),
                Err(message) => return self.found(at, message),
            }
        }

        let (mut last_step, mut filled) = (0, 0);
        for (number, episode) in job.episodes.iter().enumerate() {
            let row = format!("{at}.episodes[{number}]");
            let common = Row {
                skeleton: &episode.skeleton,
                elements: &episode.elements,
                value: episode.value,
                failure: episode.failure,
                episodic_return: episode.episodic_return,
            };
            self.row(&row, job, &common, &trained, &allowed);
            if episode.step < last_step || episode.step > agent.all_steps() {
                let message = format!(
                    "is {}, expected {last_step} to {}",
                    episode.step,
                    agent.all_steps()
                );
                self.found(&format!("{row}.step"), message);
            }
            last_step = episode.step;
            filled += episode.elements.split_whitespace().count() as u64;
            if episode.step < filled {
                let message = format!(
                    "is {}, expected at least the {filled} sites filled by then",
                    episode.step
                );
                self.found(&format!("{row}.step"), message);
            }
            let instant = job.settings.calculator.name.is_instant();
            let longest = if instant { 0.0 } else { LONGEST_CALCULATION };
            if !(0.0..=longest).contains(&episode.seconds) {
                let message = match instant {
                    true => format!(
                        "is {}, expected 0 with an instant calculator",
                        episode.seconds
                    ),
                    false => format!("is {}, expected a time", episode.seconds),
                };
                self.found(&format!("{row}.seconds"), message);
            }
            if instant && episode.source != Source::Computed {
                let message = format!(
                    "is {}, expected computed: an instant calculator uses no store",
                    episode.source.name()
                );
                self.found(&format!("{row}.source"), message);
            }
        }
        let (fewest, most) = agent.filled_sites(&sites);
        if !(fewest..=most).contains(&filled) {
            let message = format!(
                "fill {filled} sites, expected {fewest} to {most} in {} steps: episodes are missing \
                 or too many",
                agent.all_steps()
            );
            self.found(&format!("{at}.episodes"), message);
        }

        for (number, rollout) in job.rollouts.iter().enumerate() {
            let common = Row {
                skeleton: &rollout.skeleton,
                elements: &rollout.elements,
                value: rollout.value,
                failure: rollout.failure,
                episodic_return: rollout.episodic_return,
            };
            let skeletons = if rollout.held_out {
                &held_out
            } else {
                &trained
            };
            let row = format!("{at}.rollouts[{number}]");
            self.row(&row, job, &common, skeletons, &allowed);
        }
        let kinds = match held_out.is_empty() {
            true => vec![false],
            false => vec![false, true],
        };
        let mut expected_count = 0;
        for mode in ["greedy", "sampled"] {
            for &held_out in &kinds {
                let rows = job.rollouts.iter();
                let count = rows
                    .filter(|row| row.mode == mode && row.held_out == held_out)
                    .count();
                expected_count += ROLLOUTS;
                if count != ROLLOUTS {
                    let message =
                        format!("{count} are {mode} with held_out {held_out}, expected {ROLLOUTS}");
                    self.found(&format!("{at}.rollouts"), message);
                }
            }
        }
        if job.rollouts.len() != expected_count {
            let message = format!("are {}, expected {expected_count}", job.rollouts.len());
            self.found(&format!("{at}.rollouts"), message);
        }
    }

    fn row(
        &mut self,
        at: &str,
        job: &ResultJob,
        row: &Row<'_>,
        skeletons: &BTreeSet<&str>,
        allowed: &BTreeSet<Element>,
    ) {
        if !skeletons.contains(row.skeleton) {
            let message = format!("is {}, expected one of {skeletons:?}", row.skeleton);
            return self.found(&format!("{at}.skeleton"), message);
        }
        let foreign = row.elements.split_whitespace().find(|symbol| {
            symbol
                .parse()
                .map_or(true, |element: Element| !allowed.contains(&element))
        });
        if let Some(symbol) = foreign {
            let message = format!("{symbol} is not in the action set");
            return self.found(&format!("{at}.elements"), message);
        }
        let composition = match self.compositions.of(row.skeleton, row.elements) {
            Ok(composition) => composition,
            Err(message) => return self.found(at, message),
        };
        let outcome = match (row.value, row.failure) {
            (Some(value), None) if value.abs() <= LARGEST_VALUE => Outcome::Success(Values {
                value,
                ..Values::default()
            }),
            (Some(value), None) => {
                let message = format!("is {value}, expected a number up to {LARGEST_VALUE}");
                return self.found(&format!("{at}.value"), message);
            }
            (None, Some(code)) => Outcome::Failure(Failure::new(code, "")),
            _ => {
                let message = "expected either a value or a failure".to_owned();
                return self.found(at, message);
            }
        };
        let expected = Reward::of(job.property).of_outcome(job.target, &outcome);
        let deviation = (row.episodic_return - expected).abs();
        if deviation.is_nan() || deviation > RETURN_TOLERANCE * expected.abs().max(1.0) {
            let message = format!(
                "is {}, expected {expected} by the reward of {}",
                row.episodic_return,
                row.value
                    .map_or_else(|| "a failure".to_owned(), |value| value.to_string())
            );
            self.found(&format!("{at}.return"), message);
        }
        self.same_outcome(at, job, row, composition);
    }

    /// Equal crystals have equal outcomes, save for failures that depend on the moment.
    fn same_outcome(&mut self, at: &str, job: &ResultJob, row: &Row<'_>, crystal: Composition) {
        if row.failure.is_some_and(FailureCode::depends_on_the_moment) {
            return;
        }
        let key = (job.fingerprint.clone(), job.property, crystal);
        let (value, failure) = (row.value, row.failure);
        match self.outcomes.get(&key) {
            Some(known) if known.value == value && known.failure == failure => {}
            Some(known) => {
                let text = |value: Option<f64>, failure: Option<FailureCode>| match failure {
                    Some(code) => code.name().to_owned(),
                    None => value.unwrap_or(f64::NAN).to_string(),
                };
                let message = format!(
                    "{} on {} is {}, but {} in {}",
                    row.elements,
                    row.skeleton,
                    text(value, failure),
                    text(known.value, known.failure),
                    known.row
                );
                self.found(at, message);
            }
            None => {
                let row = at.to_owned();
                self.outcomes.insert(
                    key,
                    Known {
                        value,
                        failure,
                        row,
                    },
                );
            }
        }
    }

    fn measures(&mut self, at: &str, job: &ResultJob) {
        if job.episodes.is_empty() || job.rollouts.is_empty() {
            return self.found(at, "has no episodes or no rollouts".to_owned());
        }
        let mut crystals = BTreeSet::new();
        let episodes = job
            .episodes
            .iter()
            .map(|row| (&row.skeleton, &row.elements));
        let rollouts = job
            .rollouts
            .iter()
            .map(|row| (&row.skeleton, &row.elements));
        for (skeleton, elements) in episodes.chain(rollouts) {
            crystals.extend(self.compositions.of(skeleton, elements).ok());
        }
        let (episodes, rollouts) = job.rows();
        let measure = match measure(job.manifest(), &episodes, &rollouts) {
            Ok(measure) => measure,
            Err(message) => return self.found(at, message),
        };
        let expected = Measures::of(&measure, crystals.len());
        let found = &job.measures;
        let at = format!("{at}.measures");
        self.expect(
            &format!("{at}.episodes"),
            &found.episodes,
            &expected.episodes,
        );
        let (field, distinct) = (
            format!("{at}.distinct_crystals"),
            expected.distinct_crystals,
        );
        self.expect(&field, &found.distinct_crystals, &distinct);
        self.expect(
            &format!("{at}.failures"),
            &found.failures,
            &expected.failures,
        );
        for (field, found, expected) in [
            (
                "last_return",
                Some(found.last_return),
                Some(expected.last_return),
            ),
            (
                "best_return",
                Some(found.best_return),
                Some(expected.best_return),
            ),
            (
                "area_under_curve",
                Some(found.area_under_curve),
                Some(expected.area_under_curve),
            ),
            (
                "greedy_return",
                Some(found.greedy_return),
                Some(expected.greedy_return),
            ),
            (
                "sampled_return",
                Some(found.sampled_return),
                Some(expected.sampled_return),
            ),
            (
                "held_out_return",
                found.held_out_return,
                expected.held_out_return,
            ),
        ] {
            // Sums of the file's own returns: the same on every machine.
            if found != expected {
                let field = format!("{at}.{field}");
                self.expect(&field, &found, &expected);
            }
        }
    }
}

/// The job that the experiment, the scale and the preset prescribe, with the job's own elements where
/// it was not run with the experiment's.
pub(super) fn expected_job(job: &ResultJob) -> Result<Job, String> {
    let known = experiments();
    let experiment = known
        .iter()
        .find(|experiment| experiment.name == job.experiment);
    let experiment = experiment.ok_or_else(|| {
        let names = known.map(|experiment| experiment.name).join(", ");
        format!(
            "experiment is {:?}, expected one of {names}",
            job.experiment
        )
    })?;
    if experiment.mixed != (job.skeletons == "mixed") {
        return Err(format!(
            "skeletons is {:?}, which {} has not",
            job.skeletons, experiment.name
        ));
    }
    let mut layers = ConfigLayers::default();
    let elements = &job.settings.task.elements;
    if !elements.is_empty() {
        let symbols: Vec<&str> = elements.iter().map(|element| element.symbol()).collect();
        layers.set("task.elements", symbols);
    }
    let selection = Selection {
        experiments: vec![*experiment],
        properties: vec![job.property],
        algorithms: vec![job.algorithm],
        skeletons: vec![job.skeletons.clone()],
        seeds: vec![job.seed],
        preset: job.preset,
        scale: job.scale,
        layers,
    };
    let jobs = selection
        .jobs(Path::new("none"))
        .map_err(|error| error.to_string())?;
    jobs.into_iter()
        .next()
        .ok_or_else(|| "no such job".to_owned())
}

/// What an agent's settings say about its episodes.
struct AgentShape {
    total_steps: u64,
    environments: u64,
}

impl AgentShape {
    /// Steps of all environments together.
    fn all_steps(&self) -> u64 {
        self.total_steps
            .div_ceil(self.environments)
            .saturating_mul(self.environments)
    }

    /// Sites that finished episodes have filled, at least and at most: with skeletons of one size
    /// each environment has left the rest of a division; else less than the largest skeleton.
    fn filled_sites(&self, sites: &[u64]) -> (u64, u64) {
        let (all, each) = (
            self.all_steps(),
            self.total_steps.div_ceil(self.environments),
        );
        let smallest = sites.iter().copied().min().unwrap_or(1);
        let largest = sites.iter().copied().max().unwrap_or(1);
        if smallest == largest {
            let exact = self.environments.saturating_mul(each / largest * largest);
            return (exact, exact);
        }
        (
            all.saturating_sub(self.environments.saturating_mul(largest - 1)),
            all,
        )
    }
}

/// The configuration of a job's training.
///
/// # Errors
/// A message with the hyper-parameter that is none.
pub(super) fn training_config(job: &ResultJob, expected: &Job) -> Result<TrainingConfig, String> {
    let mut config = serde_json::to_value(&expected.config).map_err(|error| error.to_string())?;
    config[job.algorithm.name()] = job.settings.hyperparameters.clone().into();
    let mut config: TrainingConfig = serde_path_to_error::deserialize(config)
        .map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
    config.task = job.settings.task.clone();
    Ok(config)
}

/// Reads the settings as the training would, and compares what the experiment fixes.
fn agent(job: &ResultJob, expected: &Job) -> Result<AgentShape, String> {
    let config = training_config(job, expected)?;
    let agent = config.agent();
    if agent.seed() != job.seed {
        return Err(format!("seed is {}, expected {}", agent.seed(), job.seed));
    }
    let prescribed = expected.config.agent().total_steps();
    if agent.total_steps() != prescribed {
        return Err(format!(
            "total_steps is {}, expected {prescribed} at scale {}",
            agent.total_steps(),
            job.scale.name()
        ));
    }
    let mut all = serde_json::to_value(&config).map_err(|error| error.to_string())?;
    let resolved = all[job.algorithm.name()].take();
    // Resolved settings leave nothing out that a default would fill in.
    let given = job.settings.hyperparameters.clone().into();
    if let Some(difference) = first_difference("", &given, &resolved) {
        return Err(difference);
    }
    let environments = resolved["environments"].as_u64();
    match environments {
        Some(environments) if environments > 0 => Ok(AgentShape {
            total_steps: agent.total_steps(),
            environments,
        }),
        _ => Err("environments is 0 or missing, expected at least 1".to_owned()),
    }
}
