//! Result files: written, verified by the calculator, and caught when somebody edits them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crystalgym_benchmark::{
    Choice, Found, Leaderboard, ResultFile, RunOptions, Scale, Selection, Verdict, Verification,
    VerifyOptions, experiments, problems, record_path, run_jobs, verify, write_result,
};
use crystalgym_evaluation::{CancelToken, FailureCode, Property};
use crystalgym_training::{Algorithm, ConfigLayers, Preset};
use serde_json::{Value, json};

struct Benchmark<'a> {
    properties: &'a [Property],
    algorithms: &'a [Algorithm],
    skeletons: &'a [&'a str],
    seeds: &'a [u64],
    mixed: bool,
    settings: &'a [&'a str],
}

/// Runs a small benchmark and writes its result.
fn result_of(folder: &Path, name: &str, benchmark: &Benchmark<'_>) -> PathBuf {
    let mut layers = ConfigLayers::default();
    for setting in benchmark.settings {
        layers.add_assignment(setting).unwrap();
    }
    let [easy, .., mixed, _, _] = experiments();
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

const RIGID: Benchmark<'static> = Benchmark {
    properties: &[Property::Density],
    algorithms: &[Algorithm::RandomSearch, Algorithm::Dqn],
    skeletons: &["C4"],
    seeds: &[1, 2],
    mixed: true,
    settings: &["calculator.name=rigid"],
};

/// Density functional theory at its cheapest: values mean nothing, but they are computed.
const NATIVE: Benchmark<'static> = Benchmark {
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

fn verified(file: &Path) -> Verification {
    verified_with(file, None, Verification::SAMPLE)
}

fn verified_with(file: &Path, top: Option<usize>, sample: usize) -> Verification {
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
type Edit = dyn Fn(&mut Value);

/// The file with a change, beside it.
fn edited(file: &Path, edit: &Edit) -> PathBuf {
    let mut json: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    edit(&mut json);
    let copy = file.with_file_name("edited.json");
    fs::write(&copy, serde_json::to_vec(&json).unwrap()).unwrap();
    copy
}

fn problems_after(file: &Path, edit: &Edit) -> String {
    let result = ResultFile::read(&edited(file, edit)).unwrap();
    problems(&result.file).join("\n")
}

/// Everything in the file that lies: each is caught without computing anything.
#[test]
fn a_result_that_disagrees_with_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = result_of(folder.path(), "rigid", &RIGID);
    let record = verified(&file);
    assert!(record.holds && record.is_complete(), "{record:?}");
    assert!(
        record
            .checks
            .iter()
            .all(|check| check.verdict == Verdict::Equal)
    );

    let cases: [(&str, &Edit); 25] = [
        ("jobs[1].id", &|file| {
            let jobs = file["jobs"].as_array_mut().unwrap();
            jobs.swap(0, 1);
        }),
        ("jobs[1]: has the episodes", &|file| {
            let (id, seed) = (
                file["jobs"][1]["id"].clone(),
                file["jobs"][1]["seed"].clone(),
            );
            file["jobs"][1] = file["jobs"][0].clone();
            file["jobs"][1]["id"] = id;
            file["jobs"][1]["seed"] = seed.clone();
            file["jobs"][1]["settings"]["hyperparameters"]["seed"] = seed;
        }),
        ("episodes[2].seconds", &|file| {
            file["jobs"][0]["episodes"][2]["seconds"] = json!(1e-6)
        }),
        ("episodes[2].source", &|file| {
            file["jobs"][0]["episodes"][2]["source"] = json!("store")
        }),
        ("episodes[3].step", &|file| {
            for row in file["jobs"][0]["episodes"].as_array_mut().unwrap() {
                row["step"] = json!(0);
            }
        }),
        ("episodes[0].return", &|file| {
            let value = file["jobs"][0]["episodes"][0]["return"].as_f64().unwrap();
            file["jobs"][0]["episodes"][0]["return"] = json!(value * (1.0 + 1e-14));
        }),
        ("measures.sampled_return", &|file| {
            let value = file["jobs"][0]["measures"]["sampled_return"]
                .as_f64()
                .unwrap();
            file["jobs"][0]["measures"]["sampled_return"] = json!(value * (1.0 + 1e-15));
        }),
        ("crystalgym_version", &|file| {
            file["crystalgym_version"] = json!("0.0.1")
        }),
        ("name", &|file| file["name"] = json!("x".repeat(1000))),
        ("episodes[3].return", &|file| {
            file["jobs"][0]["episodes"][3]["return"] = json!(0.99)
        }),
        ("rollouts[1].return", &|file| {
            file["jobs"][0]["rollouts"][1]["return"] = json!(0.99)
        }),
        ("expected either a value or a failure", &|file| {
            file["jobs"][1]["episodes"][0]["failure"] = json!("scf_not_converged");
        }),
        ("measures.greedy_return", &|file| {
            file["jobs"][0]["measures"]["greedy_return"] = json!(0.99);
        }),
        ("measures.distinct_crystals", &|file| {
            file["jobs"][0]["measures"]["distinct_crystals"] = json!(1);
        }),
        ("episodes are missing", &|file| {
            file["jobs"][0]["episodes"]
                .as_array_mut()
                .unwrap()
                .remove(4);
        }),
        ("rollouts", &|file| {
            file["jobs"][0]["rollouts"]
                .as_array_mut()
                .unwrap()
                .remove(4);
        }),
        ("jobs[1].id", &|file| {
            file["jobs"][1] = file["jobs"][0].clone()
        }),
        ("seed is", &|file| file["jobs"][0]["seed"] = json!(77)),
        ("target", &|file| file["jobs"][0]["target"] = json!(2.0)),
        ("total_steps", &|file| {
            file["jobs"][0]["settings"]["hyperparameters"]["total_steps"] = json!(480);
        }),
        (
            "settings.hyperparameters: environments is missing",
            &|file| {
                let settings = &mut file["jobs"][0]["settings"]["hyperparameters"];
                settings.as_object_mut().unwrap().remove("environments");
            },
        ),
        ("crystalgym_version", &|file| {
            file["jobs"][0]["crystalgym_version"] = json!("9.9.9")
        }),
        ("expected one of", &|file| {
            file["jobs"][0]["episodes"][0]["skeleton"] = json!("C1");
        }),
        ("not in the action set", &|file| {
            file["jobs"][0]["episodes"][0]["elements"] = json!("Au Au Au Au");
        }),
        ("names commands", &|file| {
            file["jobs"][0]["settings"]["calculator"]["qe"]["command"] = json!(["rm", "-rf"]);
        }),
    ];
    for (expected, edit) in cases {
        let found = problems_after(&file, edit);
        assert!(found.contains(expected), "{expected}: {found:?}");
    }
}

