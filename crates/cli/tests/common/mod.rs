//! The command as tests run it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "a test may panic and need not use everything"
)]

use std::{
    path::Path,
    process::{Command, Output},
};

/// The command in a folder.
pub(crate) fn crystalgym(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crystalgym"));
    command.current_dir(folder).args(arguments);
    command
}

/// The same for a user whose data are in that folder.
pub(crate) fn at_home(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = crystalgym(folder, arguments);
    command.env("XDG_DATA_HOME", folder);
    command
}

/// Runs [`crystalgym`].
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    crystalgym(folder, arguments).output().unwrap()
}

/// Runs [`at_home`].
pub(crate) fn run_at_home(folder: &Path, arguments: &[&str]) -> Output {
    at_home(folder, arguments).output().unwrap()
}

/// What was printed.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
