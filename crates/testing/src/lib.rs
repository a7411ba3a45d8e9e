//! Finds the optional tools and data that tests compare against, and what tests do with them alike.
//!
//! A test that needs one asks here and returns early on `None`; the reason is printed. With
//! `CRYSTALGYM_REQUIRE_TOOLS=1`, as in continuous integration, a missing tool fails the test
//! instead, so that nothing is skipped in silence.
#![allow(
    clippy::print_stderr,
    clippy::panic,
    reason = "tests report through these"
)]

mod postgresql;

pub use postgresql::PostgresqlServer;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The program `name` on the search path, such as `pw.x`.
///
/// # Panics
/// If it is missing although tools are required.
pub fn program(name: &str) -> Option<PathBuf> {
    let found = env::var_os("PATH").and_then(|path| {
        env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        missing(&format!("{name} not found on the search path"));
    }
    found
}

/// `pw.x` at work in `folder`: one thread, and nothing of Open MPI that other runs share.
///
/// Its session folder would lie in the system's temporary folder, where runs that end remove what
/// others have just made; its daemon can outlive the run.
pub fn pw_x_in(pw_x: &Path, folder: &Path) -> Command {
    let mut command = Command::new(pw_x);
    command
        .current_dir(folder)
        .env("TMPDIR", folder)
        .env("OMPI_MCA_ess_singleton_isolated", "1")
        .env("OMP_NUM_THREADS", "1");
    command
}

/// Whether `condition` comes to hold within two minutes, more than anything takes on a busy machine.
pub fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > Duration::from_secs(120) {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// A Python interpreter that can import all of `modules`: the one that `CRYSTALGYM_PYTHON` names,
/// or `python3`.
///
/// # Panics
/// If there is none although tools are required.
pub fn python_with(modules: &[&str]) -> Option<PathBuf> {
    let found = find_python(modules);
    if found.is_none() {
        missing(&format!(
            "no Python with {} (set CRYSTALGYM_PYTHON)",
            modules.join(", ")
        ));
    }
    found
}

/// As [`python_with`], for modules too heavy to be required anywhere.
pub fn optional_python_with(modules: &[&str]) -> Option<PathBuf> {
    let found = find_python(modules);
    if found.is_none() {
        skip(&format!(
            "no Python with {} (set CRYSTALGYM_PYTHON)",
            modules.join(", ")
        ));
    }
    found
}

/// The folder of a Python package that the interpreter of [`python_with`] has.
///
/// # Panics
/// If there is none although tools are required.
pub fn python_package(name: &str) -> Option<PathBuf> {
    let python = python_with(&[name])?;
    let script = format!("import {name}; print(list({name}.__path__)[0])");
    let output = Command::new(python).args(["-c", &script]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(path.trim_end()))
}

/// A file or folder of the optional data folder: `CRYSTALGYM_SHARED`, or `shared` beside the
/// checkout.
pub fn shared_data(relative: &str) -> Option<PathBuf> {
    let root = env::var_os("CRYSTALGYM_SHARED")
        .map(PathBuf::from)
        .or_else(|| {
            let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
            Some(checkout.parent()?.join("shared"))
        });
    let found = root
        .map(|root| root.join(relative))
        .filter(|path| path.exists());
    if found.is_none() {
        skip(&format!(
            "no data folder with {relative} (set CRYSTALGYM_SHARED)"
        ));
    }
    found
}

fn find_python(modules: &[&str]) -> Option<PathBuf> {
    let interpreter = env::var_os("CRYSTALGYM_PYTHON").unwrap_or_else(|| "python3".into());
    Command::new(&interpreter)
        .arg("-c")
        .arg(format!("import {}", modules.join(", ")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
        .then(|| PathBuf::from(interpreter))
}

/// Says that a test is skipped for want of a tool.
///
/// # Panics
/// If tools are required.
pub fn missing(reason: &str) {
    assert!(
        env::var_os("CRYSTALGYM_REQUIRE_TOOLS").is_none_or(|value| value != "1"),
        "required but missing: {reason}"
    );
    skip(reason);
}

fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}