/// A file with a value that its calculator does not give does not hold; nor does one whose failures
/// were edited away, and what is left is consistent.
#[test]
fn edited_properties_are_computed_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = result_of(folder.path(), "native", &NATIVE);
    let cutoff = problems_after(&file, &|file| {
        for job in file["jobs"].as_array_mut().unwrap() {
            job["settings"]["calculator"]["native"]["gth_cutoff_ry"] = json!(1000.0);
        }
    });
    assert!(
        cutoff.contains("native.gth_cutoff_ry: is 1000, expected at most"),
        "{cutoff}"
    );
    let record = verified_with(&file, None, 3);
    assert!(record.holds && !record.is_complete(), "{record:#?}");
    assert_eq!(record.ranked.computed, record.ranked.all);
    assert_eq!(record.others.computed, 3);
    assert_eq!(
        record
            .checks
            .iter()
            .filter(|check| check.choice == Choice::Ranked)
            .count(),
        record.ranked.all
    );
    assert!(
        record
            .checks
            .iter()
            .all(|check| check.verdict == Verdict::Equal),
        "{record:#?}"
    );

    // As a careful cheat would: value, returns and measures agree.
    let result = ResultFile::read(&file).unwrap().file;
    let failed = (result.jobs[0].episodes.iter())
        .find(|row| row.failure == Some(FailureCode::OddElectronCount))
        .unwrap();
    let computed = result.jobs[0]
        .episodes
        .iter()
        .find(|row| row.value.is_some())
        .unwrap();
    for (elements, was) in [(&failed.elements, "failure"), (&computed.elements, "value")] {
        let mut cheat = result.clone();
        for job in &mut cheat.jobs {
            for row in job
                .episodes
                .iter_mut()
                .filter(|row| row.elements == *elements)
            {
                row.value = Some(1.12);
                row.failure = None;
                row.episodic_return = 1.0;
            }
            for row in job
                .rollouts
                .iter_mut()
                .filter(|row| row.elements == *elements)
            {
                row.value = Some(1.12);
                row.failure = None;
                row.episodic_return = 1.0;
            }
        }
        let copy = folder.path().join(format!("{was}.json"));
        let told = agreeing(&mut cheat);
        fs::write(&copy, serde_json::to_vec(&cheat).unwrap()).unwrap();
        assert!(told.is_empty(), "{told:?}");
        // Greedy rollouts of a random search are its best crystals: ranked, and computed again.
        for job in &mut cheat.jobs {
            let row = job.rollouts.iter_mut().find(|row| row.mode == "greedy");
            let row = row.unwrap();
            row.elements.clone_from(elements);
            (row.value, row.failure, row.episodic_return) = (Some(1.12), None, 1.0);
        }
        let told = agreeing(&mut cheat);
        assert!(told.is_empty(), "{told:?}");
        fs::write(&copy, serde_json::to_vec(&cheat).unwrap()).unwrap();
        let record = verified_with(&copy, None, 0);
        assert_eq!(record.problems, Vec::<String>::new());
        assert!(!record.holds);
        let caught = record
            .checks
            .iter()
            .find(|check| check.verdict == Verdict::Differs)
            .unwrap();
        assert_eq!(caught.choice, Choice::Ranked);
        assert_eq!(caught.skeleton, "C4");
    }
    // A failure that is left out is missed, whatever the measures say.
    let mut cheat = result.clone();
    let rows = &mut cheat.jobs[0].episodes;
    let place = rows.iter().position(|row| row.failure.is_some()).unwrap();
    rows.remove(place);
    let told = agreeing(&mut cheat).join("\n");
    assert!(told.contains("episodes are missing"), "{told}");
}

