//! Programs that misbehave: every one ends as a failure of the right kind, with no process and no
//! scratch folder left. The programs are small shell scripts; where pw.x itself can be brought to
//! the fault, it is.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests report through these"
)]

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use crystalgym_qe::{
    Calculation, Control, Electrons, Occupations, Positions, PwFailure, PwFailureKind, PwInput,
    PwRunner, Smearing, Species, System,
};
use crystalgym_testing::wait_until;
use tempfile::TempDir;

/// Marks the processes of one test in their environment.
const MARK: &str = "CRYSTALGYM_TEST_MARK";

/// Silicon with Debian's norm-conserving pseudopotential, or none.
fn silicon_file() -> Option<(String, PathBuf)> {
    let file = PathBuf::from("/usr/share/espresso/pseudo/Si.pz-vbc.UPF");
    if !file.exists() {
        eprintln!(
            "skipped: {} not found (quantum-espresso-data)",
            file.display()
        );
        return None;
    }
    Some(("Si.upf".to_owned(), file))
}

fn silicon(ecutwfc_ry: f64, divisions: u32, calculation: Calculation) -> PwInput {
    let half = 2.7;
    PwInput {
        control: Control {
            calculation,
            tstress: true,
            tprnfor: true,
        },
        system: System {
            ecutwfc_ry,
            ecutrho_ry: 4.0 * ecutwfc_ry,
            nbnd: 8,
            occupations: Occupations::Smearing {
                smearing: Smearing::Gaussian,
                degauss_ry: 0.001,
            },
        },
        electrons: Electrons {
            electron_maxstep: 300,
            conv_thr_ry: 1e-8,
            mixing_beta: 0.7,
        },
        species: vec![Species {
            label: "Si".into(),
            mass_u: 28.085,
            file_name: "Si.upf".into(),
        }],
        lattice_ang: [[-half, 0.0, half], [0.0, half, half], [-half, half, 0.0]],
        positions: Positions::Crystal(vec![("Si".into(), [0.0; 3]), ("Si".into(), [0.25; 3])]),
        k_mesh: [divisions; 3],
    }
}

struct Bench {
    folder: TempDir,
    runner: PwRunner,
    mark: String,
}

impl Bench {
    /// A runner whose program is a shell script.
    fn script(name: &str, body: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program.sh");
        fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        // By way of the interpreter: another thread's fork may hold the new file open for writing,
        // and then it cannot be executed.
        let command = vec!["/bin/sh".to_owned(), program.display().to_string()];
        Self::command(name, folder, command)
    }

    fn command(name: &str, folder: TempDir, command: Vec<String>) -> Self {
        let mark = format!("{name}-{}", std::process::id());
        let runner = PwRunner {
            command,
            scratch_parent: Some(folder.path().join("scratch")),
            time_limit: Some(Duration::from_secs(120)),
            environment: [(MARK.to_owned(), mark.clone())].into(),
            ..PwRunner::default()
        };
        Self {
            folder,
            runner,
            mark,
        }
    }

    fn fail(&self) -> PwFailure {
        let input = silicon(8.0, 1, Calculation::Scf);
        let failure = self.runner.run(&input, &[], &|| false).unwrap_err();
        println!("{:?}: {failure}", failure.kind);
        self.check_clean();
        failure
    }

    /// No scratch folder and no process is left.
    fn check_clean(&self) {
        let scratch = self.folder.path().join("scratch");
        if let Ok(entries) = fs::read_dir(scratch) {
            assert_eq!(entries.count(), 0, "a scratch folder is left");
        }
        assert_eq!(marked(&self.mark), Vec::<i32>::new(), "processes are left");
    }
}

/// Living processes with the mark in their environment.
fn marked(mark: &str) -> Vec<i32> {
    let entry = format!("{MARK}={mark}").into_bytes();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|process| process.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|process| {
            fs::read(format!("/proc/{process}/environ"))
                .is_ok_and(|all| all.split(|&byte| byte == 0).any(|one| one == entry))
        })
        .collect()
}

#[test]
fn a_missing_program() {
    for command in [vec!["/no/such/pw.x".to_owned()], vec![]] {
        let bench = Bench::command("missing", tempfile::tempdir().unwrap(), command);
        assert_eq!(bench.fail().kind, PwFailureKind::ProgramNotFound);
        assert!(bench.runner.version().is_err());
    }
}

