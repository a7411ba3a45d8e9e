//! The published package of CHGNet, where a Python at hand has it.

use std::{path::PathBuf, process::Command};

use crystalgym_potential::{Chgnet, model};

/// The folder of the Python package `chgnet`; without it the test is to be skipped.
pub(crate) fn folder() -> Option<PathBuf> {
    let python = crystalgym_testing::python_with(&["chgnet"])?;
    let script = "import chgnet, os; print(os.path.dirname(chgnet.__file__))";
    let output = Command::new(python).args(["-c", script]).output().unwrap();
    Some(PathBuf::from(
        String::from_utf8(output.stdout).unwrap().trim_end(),
    ))
}

/// CHGNet with the published weights; without the package the test is to be skipped.
pub(crate) fn chgnet() -> Option<Chgnet> {
    let installed = tempfile::tempdir().unwrap();
    model::install_chgnet(Some(&folder()?), installed.path()).unwrap();
    let weights = model::load_chgnet(installed.path()).unwrap();
    Some(Chgnet::new(&weights).unwrap())
}
