//! Small benchmarks, their result files, and edits of these.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crystalgym_benchmark::{
    ResultFile, RunOptions, Scale, Selection, Verification, VerifyOptions, experiments, problems,
    run_jobs, verify, write_result,
};
use crystalgym_evaluation::{CancelToken, Property};
use crystalgym_training::{Algorithm, ConfigLayers, Preset};
use serde_json::Value;

pub(crate) struct Benchmark<'a> {
    pub(crate) properties: &'a [Property],
    pub(crate) algorithms: &'a [Algorithm],
    pub(crate) skeletons: &'a [&'a str],
    pub(crate) seeds: &'a [u64],
    pub(crate) mixed: bool,
    pub(crate) settings: &'a [&'a str],
}

/// Runs a small benchmark and writes its result.
pub(crate) fn result_of(folder: &Path, name: &str, benchmark: &Benchmark<'_>) -> PathBuf {
    let mut layers = ConfigLayers::default();
    for setting in benchmark.settings {
        layers.add_assignment(setting).unwrap();
    }
    let named = |name: &str| {
        let mut all = experiments().into_iter();
        all.find(|experiment| experiment.name == name).unwrap()
    };
    let (easy, mixed) = (named("paper-exp1"), named("paper-exp5"));
    let selection = Selection {
        experiments: if benchmark.mixed {
            vec![easy, mixed]
        } else {
            vec![easy]
        },
        properties: benchmark.properties.to_vec(),
        algorithms: benchmark.algorithms.to_vec(),
        skeletons: benchmark
            .skeletons
            .iter()
            .map(|&label| label.to_owned())
            .collect(),
        seeds: benchmark.seeds.to_vec(),
        preset: Preset::Standard,
        scale: Scale::Smoke,
        layers,
    };
    let runs = folder.join(format!("{name}-runs"));
    let jobs = selection.jobs(&runs.join("store.sqlite")).unwrap();
    let options = RunOptions {
        parallel: 1,
        stop: &|| false,
        report: &|_| {},
        progress: &|_, _, _| {},
    };
    let summary = run_jobs(&runs, &jobs, &options).unwrap();
    assert_eq!(summary.finished, jobs.len());
    let file = folder.join(format!("{name}.json"));
    let written = write_result(&runs, name, &file).unwrap();
    assert_eq!((written.jobs, written.left_out.len()), (jobs.len(), 0));
    file
}

pub(crate) const RIGID: Benchmark<'static> = Benchmark {
    properties: &[Property::Density],
    algorithms: &[Algorithm::RandomSearch, Algorithm::Dqn],
    skeletons: &["C4"],
    seeds: &[1, 2],
    mixed: true,
    settings: &["calculator.name=rigid"],
};

/// Density functional theory at its cheapest: values mean nothing, but they are computed.
pub(crate) const NATIVE: Benchmark<'static> = Benchmark {
    properties: &[Property::BandGap],
    algorithms: &[Algorithm::RandomSearch],
    skeletons: &["C4"],
    seeds: &[1, 2],
    mixed: false,
    settings: &[
        "calculator.native.gth_cutoff_ry=6",
        "calculator.native.kppa=1",
    ],
};

pub(crate) fn verified(file: &Path) -> Verification {
    verified_with(file, None, Verification::SAMPLE)
}

pub(crate) fn verified_with(file: &Path, top: Option<usize>, sample: usize) -> Verification {
    let options = VerifyOptions {
        top,
        sample,
        replays: usize::MAX,
        seed: 7,
        limit: Duration::from_secs(600),
        calculator: &|config| config.build(),
        cancel: &CancelToken::default(),
        report: &|_| {},
    };
    let result = ResultFile::read(file).unwrap();
    let record = verify(&result, &options).unwrap().unwrap();
    record.write(&result).unwrap();
    record
}

/// A change of a file.
pub(crate) type Edit = dyn Fn(&mut Value);

/// The file with a change, beside it.
pub(crate) fn edited(file: &Path, edit: &Edit) -> PathBuf {
    let mut json: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    edit(&mut json);
    let copy = file.with_file_name("edited.json");
    fs::write(&copy, serde_json::to_vec(&json).unwrap()).unwrap();
    copy
}

pub(crate) fn problems_after(file: &Path, edit: &Edit) -> String {
    let result = ResultFile::read(&edited(file, edit)).unwrap();
    problems(&result.file).join("\n")
}
