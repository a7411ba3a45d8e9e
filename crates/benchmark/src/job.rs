//! Jobs: the training runs that a benchmark is made of, and their manifests.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crystalgym_crystal::{EnclosedFolder, Skeleton};
use crystalgym_environment::{ProcessName, published_target};
use crystalgym_evaluation::Property;
use crystalgym_training::{Algorithm, ConfigLayers, Preset, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::{
    BenchmarkError, BenchmarkFolder, Experiment, LearnedExperiment, Scale,
    experiment::learned_experiments,
};

/// Which jobs are to be run.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Experiments.
    pub experiments: Vec<Experiment>,
    /// Properties.
    pub properties: Vec<Property>,
    /// Algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Skeletons of the experiments that are not mixed.
    pub skeletons: Vec<String>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Hyper-parameters.
    pub preset: Preset,
    /// How long the jobs are.
    pub scale: Scale,
    /// Settings of the user over those of preset and scale.
    pub layers: ConfigLayers,
}

/// One training run of a benchmark, with its configuration.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is written beside the run.
    pub manifest: JobManifest,
    /// The run's configuration; its store is the benchmark's.
    pub config: TrainingConfig,
}

/// Whether a job has been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Not yet, or not to its end.
    Pending,
    /// Trained and evaluated.
    Finished,
    /// It cannot be done; the manifest says why.
    Failed,
}

/// `job.json`, beside a job's run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobManifest {
    /// [`JobManifest::FORMAT`].
    pub format: String,
    /// Name, such as `exp1-band_gap-C2-dqn-seed1`.
    pub id: String,
    /// Name of the experiment, such as `paper-exp1`.
    pub experiment: String,
    /// Label of the skeleton, or `mixed`.
    pub skeletons: String,
    /// Skeletons that the agent is evaluated on beside those it has learned on.
    pub held_out: Vec<String>,
    /// Property.
    pub property: Property,
    /// Its target, in its unit; of a range the middle.
    pub target: f64,
    /// How far from the target a value still has the best reward.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tolerance: f64,
    /// Algorithm.
    pub algorithm: Algorithm,
    /// Its preset.
    pub preset: Preset,
    /// Its seed.
    pub seed: u64,
    /// How long the job is.
    pub scale: Scale,
    /// What computes rewards, with the settings that matter.
    pub calculator: String,
    /// Version of the program.
    pub crystalgym_version: String,
    /// Whether it has been done.
    pub status: JobStatus,
    /// Why it cannot be done.
    pub reason: Option<String>,
}

/// Episodes of a job that is about solving its task.
const SOLVING_EPISODES: u64 = 300;

/// Largest manifest that is read.
const MOST_MANIFEST_BYTES: u64 = 1 << 20;

impl JobManifest {
    /// The format of this version.
    pub const FORMAT: &'static str = "crystalgym-job/1";
    /// Its file name.
    pub const FILE: &'static str = "job.json";

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`BenchmarkError::Folder`] with the file, the line and what would be right.
    pub fn read(path: &Path) -> Result<Self, BenchmarkError> {
        let folder = EnclosedFolder::at(path.parent().unwrap_or(Path::new("")));
        let text = folder
            .read_text(Self::FILE, MOST_MANIFEST_BYTES)
            .map_err(BenchmarkError::io(path))?;
        let manifest: Self = serde_json::from_str(&text)
            .map_err(|error| BenchmarkError::folder(path, format!("no manifest: {error}")))?;
        if manifest.format != Self::FORMAT {
            let message = format!("format is {}, expected {}", manifest.format, Self::FORMAT);
            return Err(BenchmarkError::folder(path, message));
        }
        Ok(manifest)
    }

    /// Writes it into the folder of its job.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), BenchmarkError> {
        let path = folder.join(Self::FILE);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| BenchmarkError::folder(&path, error))?;
        EnclosedFolder::at(folder)
            .write(Self::FILE, &text)
            .map_err(BenchmarkError::io(path))
    }
}

