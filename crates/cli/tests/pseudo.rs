//! `crystalgym pseudo`, and folders of pseudopotentials with odd names.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, process::Output};

use common::run_at_home as run;

fn errors(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn gth_files_replace_nothing_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let gth = |more: &[&str]| {
        let arguments = [&["pseudo", "gth", "gth", "--elements", "H,Na"], more].concat();
        run(folder.path(), &arguments)
    };
    let file = |name: &str| folder.path().join("gth").join(name);
    fs::create_dir(folder.path().join("gth")).unwrap();
    fs::write(file("Na.upf"), "somebody's own").unwrap();
    let message = errors(&gth(&[]));
    assert!(
        message.contains("Na.upf is there already") && message.contains("--force"),
        "{message}"
    );
    assert_eq!(
        fs::read_to_string(file("Na.upf")).unwrap(),
        "somebody's own"
    );
    assert!(!file("H.upf").exists(), "half of it was written");
    assert!(gth(&["--force"]).status.success());
    assert!(
        fs::read_to_string(file("Na.upf"))
            .unwrap()
            .starts_with("<UPF")
    );
    // What it would write anyway is no hindrance.
    assert!(gth(&[]).status.success());
}

#[test]
fn a_folder_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a b\u{e9}\u{200b}", "quote\"d", "back\\slash", "tab\there"] {
        assert!(
            run(folder.path(), &["pseudo", "gth", name, "--elements", "Si"])
                .status
                .success()
        );
        let arguments = [
            "evaluate",
            "--skeleton",
            "C6",
            "--elements",
            "Si,Si,Si,Si",
            "--property",
            "band_gap",
            "--pseudo",
            name,
            "--store",
            "none",
            "--set",
            "native.ecutwfc_ry=6",
            "--set",
            "native.kppa=1",
            "--set",
            "native.max_iterations=2",
        ];
        let output = run(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.contains("scf_not_converged"),
            "{name:?}: {said} {output:?}"
        );
    }
}
