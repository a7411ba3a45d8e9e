//! Jobs on learned rewards: predicted and calculated stay apart in every file and table, a stopped job ends
//! like an undisturbed one, and nothing of it can be submitted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use crystalgym_benchmark::{
    Experiment, Job, RunOptions, RunSummary, Scale, Selection, Tables, experiments,
    learned_experiments, read_jobs, run_jobs, write_result,
};
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_evaluation::Property;
use crystalgym_training::{Algorithm, ConfigLayers, Preset, RunFolder};

/// Densities of some crystals on C4 out of plain arithmetic.
fn data(folder: &Path) -> PathBuf {
    let task = Task::new(&TaskConfig {
        skeletons: vec!["C4".into()],
        property: Property::Density,
        ..TaskConfig::default()
    })
    .unwrap();
    let mut text = "skeleton,elements,density\n".to_owned();
    for number in 0..40_usize {
        let place = |site: usize| ((number * 7 + site * (number + 3)) % task.n_actions()) as u8;
        let crystal = task.crystal(0, &[0, 1, 2, 3].map(place)).unwrap();
        let symbols: Vec<&str> = crystal.elements().iter().map(|e| e.symbol()).collect();
        let density = crystal.rigid_density_g_cm3();
        writeln!(text, "C4,{},{density}", symbols.join(" ")).unwrap();
    }
    let path = folder.join("densities.csv");
    fs::write(&path, text).unwrap();
    path
}

fn selection(experiments: Vec<Experiment>, preset: Preset, data: &Path) -> Selection {
    let mut layers = ConfigLayers::default();
    for assignment in [
        "calculator.name=rigid",
        "output.checkpoint_every=10",
        "learned_reward.model.hidden=4",
        "learned_reward.model.blocks=1",
        // In so short a run nothing would be believed, and everything be a promise.
        "learned_reward.gate=false",
        "learned_reward.checks_promises=false",
        "learned_reward.recalls=false",
    ] {
        layers.add_assignment(assignment).unwrap();
    }
    let file = format!("learned_reward.data={}", data.display());
    layers.add_assignment(&file).unwrap();
    Selection {
        experiments,
        properties: vec![Property::Density],
        algorithms: vec![Algorithm::Dqn],
        skeletons: vec!["C4".to_owned()],
        seeds: vec![1],
        preset,
        scale: Scale::Smoke,
        layers,
    }
}

fn jobs(folder: &Path, preset: Preset, data: &Path) -> Vec<Job> {
    let selection = selection(learned_experiments().to_vec(), preset, data);
    selection.jobs(&folder.join("store.sqlite")).unwrap()
}

fn run(folder: &Path, jobs: &[Job], stop: &(dyn Fn() -> bool + Sync)) -> RunSummary {
    let options = RunOptions {
        parallel: 1,
        stop,
        report: &|manifest| assert_eq!(manifest.reason, None),
        progress: &|_, _, _| {},
    };
    run_jobs(folder, jobs, &options).unwrap()
}

/// The files of a job that do not depend on times.
fn files(folder: &Path, job: &Job) -> [String; 3] {
    [
        "run/predictions.csv",
        "run/pretraining.csv",
        "evaluation.csv",
    ]
    .map(|name| fs::read_to_string(job.folder(folder).join(name)).unwrap())
}

#[test]
fn predicted_and_calculated_stay_apart() {
    for preset in [Preset::Paper, Preset::Standard] {
        let folder = tempfile::tempdir().unwrap();
        let data = data(folder.path());
        let benchmark = folder.path().join("benchmark");
        let jobs = jobs(&benchmark, preset, &data);
        let summary = run(&benchmark, &jobs, &|| false);
        assert_eq!((summary.finished, summary.failed), (2, 0));
        for job in &jobs {
            let run = RunFolder::at(job.folder(&benchmark).join("run"));
            let (episodes, asked) = (run.read_episodes().unwrap(), run.predictions().unwrap());
            // Every calculated episode is in both tables, every predicted one in the second alone.
            let calculated: Vec<u64> = (asked.iter())
                .filter(|row| row.calculated_return.is_some())
                .map(|row| row.episode)
                .collect();
            let numbers: Vec<u64> = episodes.iter().map(|row| row.episode).collect();
            assert_eq!(numbers, calculated);
            assert!(!calculated.is_empty() && calculated.len() < asked.len());
            for row in &asked {
                let has_value = row.calculated_value.is_some();
                assert_eq!(has_value, row.calculated_return.is_some());
            }
            for (row, episode) in asked
                .iter()
                .filter(|row| row.calculated_return.is_some())
                .zip(&episodes)
            {
                assert_eq!(row.calculated_value, episode.value);
                assert_eq!(row.calculated_return, Some(episode.episodic_return));
            }
            assert!(!run.pretraining().unwrap().is_empty());
        }
        let read = read_jobs(&benchmark).unwrap();
        assert!(read.left_out.is_empty(), "{:?}", read.left_out);
        let tables = Tables::of(&read);
        let learned = tables
            .tables
            .iter()
            .find(|table| table.name == "learned_reward");
        assert_eq!(learned.unwrap().rows.len(), 2);
        for job in &read.jobs {
            let measure = job.learned.as_ref().unwrap();
            assert_eq!(measure.calculated(), job.training.episodes);
            assert_eq!(
                measure.predicted() + measure.calculated(),
                measure.asked.len()
            );
        }
        let refused = write_result(&benchmark, "nobody", &folder.path().join("result.json"));
        let message = refused.unwrap_err().to_string();
        assert!(
            message.contains("what was predicted is no result"),
            "{message}"
        );
    }
}

#[test]
fn a_stopped_job_ends_like_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let (undisturbed, stopped) = (folder.path().join("one"), folder.path().join("other"));
    let first = jobs(&undisturbed, Preset::Standard, &data);
    run(&undisturbed, &first, &|| false);
    let jobs = jobs(&stopped, Preset::Standard, &data);
    let mut goes = 0;
    loop {
        let asked = AtomicUsize::new(0);
        let summary = run(&stopped, &jobs, &|| {
            asked.fetch_add(1, Ordering::Relaxed) > 6
        });
        goes += 1;
        if summary.left == 0 {
            break;
        }
        assert!(goes < 100, "{summary:?}");
    }
    assert!(goes > 2, "{goes}");
    for (one, other) in first.iter().zip(&jobs) {
        assert_eq!(files(&undisturbed, one), files(&stopped, other));
    }
}

#[test]
fn a_learned_reward_is_of_its_own_experiments_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let selection = selection(vec![experiments()[0]], Preset::Standard, &data);
    let refused = selection.jobs(&folder.path().join("store.sqlite"));
    let message = refused.err().unwrap().to_string();
    assert!(
        message.contains("learned_reward is set for paper-exp1")
            && message.contains("paper-learned-tuned"),
        "{message}"
    );
}
