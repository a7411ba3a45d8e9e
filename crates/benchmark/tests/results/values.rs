//! What only computing or training again tells.

use std::fs;

use crystalgym_benchmark::{
    Choice, Found, Leaderboard, ResultFile, Verdict, Verification, problems, record_path,
};
use crystalgym_evaluation::FailureCode;
use crystalgym_training::Algorithm;
use serde_json::json;

use crate::support::{
    Benchmark, NATIVE, RIGID, problems_after, result_of, verified, verified_with,
};

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
