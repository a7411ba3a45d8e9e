//! Results with elements of one's own: verified like others, ranked apart.

use crystalgym_benchmark::Leaderboard;
use crystalgym_training::Algorithm;
use serde_json::json;

use crate::support::{Benchmark, Edit, RIGID, problems_after, result_of, verified};

/// Caesium and barium are not among the experiment's.
const ELEMENTS: &str = "task.elements=['H','Li','Na','K','Rb','Mg','Ca','O','S','F','Cs','Ba']";

#[test]
fn other_elements_are_verified_and_ranked_apart() {
    let folder = tempfile::tempdir().unwrap();
    let with = |settings: &[&str], name: &str| {
        let benchmark = Benchmark {
            algorithms: &[Algorithm::RandomSearch, Algorithm::Dqn],
            mixed: false,
            settings,
            ..RIGID
        };
        result_of(folder.path(), name, &benchmark)
    };
    let own = with(&["calculator.name=rigid", ELEMENTS], "own");
    let named = with(&["calculator.name=rigid"], "named");
    for file in [&own, &named] {
        let record = verified(file);
        assert!(record.holds && record.is_complete(), "{record:?}");
    }
    let board = Leaderboard::read(folder.path()).unwrap();
    assert!(board.left_out.is_empty(), "{:?}", board.left_out);
    // Oracle: by atomic number.
    let apart = "paper-exp1 with H Li O F Na Mg S K Ca Rb Cs Ba";
    for row in &board.rows {
        let expected = match row.name.as_str() {
            "own" => apart,
            _ => "paper-exp1",
        };
        assert_eq!((row.experiment.as_str(), row.rank), (expected, 1));
    }

    let cases: [(&str, &Edit); 4] = [
        (
            "episodes[3].elements: Br is not in the action set",
            &|file| {
                let row = &mut file["jobs"][0]["episodes"][3]["elements"];
                let symbols = row.as_str().unwrap().rsplit_once(' ').unwrap().0;
                *row = json!(format!("{symbols} Br"));
            },
        ),
        // What was used cannot be taken out afterwards.
        ("is not in the action set", &|file| {
            file["jobs"][0]["settings"]["task"]["elements"] = json!(["H", "Li", "Na"]);
        }),
        ("Li", &|file| {
            file["jobs"][0]["settings"]["task"]["elements"] = json!(["H", "Li", "Li"]);
        }),
        // Other fields of a task are still the experiment's.
        ("settings.task", &|file| {
            file["jobs"][0]["settings"]["task"]["start_site"] = json!(0);
        }),
    ];
    for (says, edit) in cases {
        let found = problems_after(&own, edit);
        assert!(found.contains(says), "{says}: {found}");
    }
}