/// The area of docs/benchmark.md above a failure's −1, arrival by arrival.
fn area(rows: impl Iterator<Item = (f64, f64)>) -> f64 {
    let rows: Vec<(f64, f64)> = rows.collect();
    let (mut area, mut before) = (0.0, 0.0);
    for arrival in rows.chunk_by(|a, b| a.0 == b.0) {
        let sum: f64 = arrival.iter().map(|(_, value)| value).sum();
        area += (sum / arrival.len() as f64 + 1.0) * (arrival[0].0 - before);
        before = arrival[0].0;
    }
    area
}

/// Makes the measures agree with the rows, by what [`problems`] says about them; and what it still
/// says then.
fn agreeing(cheat: &mut ResultFile) -> Vec<String> {
    for job in &mut cheat.jobs {
        let returns: Vec<f64> = job.episodes.iter().map(|row| row.episodic_return).collect();
        let measures = &mut job.measures;
        measures.episodes = returns.len();
        measures.failures.clear();
        for code in job.episodes.iter().filter_map(|row| row.failure) {
            *measures.failures.entry(code.name().to_owned()).or_default() += 1;
        }
        measures.last_return = returns.iter().sum::<f64>() / returns.len() as f64;
        measures.best_return = returns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        measures.area_under_curve = area(job.episodes.iter().map(|row| {
            let step = u32::try_from(row.step).unwrap();
            (f64::from(step), row.episodic_return)
        }));
        let mean = |mode: &str| {
            let rows = job.rollouts.iter().filter(|row| row.mode == mode);
            let returns: Vec<f64> = rows.map(|row| row.episodic_return).collect();
            returns.iter().sum::<f64>() / returns.len() as f64
        };
        (measures.greedy_return, measures.sampled_return) = (mean("greedy"), mean("sampled"));
    }
    // What is left are the distinct crystals, by what is said of them, as anybody can read it off.
    for problem in problems(cheat) {
        let Some((at, expected)) = problem.split_once("].measures.distinct_crystals: is ") else {
            continue;
        };
        let index: usize = at.trim_start_matches("jobs[").parse().unwrap();
        let expected = expected.split("expected ").nth(1).unwrap();
        cheat.jobs[index].measures.distinct_crystals = expected.parse().unwrap();
    }
    problems(cheat)
}

