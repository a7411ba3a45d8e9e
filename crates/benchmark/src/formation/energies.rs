//! Formation energies of the crystals that a benchmark's agents made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crystalgym_crystal::{Element, EnclosedFolder};
use crystalgym_evaluation::{
    CancelToken, ElementalReferences, Outcome, ResultStore, StoreKey, formation_energy_ev_per_atom,
    is_on_a_server,
};
use crystalgym_training::{RunFolder, TrainingConfig, TrainingError, Trust};

use crate::{
    BenchmarkError, BenchmarkFolder, LeftOut,
    reader::read_jobs,
    result::{Compositions, read_rows},
    runner::RUN_FOLDER,
};

/// How formation energies are computed.
pub struct FormationOptions<'a> {
    /// The store of the benchmark, if it is not where its jobs say.
    pub store: Option<&'a Path>,
    /// Whether the crystals of training count too, and not only those of the final rollouts.
    pub training: bool,
    /// Whether programs that the folder's jobs name may be run.
    pub trust: Trust<'a>,
    /// Once cancelled, no further reference is computed, and nothing more is written.
    pub cancel: &'a CancelToken,
    /// Told of each job that is done, with its number of crystals.
    pub report: &'a dyn Fn(&str, usize),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FormationSummary {
    /// Jobs with a table.
    pub jobs: usize,
    /// Distinct crystals in the tables, added up over the jobs.
    pub crystals: usize,
    /// Crystals whose evaluation failed, so that they have no energy.
    pub without_energy: usize,
    /// Elements without a reference, and why.
    pub missing: BTreeMap<Element, String>,
    /// Jobs that no table counts.
    pub left_out: Vec<LeftOut>,
}

const FORMATION_FILE: &str = "formation_energies.csv";

/// Writes `jobs/ID/formation_energies.csv` (elements, skeleton, formation_energy_ev_per_atom) for
/// each finished job of a benchmark: the distinct crystals that its trained agent made, with the
/// energies that the store has. Elemental references are computed where the store lacks them.
///
/// `None` if cancelled.
///
/// # Errors
/// [`BenchmarkError`] if a folder, the store or the calculator does not work.
pub fn formation_energies(
    benchmark: &Path,
    options: &FormationOptions<'_>,
) -> Result<Option<FormationSummary>, BenchmarkError> {
    let read = read_jobs(benchmark)?;
    let mut summary = FormationSummary {
        left_out: read.left_out,
        ..FormationSummary::default()
    };
    let mut compositions = Compositions::default();
    // By the settings of the calculator and its store.
    let mut all_references: Vec<(TrainingConfig, ElementalReferences, Arc<ResultStore>)> =
        Vec::new();
    for job in &read.jobs {
        let folder = BenchmarkFolder::at(benchmark).job(&job.manifest.id);
        let config = RunFolder::at(folder.join(RUN_FOLDER)).config()?;
        let known = all_references.iter().position(|(other, ..)| {
            other.calculator == config.calculator && other.evaluation == config.evaluation
        });
        let index = match known {
            Some(index) => index,
            None => {
                options.trust.check(&config, &folder.join(RUN_FOLDER))?;
                let references =
                    ElementalReferences::new(&config.calculator).map_err(TrainingError::from)?;
                let store = Arc::new(open_store(benchmark, &config, options.store)?);
                let references = references.with_store(Arc::clone(&store));
                all_references.push((config, references, store));
                all_references.len() - 1
            }
        };
        let (_, references, store) = &all_references[index];

        let (episodes, rollouts) = read_rows(&folder)?;
        let mut crystals = BTreeSet::new();
        let training = episodes.iter().filter(|_| options.training);
        let training = training.map(|row| (&row.skeleton, &row.elements));
        for (skeleton, elements) in
            training.chain(rollouts.iter().map(|row| (&row.skeleton, &row.elements)))
        {
            let found = compositions.of(skeleton, elements);
            crystals.insert(found.map_err(|message| BenchmarkError::folder(&folder, message))?);
        }

        let mut text = String::from("elements,skeleton,formation_energy_ev_per_atom\n");
        let mut count = 0;
        for composition in crystals {
            let crystal = compositions
                .crystal(&composition.skeleton, &composition.elements)
                .map_err(|message| BenchmarkError::folder(&folder, message))?;
            let key = StoreKey::new(&crystal, job.manifest.property, references.calculator());
            let stored = store.get(&key).map_err(TrainingError::from)?;
            let energy_ev = stored.and_then(|outcome| match outcome {
                Outcome::Success(values) => values.total_energy_ev,
                Outcome::Failure(_) => None,
            });
            let Some(energy_ev) = energy_ev else {
                summary.without_energy += 1;
                continue;
            };
            match formation_energy_ev_per_atom(&crystal, energy_ev, references, options.cancel) {
                Ok(energy_ev_per_atom) => {
                    let (elements, skeleton) = (&composition.elements, &composition.skeleton);
                    let _ = writeln!(text, "{elements},{skeleton},{energy_ev_per_atom}");
                    count += 1;
                }
                Err(_) if options.cancel.is_cancelled() => return Ok(None),
                Err((element, reason)) => {
                    summary.missing.insert(element, reason);
                }
            }
        }
        let path = folder.join(FORMATION_FILE);
        EnclosedFolder::at(&folder)
            .write(FORMATION_FILE, text.as_bytes())
            .map_err(BenchmarkError::io(path))?;
        summary.jobs += 1;
        summary.crystals += count;
        (options.report)(&job.manifest.id, count);
    }
    Ok(Some(summary))
}

fn open_store(
    benchmark: &Path,
    config: &TrainingConfig,
    chosen: Option<&Path>,
) -> Result<ResultStore, BenchmarkError> {
    let named = PathBuf::from(&config.evaluation.store);
    let beside = BenchmarkFolder::at(benchmark).store()?;
    let candidates = match chosen {
        // What was asked for, and nothing else.
        Some(path) => vec![path.to_owned()],
        None => vec![named, beside],
    };
    let found = candidates
        .into_iter()
        .find(|path| is_on_a_server(path) || path.exists());
    let Some(path) = found else {
        let named = chosen
            .unwrap_or(Path::new(&config.evaluation.store))
            .display();
        let message = format!("no store at {named}: choose the one of the benchmark with --store");
        return Err(BenchmarkError::folder(benchmark, message));
    };
    Ok(ResultStore::open(&path).map_err(TrainingError::from)?)
}
