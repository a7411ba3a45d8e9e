//! A run on one machine, its worker in another process, a real PostgreSQL server between them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::Read as _,
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
        Self::start_with(url, &["--threads", "2", "--grace", "60"])
    }

    fn start_with(url: &str, options: &[&str]) -> Self {
        let arguments = [&["worker", "--store", url], options].concat();
        let mut command = crystalgym(&arguments);
        Self(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// What it says at its end, which comes by itself.
    fn last_words(mut self) -> String {
        assert!(wait_until(|| self.0.try_wait().unwrap().is_some()));
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success(), "{said}");
        said
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
    let worker = Worker::start(&url);
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
    let said = worker.last_words();
    assert!(said.contains("5 calculations done"), "{said}");
}

/// Oracle: the kernel's word on each thread.
#[test]
fn threads_of_a_worker_are_bound_to_cores_of_their_own() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        crystalgym_testing::missing("two cores");
        return;
    }
    let Some((_server, url)) = server() else {
        return;
    };
    let worker = Worker::start(&url);
    let tasks = format!("/proc/{}/task", worker.0.id());
    let lists = || -> Vec<String> {
        let tasks = fs::read_dir(&tasks).into_iter().flatten().flatten();
        let statuses = tasks.map(|task| fs::read_to_string(task.path().join("status")));
        let allowed = statuses.flatten().filter_map(|status| {
            let line = status.lines().find(|l| l.starts_with("Cpus_allowed_list:"));
            line?.split_whitespace().nth(1).map(str::to_owned)
        });
        allowed.collect()
    };
    let all = fs::read_to_string("/proc/self/status").unwrap();
    let all = all.lines().find(|l| l.starts_with("Cpus_allowed_list:"));
    let all = all.unwrap().split_whitespace().nth(1).unwrap().to_owned();
    let mut bound = Vec::new();
    assert!(wait_until(|| {
        bound = lists();
        bound.retain(|list| *list != all);
        bound.len() == 2
    }));
    assert_ne!(bound[0], bound[1]);
}

/// The state and the lost workers of each job.
fn jobs(server: &PostgresqlServer, url: &str) -> String {
    let database = url.strip_prefix("postgres:///").unwrap();
    let database = database.split_once('?').unwrap().0;
    server.sql(database, "SELECT state, lost FROM crystalgym.jobs")
}

/// SIGTERM, as a batch script passes Slurm's warning on, and SIGUSR1: what does not end within the grace
/// time waits again and counts as no lost worker; what does is stored.
#[test]
fn a_worker_that_is_warned_finishes_or_hands_back() {
    let Some((server, url)) = server() else {
        return;
    };
    // Makes the tables.
    done(&["store", "release", "--store", &url]);
    let folder = tempfile::tempdir().unwrap();
    let ask = |name: &str, settings: &[&str]| {
        let place = folder.path().join(name).to_string_lossy().into_owned();
        let mut arguments = vec![
            "table",
            "build",
            &place,
            "--store",
            &url,
            "--skeleton",
            "C6",
        ];
        arguments.extend(["--elements", "Li,F", "--property", "density"]);
        arguments.extend(settings);
        let mut command = crystalgym(&arguments);
        Worker(command.stderr(Stdio::null()).spawn().unwrap())
    };
    // Hours of work.
    let slow = [
        "--set",
        "native.gth_cutoff_ry=120",
        "--set",
        "native.kppa=100000",
    ];
    let asking = ask("slow", &slow);
    for signal in ["-TERM", "-USR1"] {
        let worker = Worker::start_with(&url, &["--threads", "1", "--grace", "1"]);
        assert!(wait_until(|| jobs(&server, &url).contains("taken|0")));
        worker.signal(signal);
        let said = worker.last_words();
        assert!(
            said.contains("0 calculations done") && said.contains("1 handed back"),
            "{said}"
        );
        let left = jobs(&server, &url);
        assert!(
            left.contains("waiting|0") && !left.contains("taken"),
            "{left}"
        );
    }
    drop(asking);
    let database = url.strip_prefix("postgres:///").unwrap();
    let database = database.split_once('?').unwrap().0;
    server.sql(database, "DELETE FROM crystalgym.jobs");
    let mut asking = ask(
        "quick",
        &[
            "--set",
            "native.gth_cutoff_ry=30",
            "--set",
            "native.kppa=500",
        ],
    );
    let worker = Worker::start_with(&url, &["--threads", "1", "--grace", "100"]);
    assert!(wait_until(|| jobs(&server, &url).contains("taken|0")));
    worker.signal("-TERM");
    let said = worker.last_words();
    assert!(
        said.contains("1 calculations done") && said.contains(" 0 handed back"),
        "{said}"
    );
    let stored = server.sql(database, "SELECT count(*) FROM crystalgym.results");
    assert_eq!(stored, "1");
    // Whoever asked goes on with another.
    let _other = Worker::start(&url);
    assert!(wait_until(|| asking.0.try_wait().unwrap().is_some()));
    assert!(asking.0.wait().unwrap().success());
}

/// Oracle: the same calculations here, by the same `pw.x`.
#[test]
fn pw_x_computes_for_a_queue() {
    let Some((_server, url)) = server() else {
        return;
    };
    if crystalgym_testing::program("pw.x").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let family = at("family");
    fs::create_dir(&family).unwrap();
    for (file, name) in [("Mg.pz-n-vbc.UPF", "Mg.UPF"), ("Si.pz-vbc.UPF", "Si.UPF")] {
        let source = Path::new("/usr/share/espresso/pseudo").join(file);
        if fs::copy(&source, Path::new(&family).join(name)).is_err() {
            crystalgym_testing::missing(&format!("{} not found", source.display()));
            return;
        }
    }
    let scratch = at("scratch");
    fs::create_dir(&scratch).unwrap();
    let build = |name: &str, store: &str| {
        let place = at(name);
        let mut arguments = vec![
            "table",
            "build",
            &place,
            "--store",
            store,
            "--skeleton",
            "C6",
        ];
        arguments.extend(["--elements", "Mg,Si", "--property", "band_gap"]);
        arguments.extend(["--calculator", "qe", "--pseudo", &family]);
        for setting in [
            "qe.pw.ecutwfc_ry=8",
            "qe.pw.ecutrho_ry=32",
            "qe.pw.kppa=1",
            "qe.pw.conv_thr_ry=1e-4",
        ] {
            arguments.extend(["--set", setting]);
        }
        let mut command = crystalgym(&arguments);
        let output = command.env("TMPDIR", &scratch).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        done(&["store", "export", "--store", store, "--format", "csv"]).stdout
    };
    let alone = build("alone", &at("alone.sqlite"));
    let command = format!(
        "qe.command=['{}']",
        crystalgym_testing::program("pw.x").unwrap().display()
    );
    let scratch_setting = format!("qe.scratch='{scratch}'");
    let options = [
        "--threads",
        "2",
        "--pseudo",
        &family,
        "--set",
        &command,
        "--set",
    ];
    let worker = Worker::start_with(&url, &[&options[..], &[&scratch_setting]].concat());
    let together = build("together", &url);
    assert_eq!(text(&alone).lines().count(), 6, "{}", text(&alone));
    assert_eq!(lasting(&alone), lasting(&together));
    worker.signal("-TERM");
    let said = worker.last_words();
    assert!(said.contains("5 calculations done"), "{said}");
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
        script.contains("--output 'a b' --store postgres://me@db/results\n"),
        "{script}"
    );
}