#[test]
fn killed_by_a_signal() {
    let bench = Bench::script(
        "killed",
        "echo '     Program PWSCF v.7.3.1 starts'; kill -9 $$",
    );
    let failure = bench.fail();
    assert_eq!(failure.kind, PwFailureKind::Killed);
    assert!(failure.message.contains("signal 9"), "{failure}");
    assert_eq!(failure.output.version.as_deref(), Some("7.3.1"));
    // A launcher reports a rank's signal in its exit code or in words.
    let bench = Bench::script("launcher", "echo ' Program PWSCF v.6.7 '; exit 137");
    assert_eq!(bench.fail().kind, PwFailureKind::Killed);
    let words = "mpirun noticed that process rank 0 exited on signal 11 (Segmentation fault).";
    let body = format!("echo ' Program PWSCF v.6.7 '; echo '{words}' >&2; exit 1");
    let failure = Bench::script("words", &body).fail();
    assert_eq!(failure.kind, PwFailureKind::Killed);
    assert!(failure.message.contains("signal 11"), "{failure}");
}

#[test]
fn hanging_programs_are_ended_with_their_children() {
    // One child ignores SIGTERM, another has its own process group as MPI ranks have.
    let body = "trap '' TERM\nsh -c 'trap \"\" TERM; sleep 300; sleep 300' &\n\
                bash -mc 'sleep 300 & wait' &\nsleep 300\nsleep 300";
    let mut bench = Bench::script("hanging", body);
    bench.runner.time_limit = Some(Duration::from_millis(300));
    assert_eq!(bench.fail().kind, PwFailureKind::TimeLimit);
}

#[test]
fn children_left_behind_are_ended_too() {
    let bench = Bench::script("left", "sleep 300 >/dev/null 2>&1 &\nexit 0");
    assert_eq!(bench.fail().kind, PwFailureKind::UnreadableOutput);
    // Even if they hold the pipe open.
    let bench = Bench::script("holding", "sleep 300 &\nexit 0");
    assert_eq!(bench.fail().kind, PwFailureKind::UnreadableOutput);
}

#[test]
fn rubbish_without_end_is_cut_off() {
    let mut bench = Bench::script("rubbish", "exec yes rubbish");
    bench.runner.most_output_bytes = 1 << 20;
    assert_eq!(bench.fail().kind, PwFailureKind::UnreadableOutput);
    // One line without end, and the same on standard error.
    let mut bench = Bench::script("line", "exec cat /dev/zero");
    bench.runner.most_output_bytes = 1 << 20;
    assert_eq!(bench.fail().kind, PwFailureKind::UnreadableOutput);
    let mut bench = Bench::script("stderr", "exec cat /dev/zero >&2");
    bench.runner.time_limit = Some(Duration::from_millis(300));
    assert_eq!(bench.fail().kind, PwFailureKind::TimeLimit);
}

#[test]
fn rubbish_that_ends_is_no_result() {
    let bench = Bench::script("noise", "head -c 100000 /dev/urandom; exit 0");
    assert_eq!(bench.fail().kind, PwFailureKind::UnreadableOutput);
    // Not pw.x at all: the launcher complains.
    let bench = Bench::script(
        "slots",
        "echo 'There are not enough slots available' >&2; exit 1",
    );
    let failure = bench.fail();
    assert_eq!(failure.kind, PwFailureKind::UnreadableOutput);
    assert!(failure.message.contains("not enough slots"), "{failure}");
    let bench = Bench::script("crash", "echo ' Program PWSCF v.7.2 '; exit 3");
    assert_eq!(bench.fail().kind, PwFailureKind::Crashed);
}

#[test]
fn an_error_box_is_told() {
    let frame = "%".repeat(78);
    for (routine, message, kind) in [
        (
            "cdiaghg",
            "S matrix not positive definite",
            PwFailureKind::DiagonalizationFailed,
        ),
        ("new_routine", "something else", PwFailureKind::ProgramError),
    ] {
        let printed =
            format!(" {frame}\n     Error in routine {routine} (1):\n     {message}\n {frame}\n");
        let body = format!("echo ' Program PWSCF v.6.7 '\ncat <<'E'\n{printed}E\nexit 1");
        let failure = Bench::script("box", &body).fail();
        assert_eq!(failure.kind, kind);
        assert!(failure.message.contains(message), "{failure}");
        // Under MPI the printed box can get lost; the file CRASH holds it.
        let body = format!("echo ' Program PWSCF v.6.7 '\ncat > CRASH <<'E'\n{printed}E\nexit 1");
        assert_eq!(Bench::script("crash-file", &body).fail().kind, kind);
    }
}

