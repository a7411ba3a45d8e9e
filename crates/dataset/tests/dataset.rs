//! A data set, read by the programs that others will read it with.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, process::Command, sync::Arc};

use crystalgym_crystal::{Crystal, Skeleton};
use crystalgym_dataset::{COLUMNS, DatasetDescription, DatasetError, write_dataset};
use crystalgym_evaluation::{
    CancelToken, NativeCalculator, NativeSettings, Outcome, Property, ResultStore, SpeciesSource,
    StoredResult, evaluate,
};

/// Real results of the engine at its cheapest: successes, failures, and an equation of state.
fn results() -> Vec<StoredResult> {
    let settings = NativeSettings {
        gth_cutoff_ry: Some(crystalgym_evaluation::GthCutoff::Ry(8.0)),
        kppa: Some(1.0),
        ..NativeSettings::default()
    };
    let calculator = NativeCalculator::new(settings, SpeciesSource::Gth).unwrap();
    let store = ResultStore::in_memory().unwrap();
    for (skeleton, elements, property) in [
        ("C6", "Na Mg Na Si", Property::BandGap),
        ("C6", "Na Mg Si Al", Property::BulkModulus),
        ("C6", "Na Mg Na Si", Property::Density),
        ("C4", "Li H Li H", Property::Density),
        ("C4", "Li H Li Mg", Property::BandGap),
    ] {
        let skeleton = Skeleton::builtin(skeleton).unwrap();
        let elements = elements
            .split_whitespace()
            .map(|symbol| symbol.parse().unwrap());
        let crystal = Crystal::new(skeleton, elements.collect()).unwrap();
        let cancel = CancelToken::default();
        evaluate(&calculator, Some(&store), &crystal, property, &cancel);
    }
    store.results(None).unwrap()
}

