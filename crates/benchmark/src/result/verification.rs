//! Whether a result holds: what it says against itself, against the calculator, against its agents.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use crystalgym_crystal::{Crystal, Element, write_atomically};
use crystalgym_evaluation::{
    Calculator, CalculatorConfig, CalculatorError, CancelToken, Failure, FailureCode, Outcome,
    Property, ResultStore, evaluate,
};
use crystalgym_training::TrainingError;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{
    claims::{Choice, Claims, Found, calculators, draws},
    compositions::{Composition, Compositions},
    consistency::problems,
    elements::sorted,
    file::ResultJob,
    groups::ranked_groups,
    read::SealedResult,
    replay::replay,
};
use crate::BenchmarkError;

/// Makes a calculator with these settings.
pub type MakeCalculator<'a> =
    dyn Fn(&CalculatorConfig) -> Result<Arc<dyn Calculator>, CalculatorError> + 'a;

/// How a result is verified.
pub struct VerifyOptions<'a> {
    /// Most of the crystals that ranked numbers depend on, best first; `None`: all.
    pub top: Option<usize>,
    /// Other crystals of each calculator that are computed again, failures included. With an
    /// instant calculator all of them are, unless this is 0.
    pub sample: usize,
    /// Jobs of each ranked row whose training is repeated from the file's values.
    pub replays: usize,
    /// What the draws depend on beside the file; unknown to whoever made it.
    pub seed: u64,
    /// Longest time that one crystal may take.
    pub limit: Duration,
    /// Makes a calculator with the settings of the file and the programs and pseudopotentials of
    /// this machine.
    pub calculator: &'a MakeCalculator<'a>,
    /// Once cancelled, the verification ends without a verdict.
    pub cancel: &'a CancelToken,
    /// Told of each crystal that was computed.
    pub report: &'a dyn Fn(&Check),
}

/// What came of a verification; written beside the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// [`Verification::FORMAT`].
    pub format: String,
    /// SHA-256 of what the result file says.
    pub sha256: String,
    /// Version of the program that verified it.
    pub crystalgym_version: String,
    /// Whether the file agrees with itself and everything that was looked at holds.
    pub holds: bool,
    /// Where the file does not agree with itself, or could not be computed.
    pub problems: Vec<String>,
    /// What the draws depended on beside the file.
    pub seed: u64,
    /// Crystals that ranked numbers depend on.
    pub ranked: Coverage,
    /// The other crystals.
    pub others: Coverage,
    /// What was computed.
    pub checks: Vec<Check>,
    /// Jobs whose training was repeated.
    pub replays: Vec<Replay>,
}

/// How many of some crystals were computed again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// How many there are.
    pub all: usize,
    /// How many were computed.
    pub computed: usize,
}

/// A job whose training was repeated with the file's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Name of the job.
    pub job: String,
    /// The first row that the agent does not make; absent if it makes them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

/// A crystal that was computed again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Property.
    pub property: Property,
    /// Which crystal.
    pub skeleton: String,
    /// Elements of its canonical filling.
    pub elements: String,
    /// Why this one.
    pub choice: Choice,
    /// What the file says.
    pub claimed: Found,
    /// What this machine says.
    pub found: Found,
    /// Absolute difference of the values, in the property's unit.
    pub deviation: Option<f64>,
    /// Whether it holds.
    pub verdict: Verdict,
}

/// Whether a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// To the last bit.
    Equal,
    /// Within the tolerance between kinds of processors.
    WithinTolerance,
    /// It does not hold.
    Differs,
    /// This machine could not say: its time limit, a missing program, …
    NotComputed,
}

impl Verdict {
    /// Whether the claim holds.
    pub fn holds(self) -> bool {
        matches!(self, Self::Equal | Self::WithinTolerance)
    }
}

impl Verification {
    /// The format of this version.
    pub const FORMAT: &'static str = "crystalgym-verification/2";
    /// Other crystals of each calculator that a complete verification computes again.
    pub const SAMPLE: usize = 100;

    /// Whether all that a ranking needs was computed: every crystal that ranked numbers depend on,
    /// and at least [`Self::SAMPLE`] of the others, or all.
    pub fn is_complete(&self) -> bool {
        self.ranked.computed == self.ranked.all
            && self.others.computed >= self.others.all.min(Self::SAMPLE)
    }