/// Anything may come from outside.
#[test]
fn bad_files_get_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = result_of(
        folder.path(),
        "rigid",
        &Benchmark {
            mixed: false,
            ..RIGID
        },
    );
    let text = fs::read_to_string(&file).unwrap();
    let step = text.find("\"step\":").unwrap();
    let comma = step + text[step..].find(',').unwrap();
    let with_step = |value: &str| format!("{}\"step\":{value}{}", &text[..step], &text[comma..]);
    let target = text.find("\"target\":").unwrap();
    let end = target + text[target..].find(',').unwrap();
    let with_target =
        |value: &str| format!("{}\"target\":{value}{}", &text[..target], &text[end..]);
    for (what, bytes, expected) in [
        (
            "truncated",
            text[..text.len() / 2].to_owned(),
            "not a result: EOF",
        ),
        ("empty", String::new(), "EOF"),
        ("another thing", "[1, 2]".to_owned(), "not a result"),
        (
            "format",
            text.replacen("crystalgym-result/1", "crystalgym-result/9", 1),
            "format is \"crystalgym-result/9\", expected \"crystalgym-result/1\"",
        ),
        ("NaN", with_target("NaN"), "not a result"),
        ("huge", with_target("1e999"), "number out of range"),
        ("negative", with_step("-5"), "jobs[0].episodes[0].step"),
        ("text", with_step("\"five\""), "jobs[0].episodes[0].step"),
        (
            "unknown field",
            text.replacen("\"target\":", "\"colour\":1,\"target\":", 1),
            "unknown field `colour`",
        ),
        (
            "twice",
            text.replacen("\"target\":", "\"target\":3.0,\"target\":", 1),
            "duplicate field `target`",
        ),
        (
            "algorithm",
            text.replacen("\"algorithm\":\"dqn\"", "\"algorithm\":\"a2c\"", 1),
            "unknown variant `a2c`",
        ),
    ] {
        let bad = folder.path().join("bad.json");
        fs::write(&bad, bytes).unwrap();
        let error = ResultFile::read(&bad).unwrap_err().to_string();
        assert!(
            error.contains(expected) && error.contains("bad.json"),
            "{what}: {error}"
        );
    }
    let packed = folder.path().join("bad.json.gz");
    fs::write(&packed, &text).unwrap();
    assert!(
        ResultFile::read(&packed)
            .unwrap_err()
            .to_string()
            .contains("bad.json.gz")
    );
    // What a default would fill in is missing all the same.
    for (group, member) in [
        ("calculator", "/native/max_iterations"),
        ("task", "/actions"),
    ] {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let (parent, name) = member.rsplit_once('/').unwrap();
        let at = format!("/jobs/0/settings/{group}{parent}");
        let settings = value.pointer_mut(&at).unwrap().as_object_mut().unwrap();
        settings.remove(name).unwrap();
        let bad = folder.path().join("bad.json");
        fs::write(&bad, value.to_string()).unwrap();
        let error = ResultFile::read(&bad).unwrap_err().to_string();
        let missing = format!("{name} is missing");
        assert!(error.contains(&missing) && error.contains(group), "{error}");
    }
}

