//! Small benchmarks with rigid densities: stopped and gone on with, damaged, and counted again.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use crystalgym_benchmark::{
    Job, JobManifest, RunOptions, RunSummary, Scale, Selection, Tables, experiments, read_jobs,
    run_jobs, shown_number,
};
use crystalgym_evaluation::Property;
use crystalgym_training::{Algorithm, ConfigLayers, Preset};

fn jobs(folder: &Path, algorithms: &[Algorithm], seeds: &[u64]) -> Vec<Job> {
    let mut layers = ConfigLayers::default();
    layers.add_assignment("calculator.name=rigid").unwrap();
    layers.add_assignment("output.checkpoint_every=10").unwrap();
    let named = |name: &str| {
        let mut all = experiments().into_iter();
        all.find(|experiment| experiment.name == name).unwrap()
    };
    let (easy, mixed) = (named("paper-exp1"), named("paper-exp5"));
    let selection = Selection {
        experiments: vec![easy, mixed],
        properties: vec![Property::Density],
        algorithms: algorithms.to_vec(),
        skeletons: vec!["C4".to_owned()],
        seeds: seeds.to_vec(),
        preset: Preset::Standard,
        scale: Scale::Smoke,
        layers,
    };
    selection.jobs(&folder.join("store.sqlite")).unwrap()
}

fn run(folder: &Path, jobs: &[Job], stop: &(dyn Fn() -> bool + Sync)) -> RunSummary {
    let options = RunOptions {
        parallel: 2,
        stop,
        report: &|_| {},
        progress: &|_, _, _| {},
    };
    run_jobs(folder, jobs, &options).unwrap()
}

fn finished(folder: &Path, algorithms: &[Algorithm], seeds: &[u64]) -> Vec<Job> {
    let jobs = jobs(folder, algorithms, seeds);
    let summary = run(folder, &jobs, &|| false);
    assert_eq!((summary.finished, summary.failed), (jobs.len(), 0));
    jobs
}

/// Everything that the tables are made of, by job; without what only one machine can know.
fn results(folder: &Path, jobs: &[Job]) -> Vec<(String, String, String)> {
    jobs.iter()
        .map(|job| {
            let read = |file: &str| fs::read_to_string(job.folder(folder).join(file)).unwrap();
            let episodes = read("run/episodes.csv");
            // The last column is a time.
            let rows = episodes
                .lines()
                .map(|line| line.rsplit_once(',').unwrap().0);
            let rows: Vec<&str> = rows.collect();
            (
                job.manifest.id.clone(),
                rows.join("\n"),
                read("evaluation.csv"),
            )
        })
        .collect()
}

/// Identity: stopped again and again, in the middle of jobs, the benchmark ends with what it gives
/// when nobody disturbs it.
#[test]
fn a_stopped_benchmark_ends_like_an_undisturbed_one() {
    let all = [
        Algorithm::Ppo,
        Algorithm::Sac,
        Algorithm::Dqn,
        Algorithm::Rainbow,
    ];
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [undisturbed, stopped] = folders.each_ref().map(|folder| folder.path());
    let jobs_undisturbed = finished(undisturbed, &all, &[1]);
    assert_eq!(jobs_undisturbed.len(), 8);

    let jobs = jobs(stopped, &all, &[1]);
    let mut goes = 0;
    loop {
        let asked = AtomicUsize::new(0);
        let summary = run(stopped, &jobs, &|| {
            asked.fetch_add(1, Ordering::Relaxed) > 20
        });
        goes += 1;
        if summary.left == 0 {
            break;
        }
        assert!(goes < 200, "{summary:?}");
    }
    assert!(goes > 3, "{goes}");
    assert_eq!(
        results(stopped, &jobs),
        results(undisturbed, &jobs_undisturbed)
    );
}

