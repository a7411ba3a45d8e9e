//! Structure files on the command line: which is meant, what is refused, what is written into.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs::{self, File},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::{at_home as crystalgym, run_at_home as run, text};

const SALT: &str =
    "salt\n5.64\n0 0.5 0.5\n0.5 0 0.5\n0.5 0.5 0\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n";

/// Three frames of one atom in cubes of 4, 5 and 6 Å.
fn three_frames() -> String {
    let frame = |a: u8| format!("1\nLattice=\"{a} 0 0 0 {a} 0 0 0 {a}\" pbc=\"T T T\"\nNa 0 0 0\n");
    [4, 5, 6].map(frame).concat()
}

#[test]
fn one_of_several_is_picked_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run.xyz"), three_frames()).unwrap();
    let output = run(folder.path(), &["convert", "run.xyz", "a.vasp"]);
    let error = text(&output.stderr);
    assert!(
        error.contains("run.xyz: 3 structures, expected one: pick one by"),
        "{error}"
    );
    assert!(!folder.path().join("a.vasp").exists());
    let output = run(
        folder.path(),
        &["convert", "run.xyz@2", "-", "--to", "poscar"],
    );
    assert!(
        text(&output.stdout).contains("6 0 0\n"),
        "{}",
        text(&output.stderr)
    );
    // Mass density of one sodium in 5³ Å³, 1.66053906660 · 22.98976928 / 125.
    for arguments in [
        &["evaluate", "run.xyz@1"][..],
        &["evaluate", "--skeleton", "run.xyz@1", "--elements", "Na"],
    ] {
        let more = ["--property", "density", "--calculator", "rigid", "--json"];
        let output = run(folder.path(), &[arguments, &more].concat());
        let found = text(&output.stdout);
        assert!(
            found.contains("0.305403"),
            "{found}{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_skeleton_is_a_name_or_a_file_and_the_message_says_which_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("salt.vasp"), SALT).unwrap();
    fs::write(folder.path().join("salt.txt"), SALT).unwrap();
    fs::write(folder.path().join("bad.vasp"), "salt\n").unwrap();
    for (skeleton, message) in [
        ("salt.vasp", None),
        ("C9", Some("unknown skeleton 'C9'")),
        ("none.vasp", Some("there is no file of this name")),
        ("salt.txt", Some("'salt.txt' tells no structure format")),
        ("bad.vasp", Some("bad.vasp: POSCAR line 2")),
    ] {
        let arguments = ["evaluate", "--skeleton", skeleton, "--elements", "Na,Cl"];
        let more = ["--property", "density", "--calculator", "rigid"];
        let output = run(folder.path(), &[&arguments[..], &more].concat());
        let error = text(&output.stderr);
        match message {
            None => assert!(output.status.success(), "{error}"),
            Some(message) => assert!(error.contains(message), "{skeleton}: {error}"),
        }
    }
}

#[test]
fn the_system_is_quoted_once() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["convert", "none.cif", "a.vasp"][..],
        &[
            "evaluate",
            "none.cif",
            "--property",
            "density",
            "--calculator",
            "rigid",
        ],
        &["train", "--config", "none.toml"],
    ] {
        let error = text(&run(folder.path(), arguments).stderr);
        assert_eq!(error.matches("No such file").count(), 1, "{error}");
    }
}

#[test]
fn standard_input_and_open_descriptors_are_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("salt.vasp"), SALT).unwrap();
    for input in ["-", "/dev/stdin"] {
        let output = crystalgym(
            folder.path(),
            &["convert", input, "-", "--from", "poscar", "--to", "json"],
        )
        .stdin(File::open(folder.path().join("salt.vasp")).unwrap())
        .output()
        .unwrap();
        assert!(
            text(&output.stdout).contains("\"Na\""),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn devices_pipes_and_links_are_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::write(place("salt.vasp"), SALT).unwrap();
    let convert = |output: &str| {
        let output = run(
            folder.path(),
            &["convert", "salt.vasp", output, "--to", "json"],
        );
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(convert("/dev/stdout").contains("frac_coords"));
    assert!(fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
    convert("/dev/null");
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    // Where standard output is a file, what others wrote there stays.
    let log = File::options()
        .create(true)
        .append(true)
        .open(place("log"))
        .unwrap();
    fs::write(place("log"), "before\n").unwrap();
    let status = crystalgym(
        folder.path(),
        &["convert", "salt.vasp", "/dev/stdout", "--to", "json"],
    )
    .stdout(log)
    .status();
    assert!(status.unwrap().success());
    let log = fs::read_to_string(place("log")).unwrap();
    assert!(
        log.starts_with("before\n{") && log.contains("frac_coords"),
        "{log}"
    );

    assert!(
        Command::new("mkfifo")
            .arg(place("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let reader = thread::spawn({
        let pipe = place("pipe");
        move || fs::read_to_string(pipe).unwrap()
    });
    convert("pipe");
    assert!(reader.join().unwrap().contains("frac_coords"));
    assert!(fs::metadata(place("pipe")).unwrap().file_type().is_fifo());

    fs::write(place("private"), "old").unwrap();
    fs::set_permissions(place("private"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("private", place("link")).unwrap();
    convert("link");
    assert!(place("link").is_symlink());
    assert_eq!(
        fs::metadata(place("private")).unwrap().mode() & 0o777,
        0o600
    );
    assert!(
        fs::read_to_string(place("private"))
            .unwrap()
            .contains("frac_coords")
    );
}

fn grid(sites: usize, spacing_ang: f64) -> String {
    let a = spacing_ang * sites as f64;
    let mut text = format!(
        "grid\n1\n{a} 0 0\n0 {a} 0\n0 0 {a}\nNa\n{}\nDirect\n",
        sites.pow(3)
    );
    for n in 0..sites.pow(3) {
        let [x, y, z] =
            [n % sites, n / sites % sites, n / sites / sites].map(|i| i as f64 / sites as f64);
        text += &format!("{x} {y} {z}\n");
    }
    text
}

/// Sites that are all alike have thousands of operations.
#[test]
fn a_grid_of_equal_atoms_is_done_or_refused_in_seconds_and_can_be_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "evaluate",
        "grid.vasp",
        "--property",
        "density",
        "--calculator",
        "rigid",
    ];
    for (sites, is_read) in [(6, true), (8, true), (10, false)] {
        fs::write(folder.path().join("grid.vasp"), grid(sites, 3.0)).unwrap();
        let start = Instant::now();
        let output = run(folder.path(), &arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.success(), is_read, "{sites}: {error}");
        assert!(
            is_read || error.contains("operations on 1000 sites"),
            "{error}"
        );
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{sites}: {:?}",
            start.elapsed()
        );
    }
    let child = crystalgym(folder.path(), &arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    thread::sleep(Duration::from_millis(100));
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let start = Instant::now();
    child.wait().unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
