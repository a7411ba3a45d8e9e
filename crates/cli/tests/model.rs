//! `crystalgym model`: the package as a source is tested with the crate that reads it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .env("XDG_DATA_HOME", folder)
        .env("CRYSTALGYM_PYTHON", folder.join("no-python"))
        .arg("model")
        .args(arguments)
        .output()
        .unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let list = run(folder.path(), &["list"]);
    let text = said(&list.stdout);
    assert!(list.status.success());
    assert!(
        text.starts_with("chgnet  chgnet-0.3.0  not installed  "),
        "{text}"
    );

    let without_python = run(folder.path(), &["install", "chgnet"]);
    let text = said(&without_python.stderr);
    assert_eq!(without_python.status.code(), Some(1));
    assert!(
        text.contains("https://pypi.org/project/chgnet/0.3.8/#files"),
        "{text}"
    );
    assert!(text.contains("--from"), "{text}");

    let unknown = run(folder.path(), &["install", "mace"]);
    let text = said(&unknown.stderr);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        text.contains("unknown model 'mace': expected chgnet"),
        "{text}"
    );

    let other = folder.path().join("other.pth.tar");
    fs::write(&other, "something else").unwrap();
    let refused = run(
        folder.path(),
        &["install", "chgnet", "--from", other.to_str().unwrap()],
    );
    let text = said(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text.contains("not the published file of CHGNet 0.3.0"),
        "{text}"
    );
    assert!(!folder.path().join("crystalgym").exists());
}
