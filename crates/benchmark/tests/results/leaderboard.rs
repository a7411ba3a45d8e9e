//! Only what was verified is ranked, and only with its like.

use std::{fs, path::Path};

use crystalgym_benchmark::{Leaderboard, ResultFile, record_path, write_result};
use crystalgym_training::Algorithm;
use serde_json::{Value, json};

use crate::support::{Benchmark, RIGID, edited, result_of, verified};

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
