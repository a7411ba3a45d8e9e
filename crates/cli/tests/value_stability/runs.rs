//! Short runs of `crystalgym train` and what they leave: choices, returns and weights.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value};

use crate::digests::{Dependence, Digests};

/// All algorithms by the names of the command line, with whether they have networks.
pub(crate) const ALGORITHMS: [(&str, bool); 7] = [
    ("dqn", true),
    ("rainbow", true),
    ("ppo", true),
    ("sac", true),
    ("random_search", false),
    ("genetic", false),
    ("local_search", false),
];

/// Columns of `episodes.csv` that say what was done. Where a result came from and how long it took
/// depend on the moment.
pub(crate) const CHOICES: [&str; 9] = [
    "episode",
    "step",
    "environment",
    "skeleton",
    "elements",
    "property",
    "target",
    "failure",
    "scf_iterations",
];
/// Columns that say what came of it.
pub(crate) const RETURNS: [&str; 2] = ["value", "episodic_return"];

/// The command, with a user's data folder of its own.
pub(crate) fn crystalgym(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Trains every algorithm, 320 steps each unless `settings` say otherwise, and adds what came out.
///
/// Settings are those of `--set`; those of the chosen algorithm are written `agent.KEY=VALUE`.
pub(crate) fn train_all(digests: &mut Digests, folder: &Path, settings: &[&str]) {
    for (algorithm, learns) in ALGORITHMS {
        train(digests, folder, algorithm, learns, settings);
    }
}

/// The same for one algorithm.
pub(crate) fn train(
    digests: &mut Digests,
    folder: &Path,
    algorithm: &str,
    learns: bool,
    settings: &[&str],
) {
    let mut all = vec!["agent.total_steps=320".to_owned()];
    match algorithm {
        "dqn" | "rainbow" | "sac" => all.push("agent.learning_starts=60".to_owned()),
        "genetic" => all.push("agent.population=10".to_owned()),
        "local_search" => all.push("agent.patience=10".to_owned()),
        _ => {}
    }
    all.extend(settings.iter().map(|&setting| setting.to_owned()));
    if !learns {
        let of_networks = ["agent.threads=", "agent.network."];
        all.retain(|setting| !of_networks.iter().any(|key| setting.starts_with(key)));
    }
    let mut arguments = vec!["train", "--algorithm", algorithm, "--output", algorithm];
    let own = format!("{algorithm}.");
    for setting in &mut all {
        *setting = setting.replacen("agent.", &own, 1);
    }
    for setting in &all {
        arguments.extend(["--set", setting]);
    }
    crystalgym(folder, &arguments);

    let run = folder.join(algorithm);
    let episodes = run.join("episodes.csv");
    // No rounding decides what a search tries; a network's choices hang on its weights.
    let choices = if learns {
        Dependence::Arithmetic
    } else {
        Dependence::Nothing
    };
    let rows = columns(&episodes, &CHOICES);
    assert!(rows.lines().count() > 60, "{algorithm}: {rows}");
    digests.add(algorithm, "choices", choices, rows.as_bytes());
    let rows = columns(&episodes, &RETURNS);
    digests.add(
        algorithm,
        "returns",
        Dependence::Arithmetic,
        rows.as_bytes(),
    );
    if learns {
        let tensors = tensors(&newest_networks(&run));
        digests.add(algorithm, "weights", Dependence::Arithmetic, &tensors);
        // What the trained agent makes, best and drawn.
        for (part, extra) in [("rollouts", None), ("draws", Some("--sampled"))] {
            let mut arguments = vec![
                "rollout",
                algorithm,
                "--rollouts",
                "8",
                "--seed",
                "3",
                "--trust",
            ];
            arguments.extend(extra);
            let shown = crystalgym(folder, &arguments);
            digests.add(algorithm, part, Dependence::Arithmetic, shown.as_bytes());
        }
    }
}

/// Some columns of a table, by their names, whatever others there are.
pub(crate) fn columns(path: &Path, names: &[&str]) -> String {
    let mut table = csv::Reader::from_path(path).unwrap();
    let header = table.headers().unwrap().clone();
    let places: Vec<usize> = names
        .iter()
        .map(|name| header.iter().position(|found| found == *name).unwrap())
        .collect();
    let mut text = String::new();
    for row in table.records() {
        let row = row.unwrap();
        let cells: Vec<&str> = places.iter().map(|&place| &row[place]).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// The file of networks that was written last, wherever in the run's folder it lies: that of most
/// steps by the number in its name.
fn newest_networks(run: &Path) -> PathBuf {
    let mut found = Vec::new();
    let mut folders = vec![run.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "safetensors") {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                let numbers = name.split('-').filter_map(|part| part.parse::<u64>().ok());
                found.push((numbers.max().unwrap(), path));
            }
        }
    }
    found.sort();
    found.pop().unwrap().1
}

/// Names, types, shapes and bytes of all tensors of a safetensors file, in the order of their names.
fn tensors(path: &Path) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    let (length, rest) = file.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap());
    let (header, data) = rest.split_at(usize::try_from(length).unwrap());
    let header: Map<String, Value> = serde_json::from_slice(header).unwrap();
    let mut entries: Vec<_> = header
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .collect();
    entries.sort_by_key(|(name, _)| *name);
    let mut bytes = Vec::new();
    for (name, entry) in entries {
        let place = |index: usize| {
            let offset = entry["data_offsets"][index].as_u64().unwrap();
            usize::try_from(offset).unwrap()
        };
        let line = format!("{name} {} {}\n", entry["dtype"], entry["shape"]);
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(&data[place(0)..place(1)]);
    }
    bytes
}