fn python(modules: &[&str], script: &str, folder: &Path) -> Option<String> {
    let python = crystalgym_testing::python_with(modules)?;
    let output = Command::new(python)
        .args(["-c", script])
        .arg(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Oracles: pyarrow reads the table, ASE the structures, `sha256sum` the checksums; the numbers are
/// those of the store to the last bit.
#[test]
fn real_readers_find_what_the_store_has() {
    let results = results();
    assert_eq!(results.len(), 5);
    assert!(
        results
            .iter()
            .any(|result| result.outcome.failure().is_some())
    );
    let folder = tempfile::tempdir().unwrap();
    let write = || write_dataset(&results, &DatasetDescription::default(), folder.path());
    // A file of somebody's own stays; a data set of ours is written again.
    for name in ["README.md", "results.parquet", "SHA256SUMS"] {
        let path = folder.path().join(name);
        fs::write(&path, "my own").unwrap();
        let error = write().unwrap_err();
        assert!(matches!(error, DatasetError::NotOurs { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "my own");
        fs::remove_file(path).unwrap();
    }
    write().unwrap();
    fs::remove_file(folder.path().join("SHA256SUMS")).unwrap();
    write().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    // A data set of somebody else brings a link along.
    let victim = tempfile::NamedTempFile::new().unwrap();
    fs::write(victim.path(), "precious").unwrap();
    for name in ["README.md", "SHA256SUMS"] {
        let path = folder.path().join(name);
        let text = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(victim.path(), &path).unwrap();
        write().unwrap_err();
        assert_eq!(fs::read_to_string(victim.path()).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        fs::write(&path, text).unwrap();
    }
    write().unwrap();

    // Rows of a stranger's store are words in the card, and no markup.
    let mut theirs = results.clone();
    theirs[0].skeleton = "<script>alert(1)</script>".to_owned();
    theirs[1].calculator = "`<script>alert(2)</script>`\n# Heading".to_owned();
    let other = tempfile::tempdir().unwrap();
    write_dataset(&theirs, &DatasetDescription::default(), other.path()).unwrap();
    let card = fs::read_to_string(other.path().join("README.md")).unwrap();
    assert!(!card.contains("<script>alert(1)"), "{card}");
    assert!(!card.contains("\n# Heading"), "{card}");

    let card = fs::read_to_string(folder.path().join("README.md")).unwrap();
    assert!(card.starts_with("---\npretty_name:"), "{card}");
    for expected in [
        "cc-by-4.0",
        "odd_electron_count | 1 |",
        "GTH",
        "ecutwfc_ry",
        "eV",
        "results.parquet`: `",
    ] {
        assert!(card.contains(expected), "{expected}: {card}");
    }
    let sums = Command::new("sha256sum")
        .args(["-c", "SHA256SUMS"])
        .current_dir(&folder)
        .output();
    assert!(sums.unwrap().status.success());

    let script = "import json, sys, pyarrow.parquet as pq\n\
                  table = pq.read_table(sys.argv[1] + '/results.parquet')\n\
                  print(json.dumps(table.to_pylist()))\n";
    if let Some(shown) = python(&["pyarrow"], script, folder.path()) {
        let rows: Vec<serde_json::Value> = serde_json::from_str(&shown).unwrap();
        assert_eq!(rows.len(), results.len());
        for (row, result) in rows.iter().zip(&results) {
            assert_eq!(row.as_object().unwrap().len(), COLUMNS.len());
            assert_eq!(row["key"], result.key.as_str());
            assert_eq!(row["fingerprint"], result.fingerprint.as_str());
            assert_eq!(row["value"].as_f64(), result.outcome.value());
            let failure = result.outcome.failure().map(|failure| failure.code.name());
            assert_eq!(row["failure"].as_str(), failure);
            let sites = result.elements.split_whitespace().count();
            assert_eq!(row["atomic_numbers"].as_array().unwrap().len(), sites);
            assert_eq!(row["frac_coords"].as_array().unwrap().len(), 3 * sites);
            let skeleton: Arc<Skeleton> = Skeleton::builtin(&result.skeleton).unwrap();
            let lattice: Vec<f64> = skeleton.lattice.vectors().concat();
            let read: Vec<f64> = (row["lattice_ang"].as_array().unwrap().iter())
                .map(|x| x.as_f64().unwrap())
                .collect();
            assert!(
                lattice.iter().zip(&read).all(|(a, b)| (a - b).abs() < 1e-9),
                "{read:?}"
            );
            if let Outcome::Success(values) = &result.outcome {
                assert_eq!(row["total_energy_ev"].as_f64(), values.total_energy_ev);
                assert_eq!(row["homo_ev"].as_f64(), values.homo_ev);
                assert_eq!(row["pressure_gpa"].as_f64(), values.pressure_gpa);
                let fit = row["equation_of_state"].as_str().is_some();
                assert_eq!(fit, values.equation_of_state.is_some());
            }
        }
    }

    let script = "import json, sys, ase.io\n\
                  frames = ase.io.read(sys.argv[1] + '/structures.extxyz', ':')\n\
                  print(json.dumps([[f.get_chemical_symbols(), f.get_potential_energy(),\n    \
                      f.get_volume(), {k: getattr(v, 'tolist', lambda: v)() for k, v in f.info.items()}]\n    \
                      for f in frames]))\n";
    if let Some(shown) = python(&["ase"], script, folder.path()) {
        let frames: Vec<serde_json::Value> = serde_json::from_str(&shown).unwrap();
        let successes: Vec<(&StoredResult, &crystalgym_evaluation::Values)> = (results.iter())
            .filter_map(|result| match &result.outcome {
                Outcome::Success(values) => Some((result, values)),
                Outcome::Failure(_) => None,
            })
            .collect();
        assert_eq!(frames.len(), successes.len());
        for (frame, (result, values)) in frames.iter().zip(successes) {
            let symbols: Vec<&str> = frame[0]
                .as_array()
                .unwrap()
                .iter()
                .map(|symbol| symbol.as_str().unwrap())
                .collect();
            assert_eq!(symbols.join(" "), result.elements);
            assert_eq!(frame[1].as_f64(), values.total_energy_ev);
            assert!((frame[2].as_f64().unwrap() - values.volume_ang3).abs() < 1e-6);
            assert_eq!(
                frame[3][result.property.as_str()].as_f64(),
                Some(values.value)
            );
        }
    }
}

/// A data set of nothing is no data set, and leaves nothing behind.
#[test]
fn an_empty_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("empty");
    let error = write_dataset(&[], &DatasetDescription::default(), &target).unwrap_err();
    assert!(matches!(error, DatasetError::Empty));
    assert!(!target.exists());
}
