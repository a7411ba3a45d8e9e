use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use crystalgym_crystal::{Element, write_atomically};
use crystalgym_evaluation::{
    Calculator, CalculatorConfig, CalculatorError, CancelToken, FailureCode, Outcome, Property,
    ResultStore, evaluate,
};
use crystalgym_training::TrainingError;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{
    compositions::{Composition, Compositions},
    consistency::problems,
    file::{ResultFile, SealedResult},
    write::{action_elements, sorted},
};
use crate::BenchmarkError;

/// Makes a calculator with these settings.
pub type MakeCalculator<'a> =
    dyn Fn(&CalculatorConfig) -> Result<Arc<dyn Calculator>, CalculatorError> + 'a;

/// How a result is verified.
pub struct VerifyOptions<'a> {
    /// Best crystals of each experiment and property that are computed again.
    pub top: usize,
    /// Other crystals of each property that are computed again, failures included.
    pub sample: usize,
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
    /// SHA-256 of the result file.
    pub sha256: String,
    /// Version of the program that verified it.
    pub crystalgym_version: String,
    /// Whether the file agrees with itself and everything that was computed holds.
    pub holds: bool,
    /// Where the file does not agree with itself, or could not be computed.
    pub problems: Vec<String>,
    /// Best crystals asked for.
    pub top: usize,
    /// Others asked for.
    pub sample: usize,
    /// What was computed.
    pub checks: Vec<Check>,
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

/// Why a crystal was computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// One of the best.
    Top,
    /// Drawn by the checksum of the file.
    Sample,
}

/// A value or a failure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// In the property's unit.
    Value(f64),
    /// Why there is none.
    Failure(FailureCode),
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
    pub const FORMAT: &'static str = "crystalgym-verification/1";

    /// Reads the record beside a result file; `None` where there is none.
    ///
    /// # Errors
    /// [`BenchmarkError`] if it cannot be read, or is none.
    pub fn read(result: &Path) -> Result<Option<Self>, BenchmarkError> {
        let path = record_path(result);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(BenchmarkError::io(&path))?;
        let record: Self = serde_json::from_str(&text)
            .map_err(|error| BenchmarkError::folder(&path, format!("no record: {error}")))?;
        if record.format != Self::FORMAT {
            let message = format!("format is {:?}, expected {:?}", record.format, Self::FORMAT);
            return Err(BenchmarkError::folder(path, message));
        }
        Ok(Some(record))
    }

    /// Writes the record beside its result file, and says where.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`].
    pub fn write(&self, result: &Path) -> Result<PathBuf, BenchmarkError> {
        let path = record_path(result);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| BenchmarkError::folder(&path, error))?;
        write_atomically(&path, &text).map_err(BenchmarkError::io(&path))?;
        Ok(path)
    }
}

/// `result.json` → `result.json.verified.json`.
pub fn record_path(result: &Path) -> PathBuf {
    let mut name = result.file_name().unwrap_or_default().to_owned();
    name.push(".verified.json");
    result.with_file_name(name)
}

/// The distinct calculators of a result: property, settings and fingerprint.
pub fn calculators(file: &ResultFile) -> Vec<(Property, &CalculatorConfig, &str)> {
    let mut found: Vec<(Property, &CalculatorConfig, &str)> = Vec::new();
    for job in &file.jobs {
        let this = (
            job.property,
            &job.settings.calculator,
            job.fingerprint.as_str(),
        );
        if !found.contains(&this) {
            found.push(this);
        }
    }
    found
}

/// Looks whether a result agrees with itself ([`problems`]); if so, computes its best crystals and a
/// sample of the others again, with the calculator's settings of the file and an empty store.
///
/// The sample is drawn by the checksum of the file, so that who made it could not choose. `None` if
/// cancelled.
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
        top: options.top,
        sample: options.sample,
        checks: Vec::new(),
    };
    if !record.problems.is_empty() {
        return Ok(Some(record));
    }
    let seed = u64::from_str_radix(&result.sha256[..16], 16).unwrap_or_default();
    let mut random = Pcg64::seed_from_u64(seed);
    let store = ResultStore::in_memory().map_err(TrainingError::from)?;
    let mut compositions = Compositions::default();
    for (property, config, fingerprint) in calculators(&result.file) {
        let claims = Claims::of(
            &result.file,
            (property, config, fingerprint),
            &mut compositions,
        );
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
        for (composition, choice) in claims.choose(options, &mut random) {
            let Some(claimed) = claims.outcomes.get(&composition).copied() else {
                continue;
            };
            let crystal = compositions
                .crystal(&composition.skeleton, &composition.elements)
                .map_err(|message| BenchmarkError::folder(&result.path, message))?;
            let evaluation = evaluate(
                calculator.as_ref(),
                Some(&store),
                &crystal,
                property,
                options.cancel,
            );
            if options.cancel.is_cancelled() {
                return Ok(None);
            }
            let check = compare(property, composition, choice, claimed, &evaluation.outcome);
            (options.report)(&check);
            record.checks.push(check);
        }
    }
    record.holds =
        record.problems.is_empty() && record.checks.iter().all(|check| check.verdict.holds());
    Ok(Some(record))
}