#[test]
fn pw_x_says_what_is_wrong_with_a_deck() {
    let (Some(_), Some(file)) = (crystalgym_testing::program("pw.x"), silicon_file()) else {
        return;
    };
    let bench = Bench::command("deck", tempfile::tempdir().unwrap(), vec!["pw.x".into()]);
    let mut close = silicon(8.0, 1, Calculation::Scf);
    let (first, second) = ([0.0; 3], [1e-7, 0.0, 0.0]);
    close.positions = Positions::Crystal(vec![("Si".into(), first), ("Si".into(), second)]);
    let fail = |input: &PwInput, files: &[(String, PathBuf)]| {
        let failure = bench.runner.run(input, files, &|| false).unwrap_err();
        println!("{:?}: {failure}", failure.kind);
        bench.check_clean();
        failure.kind
    };
    let files = [file];
    assert_eq!(fail(&close, &files), PwFailureKind::BadGeometry);
    let good = silicon(8.0, 1, Calculation::Scf);
    assert_eq!(fail(&good, &[]), PwFailureKind::MissingPseudopotential);
    let mut short = good.clone();
    short.electrons.electron_maxstep = 2;
    assert_eq!(fail(&short, &files), PwFailureKind::ScfNotConverged);
    let run = bench.runner.run(&good, &files, &|| false).unwrap();
    assert_eq!(run.output.scf_cycles[0].converged, Some(true));
    bench.check_clean();
}

/// Open MPI's daemon beside a serial pw.x is in a session of its own and can outlive it.
#[test]
fn a_serial_pw_x_is_one_process() {
    let (Some(_), Some(file)) = (crystalgym_testing::program("pw.x"), silicon_file()) else {
        return;
    };
    let command = vec!["pw.x".to_owned()];
    let bench = Bench::command("serial", tempfile::tempdir().unwrap(), command);
    let most = AtomicUsize::new(0);
    let count = || {
        most.fetch_max(marked(&bench.mark).len(), Ordering::Relaxed);
        false
    };
    let input = silicon(20.0, 4, Calculation::Scf);
    bench.runner.run(&input, &[file], &count).unwrap();
    assert_eq!(most.into_inner(), 1);
    bench.check_clean();
}

/// Cancels real runs in the middle, serial and under mpirun, whose ranks have groups of their own.
#[test]
fn cancelling_ends_pw_x_and_its_ranks() {
    let (Some(_), Some(file)) = (crystalgym_testing::program("pw.x"), silicon_file()) else {
        return;
    };
    let parallel = "mpirun --oversubscribe --bind-to none -np 2 pw.x";
    for (words, processes) in [("pw.x", 1), (parallel, 3)] {
        let command: Vec<String> = words.split(' ').map(str::to_owned).collect();
        if crystalgym_testing::program(&command[0]).is_none() {
            continue;
        }
        let bench = Bench::command("cancel", tempfile::tempdir().unwrap(), command);
        let seen = AtomicBool::new(false);
        let all_run = || {
            if marked(&bench.mark).len() >= processes {
                seen.store(true, Ordering::Relaxed);
            }
            seen.load(Ordering::Relaxed)
        };
        let input = silicon(40.0, 10, Calculation::Scf);
        let files = [file.clone()];
        let failure = bench.runner.run(&input, &files, &all_run).unwrap_err();
        assert!(seen.load(Ordering::Relaxed));
        assert_eq!(failure.kind, PwFailureKind::Cancelled);
        bench.check_clean();
    }
}

