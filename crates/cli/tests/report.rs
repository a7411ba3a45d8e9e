//! `bench report` and `watch` as a user runs them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

use common::{crystalgym, run, text};

#[test]
fn a_benchmark_is_reported_and_watched() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = run(
        folder,
        &[
            "bench",
            "run",
            "paper-exp1",
            "--scale=smoke",
            "--properties=density",
            "--skeletons=C4",
            "--algorithms=random_search",
            "--seeds=2",
            "--set=calculator.name=rigid",
            "--output=b",
        ],
    );
    assert!(made.status.success(), "{}", text(&made.stderr));
    let report = run(folder, &["bench", "report", "b"]);
    assert!(report.status.success(), "{}", text(&report.stderr));
    assert!(text(&report.stdout).contains("scale: smoke"));
    assert!(text(&report.stderr).contains("b/report/index.html"));
    for file in [
        "index.html",
        "searches.csv",
        "figure-uniqueness.svg",
        "figure-uniqueness.png",
    ] {
        assert!(folder.join("b/report").join(file).exists(), "{file}");
    }
    fs::write(folder.join("known.txt"), "NaCl\nno formula\n").unwrap();
    let wrong = run(
        folder,
        &["bench", "report", "b", "--reference", "known.txt"],
    );
    let complaint = text(&wrong.stderr);
    assert!(complaint.contains("known.txt, line 2"), "{complaint}");

    let mut watch = crystalgym(folder, &["watch", "b", "--port=0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    let mut out = BufReader::new(watch.stdout.take().unwrap());
    out.read_line(&mut url).unwrap();
    let address = url
        .trim()
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("CrystalGym benchmark"));
    // The port is taken now.
    let port = address.rsplit_once(':').unwrap().1;
    let second = run(folder, &["watch", "b", &format!("--port={port}")]);
    let complaint = text(&second.stderr);
    assert!(
        !second.status.success() && complaint.contains("--port 0"),
        "{complaint}"
    );
    // Ctrl-C is how it ends.
    let pid = watch.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    assert!(watch.wait().unwrap().success());

    let nothing = run(folder, &["watch", "."]);
    assert!(text(&nothing.stderr).contains("neither a benchmark"));
}

/// Two processes on one folder do each job once; and two folders are reported as one.
#[test]
fn folders_and_processes_are_shared() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bench = |seeds: &'static str, output: &'static str| {
        let mut command = crystalgym(
            folder,
            &[
                "bench",
                "run",
                "paper-exp1",
                "--scale=smoke",
                "--properties=density",
                "--skeletons=C4,C6",
                "--algorithms=random_search",
                "--set=calculator.name=rigid",
                seeds,
                output,
            ],
        );
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let both = [(); 2].map(|()| bench("--seeds=1,2,3,4", "--output=a").spawn().unwrap());
    let ended = both.map(|process| text(&process.wait_with_output().unwrap().stderr));
    let done: usize = (ended.iter())
        .map(|text| text.matches("  finished\n").count())
        .sum();
    assert_eq!(done, 8, "{ended:?}");
    assert!(bench("--seeds=5", "--output=b").status().unwrap().success());

    let report = run(folder, &["bench", "report", "a", "b"]);
    assert!(report.status.success(), "{}", text(&report.stderr));
    assert!(text(&report.stdout).contains("10 finished jobs"));
    assert!(text(&report.stdout).contains("no DFT"));
    assert!(folder.join("a/report/index.html").exists() && !folder.join("b/report").exists());
}