    /// Reads the record beside a result file; `None` where there is none.
    ///
    /// # Errors
    /// [`BenchmarkError`] if it cannot be read, or is none.
    pub fn read(result: &Path) -> Result<Option<Self>, BenchmarkError> {
        let path = record_path(result);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BenchmarkError::io(path)(error)),
            Ok(metadata) if !metadata.is_file() => {
                return Err(BenchmarkError::folder(path, "is no regular file"));
            }
            Ok(metadata) if metadata.len() > LARGEST_RECORD => {
                let message = format!(
                    "has {} bytes, expected at most {LARGEST_RECORD}",
                    metadata.len()
                );
                return Err(BenchmarkError::folder(path, message));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&path).map_err(BenchmarkError::io(&path))?;
        let format: Option<String> = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|record| Some(record.get("format")?.as_str()?.to_owned()));
        if let Some(format) = format.filter(|format| format != Self::FORMAT) {
            let message = format!("format is {format:?}, expected {:?}", Self::FORMAT);
            return Err(BenchmarkError::folder(path, message));
        }
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| BenchmarkError::folder(&path, format!("no record: {error}")))
    }

    /// Writes the record beside its result file, and says where. A verification in part that found
    /// nothing wrong leaves the record of a complete one in its place; the answer is then `None`.
    ///
    /// # Errors
    /// [`BenchmarkError`], also if a link lies in its place.
    pub fn write(&self, result: &SealedResult) -> Result<Option<PathBuf>, BenchmarkError> {
        let path = record_path(&result.path);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            let message = "is no regular file: the record is not written through it";
            return Err(BenchmarkError::folder(path, message));
        }
        if self.holds && !self.is_complete() {
            // A record that cannot be read is worth nothing.
            let known = Self::read(&result.path).ok().flatten();
            if known.is_some_and(|known| known.covers(result).is_ok()) {
                return Ok(None);
            }
        }
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| BenchmarkError::folder(&path, error))?;
        write_atomically(&path, &text).map_err(BenchmarkError::io(&path))?;
        Ok(Some(path))
    }

    /// Whether this is the record of a complete verification of the file, in which everything held;
    /// else the reason. Nothing of it is believed that follows from something else: the crystals that
    /// had to be computed are drawn again, the verdicts made again.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn covers(&self, result: &SealedResult) -> Result<(), String> {
        if self.sha256 != result.sha256 {
            return Err("has changed since it was verified".to_owned());
        }
        let version = env!("CARGO_PKG_VERSION");
        if self.crystalgym_version != version {
            let by = &self.crystalgym_version;
            return Err(format!("was verified by version {by}, expected {version}"));
        }
        if let Some(first) = self.problems.first() {
            return Err(format!("does not hold: {first}"));
        }
        if let Some(first) = problems(&result.file).first() {
            return Err(format!("does not hold: {first}"));
        }
        let failed = |check: &&Check| !check.verdict.holds();
        if self.checks.iter().any(|check| failed(&check)) {
            let failed = self.checks.iter().filter(failed).count();
            let all = self.checks.len();
            return Err(format!(
                "does not hold: {failed} of {all} recomputed crystals"
            ));
        }
        let replayed = |replay: &&Replay| replay.difference.is_some();
        if let Some(replay) = self.replays.iter().find(replayed) {
            let difference = replay.difference.clone().unwrap_or_default();
            return Err(format!("does not hold: {}: {difference}", replay.job));
        }
        let mut compositions = Compositions::default();
        for (index, origin) in calculators(&result.file).into_iter().enumerate() {
            let (property, config, _) = origin;
            let claims = Claims::of(&result.file, origin, &mut compositions);
            let mut random = draws(&result.sha256, self.seed, index);
            for (crystal, _) in claims.choose(None, Self::SAMPLE, &mut random) {
                let named = |check: &&Check| {
                    check.property == property
                        && check.skeleton == crystal.skeleton
                        && check.elements == crystal.elements
                };
                let name = format!("{} on {}", crystal.elements, crystal.skeleton);
                let Some(claimed) = claims.outcomes.get(&crystal) else {
                    continue;
                };
                let instant = config.name.is_instant();
                let holds = self.checks.iter().filter(named).any(|check| {
                    let (_, verdict) = verdict(property, instant, *claimed, check.found);
                    check.claimed == *claimed && verdict.holds()
                });
                if !holds {
                    return Err(format!(
                        "was verified in part: {name} was not computed again; use `bench verify` \
                         without --top and --sample"
                    ));
                }
            }
        }
        match self.holds {
            true => Ok(()),
            false => Err("does not hold".to_owned()),
        }
    }
}