/// Only files with a fresh record in which everything holds are ranked, and only with their like.
#[test]
fn the_leaderboard_ranks_what_was_verified() {
    let folder = tempfile::tempdir().unwrap();
    let density = Benchmark {
        mixed: false,
        ..RIGID
    };
    let good = result_of(folder.path(), "good", &density);
    let other = result_of(
        folder.path(),
        "other",
        &Benchmark {
            seeds: &[3, 4, 5],
            ..density
        },
    );
    let fewer = result_of(
        folder.path(),
        "skeleton",
        &Benchmark {
            skeletons: &["C6"],
            ..density
        },
    );
    let packed = folder.path().join("packed.json.gz");
    write_result(&folder.path().join("other-runs"), "packed", &packed).unwrap();
    // The same once more: with blanks, and in another order of members under another name.
    let blank = folder.path().join("other-blank.json");
    let text = fs::read_to_string(&other).unwrap();
    fs::write(
        &blank,
        format!("{} \n", text.replacen("\"jobs\"", "\n \"jobs\" ", 1)),
    )
    .unwrap();
    let renamed = folder.path().join("other-renamed.json");
    let mut json: Value = serde_json::from_str(&text).unwrap();
    json["name"] = json!("Mallory");
    fs::write(&renamed, serde_json::to_vec_pretty(&json).unwrap()).unwrap();
    for file in [&good, &other, &fewer, &packed, &blank, &renamed] {
        assert!(verified(file).holds);
    }
    let sha256 = |file: &Path| ResultFile::read(file).unwrap().sha256;
    assert_eq!(sha256(&blank), sha256(&other));
    assert_ne!(sha256(&renamed), sha256(&other));
    let unverified = folder.path().join("unverified.json");
    write_result(&folder.path().join("good-runs"), "unverified", &unverified).unwrap();
    let stale = folder.path().join("stale.json");
    fs::copy(record_path(&good), record_path(&stale)).unwrap();
    write_result(&folder.path().join("good-runs"), "stale", &stale).unwrap();
    let bad = edited(&good, &|file| {
        file["jobs"][0]["episodes"][3]["return"] = json!(0.99)
    });
    assert!(!verified(&bad).holds);

    let torn = folder.path().join("torn.json");
    write_result(&folder.path().join("good-runs"), "torn", &torn).unwrap();
    let record = fs::read(record_path(&good)).unwrap();
    fs::write(record_path(&torn), &record[..record.len() / 2]).unwrap();

    let board = Leaderboard::read(folder.path()).unwrap();
    let reasons: Vec<(String, &str)> = (board.left_out.iter())
        .map(|one| {
            (
                one.folder
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned(),
                one.reason.as_str(),
            )
        })
        .collect();
    // Two algorithms each of three files that say what another has said.
    let (copies, reasons): (Vec<_>, Vec<_>) = reasons
        .into_iter()
        .partition(|(_, reason)| reason.contains("the same jobs as in other-blank.json"));
    assert_eq!(copies.len(), 6, "{copies:?} {reasons:?}");
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(reasons[0].0 == "edited.json" && reasons[0].1.contains("episodes[3].return"));
    assert_eq!(
        reasons[1],
        ("stale.json".to_owned(), "has changed since it was verified")
    );
    assert!(
        reasons[2].0 == "torn.json" && reasons[2].1.contains("no record"),
        "{reasons:?}"
    );
    assert_eq!(
        reasons[3],
        ("unverified.json".to_owned(), "is not verified")
    );

    // Two sets of skeletons, and searches apart from policies in each.
    let tables = board.tables();
    assert_eq!(tables.len(), 4);
    for (table, algorithm) in tables.iter().zip(["dqn", "random_search"]) {
        assert!(table.title.contains("C4") && table.title.contains("scale: smoke"));
        // One row of good and one of other.
        assert_eq!(table.rows.len(), 2);
        assert!(
            table
                .rows
                .iter()
                .flatten()
                .any(|cell| cell.contains(algorithm))
        );
        let means: Vec<f64> = (board.rows.iter())
            .filter(|row| row.skeletons == "C4" && row.algorithm.contains(algorithm))
            .map(|row| row.interquartile_mean)
            .collect();
        assert!(means.windows(2).all(|pair| pair[0] >= pair[1]), "{means:?}");
    }
    // Oracle: with two seeds the interquartile mean is the mean of the two greedy returns.
    let file = ResultFile::read(&good).unwrap().file;
    let jobs = file
        .jobs
        .iter()
        .filter(|job| job.algorithm == Algorithm::Dqn);
    let returns: Vec<f64> = jobs.map(|job| job.measures.greedy_return).collect();
    let row = board
        .rows
        .iter()
        .find(|row| row.name == "good" && row.algorithm.contains("dqn"));
    let row = row.unwrap();
    assert!((row.interquartile_mean - 0.5 * (returns[0] + returns[1])).abs() < 1e-12);
    assert_eq!(row.seeds, 2);
}

