//! Writes a benchmark folder as one result file.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use crystalgym_crystal::Element;
use crystalgym_evaluation::{CalculatorConfig, Property, QeSettings, Source};
use crystalgym_training::{EpisodeRow, RowSource, RunFolder, TrainingConfig, TrainingError};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use super::{
    compositions::Compositions,
    elements::action_elements,
    file::{Measures, ResultEpisode, ResultFile, ResultJob, ResultRollout, ResultSettings},
    read::is_gzip,
    rows::read_rows,
};
use crate::{
    BenchmarkError, BenchmarkFolder, EvaluationRow, JobMeasure, LeftOut, reader::read_jobs,
    runner::RUN_FOLDER,
};

/// What went into a result file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenResult {
    /// Jobs in the file.
    pub jobs: usize,
    /// Their training episodes.
    pub episodes: usize,
    /// Jobs of the folder that no table counts, and so no result either.
    pub left_out: Vec<LeftOut>,
}

/// Writes what a benchmark folder holds into one file, packed if its name ends in `.gz`. Jobs are
/// read and written one at a time; the file appears whole or not at all, and the same folder gives
/// the same file.
///
/// # Errors
/// [`BenchmarkError`] if the folder holds no finished job, or a file cannot be read or written.
pub fn write_result(
    benchmark: &Path,
    name: &str,
    file: &Path,
) -> Result<WrittenResult, BenchmarkError> {
    let mut read = read_jobs(benchmark)?;
    let (learned, jobs): (Vec<_>, Vec<_>) =
        read.jobs.into_iter().partition(|job| job.learned.is_some());
    read.jobs = jobs;
    let folder = BenchmarkFolder::at(benchmark);
    read.left_out.extend(learned.into_iter().map(|job| LeftOut {
        folder: folder.job(&job.manifest.id),
        reason: "its rewards were learned: what was predicted is no result".to_owned(),
    }));
    let mut written = WrittenResult {
        jobs: read.jobs.len(),
        episodes: 0,
        left_out: read.left_out,
    };
    if read.jobs.is_empty() {
        let message = match written.left_out.first() {
            None => "holds no job".to_owned(),
            Some(first) => format!(
                "holds no finished job; {} is left out: {}",
                first.folder.display(),
                first.reason
            ),
        };
        return Err(BenchmarkError::folder(benchmark, message));
    }
    if !is_replaceable(file) {
        let message = "is there already and is no result: it is not replaced";
        return Err(BenchmarkError::folder(file, message));
    }
    let parent = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let io_error = || BenchmarkError::io(file);
    let mut temporary = tempfile::Builder::new()
        .prefix(".result-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(parent)
        .map_err(io_error())?;
    {
        let mut out: Box<dyn Write> = match is_gzip(file) {
            true => Box::new(GzEncoder::new(
                temporary.as_file_mut(),
                Compression::default(),
            )),
            false => Box::new(BufWriter::new(temporary.as_file_mut())),
        };
        let version = env!("CARGO_PKG_VERSION");
        let head = [
            ("format", ResultFile::FORMAT),
            ("name", name),
            ("crystalgym_version", version),
        ];
        write!(out, "{{").map_err(io_error())?;
        for (key, value) in head {
            write!(out, "\"{key}\":{},", serde_json::json!(value)).map_err(io_error())?;
        }
        write!(out, "\"jobs\":[").map_err(io_error())?;
        let mut writer = JobWriter::default();
        for (index, measure) in read.jobs.iter().enumerate() {
            let job = writer.job(benchmark, measure)?;
            written.episodes += job.episodes.len();
            let comma = if index == 0 { "\n" } else { ",\n" };
            write!(out, "{comma}").map_err(io_error())?;
            serde_json::to_writer(&mut out, &job)
                .map_err(|error| BenchmarkError::io(file)(io::Error::from(error)))?;
        }
        writeln!(out, "\n]}}")
            .and_then(|()| out.flush())
            .map_err(io_error())?;
    }
    temporary.as_file().sync_all().map_err(io_error())?;
    temporary
        .persist(file)
        .map_err(|error| BenchmarkError::io(file)(error.error))?;
    std::fs::File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error())?;
    Ok(written)
}

/// Whether a file is missing, or an earlier result; a link or another file is somebody's own.
fn is_replaceable(file: &Path) -> bool {
    match fs::symlink_metadata(file) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(metadata) if !metadata.is_file() => false,
        Ok(metadata) if metadata.len() == 0 => true,
        Ok(_) => {
            let Ok(opened) = fs::File::open(file) else {
                return false;
            };
            let mut start = [0; 64];
            let read = match is_gzip(file) {
                true => MultiGzDecoder::new(opened).read(&mut start),
                false => (&opened).read(&mut start),
            };
            let start = read.map(|length| String::from_utf8_lossy(&start[..length]).into_owned());
            start.is_ok_and(|start| start.contains("\"crystalgym-result/"))
        }
    }
}

/// Makes jobs, and keeps what is costly and common to many.
#[derive(Default)]
struct JobWriter {
    compositions: Compositions,
    fingerprints: Vec<(CalculatorConfig, Vec<Element>, Property, String)>,
}

