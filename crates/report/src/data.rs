//! What a report is made of.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use crystalgym_benchmark::{
    BenchmarkFolder, JobMeasure, NOT_FINISHED, ReducedElements, RewardSource, RunLabel, Tables,
    TaskVerdict, TrainingMeasure, UnfinishedRun, judged_table, read_jobs_of, read_run,
    read_unfinished_jobs, reduced_elements, task_verdicts,
};
use crystalgym_crystal::{Skeleton, read_text};
use crystalgym_environment::Task;
use crystalgym_metrics::{Composition, MetricsError};
use crystalgym_training::RunFolder;

use crate::ReportError;

/// Everything that a report is made of.
#[derive(Debug, Clone)]
pub struct ReportData {
    /// What it is a report of.
    pub title: String,
    /// How long the jobs are, to be read on every figure.
    pub stamp: String,
    /// Finished jobs: what tables count.
    pub jobs: Vec<JobMeasure>,
    /// Runs under way; they are shown with their episodes alone.
    pub unfinished: Vec<UnfinishedRun>,
    /// The tables, and what was left out of them.
    pub tables: Tables,
    /// What they say at a glance, a task each.
    pub verdicts: Vec<TaskVerdict>,
    /// What a composition must not be among to be new.
    pub reference: Reference,
    /// Skeletons by label, for pictures.
    pub skeletons: BTreeMap<String, Arc<Skeleton>>,
}

/// Known compositions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What they are, to be read after "new: not among".
    pub name: String,
    /// They.
    pub compositions: BTreeSet<ReducedElements>,
}

/// A run, finished or not.
#[derive(Debug, Clone)]
pub(crate) struct Run<'a> {
    pub(crate) label: RunLabel,
    pub(crate) training: &'a TrainingMeasure,
    pub(crate) finished: bool,
}

impl ReportData {
    /// The finished jobs of a benchmark folder.
    ///
    /// # Errors
    /// [`ReportError::Benchmark`] if the folder is no benchmark.
    pub fn of_benchmark(folder: &Path) -> Result<Self, ReportError> {
        Self::of_benchmarks(&[folder])
    }

    /// The finished jobs of several benchmark folders as if they were one.
    ///
    /// # Errors
    /// [`ReportError::Benchmark`] if one of the folders is no benchmark.
    pub fn of_benchmarks(folders: &[&Path]) -> Result<Self, ReportError> {
        let read = read_jobs_of(folders)?;
        let mut tables = Tables::of(&read);
        tables
            .tables
            .extend(folders.first().and_then(|folder| judged_table(folder)));
        let mut scales: Vec<&str> = (read.jobs.iter())
            .map(|job| job.manifest.scale.name())
            .collect();
        scales.sort_unstable();
        scales.dedup();
        let stamp = match scales.as_slice() {
            [] => "no finished job".to_owned(),
            scales => format!("scale: {}", scales.join(", ")),
        };
        Ok(Self {
            title: "CrystalGym benchmark".to_owned(),
            stamp,
            verdicts: task_verdicts(&read.jobs),
            jobs: read.jobs,
            unfinished: Vec::new(),
            tables,
            reference: Reference::sources_of_the_skeletons(),
            skeletons: by_label(Skeleton::builtins().unwrap_or_default()),
        })
    }

    /// As it stands: the finished jobs of a benchmark folder with those under way, or a single
    /// training run.
    ///
    /// # Errors
    /// [`ReportError::NoRuns`] if the folder is neither.
    pub fn as_it_stands(folder: &Path) -> Result<Self, ReportError> {
        if BenchmarkFolder::at(folder).holds_jobs() {
            let mut data = Self::of_benchmark(folder)?;
            data.unfinished = read_unfinished_jobs(folder)?;
            return Ok(data);
        }
        if !RunFolder::at(folder).holds_run() {
            return Err(ReportError::NoRuns(folder.to_owned()));
        }
        let run = read_run(folder)?;
        Ok(Self {
            title: format!("Training run {}", run.label.id),
            stamp: "one training run".to_owned(),
            jobs: Vec::new(),
            verdicts: Vec::new(),
            unfinished: vec![run],
            tables: Tables {
                tables: Vec::new(),
                left_out: Vec::new(),
            },
            reference: Reference::sources_of_the_skeletons(),
            skeletons: by_label(read_skeletons(folder)),
        })
    }

    /// Where rewards come from, with the properties that they are of.
    pub fn reward_sources(&self) -> BTreeMap<&RewardSource, BTreeSet<&'static str>> {
        let finished = (self.jobs.iter()).map(|job| (&job.rewards, job.manifest.property));
        let unfinished = (self.unfinished.iter()).map(|run| (&run.rewards, run.label.property));
        let mut sources: BTreeMap<&RewardSource, BTreeSet<&'static str>> = BTreeMap::new();
        for (source, property) in finished.chain(unfinished) {
            if let Some(source) = source {
                sources.entry(source).or_default().insert(property.name());
            }
        }
        sources
    }

    /// Whether nothing is under way any more, and something has been done.
    pub fn is_finished(&self) -> bool {
        let waiting = (self.tables.left_out.iter()).any(|(_, reason)| reason == NOT_FINISHED);
        let nothing = self.jobs.is_empty() && self.unfinished.is_empty();
        !nothing && !waiting && self.unfinished.iter().all(|run| run.trained)
    }

    /// All runs, finished ones first.
    pub(crate) fn runs(&self) -> Vec<Run<'_>> {
        let finished = self.jobs.iter().map(|job| Run {
            label: RunLabel::from(&job.manifest),
            training: &job.training,
            finished: true,
        });
        let unfinished = self.unfinished.iter().map(|run| Run {
            label: run.label.clone(),
            training: &run.training,
            finished: false,
        });
        finished.chain(unfinished).collect()
    }
}

fn by_label(skeletons: Vec<Arc<Skeleton>>) -> BTreeMap<String, Arc<Skeleton>> {
    let labelled = skeletons.into_iter();
    labelled
        .map(|skeleton| (skeleton.label.clone(), skeleton))
        .collect()
}

/// Those of a run, which may come from files; none where these are gone.
fn read_skeletons(run: &Path) -> Vec<Arc<Skeleton>> {
    let config = RunFolder::at(run).config();
    let task = config.ok().and_then(|config| Task::new(&config.task).ok());
    task.map(|task| task.skeletons().to_vec())
        .unwrap_or_default()
}

impl Reference {
    /// The compositions of the seven materials that the built-in skeletons come from: all that is
    /// known without a data base.
    pub fn sources_of_the_skeletons() -> Self {
        let skeletons = Skeleton::builtins().unwrap_or_default();
        let formulas = skeletons
            .iter()
            .filter_map(|skeleton| skeleton.source.formula.as_deref());
        Self {
            name: "the seven materials that C1 to C7 come from".to_owned(),
            compositions: (formulas.filter_map(|text| text.parse().ok()))
                .map(|composition| reduced_elements(&composition))
                .collect(),
        }
    }

    /// A file with one formula a line; empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// [`ReportError::Reference`] with the line.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let text = read_text(path).map_err(ReportError::io(path))?;
        let mut compositions = BTreeSet::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let composition: Composition =
                line.parse()
                    .map_err(|error: MetricsError| ReportError::Reference {
                        path: path.to_owned(),
                        line: number,
                        message: error.to_string(),
                    })?;
            compositions.insert(reduced_elements(&composition));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: format!("the {} compositions of {name}", compositions.len()),
            compositions,
        })
    }
}