/// Oracle: the numbers counted again from the raw tables, line by line.
#[test]
fn tables_are_what_the_raw_files_say() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = finished(folder.path(), &[Algorithm::RandomSearch], &[1, 2]);
    let tables = Tables::of(&read_jobs(folder.path()).unwrap());
    assert!(tables.left_out.is_empty());
    let performance = &tables.tables[0];
    // A search has no policy.
    assert_eq!(
        (performance.name, performance.columns[5]),
        ("searches", "best find")
    );
    assert!(
        tables
            .tables
            .iter()
            .all(|table| table.name != "performance")
    );
    let single = performance
        .rows
        .iter()
        .find(|row| row[0] == "paper-exp1")
        .unwrap();

    let mut greedy = Vec::new();
    let mut areas = Vec::new();
    for job in jobs
        .iter()
        .filter(|job| job.manifest.experiment == "paper-exp1")
    {
        let read = |file: &str| fs::read_to_string(job.folder(folder.path()).join(file)).unwrap();
        let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let evaluation = read("evaluation.csv");
        let rows: Vec<Vec<String>> = evaluation.lines().skip(1).map(cells).collect();
        let returns = rows
            .iter()
            .filter(|row| row[0] == "greedy" && row[1] == "false");
        let returns: Vec<f64> = returns.map(|row| row[5].parse().unwrap()).collect();
        assert_eq!(returns.len(), 5);
        greedy.push(returns.iter().sum::<f64>() / 5.0);
        // Mean return of the episodes of each step (docs/benchmark.md, area under the learning curve).
        let mut arrivals: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for row in read("run/episodes.csv").lines().skip(1).map(cells) {
            let arrival = arrivals.entry(row[1].parse().unwrap()).or_default();
            arrival.push(row[8].parse().unwrap());
        }
        let (mut area, mut before) = (0.0, 0);
        for (step, returns) in arrivals {
            let mean = returns.iter().sum::<f64>() / returns.len() as f64;
            area += (mean + 1.0) * (step - before) as f64;
            before = step;
        }
        areas.push(area);
    }
    let shown = |values: &[f64]| {
        let (a, b) = (values[0], values[1]);
        let [mean, low, high] = [0.5 * (a + b), a.min(b), a.max(b)].map(shown_number);
        format!("{mean} ({low} to {high})")
    };
    assert_eq!(single[4], "2");
    assert_eq!(single[5], shown(&greedy));
    assert_eq!(single[10], shown(&areas));
    for table in &tables.tables {
        assert!(table.title.contains("smoke"), "{}", table.title);
        assert_eq!(table.csv().lines().count(), table.rows.len() + 1);
    }
    let files = tables.files();
    assert!(files.iter().any(|(name, _)| name == "searches.tex"));
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

/// What is damaged, unfinished, mixed up or there twice is named and not counted.
#[test]
fn bad_jobs_are_left_out_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = finished(folder.path(), &[Algorithm::RandomSearch], &[1, 2, 3, 4, 5]);
    let single: Vec<&Job> = (jobs.iter())
        .filter(|job| job.manifest.experiment == "paper-exp1")
        .collect();
    let path = |index: usize| single[index].folder(folder.path());
    // Cut off in the middle of a row, and with a row missing.
    let episodes = path(0).join("run/episodes.csv");
    let text = fs::read_to_string(&episodes).unwrap();
    fs::write(&episodes, &text[..text.len() - 30]).unwrap();
    let episodes = path(1).join("run/episodes.csv");
    let text = fs::read_to_string(&episodes).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .enumerate()
        .filter(|(i, _)| *i != 3)
        .map(|(_, l)| l)
        .collect();
    fs::write(&episodes, lines.join("\n") + "\n").unwrap();
    // Another version, and a seed that is there already.
    let change = |index: usize, change: &dyn Fn(&mut JobManifest)| {
        let file = path(index).join(JobManifest::FILE);
        let mut manifest = JobManifest::read(&file).unwrap();
        change(&mut manifest);
        manifest.write(&path(index)).unwrap();
    };
    change(3, &|manifest| {
        manifest.crystalgym_version = "9.9.9".to_owned()
    });
    change(4, &|manifest| manifest.seed = 3);
    let again = folder.path().join("jobs/zz-again");
    copy_folder(&path(2), &again);
    let renamed = folder.path().join("jobs/zz-renamed");
    copy_folder(&path(2), &renamed);
    let mut manifest = JobManifest::read(&again.join(JobManifest::FILE)).unwrap();
    manifest.id = "zz-again".to_owned();
    manifest.write(&again).unwrap();
    let read = read_jobs(folder.path()).unwrap();
    let reasons: Vec<&str> = read
        .left_out
        .iter()
        .map(|job| job.reason.as_str())
        .collect();
    let expected = [
        "cut off",
        "expected 3",
        "9.9.9",
        "seed is 5, its manifest says 3",
        "same seed",
        "its manifest is that of the job",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.contains(expected), "{reason} has no {expected}");
    }
    assert_eq!(read.jobs.len(), 6);

    // The folder is not gone on with when a job has other settings.
    let options = RunOptions {
        parallel: 1,
        stop: &|| false,
        report: &|_| {},
        progress: &|_, _, _| {},
    };
    let error = run_jobs(folder.path(), &jobs, &options)
        .unwrap_err()
        .to_string();
    assert!(error.contains("other settings"), "{error}");
}

