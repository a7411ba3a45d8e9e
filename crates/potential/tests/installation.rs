//! Installation of the published weights from everything that holds them, and what is refused.
//!
//! Skipped without the Python package `chgnet`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, path::Path, process::Command};

use common::package;
use crystalgym_potential::{
    PotentialError,
    model::{self, InstallReport},
};

const INSIDE: &str = "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar";

fn install(from: &Path, folder: &Path) -> Result<InstallReport, PotentialError> {
    model::install_chgnet(Some(from), folder)
}

#[test]
fn package_wheel_and_file_give_the_same_weights() {
    let Some(package) = package::folder() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site_packages = package.parent().unwrap();
    let wheel = folder.path().join("chgnet.whl");
    let python = crystalgym_testing::python_with(&["chgnet"]).unwrap();
    let packed = Command::new(python)
        .args(["-m", "zipfile", "-c"])
        .args([&wheel, &package])
        .status()
        .unwrap();
    assert!(packed.success());
    let sources = [
        package.clone(),
        site_packages.to_owned(),
        package.join(INSIDE),
        wheel,
    ];
    let weights = sources.map(|source| {
        let target = folder.path().join("target");
        assert!(matches!(
            model::load_chgnet(&target).unwrap_err(),
            PotentialError::NotInstalled { .. }
        ));
        let report = install(&source, &target).unwrap();
        assert_eq!(report.source.as_deref(), Some(&*source));
        let licence = fs::read_to_string(target.join("LICENCE.txt")).unwrap();
        assert!(licence.contains("The Regents"));
        let weights = model::load_chgnet(&target).unwrap();
        // Complete: nothing is looked for, nothing is written.
        assert_eq!(model::install_chgnet(None, &target).unwrap().source, None);
        fs::remove_dir_all(&target).unwrap();
        weights
    });
    assert!(weights.iter().all(|w| *w == weights[0]));
    let numbers: usize = weights[0].tensors().values().map(|t| t.values.len()).sum();
    // The publication's number of parameters.
    assert_eq!(numbers, 412_525);
}

#[test]
fn other_versions_and_damaged_files_are_refused() {
    let Some(package) = package::folder() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let older = package.join("pretrained/0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar");
    let mut bytes = fs::read(package.join(INSIDE)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = folder.path().join("damaged.pth.tar");
    fs::write(&damaged, &bytes).unwrap();
    for source in [&older, &damaged] {
        let error = install(source, &target).unwrap_err().to_string();
        assert!(
            error.contains("not the published file of CHGNet 0.3.0"),
            "{error}"
        );
        assert!(error.contains("https://pypi.org/project/chgnet"), "{error}");
    }
    let error = install(folder.path(), &target).unwrap_err().to_string();
    assert!(
        error.contains("expected the package chgnet 0.3.8"),
        "{error}"
    );
    assert!(install(&folder.path().join("missing"), &target).is_err());
    assert!(!target.exists());

    // Damage after the installation: in the numbers, and in the header.
    install(&package, &target).unwrap();
    let path = target.join("weights.safetensors");
    let good = fs::read(&path).unwrap();
    for (at, reason) in [(good.len() - 5, "SHA-256"), (3, "not a safetensors file")] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = model::load_chgnet(&target).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    // Installing again repairs it.
    install(&package, &target).unwrap();
    assert!(model::load_chgnet(&target).is_ok());
}
