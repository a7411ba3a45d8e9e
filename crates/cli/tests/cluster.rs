//! A run on one machine, its worker in another process, a real PostgreSQL server between them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use crystalgym_testing::{PostgresqlServer, wait_until};

fn crystalgym(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crystalgym"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn done(arguments: &[&str]) -> Output {
    let output = crystalgym(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends with the test, however that ends.
struct Worker(Child);

impl Worker {
    fn start(url: &str) -> Self {
        let arguments = ["worker", "--store", url, "--threads", "2", "--grace", "60"];
        let mut command = crystalgym(&arguments);
        Self(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn server() -> Option<(Arc<PostgresqlServer>, String)> {
    let server = PostgresqlServer::shared()?;
    let url = server.new_database("");
    Some((server, url))
}

/// The engine at its cheapest.
const QUICK: [&str; 4] = ["--set", "native.gth_cutoff_ry=8", "--set", "native.kppa=1"];

/// Columns of an export that do not depend on when and where it was computed.
fn lasting(csv: &[u8]) -> Vec<String> {
    let text = text(csv);
    let lines = text.lines().map(|line| {
        let columns: Vec<&str> = line.split(',').collect();
        let key = columns.last().copied().unwrap_or_default();
        format!("{},{key}", columns[..12].join(","))
    });
    lines.collect()
}

/// Oracle: the same run on this machine alone.
#[test]
fn a_table_by_workers_is_the_table_of_one_machine() {
    let Some((_server, url)) = server() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let build = |name: &str, store: &str| {
        let place = at(name);
        let mut arguments = vec!["table", "build", &place, "--store", store];
        arguments.extend([
            "--skeleton",
            "C6",
            "--elements",
            "Li,F",
            "--property",
            "band_gap",
        ]);
        arguments.extend(QUICK);
        done(&arguments);
        done(&["store", "export", "--store", store, "--format", "csv"]).stdout
    };
    let alone = build("alone", &at("alone.sqlite"));
    let mut worker = Worker::start(&url);
    let together = build("together", &url);
    assert!(alone.len() > 200);
    assert_eq!(lasting(&alone), lasting(&together));
    done(&["store", "check", "--store", &url]);
    // To a file and back to another server, twice: the same results.
    let copy = at("copy.sqlite");
    done(&["store", "copy", &url, &copy]);
    let again = done(&["store", "copy", &url, &copy]);
    assert!(
        text(&again.stderr).contains(" 0 results added"),
        "{again:?}"
    );
    let export = done(&["store", "export", "--store", &copy, "--format", "csv"]);
    assert_eq!(text(&export.stdout), text(&together));
    // The worker's end: nothing is left of it.
    worker.signal("-TERM");
    assert!(wait_until(|| worker.0.try_wait().unwrap().is_some()));
    assert!(worker.0.wait().unwrap().success());
}

#[test]
fn no_password_gets_into_a_folder_or_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("run").to_string_lossy().into_owned();
    let url = "postgres://ann:hushhush@db.example/results";
    for arguments in [
        vec![
            "train",
            "--set",
            &format!("evaluation.store={url}"),
            "--output",
            &output,
        ],
        vec![
            "bench",
            "run",
            "paper-exp1",
            "--store",
            url,
            "--output",
            &output,
        ],
        vec![
            "table",
            "build",
            &output,
            "--store",
            url,
            "--skeleton",
            "C6",
            "--property",
            "band_gap",
        ],
        vec!["store", "stats", "--store", url],
        vec!["worker", "--store", url],
        vec!["watch", url],
        vec![
            "cluster", "submit", "--store", url, "--nodes", "1", "--time", "1", "--", "bench",
            "run", "x",
        ],
    ] {
        let refused = crystalgym(&arguments).output().unwrap();
        let said = text(&refused.stderr) + &text(&refused.stdout);
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(
            said.contains("PGPASSFILE") && !said.contains("hushhush"),
            "{arguments:?}: {said}"
        );
        assert!(!Path::new(&output).exists(), "{arguments:?}");
    }
}

#[test]
fn a_batch_script_is_printed_and_nothing_is_submitted() {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("site.sh");
    fs::write(&template, "#SBATCH --partition=long\nmodule load qe\n").unwrap();
    let template = template.to_string_lossy();
    let mut arguments = vec!["cluster", "submit", "--store", "postgres://me@db/results"];
    arguments.extend([
        "--nodes",
        "4",
        "--time",
        "2:00:00",
        "--template",
        &template,
        "--dry-run",
    ]);
    arguments.extend(["--", "bench", "run", "paper-exp1", "--output", "a b"]);
    let script = text(&done(&arguments).stdout);
    for line in [
        "#SBATCH --array=0-3",
        "#SBATCH --partition=long",
        "module load qe",
    ] {
        assert!(script.lines().any(|found| found == line), "{script}");
    }
    assert!(
        script.contains("--output 'a b' --store postgres://me@db/results &"),
        "{script}"
    );
}