/// Each kind of damage, one at a time, in a folder that is sound otherwise.
#[test]
fn every_damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = finished(folder.path(), &[Algorithm::RandomSearch], &[1, 2]);
    assert!(read_jobs(folder.path()).unwrap().left_out.is_empty());
    // The last of its group by name, which others are not compared with.
    let job = jobs.iter().max_by_key(|job| &job.manifest.id).unwrap();
    let job = job.folder(folder.path());
    // Changes the cell of a column in the row of a number, the head being row 0.
    let cell = |text: &str, row: usize, column: usize, value: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut cells: Vec<&str> = lines[row].split(',').collect();
        cells[column] = value;
        lines[row] = cells.join(",");
        lines.join("\n") + "\n"
    };
    type Change<'a> = &'a dyn Fn(&str) -> Vec<u8>;
    let damages: [(&str, Change<'_>, &str); 16] = [
        ("job.json", &|_| Vec::new(), "no manifest"),
        (
            "job.json",
            &|text| text.as_bytes()[..40].to_vec(),
            "no manifest",
        ),
        ("job.json", &|_| vec![0xff, 0xfe, 0, 1], "job.json"),
        (
            "job.json",
            &|text| text.replace("job/1", "job/9").into(),
            "crystalgym-job/9",
        ),
        (
            "run/config.toml",
            &|_| b"= nonsense".to_vec(),
            "config.toml",
        ),
        (
            "run/config.toml",
            &|text| {
                text.replace("gth_cutoff_ry = 16.0", "gth_cutoff_ry = 17.0")
                    .into()
            },
            "setting calculator.native.gth_cutoff_ry is 17.0",
        ),
        ("run/episodes.csv", &|_| Vec::new(), "no episodes"),
        (
            "run/episodes.csv",
            &|_| vec![0xff, 0x80, b'\n', 0, b'\n'],
            "episodes.csv",
        ),
        // Within the last number, which is one as well without its last digit.
        (
            "run/episodes.csv",
            &|text| text.trim_end().as_bytes().to_vec(),
            "cut off in the middle",
        ),
        (
            "run/episodes.csv",
            &|text| (text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n").into(),
            "last checkpoint counted",
        ),
        (
            "run/episodes.csv",
            &|text| cell(text, 2, 8, "NaN").into(),
            "row 2: episodic_return is NaN",
        ),
        (
            "run/episodes.csv",
            &|text| cell(text, 3, 7, "inf").into(),
            "row 3: value is inf",
        ),
        (
            "run/episodes.csv",
            &|text| cell(text, 3, 6, "4.0").into(),
            "row 3: target is 4",
        ),
        (
            "run/episodes.csv",
            &|text| cell(text, 3, 4, "Xx Na").into(),
            "episode 3: unknown element",
        ),
        (
            "evaluation.csv",
            &|text| (text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n").into(),
            "rollouts, expected 5",
        ),
        (
            "evaluation.csv",
            &|text| cell(text, 1, 5, "-7").into(),
            "row 1: episodic_return is -7",
        ),
    ];
    for (file, change, expected) in damages {
        let path = job.join(file);
        let sound = fs::read_to_string(&path).unwrap();
        let damaged = change(&sound);
        assert_ne!(damaged, sound.as_bytes(), "{file}: {expected}");
        fs::write(&path, damaged).unwrap();
        let read = read_jobs(folder.path()).unwrap();
        assert_eq!(read.jobs.len(), jobs.len() - 1, "{file}: {expected}");
        let reason = &read.left_out[0].reason;
        assert!(reason.contains(expected), "{reason} has no '{expected}'");
        fs::write(&path, sound).unwrap();
    }
    assert!(read_jobs(folder.path()).unwrap().left_out.is_empty());
}