/// This process starts itself, is killed with SIGKILL in the middle of a run, and leaves no pw.x, nor a
/// program that prints nothing and so does not notice. It ignores SIGTERM, which what it starts must
/// not: that is the signal that the kernel then sends.
#[test]
fn a_killed_parent_leaves_no_orphan() {
    const ROLE: &str = "CRYSTALGYM_TEST_PARENT";
    let (Some(_), Some(file)) = (crystalgym_testing::program("pw.x"), silicon_file()) else {
        return;
    };
    if let Ok(folder) = env::var(ROLE) {
        let words = env::var("CRYSTALGYM_TEST_COMMAND").unwrap();
        let runner = PwRunner {
            command: words.split(' ').map(str::to_owned).collect(),
            scratch_parent: Some(folder.into()),
            ..PwRunner::default()
        };
        let input = silicon(40.0, 10, Calculation::Scf);
        let _ = runner.run(&input, &[file], &|| false);
        return;
    }
    let scripts = tempfile::tempdir().unwrap();
    let silent = scripts.path().join("silent.sh");
    fs::write(&silent, "exec sleep 600\n").unwrap();
    for (words, processes) in [
        (&*format!("/bin/sh {}", silent.display()), 1),
        ("pw.x", 1),
        ("mpirun --oversubscribe --bind-to none -np 2 pw.x", 3),
    ] {
        let program = words.split(' ').next().unwrap();
        if crystalgym_testing::program(program).is_none() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let mark = format!("orphan-{processes}-{}", std::process::id());
        let mut parent = Command::new("/bin/sh")
            .args(["-c", "trap '' TERM; exec \"$0\" \"$@\""])
            .arg(env::current_exe().unwrap())
            .args(["--exact", "a_killed_parent_leaves_no_orphan"])
            .env(ROLE, folder.path())
            .env("CRYSTALGYM_TEST_COMMAND", words)
            .env(MARK, &mark)
            .spawn()
            .unwrap();
        let started = wait_until(|| marked(&mark).len() > processes);
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert!(started, "{words} did not start");
        assert!(
            wait_until(|| marked(&mark).is_empty()),
            "orphans of {words}"
        );
    }
}

/// A file system of a few kilobytes for scratch: needs root to mount one.
#[test]
fn a_full_scratch_folder() {
    let (Some(_), Some(file)) = (crystalgym_testing::program("pw.x"), silicon_file()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let Some(small) = SmallDisk::mount(folder.path(), "8k") else {
        return;
    };
    let files = [file];
    let input = silicon(20.0, 3, Calculation::VcRelax { steps: 1 });
    let runner = PwRunner {
        scratch_parent: Some(small.0.clone()),
        time_limit: Some(Duration::from_secs(120)),
        ..PwRunner::default()
    };
    // There is room for the deck, not for what pw.x leaves behind: what it printed counts.
    let there = runner.run(&input, &files, &|| false).unwrap();
    let here = PwRunner::default().run(&input, &files, &|| false).unwrap();
    assert_eq!(there.output.relax_steps, here.output.relax_steps);
    // A program that stops on the full disk.
    let mut bench = Bench::script("fills", "echo ' Program PWSCF v.6.7 '; cat /dev/zero > big");
    bench.runner.scratch_parent = Some(small.0.clone());
    let failure = bench.fail();
    assert_eq!(failure.kind, PwFailureKind::ScratchUnavailable, "{failure}");
    // Full from the start: not even the deck can be written.
    let _ = fs::write(small.0.join("filler"), vec![1; 1 << 20]);
    let failure = runner.run(&input, &files, &|| false).unwrap_err();
    println!("{:?}: {failure}", failure.kind);
    assert_eq!(failure.kind, PwFailureKind::ScratchUnavailable, "{failure}");
}

/// A tmpfs, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder)
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("skipped: mounting a tmpfs needs root");
        }
        mounted.then(|| Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn scratch_that_cannot_be_made() {
    let runner = PwRunner {
        scratch_parent: Some("/proc/no-folder".into()),
        ..PwRunner::default()
    };
    let input = silicon(8.0, 1, Calculation::Scf);
    let failure = runner.run(&input, &[], &|| false).unwrap_err();
    assert_eq!(failure.kind, PwFailureKind::ScratchUnavailable, "{failure}");
}

/// The scratch folder is also the program's folder for temporary files, private like the rest.
#[test]
fn scratch_is_kept_on_request() {
    let mut bench = Bench::script("kept", "echo $TMPDIR; exit 1");
    bench.runner.keep_scratch = true;
    let input = silicon(8.0, 1, Calculation::Scf);
    bench.runner.run(&input, &[], &|| false).unwrap_err();
    let scratch = bench.folder.path().join("scratch");
    let kept: Vec<_> = fs::read_dir(scratch).unwrap().collect();
    let kept = kept[0].as_ref().unwrap().path();
    let read = |name: &str| fs::read_to_string(kept.join(name)).unwrap();
    assert_eq!(read("pw.in"), input.to_text());
    assert_eq!(read("pw.out"), format!("{}\n", kept.display()));
}