/// Larger records are none.
const LARGEST_RECORD: u64 = 1 << 28;
/// Time that a calculator may take to stop.
const GRACE: Duration = Duration::from_secs(30);

/// `result.json` → `result.json.verified.json`.
pub fn record_path(result: &Path) -> PathBuf {
    let mut name = result.file_name().unwrap_or_default().to_owned();
    name.push(".verified.json");
    result.with_file_name(name)
}

/// Looks whether a result agrees with itself ([`problems`]); if so, computes the crystals that ranked
/// numbers depend on and a sample of the others again, with the calculator's settings of the file and
/// an empty store, and trains some of its agents again from the file's values.
///
/// `None` if cancelled.
///
/// # Errors
/// [`BenchmarkError`] if a calculator cannot work on this machine.
pub fn verify(
    result: &SealedResult,
    options: &VerifyOptions<'_>,
) -> Result<Option<Verification>, BenchmarkError> {
    let mut record = Verification {
        format: Verification::FORMAT.to_owned(),
        sha256: result.sha256.clone(),
        crystalgym_version: env!("CARGO_PKG_VERSION").to_owned(),
        holds: false,
        problems: problems(&result.file),
        seed: options.seed,
        ranked: Coverage::default(),
        others: Coverage::default(),
        checks: Vec::new(),
        replays: Vec::new(),
    };
    if !record.problems.is_empty() {
        return Ok(Some(record));
    }
    let store = Arc::new(ResultStore::in_memory().map_err(TrainingError::from)?);
    let mut compositions = Compositions::default();
    for (index, origin) in calculators(&result.file).into_iter().enumerate() {
        let (property, config, fingerprint) = origin;
        let claims = Claims::of(&result.file, origin, &mut compositions);
        record.ranked.all += claims.ranked();
        record.others.all += claims.others();
        let calculator = (options.calculator)(config).map_err(TrainingError::from)?;
        let elements: Vec<Element> = claims.elements.iter().copied().collect();
        calculator
            .check(&elements, property)
            .map_err(TrainingError::from)?;
        let own = calculator.fingerprint(&sorted(&elements), property).0;
        if own != fingerprint {
            record.problems.push(format!(
                "the calculator for {property} is not the same here: the file says {fingerprint}, \
                 expected {own} (another version of the program or of the engine, or other \
                 pseudopotentials)"
            ));
            continue;
        }
        let mut random = draws(&result.sha256, options.seed, index);
        for (composition, choice) in claims.choose(options.top, options.sample, &mut random) {
            let Some(claimed) = claims.outcomes.get(&composition).copied() else {
                continue;
            };
            let crystal = compositions
                .crystal(&composition.skeleton, &composition.elements)
                .map_err(|message| BenchmarkError::folder(&result.path, message))?;
            let Some(outcome) = evaluate_within(&calculator, &store, crystal, property, options)?
            else {
                return Ok(None);
            };
            let instant = config.name.is_instant();
            let check = compare(property, instant, composition, choice, claimed, &outcome);
            (options.report)(&check);
            match choice {
                Choice::Ranked => record.ranked.computed += 1,
                Choice::Sample => record.others.computed += 1,
            }
            record.checks.push(check);
        }
    }
    for job in jobs_to_replay(result, options) {
        let Some(same) = replay(job, options.cancel)? else {
            return Ok(None);
        };
        record.replays.push(Replay {
            job: job.id.clone(),
            difference: same.err(),
        });
    }
    record.holds = record.problems.is_empty()
        && record.checks.iter().all(|check| check.verdict.holds())
        && (record.replays.iter()).all(|replay| replay.difference.is_none());
    Ok(Some(record))
}

/// Some jobs of each ranked row, drawn.
fn jobs_to_replay<'a>(result: &'a SealedResult, options: &VerifyOptions<'_>) -> Vec<&'a ResultJob> {
    let mut random = draws(&result.sha256, options.seed, usize::MAX);
    let mut chosen = Vec::new();
    for mut jobs in ranked_groups(&result.file).into_values() {
        for _ in 0..options.replays.min(jobs.len()) {
            let index = (random.next_u64() % jobs.len() as u64) as usize;
            chosen.push(jobs.swap_remove(index));
        }
    }
    chosen
}