/// What a file says of the crystals that one calculator computed.
struct Claims {
    elements: BTreeSet<Element>,
    outcomes: BTreeMap<Composition, Found>,
    /// Best returns first, by experiment.
    best: BTreeMap<String, Vec<(f64, Composition)>>,
}

impl Claims {
    fn of(
        file: &ResultFile,
        calculator: (Property, &CalculatorConfig, &str),
        compositions: &mut Compositions,
    ) -> Self {
        let mut claims = Self {
            elements: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            best: BTreeMap::new(),
        };
        let mut returns: BTreeMap<(&str, Composition), f64> = BTreeMap::new();
        let jobs = file.jobs.iter().filter(|job| {
            (
                job.property,
                &job.settings.calculator,
                job.fingerprint.as_str(),
            ) == calculator
        });
        for job in jobs {
            claims
                .elements
                .extend(action_elements(&job.settings.task).unwrap_or_default());
            let episodes = job.episodes.iter().map(|row| {
                (
                    &row.skeleton,
                    &row.elements,
                    row.value,
                    row.failure,
                    row.episodic_return,
                )
            });
            let rollouts = job.rollouts.iter().map(|row| {
                (
                    &row.skeleton,
                    &row.elements,
                    row.value,
                    row.failure,
                    row.episodic_return,
                )
            });
            for (skeleton, elements, value, failure, episodic_return) in episodes.chain(rollouts) {
                let Ok(composition) = compositions.of(skeleton, elements) else {
                    continue;
                };
                let found = match (value, failure) {
                    (Some(value), _) => Found::Value(value),
                    (None, Some(code)) if code.depends_on_the_moment() => continue,
                    (None, Some(code)) => Found::Failure(code),
                    (None, None) => continue,
                };
                if let Found::Value(_) = found {
                    returns.insert(
                        (job.experiment.as_str(), composition.clone()),
                        episodic_return,
                    );
                }
                claims.outcomes.insert(composition, found);
            }
        }
        for ((experiment, composition), episodic_return) in returns {
            let best = claims.best.entry(experiment.to_owned()).or_default();
            best.push((episodic_return, composition));
        }
        for best in claims.best.values_mut() {
            // Stable: among equals the order of their names.
            best.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        }
        claims
    }

    fn choose(
        &self,
        options: &VerifyOptions<'_>,
        random: &mut Pcg64,
    ) -> Vec<(Composition, Choice)> {
        let best = self
            .best
            .values()
            .flat_map(|best| best.iter().take(options.top));
        let top: BTreeSet<&Composition> = best.map(|(_, composition)| composition).collect();
        let mut others: Vec<&Composition> = self
            .outcomes
            .keys()
            .filter(|composition| !top.contains(composition))
            .collect();
        let mut chosen: Vec<(Composition, Choice)> = top
            .into_iter()
            .map(|composition| (composition.clone(), Choice::Top))
            .collect();
        for _ in 0..options.sample.min(others.len()) {
            let index = (random.next_u64() % others.len() as u64) as usize;
            chosen.push((others.swap_remove(index).clone(), Choice::Sample));
        }
        chosen
    }
}

/// Deviations that kinds of processors may cause.
///
/// The same version on the same kind of processor gives the same bits. Another kind adds numbers up
/// in another order, so that an SCF may stop an iteration earlier or later: values then differ by
/// what its convergence leaves open. Making that ten times finer or coarser moved four gaps by up to
/// 0.6 meV, three densities by 2e-7 and three bulk moduli by 5e-5 of themselves.
fn tolerance(property: Property, value: f64) -> f64 {
    match property {
        Property::BandGap => 2e-3,
        Property::Density => 1e-5 * value.abs(),
        _ => 0.01 + 1e-3 * value.abs(),
    }
}

fn compare(
    property: Property,
    composition: Composition,
    choice: Choice,
    claimed: Found,
    outcome: &Outcome,
) -> Check {
    let found = match outcome {
        Outcome::Success(values) => Found::Value(values.value),
        Outcome::Failure(failure) => Found::Failure(failure.code),
    };
    let (deviation, verdict) = match (claimed, found) {
        (Found::Value(a), Found::Value(b)) => {
            let deviation = (a - b).abs();
            let verdict = if a == b {
                Verdict::Equal
            } else if deviation <= tolerance(property, b) {
                Verdict::WithinTolerance
            } else {
                Verdict::Differs
            };
            (Some(deviation), verdict)
        }
        (Found::Failure(a), Found::Failure(b)) if a == b => (None, Verdict::Equal),
        (_, Found::Failure(code)) if code.depends_on_the_moment() => (None, Verdict::NotComputed),
        _ => (None, Verdict::Differs),
    };
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