impl JobWriter {
    fn job(&mut self, benchmark: &Path, measure: &JobMeasure) -> Result<ResultJob, BenchmarkError> {
        let manifest = &measure.manifest;
        let folder = BenchmarkFolder::at(benchmark).job(&manifest.id);
        let bad = |message: String| BenchmarkError::folder(&folder, message);
        let (episodes, rollouts) = read_rows(&folder)?;
        let config = RunFolder::at(folder.join(RUN_FOLDER)).config()?;
        if config.task.objective.is_some() || !config.calculator.for_property.is_empty() {
            let message = "its objective has several terms, or its properties calculators of their own: \
                           files of results are of one property by one calculator";
            return Err(bad(message.to_owned()));
        }
        if config.screening.is_some() {
            let message = "its agent looked at crystals by another calculator before: whoever verifies \
                           files of results trains it again from the results in them alone";
            return Err(bad(message.to_owned()));
        }
        let all = serde_json::to_value(&config).map_err(|error| bad(error.to_string()))?;
        let hyperparameters = all[manifest.algorithm.name()].as_object().cloned();

        let mut crystals = BTreeSet::new();
        let trained = episodes.iter().map(|row| (&row.skeleton, &row.elements));
        let made = rollouts.iter().map(|row| (&row.skeleton, &row.elements));
        for (skeleton, elements) in trained.chain(made) {
            crystals.insert(self.compositions.of(skeleton, elements).map_err(bad)?);
        }
        let fingerprint = self.fingerprint(&config, manifest.property)?;
        // Results of a table are those of the calculator that made it, and verified as these.
        let maker = config.calculator.maker().map_err(TrainingError::from)?;
        let instant = maker.name.is_instant();
        Ok(ResultJob {
            id: manifest.id.clone(),
            experiment: manifest.experiment.clone(),
            skeletons: manifest.skeletons.clone(),
            held_out: manifest.held_out.clone(),
            property: manifest.property,
            target: manifest.target,
            algorithm: manifest.algorithm,
            preset: manifest.preset,
            seed: manifest.seed,
            scale: manifest.scale,
            crystalgym_version: manifest.crystalgym_version.clone(),
            fingerprint,
            settings: ResultSettings {
                task: config.task,
                calculator: maker.portable(),
                hyperparameters: hyperparameters.unwrap_or_default(),
            },
            measures: Measures::of(measure, crystals.len()),
            episodes: (episodes.iter().map(|row| result_episode(row, instant)))
                .collect::<Result<_, _>>()
                .map_err(bad)?,
            rollouts: rollouts.iter().map(result_rollout).collect(),
        })
    }

    fn fingerprint(
        &mut self,
        config: &TrainingConfig,
        property: Property,
    ) -> Result<String, BenchmarkError> {
        let elements = action_elements(&config.task).map_err(TrainingError::from)?;
        let known = self.fingerprints.iter().find(|(other, others, of, _)| {
            *other == config.calculator && *others == elements && *of == property
        });
        if let Some((.., known)) = known {
            return Ok(known.clone());
        }
        // A program that the folder names is not asked for its version: the folder may be anybody's.
        let mut own = config.calculator.clone();
        own.qe = QeSettings {
            pw: own.qe.pw,
            equation_of_state: own.qe.equation_of_state,
            time_limit_seconds: own.qe.time_limit_seconds,
            ..QeSettings::default()
        };
        let calculator = own.build().map_err(TrainingError::from)?;
        let fingerprint = calculator.fingerprint(&elements, property).0;
        let calculator = config.calculator.clone();
        self.fingerprints
            .push((calculator, elements, property, fingerprint.clone()));
        Ok(fingerprint)
    }
}

/// The wall time of an instant calculator says nothing, and its results are computed, wherever they were
/// looked up.
fn result_episode(row: &EpisodeRow, instant: bool) -> Result<ResultEpisode, String> {
    let source = source(row.source)?;
    Ok(ResultEpisode {
        step: row.step,
        skeleton: row.skeleton.clone(),
        elements: row.elements.clone(),
        value: row.value,
        failure: row.failure,
        episodic_return: row.episodic_return,
        source: if instant { Source::Computed } else { source },
        seconds: if instant {
            0.0
        } else {
            row.calculation_seconds
        },
    })
}

fn result_rollout(row: &EvaluationRow) -> ResultRollout {
    ResultRollout {
        mode: row.mode.clone(),
        held_out: row.held_out,
        skeleton: row.skeleton.clone(),
        elements: row.elements.clone(),
        value: row.value,
        failure: row.failure,
        episodic_return: row.episodic_return,
    }
}

fn source(source: RowSource) -> Result<Source, String> {
    match source {
        RowSource::Computed => Ok(Source::Computed),
        RowSource::Store => Ok(Source::Store),
        RowSource::Coalesced => Ok(Source::Coalesced),
        RowSource::Predicted => {
            Err("an episode was guessed by a model, expected calculations alone".to_owned())
        }
    }
}
