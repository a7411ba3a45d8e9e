//! The server: what it answers, and to whom.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::finished_benchmark;
use crystalgym_report::WatchServer;

/// The whole answer to a request as it stands.
fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn only_this_machine_and_only_get_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = finished_benchmark(folder.path());
    let run = jobs[0].folder(folder.path()).join("run");
    for (watched, title) in [
        (folder.path(), "CrystalGym benchmark"),
        (&*run, "Training run density-C2-genetic-seed1"),
    ] {
        let server = WatchServer::start(watched, 0).unwrap();
        let url = server.url();
        let address = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let serving = thread::spawn(move || server.serve(&|| asked.load(Ordering::Relaxed)));
        strain(&address);
        let get = |path: &str, host: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            ask(&address, &head)
        };
        let page = get("/", &address);
        assert!(page.starts_with("HTTP/1.1 200"), "{}", &page[..80]);
        assert!(page.contains(title) && page.contains("connect-src 'self'"));
        let port = address.rsplit_once(':').unwrap().1;
        assert!(get("/version", &format!("localhost:{port}")).starts_with("HTTP/1.1 200"));
        // A name made to resolve to this machine, and none at all.
        for host in [
            "attacker.example",
            "127.0.0.1",
            &format!("attacker.example:{port}"),
        ] {
            assert!(get("/", host).starts_with("HTTP/1.1 421"), "{host}");
        }
        let without = ask(&address, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert!(!without.starts_with("HTTP/1.1 200"), "{without}");
        let twice =
            format!("GET / HTTP/1.1\r\nHost: {address}\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(!ask(&address, &twice).starts_with("HTTP/1.1 200"));
        for path in ["/../../etc/passwd", "/jobs", "/%2e%2e/job.json"] {
            assert!(get(path, &address).starts_with("HTTP/1.1 404"), "{path}");
        }
        let post = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        assert!(ask(&address, &post).starts_with("HTTP/1.1 405"));
        stop.store(true, Ordering::Relaxed);
        serving.join().unwrap().unwrap();
    }
}

/// Clients that are slow, silent or endless keep nobody else waiting and are let go of.
fn strain(address: &str) {
    let connect = || TcpStream::connect(address).unwrap();
    let quick = || {
        let start = Instant::now();
        let head = format!("GET /version HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        assert!(ask(address, &head).starts_with("HTTP/1.1 200"));
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
    };
    let mut silent: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    for stream in &mut silent {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 127").unwrap();
    }
    let mut with_body = connect();
    let body = format!("GET / HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000000000\r\n\r\n");
    with_body.write_all(body.as_bytes()).unwrap();
    quick();
    // An endless head is refused as soon as it is too long, not stored.
    for (first, piece) in [
        ("GET / HTTP/1.1\r\nA: ", "x".repeat(4096)),
        ("GET / HTTP/1.1\r\n", "A: b\r\n".repeat(700)),
        ("GET /", "x".repeat(4096)),
    ] {
        let mut endless = connect();
        endless.write_all(first.as_bytes()).unwrap();
        let mut taken = 0;
        while taken < 64 << 20 && endless.write_all(piece.as_bytes()).is_ok() {
            taken += piece.len();
        }
        assert!(taken < 64 << 20, "{first:?}: {taken} bytes were taken");
    }
    // Half a head is waited for, but not for ever.
    for stream in &mut silent {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        assert!(
            ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
        );
    }
    quick();
}

#[test]
fn what_cannot_be_watched_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let error = WatchServer::start(folder.path(), 0)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("neither a benchmark") && error.contains("config.toml"),
        "{error}"
    );
}
