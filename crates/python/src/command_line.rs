use std::{ffi::OsString, process::ExitCode};

use pyo3::prelude::*;

/// Runs the command `crystalgym` with these arguments (its own name first) and returns its exit
/// status. From then on Ctrl-C belongs to the command.
#[pyfunction]
pub(crate) fn command_line(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let code = py.detach(|| crystalgym_cli::run(arguments));
    (0..=u8::MAX)
        .find(|status| ExitCode::from(*status) == code)
        .unwrap_or(1)
}
