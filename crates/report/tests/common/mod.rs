//! Small benchmarks without DFT, for tests that look at their reports.
#![allow(dead_code, reason = "not every test uses all of it")]

pub(crate) mod browser;

use std::{fs, path::Path, sync::OnceLock};

use crystalgym_benchmark::{Job, RunOptions, Scale, Selection, experiments, run_jobs};
use crystalgym_evaluation::Property;
use crystalgym_training::{Algorithm, ConfigLayers, Preset};
use tempfile::TempDir;

/// Which jobs a benchmark has.
pub(crate) struct Size {
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) properties: Vec<Property>,
    pub(crate) skeletons: Vec<&'static str>,
    pub(crate) seeds: Vec<u64>,
    pub(crate) scale: Scale,
}

/// Two algorithms (without networks, for the sake of time), two properties, two skeletons and the mixed experiment, two seeds.
pub(crate) fn small() -> Size {
    Size {
        algorithms: vec![Algorithm::Genetic, Algorithm::RandomSearch],
        properties: vec![Property::Density, Property::BandGap],
        skeletons: vec!["C2", "C4"],
        seeds: vec![1, 2],
        scale: Scale::Smoke,
    }
}

pub(crate) fn jobs(folder: &Path, size: &Size) -> Vec<Job> {
    let mut layers = ConfigLayers::default();
    layers.add_assignment("calculator.name=empirical").unwrap();
    let named = |name: &str| {
        let mut all = experiments().into_iter();
        all.find(|experiment| experiment.name == name).unwrap()
    };
    let (easy, hard_mixed) = (named("paper-exp1"), named("paper-exp5"));
    let selection = Selection {
        experiments: vec![easy, hard_mixed],
        properties: size.properties.clone(),
        algorithms: size.algorithms.clone(),
        skeletons: size
            .skeletons
            .iter()
            .map(|&label| label.to_owned())
            .collect(),
        seeds: size.seeds.clone(),
        preset: Preset::Standard,
        scale: size.scale,
        layers,
    };
    selection.jobs(&folder.join("store.sqlite")).unwrap()
}

/// A folder with the finished jobs of [`small`]. They are run once and copied for each test.
pub(crate) fn finished_benchmark(folder: &Path) -> Vec<Job> {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let made = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let jobs = jobs(made.path(), &small());
        let options = RunOptions {
            parallel: 2,
            stop: &|| false,
            report: &|_| {},
            progress: &|_, _, _| {},
        };
        let summary = run_jobs(made.path(), &jobs, &options).unwrap();
        assert_eq!((summary.finished, summary.failed), (jobs.len(), 0));
        made
    });
    copy_folder(made.path(), folder);
    jobs(folder, &small())
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_folder(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}