impl Selection {
    /// The jobs of the selection, in the order in which they are run: seed by seed, so that a
    /// stopped benchmark has something to say about everything.
    ///
    /// # Errors
    /// [`BenchmarkError::Selection`] where nothing is left, [`BenchmarkError::Training`] for
    /// settings that are not valid.
    pub fn jobs(&self, store: &Path) -> Result<Vec<Job>, BenchmarkError> {
        let mut jobs = Vec::new();
        let mut ids = BTreeSet::new();
        for &seed in &self.seeds {
            for experiment in &self.experiments {
                for &property in &self.properties {
                    if published_target(property, experiment.difficulty).is_none() {
                        continue;
                    }
                    for skeletons in self.skeleton_sets(experiment) {
                        for &algorithm in &self.algorithms {
                            if experiment.network.is_some() && !algorithm.has_network() {
                                continue;
                            }
                            let job =
                                self.job(experiment, property, &skeletons, algorithm, seed, store)?;
                            if ids.insert(job.manifest.id.clone()) {
                                jobs.push(job);
                            }
                        }
                    }
                }
            }
        }
        if jobs.is_empty() {
            return Err(BenchmarkError::Selection {
                option: "selection",
                value: "holds no job".to_owned(),
                expected: "at least one experiment, property, algorithm, skeleton and seed; the \
                           very hard target is one of the density only"
                    .to_owned(),
            });
        }
        Ok(jobs)
    }

    fn skeleton_sets(&self, experiment: &Experiment) -> Vec<String> {
        match experiment.mixed {
            true => vec!["mixed".to_owned()],
            false => self.skeletons.clone(),
        }
    }

    fn job(
        &self,
        experiment: &Experiment,
        property: Property,
        skeletons: &str,
        algorithm: Algorithm,
        seed: u64,
        store: &Path,
    ) -> Result<Job, BenchmarkError> {
        let name = algorithm.name();
        let task = task_name(property, skeletons, experiment);
        let mut layers = ConfigLayers::default();
        layers.set("algorithm.name", name);
        layers.set("algorithm.preset", self.preset.name());
        if let Some(network) = experiment.network {
            layers.set(&format!("{name}.network.architecture"), network);
        }
        let first = layers.clone();
        let sites = most_sites(&TrainingConfig::resolve(&first, Some(&task))?);
        self.scale.set(&mut layers, algorithm, sites);
        if experiment.is_about_solving() {
            set_solving(&mut layers, algorithm, self.scale, sites);
        }
        if let Some(learned) = experiment.learned {
            set_learned(&mut layers, learned, self.preset, self.scale);
        }
        layers.extend(&self.layers.with_word("{skeleton}", skeletons));
        layers.set(&format!("{name}.seed"), seed as i64);
        let mut config = TrainingConfig::resolve(&layers, Some(&task))?;
        check_chosen(
            &config,
            property,
            &TrainingConfig::resolve(&first, Some(&task))?,
        )?;
        if config.learned_reward.is_some() && experiment.learned.is_none() {
            let names = learned_experiments().map(|experiment| experiment.name);
            return Err(BenchmarkError::Selection {
                option: "learned_reward",
                value: format!("is set for {}", experiment.name),
                expected: format!("one of the experiments about it: {}", names.join(", ")),
            });
        }
        config.evaluation.store = store.to_string_lossy().into_owned();
        Ok(Job {
            manifest: JobManifest {
                format: JobManifest::FORMAT.to_owned(),
                id: format!(
                    "{}-{property}-{skeletons}-{name}-seed{seed}",
                    experiment.short_name
                ),
                experiment: experiment.name.to_owned(),
                skeletons: skeletons.to_owned(),
                held_out: experiment.held_out.iter().map(|&s| s.to_owned()).collect(),
                property,
                target: config.task.target,
                tolerance: config.task.tolerance,
                algorithm,
                preset: self.preset,
                seed,
                scale: self.scale,
                calculator: calculator_settings(&config)?,
                crystalgym_version: env!("CARGO_PKG_VERSION").to_owned(),
                status: JobStatus::Pending,
                reason: None,
            },
            config,
        })
    }
}

impl Job {
    /// Whether a benchmark holds the job as finished.
    pub fn is_finished(&self, benchmark: &Path) -> bool {
        JobManifest::read(&self.folder(benchmark).join(JobManifest::FILE))
            .is_ok_and(|manifest| manifest.status == JobStatus::Finished)
    }

