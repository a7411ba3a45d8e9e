//! A report over many long runs: time and memory.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, io::Write as _, path::Path, time::Instant};

use common::{Size, jobs};
use crystalgym_benchmark::{EvaluationRow, JobStatus, Scale};
use crystalgym_environment::Reward;
use crystalgym_evaluation::{FailureCode, Property};
use crystalgym_report::{ReportData, write_report};
use crystalgym_training::{Algorithm, Columns, EpisodeRow, EpisodeTable, RowSource, RunFolder};

const EPISODES: u64 = 5000;

/// A generator of numbers that only have to look random (Lehmer's, Park and Miller's constants).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        self.0
    }

    fn share(&mut self) -> f64 {
        self.next() as f64 / 2_147_483_647.0
    }
}

/// Writes finished jobs whose numbers are made up: 100 runs of 5000 episodes.
fn write_made_up_benchmark(folder: &Path) -> usize {
    let size = Size {
        algorithms: vec![
            Algorithm::Ppo,
            Algorithm::Sac,
            Algorithm::Dqn,
            Algorithm::Rainbow,
        ],
        properties: vec![Property::Density],
        skeletons: vec!["C1", "C2", "C4", "C6"],
        seeds: vec![1, 2, 3, 4, 5],
        scale: Scale::Paper,
    };
    let jobs = jobs(folder, &size);
    let symbols = "Li Na K Rb Be Ca Mg Sr H C N O P S Se F Cl Br";
    let symbols: Vec<&str> = symbols.split(' ').collect();
    let mut numbers = Numbers(7);
    for job in &jobs {
        let folder = job.folder(folder);
        fs::create_dir_all(folder.join("run")).unwrap();
        let mut manifest = job.manifest.clone();
        manifest.status = JobStatus::Finished;
        manifest.write(&folder).unwrap();
        fs::write(
            folder.join("run/config.toml"),
            job.config.to_toml().unwrap(),
        )
        .unwrap();
        let mut table =
            EpisodeTable::create(&RunFolder::at(folder.join("run")), Columns::default()).unwrap();
        let crystal = |numbers: &mut Numbers| {
            let labels = &job.config.task.skeletons;
            let label = labels[numbers.next() as usize % labels.len()].clone();
            let sites = match label.as_str() {
                "C4" | "C6" => 4,
                "C3" => 8,
                _ => 5,
            };
            let chosen = (0..sites).map(|_| symbols[numbers.next() as usize % symbols.len()]);
            (label, chosen.collect::<Vec<_>>().join(" "), sites)
        };
        let mut step = 0;
        for episode in 1..=EPISODES {
            let (skeleton, elements, sites) = crystal(&mut numbers);
            step += sites;
            let failed = numbers.share() < 0.2;
            let value = 1.0 + 4.0 * numbers.share();
            let target = job.manifest.target;
            let row = EpisodeRow {
                episode,
                step,
                environment: 0,
                skeleton,
                elements,
                property: job.manifest.property,
                target,
                value: (!failed).then_some(value),
                episodic_return: match failed {
                    true => Reward::of(job.manifest.property).of_failure(),
                    false => (-(value - target).powi(2) / target).exp(),
                },
                failure: failed.then_some(FailureCode::ScfNotConverged),
                source: RowSource::Computed,
                scf_iterations: 12,
                calculation_seconds: numbers.share(),
                start_elements: None,
                start_value: None,
                start_failure: None,
                terms: None,
            };
            table.write(&row).unwrap();
        }
        table.flush().unwrap();
        let mut writer = Vec::new();
        writeln!(
            writer,
            "mode,held_out,skeleton,elements,value,episodic_return,failure"
        )
        .unwrap();
        for held_out in [false, true] {
            for mode in ["greedy", "sampled"] {
                for _ in 0..if held_out && job.manifest.held_out.is_empty() {
                    0
                } else {
                    5
                } {
                    let (skeleton, elements, _) = crystal(&mut numbers);
                    let row = EvaluationRow {
                        mode: mode.to_owned(),
                        held_out,
                        skeleton,
                        elements,
                        value: Some(3.0),
                        episodic_return: numbers.share(),
                        failure: None,
                    };
                    writeln!(
                        writer,
                        "{},{},{},{},3.0,{},",
                        row.mode, row.held_out, row.skeleton, row.elements, row.episodic_return
                    )
                    .unwrap();
                }
            }
        }
        fs::write(folder.join("evaluation.csv"), writer).unwrap();
    }
    jobs.len()
}

/// The most memory that this process has had, in MiB, where the system says it.
fn peak_memory_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

#[test]
#[ignore = "writes 50 MB; run alone, it prints time and memory"]
fn a_hundred_runs_of_half_a_million_episodes() {
    let folder = tempfile::tempdir().unwrap();
    let count = write_made_up_benchmark(folder.path());
    assert_eq!(count, 100);
    let start = Instant::now();
    let data = ReportData::of_benchmark(folder.path()).unwrap();
    let read = start.elapsed();
    assert_eq!((data.jobs.len(), data.tables.left_out.len()), (count, 0));
    let written = write_report(&data, &folder.path().join("report")).unwrap();
    let page = fs::metadata(&written.page).unwrap().len();
    let memory = peak_memory_mib();
    println!(
        "{count} runs, {} episodes: read in {read:.1?}, all in {:.1?}; {} figures, page of {:.1} MB; \
         at most {memory:.0?} MiB",
        count as u64 * EPISODES,
        start.elapsed(),
        written.figures,
        page as f64 / 1e6,
    );
    assert!(memory.is_none_or(|mib| mib < 1024.0), "{memory:?}");
}