/// Computes a crystal, and gives it up when its time is over. `None` if cancelled.
///
/// # Errors
/// [`BenchmarkError::Folder`] if the calculator does not stop when it is told to.
fn evaluate_within(
    calculator: &Arc<dyn Calculator>,
    store: &Arc<ResultStore>,
    crystal: Crystal,
    property: Property,
    options: &VerifyOptions<'_>,
) -> Result<Option<Outcome>, BenchmarkError> {
    if calculator.is_instant() {
        let evaluation = evaluate(
            calculator.as_ref(),
            None,
            &crystal,
            property,
            options.cancel,
        );
        return Ok((!options.cancel.is_cancelled()).then_some(evaluation.outcome));
    }
    let token = CancelToken::default();
    let (sender, receiver) = mpsc::sync_channel(1);
    let name = crystal.formula();
    {
        let (calculator, store, token) = (Arc::clone(calculator), Arc::clone(store), token.clone());
        thread::spawn(move || {
            let store = Some(store.as_ref());
            let evaluation = evaluate(calculator.as_ref(), store, &crystal, property, &token);
            // Nobody waits any more after the grace.
            let _ = sender.send(evaluation.outcome);
        });
    }
    let started = Instant::now();
    let mut stopped_at = None;
    loop {
        let answer = receiver.recv_timeout(Duration::from_millis(100));
        let cancelled = options.cancel.is_cancelled();
        match answer {
            Ok(_) if cancelled => return Ok(None),
            Ok(outcome) if stopped_at.is_none() => return Ok(Some(outcome)),
            Ok(_) => {
                let message = format!("took longer than {} s", options.limit.as_secs());
                let failure = Failure::new(FailureCode::TimeLimit, message);
                return Ok(Some(Outcome::Failure(failure)));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let failure = Failure::new(FailureCode::Internal, "the calculation ended early");
                return Ok(Some(Outcome::Failure(failure)));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if stopped_at.is_none() && (cancelled || started.elapsed() > options.limit) {
            token.cancel();
            stopped_at = Some(Instant::now());
        }
        if stopped_at.is_some_and(|at| at.elapsed() > GRACE) {
            if cancelled {
                return Ok(None);
            }
            return Err(BenchmarkError::folder(
                &name,
                format!(
                    "does not come to an end with the settings of the file: given up after {} s",
                    started.elapsed().as_secs()
                ),
            ));
        }
    }
}

/// Deviations that kinds of processors may cause.
///
/// The same version on the same kind of processor gives the same bits. Another kind adds numbers up
/// in another order, so that an SCF may stop an iteration earlier or later: values then differ by
/// what its convergence leaves open ([`Property::facts`]).
///
/// Instant calculators add nothing up in iterations: theirs are a few roundings.
fn tolerance(property: Property, instant: bool, value: f64) -> f64 {
    match instant {
        true => 4.0 * f64::EPSILON * value.abs(),
        false => property.facts().tolerance.at(value),
    }
}

/// The absolute difference of two values, and whether the claim holds.
fn verdict(
    property: Property,
    instant: bool,
    claimed: Found,
    found: Found,
) -> (Option<f64>, Verdict) {
    match (claimed, found) {
        (Found::Value(a), Found::Value(b)) => {
            let deviation = (a - b).abs();
            let verdict = if a == b {
                Verdict::Equal
            } else if deviation <= tolerance(property, instant, b) {
                Verdict::WithinTolerance
            } else {
                Verdict::Differs
            };
            (Some(deviation), verdict)
        }
        (Found::Failure(a), Found::Failure(b)) if a == b => (None, Verdict::Equal),
        (_, Found::Failure(code)) if code.depends_on_the_moment() => (None, Verdict::NotComputed),
        _ => (None, Verdict::Differs),
    }
}

fn compare(
    property: Property,
    instant: bool,
    composition: Composition,
    choice: Choice,
    claimed: Found,
    outcome: &Outcome,
) -> Check {
    let found = match outcome {
        Outcome::Success(values) => Found::Value(values.value),
        Outcome::Failure(failure) => Found::Failure(failure.code),
    };
    let (deviation, verdict) = verdict(property, instant, claimed, found);
    Check {
        property,
        skeleton: composition.skeleton,
        elements: composition.elements,
        choice,
        claimed,
        found,
        deviation,
        verdict,
    }
}