    /// The folder of the job in that of its benchmark.
    pub fn folder(&self, benchmark: &Path) -> PathBuf {
        BenchmarkFolder::at(benchmark).job(&self.manifest.id)
    }
}

/// Short runs with looks at the greedy policy: every tenth episode, the last of 300 included; as many
/// as the scale has, if that is less.
fn set_solving(layers: &mut ConfigLayers, algorithm: Algorithm, scale: Scale, sites: usize) {
    let name = algorithm.name();
    let episodes = scale
        .episodes()
        .unwrap_or(SOLVING_EPISODES)
        .min(SOLVING_EPISODES);
    let steps = episodes * sites as u64;
    layers.set(&format!("{name}.total_steps"), steps as i64);
    layers.set("output.look_every", (episodes / 30).max(1) as i64);
}

/// A learned reward with the settings of the preset. What arithmetic says of odd electrons is known to
/// ours and not to the published one.
fn set_learned(
    layers: &mut ConfigLayers,
    learned: LearnedExperiment,
    preset: Preset,
    scale: Scale,
) {
    let tuning = match (learned, preset) {
        (LearnedExperiment::Frozen, _) => "none",
        (LearnedExperiment::FineTuned, Preset::Paper) => "single",
        (LearnedExperiment::FineTuned, Preset::Standard) => "all",
    };
    layers.set("learned_reward.fine_tuning", tuning);
    if preset == Preset::Standard {
        layers.set("task.odd_electrons_fail_at_once", true);
    }
    if scale == Scale::Smoke {
        // Short as the jobs are, something is to be calculated and everything to be quick.
        layers.set("learned_reward.calculate_every", 3);
        layers.set("learned_reward.model.epochs", 2);
        layers.set("learned_reward.model.ascent_steps", 2);
    }
}

/// The name of the task of the paper that jobs of an experiment are about.
fn task_name(property: Property, skeletons: &str, experiment: &Experiment) -> String {
    let (difficulty, actions) = (experiment.difficulty.name(), experiment.actions);
    let task = format!("{property}-{skeletons}-{difficulty}-{actions}");
    match experiment.process {
        ProcessName::Filling => task,
        process => format!("{task}-{}", process.name()),
    }
}

/// What the name of a job says is chosen by options of its own, never by a setting.
fn check_chosen(
    config: &TrainingConfig,
    property: Property,
    planned: &TrainingConfig,
) -> Result<(), BenchmarkError> {
    let chosen = |option: &'static str, value: String, expected: String| {
        Err(BenchmarkError::Selection {
            option,
            value,
            expected,
        })
    };
    if config.task.property != property {
        let expected = format!("{property}: a benchmark's properties are chosen with --properties");
        return chosen(
            "task.property",
            format!("is {}", config.task.property),
            expected,
        );
    }
    if config.task.skeletons != planned.task.skeletons {
        let expected = format!(
            "{}: a benchmark's skeletons are chosen with --skeletons and its experiments",
            planned.task.skeletons.join(" ")
        );
        let value = format!("is {}", config.task.skeletons.join(" "));
        return chosen("task.skeletons", value, expected);
    }
    Ok(())
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn most_sites(config: &TrainingConfig) -> usize {
    let skeletons = config.task.skeletons.iter();
    let sites = skeletons.filter_map(|label| Skeleton::builtin(label).ok());
    sites.map(|skeleton| skeleton.sites()).max().unwrap_or(1)
}

/// The fingerprints that the store knows results of the calculators by, for one element.
fn calculator_settings(config: &TrainingConfig) -> Result<String, BenchmarkError> {
    let properties = match &config.task.objective {
        None => vec![config.task.property],
        Some(terms) => terms.properties(),
    };
    let described = properties.into_iter().map(|property| {
        let calculator = config
            .calculator
            .build_for(property)
            .map_err(crystalgym_training::TrainingError::from)?;
        let fingerprint = calculator.fingerprint(&[], property);
        Ok(format!("{} {}", calculator.name(), fingerprint.0))
    });
    let described: Vec<String> = described.collect::<Result<_, BenchmarkError>>()?;
    Ok(described.join(" "))
}
