//! Files that disagree with themselves.

use crystalgym_benchmark::Verdict;
use serde_json::json;

use crate::support::{Edit, RIGID, problems_after, result_of, verified};

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