/// The same folder gives the same bytes, and the schema describes them. Oracle: the validator of
/// Python's jsonschema.
#[test]
fn files_follow_the_published_schema() {
    let folder = tempfile::tempdir().unwrap();
    let file = result_of(folder.path(), "rigid", &RIGID);
    let again = folder.path().join("again.json");
    write_result(&folder.path().join("rigid-runs"), "rigid", &again).unwrap();
    assert!(fs::read(&file).unwrap() == fs::read(&again).unwrap());
    let native = result_of(folder.path(), "native", &NATIVE);
    let wrong = edited(&file, &|file| {
        let row = &mut file["jobs"][0]["episodes"][0];
        row["failure"] = json!("odd_electron_count");
    });

    let Some(python) = crystalgym_testing::python_with(&["jsonschema"]) else {
        return;
    };
    let schema =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/benchmark-result.v1.json");
    let script = "import json, sys, jsonschema\n\
                  schema, *files = [json.load(open(name)) for name in sys.argv[1:]]\n\
                  validator = jsonschema.Draft202012Validator\n\
                  validator.check_schema(schema)\n\
                  for file in files:\n    \
                      print(len(list(validator(schema).iter_errors(file))))\n";
    let output = Command::new(python)
        .args(["-c", script])
        .args([&schema, &file, &native, &wrong])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let counts: Vec<usize> = shown.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(
        counts[..2],
        [0, 0],
        "{shown} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(counts[2] > 0);
}

/// What a careful cheat would do: everything agrees with itself, and only what is computed or trained
/// again tells.
#[test]
fn what_agrees_with_itself_is_computed_and_trained_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = result_of(
        folder.path(),
        "rigid",
        &Benchmark {
            mixed: false,
            ..RIGID
        },
    );
    let genuine = ResultFile::read(&file).unwrap().file;
    let jobs = genuine.jobs.iter();
    let dqn = jobs
        .clone()
        .position(|job| job.algorithm == Algorithm::Dqn)
        .unwrap();
    let best = jobs
        .flat_map(|job| &job.episodes)
        .max_by(|a, b| a.episodic_return.total_cmp(&b.episodic_return))
        .unwrap()
        .clone();
    let check = |cheat: &mut ResultFile, what: &str| {
        let told = agreeing(cheat);
        assert!(told.is_empty(), "{what}: {told:?}");
        assert_eq!(problems(cheat), Vec::<String>::new(), "{what}");
        let copy = folder.path().join("cheat.json");
        fs::write(&copy, serde_json::to_vec(&cheat).unwrap()).unwrap();
        verified(&copy)
    };

    // A crystal raised to just below the best, wherever it stands: greedy rollouts, and one that no
    // ranked number depends on.
    let greedy = &genuine.jobs[dqn].rollouts[0];
    let training = (genuine.jobs[dqn].episodes.iter())
        .find(|row| {
            let rollouts = genuine.jobs.iter().flat_map(|job| &job.rollouts);
            row.episodic_return < 0.9
                && rollouts
                    .clone()
                    .all(|other| sorted(&other.elements) != sorted(&row.elements))
        })
        .unwrap();
    for (what, elements) in [
        ("greedy", &greedy.elements),
        ("training", &training.elements),
    ] {
        let mut cheat = genuine.clone();
        for job in &mut cheat.jobs {
            for row in &mut job.episodes {
                if sorted(&row.elements) == sorted(elements) {
                    (row.value, row.episodic_return) = (best.value, best.episodic_return);
                }
            }
            for row in &mut job.rollouts {
                if sorted(&row.elements) == sorted(elements) {
                    (row.value, row.episodic_return) = (best.value, best.episodic_return);
                }
            }
        }
        let record = check(&mut cheat, what);
        assert!(!record.holds, "{what}");
        assert!(
            (record.checks.iter()).any(|check| check.verdict == Verdict::Differs),
            "{what}"
        );
    }

    // Genuine values of crystals that the agent has not made.
    let mut cheat = genuine.clone();
    for row in &mut cheat.jobs[dqn].rollouts {
        row.elements.clone_from(&best.elements);
        row.skeleton.clone_from(&best.skeleton);
        (row.value, row.episodic_return) = (best.value, best.episodic_return);
    }
    let record = check(&mut cheat, "rollouts");
    assert!(!record.holds);
    let told: Vec<&String> = (record.replays.iter())
        .filter_map(|replay| replay.difference.as_ref())
        .collect();
    assert!(told.len() == 1 && told[0].contains("rollouts["), "{told:?}");

    // A job under another seed, with two episodes in another order so that it is not the same.
    let mut cheat = genuine.clone();
    let (first, second) = (cheat.jobs[dqn].clone(), &mut cheat.jobs[dqn + 1]);
    assert_eq!(second.algorithm, Algorithm::Dqn);
    second.episodes = first.episodes;
    second.rollouts = first.rollouts;
    second.episodes.swap(0, 1);
    let step = second.episodes[0].step;
    second.episodes[0].step = second.episodes[1].step;
    second.episodes[1].step = step;
    let record = check(&mut cheat, "seed");
    let told = record
        .replays
        .iter()
        .find(|replay| replay.difference.is_some());
    assert!(
        told.is_some_and(|replay| replay.job.contains("seed2")),
        "{told:?}"
    );

    // Records that are none of a complete verification.
    let sealed = ResultFile::read(&file).unwrap();
    let why = |edit: &dyn Fn(&mut Verification)| {
        let mut record = verified(&file);
        edit(&mut record);
        let _ = fs::remove_file(record_path(&file));
        record.write(&sealed).unwrap();
        let board = Leaderboard::read(folder.path()).unwrap();
        let of_file = |one: &&crystalgym_benchmark::LeftOut| one.folder == file;
        let reason = board.left_out.iter().find(of_file);
        reason.map(|one| one.reason.clone()).unwrap_or_default()
    };
    assert_eq!(why(&|_| {}), "");
    let partly = verified_with(&file, Some(0), 0);
    assert!(partly.holds && !partly.is_complete());
    assert_eq!(
        partly.write(&sealed).unwrap(),
        None,
        "the complete one is kept"
    );
    assert_eq!(Verification::read(&file).unwrap(), Some(verified(&file)));
    assert!(why(&|record| *record = partly.clone()).contains("was verified in part"));
    assert!(why(&|record| drop(record.checks.pop())).contains("was verified in part"));
    assert!(why(&|record| record.checks[0].found = Found::Value(77.0)).contains("in part"));
    assert!(why(&|record| record.checks[0].claimed = Found::Value(77.0)).contains("in part"));
    assert!(why(&|record| record.checks[0].verdict = Verdict::Differs).contains("does not hold"));
    assert!(why(&|record| record.sha256 = "0".repeat(64)).contains("has changed"));
    assert!(why(&|record| record.crystalgym_version = "9.9.9".to_owned()).contains("9.9.9"));
    assert!(why(&|record| record.holds = false).contains("does not hold"));
    assert!(
        why(&|record| record.replays[0].difference = Some("x".to_owned()))
            .contains("does not hold")
    );

    // A link where the record is to be, as a folder of somebody else may bring along.
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    fs::remove_file(record_path(&file)).unwrap();
    std::os::unix::fs::symlink(&victim, record_path(&file)).unwrap();
    let record = verified_with(&folder.path().join("cheat.json"), Some(0), 0);
    assert!(record.write(&sealed).is_err());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

fn sorted(elements: &str) -> Vec<&str> {
    let mut elements: Vec<&str> = elements.split(' ').collect();
    elements.sort_unstable();
    elements
}

/// What is small on disk and large in memory is refused before it is read as a whole.
#[test]
fn a_packed_file_cannot_take_all_memory() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("bomb.json.gz");
    let mut held_out = b"{\"format\":\"crystalgym-result/1\",\"name\":\"x\",\
        \"crystalgym_version\":\"0.1.0\",\"jobs\":[{\"held_out\":["
        .to_vec();
    held_out.extend(b"\"\",".repeat(2_000_000));
    for (text, expected) in [
        (vec![b' '; 80 << 20], "holds more than"),
        (held_out.clone(), "holds more than"),
    ] {
        let file = fs::File::create(&packed).unwrap();
        let mut writer = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        writer.write_all(&text).unwrap();
        writer.finish().unwrap();
        let error = ResultFile::read(&packed).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let plain = folder.path().join("dense.json");
    fs::write(&plain, &held_out).unwrap();
    let error = ResultFile::read(&plain).unwrap_err().to_string();
    assert!(error.contains("values in"), "{error}");
    let error = ResultFile::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no regular file"), "{error}");
}
