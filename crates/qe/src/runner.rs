//! Runs pw.x in a scratch folder of its own, up to a time limit.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Calculation, ErrorBox, PwFailure, PwFailureKind, PwInput, PwOutput, PwOutputParser,
    session::{Session, ending_signal, run_alone_in},
};

/// Runs the user's pw.x command on decks.
///
/// The command is an argument vector; no shell is involved. It runs in a private scratch folder,
/// which is its `TMPDIR` too, and in a session of its own, with `OMP_NUM_THREADS=1` and without
/// Open MPI's daemon for serial runs, unless [`Self::environment`] says otherwise. A time limit or a
/// cancellation ends all of its processes, and so does the death of the calling process.
///
/// Several MPI jobs on one machine need `--bind-to none`, or they all share the first cores.
#[derive(Debug, Clone, PartialEq)]
pub struct PwRunner {
    /// Program and arguments, such as `["mpirun", "-np", "2", "pw.x", "-nk", "2"]`; `-in FILE` is
    /// added.
    pub command: Vec<String>,
    /// Folder in which scratch folders are made; the system's temporary folder if `None`.
    pub scratch_parent: Option<PathBuf>,
    /// Keep the scratch folders, the output in them as `pw.out`.
    pub keep_scratch: bool,
    /// Wall time that one run may take.
    pub time_limit: Option<Duration>,
    /// Environment variables to set.
    pub environment: BTreeMap<String, String>,
    /// A program that prints more than this is ended.
    pub most_output_bytes: u64,
}

impl Default for PwRunner {
    fn default() -> Self {
        Self {
            command: vec!["pw.x".to_owned()],
            scratch_parent: None,
            keep_scratch: false,
            time_limit: None,
            environment: BTreeMap::new(),
            most_output_bytes: 256 << 20,
        }
    }
}

/// A finished calculation.
#[derive(Debug, Clone, PartialEq)]
pub struct PwRun {
    /// What pw.x printed.
    pub output: PwOutput,
    /// Wall time in seconds.
    pub seconds: f64,
}

const INPUT_FILE: &str = "pw.in";
const OUTPUT_FILE: &str = "pw.out";
const LONGEST_LINE: usize = 1 << 14;
const STDERR_KEPT: usize = 1 << 13;
const POLL: Duration = Duration::from_millis(20);
/// How long to wait for pipes that a process outside the session might hold open.
const PIPE_PATIENCE: Duration = Duration::from_secs(2);

impl PwRunner {
    /// Runs a deck to its end; `pseudopotentials` are file names of the deck and their files.
    ///
    /// A single SCF must converge and come to its regular end. A relaxation must converge its
    /// first SCF and print the cell of its first step; what happens later is of no concern.
    ///
    /// # Errors
    /// [`PwFailure`] with the kind and what was printed.
    pub fn run(
        &self,
        input: &PwInput,
        pseudopotentials: &[(String, PathBuf)],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<PwRun, PwFailure> {
        let start = Instant::now();
        let result = self
            .scratch(&input.to_text(), pseudopotentials)
            .and_then(|scratch| {
                let ended = self.execute(scratch.path(), self.time_limit, is_cancelled);
                let verdict = ended.and_then(|ended| ended.verdict(input, scratch.path()));
                if self.keep_scratch {
                    let _ = scratch.keep();
                }
                verdict
            });
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(output) => Ok(PwRun { output, seconds }),
            Err(failure) => Err(PwFailure { seconds, ..failure }),
        }
    }

    /// Version that the command prints, found by giving it an empty deck.
    ///
    /// # Errors
    /// [`PwFailure`] if it cannot be started or prints no version.
    pub fn version(&self) -> Result<String, PwFailure> {
        let scratch = self.scratch("", &[])?;
        let limit = self.time_limit.unwrap_or(VERSION_LIMIT).min(VERSION_LIMIT);
        let ended = self.execute(scratch.path(), Some(limit), &|| false)?;
        ended.output.version.clone().ok_or_else(|| {
            PwFailure::new(
                PwFailureKind::UnreadableOutput,
                format!("'{}' prints no version of pw.x", self.command.join(" ")),
            )
        })
    }

    fn scratch(
        &self,
        input: &str,
        pseudopotentials: &[(String, PathBuf)],
    ) -> Result<TempDir, PwFailure> {
        let prepare = || -> io::Result<TempDir> {
            let mut builder = tempfile::Builder::new();
            builder.prefix("crystalgym-pw-");
            let scratch = match &self.scratch_parent {
                Some(parent) => {
                    fs::create_dir_all(parent)?;
                    builder.tempdir_in(parent)?
                }
                None => builder.tempdir()?,
            };
            fs::write(scratch.path().join(INPUT_FILE), input)?;
            for (name, file) in pseudopotentials {
                // A link: paths in a deck can be neither long nor hold blanks or quotes.
                symlink(fs::canonicalize(file)?, scratch.path().join(name))?;
            }
            Ok(scratch)
        };
        prepare().map_err(|error| {
            PwFailure::new(
                PwFailureKind::ScratchUnavailable,
                format!("scratch folder: {error}"),
            )
        })
    }

    fn execute(
        &self,
        scratch: &Path,
        time_limit: Option<Duration>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Ended, PwFailure> {
        let mut session =
            Session::start(self.command_in(scratch)?).map_err(|error| self.not_started(&error))?;
        let start = Instant::now();
        let stdout = Arc::new(Mutex::new(Stdout::default()));
        if self.keep_scratch {
            lock(&stdout).copy = File::create(scratch.join(OUTPUT_FILE)).ok();
        }
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let (finished, pipes) = mpsc::channel();
        if let Some(pipe) = session.child_mut().stdout.take() {
            let (stdout, finished) = (Arc::clone(&stdout), finished.clone());
            thread::spawn(move || {
                drain(pipe, |bytes| lock(&stdout).take(bytes));
                lock(&stdout).end_line();
                let _ = finished.send(());
            });
        }
        if let Some(pipe) = session.child_mut().stderr.take() {
            let (stderr, finished) = (Arc::clone(&stderr), finished.clone());
            thread::spawn(move || {
                drain(pipe, |bytes| keep_tail(&mut lock(&stderr), bytes));
                let _ = finished.send(());
            });
        }
        let stopped = loop {
            if session.leader_has_ended() {
                break None;
            } else if is_cancelled() {
                break Some(Stopped::Cancelled);
            } else if time_limit.is_some_and(|limit| start.elapsed() >= limit) {
                break Some(Stopped::TimeLimit);
            } else if lock(&stdout).bytes > self.most_output_bytes {
                break Some(Stopped::TooMuchOutput);
            }
            // Short runs take 50 ms: look often at first.
            thread::sleep(POLL.min(start.elapsed() / 8 + Duration::from_millis(1)));
        };
        let status = session.end().map_err(|error| self.not_started(&error))?;
        let deadline = Instant::now() + PIPE_PATIENCE;
        for _ in 0..2 {
            let left = deadline.saturating_duration_since(Instant::now());
            let _ = pipes.recv_timeout(left);
        }
        let output = lock(&stdout).parser.output().clone();
        let stderr = String::from_utf8_lossy(&lock(&stderr)).into_owned();
        Ok(Ended {
            output,
            stderr,
            stopped,
            signal: ending_signal(status),
            code: status.code(),
            time_limit,
            most_output_bytes: self.most_output_bytes,
        })
    }

    fn command_in(&self, scratch: &Path) -> Result<Command, PwFailure> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(PwFailure::new(
                PwFailureKind::ProgramNotFound,
                "the pw.x command is empty, expected a program and its arguments",
            ));
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["-in", INPUT_FILE])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        run_alone_in(&mut command, scratch);
        command.envs(&self.environment);
        Ok(command)
    }

    fn not_started(&self, error: &io::Error) -> PwFailure {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull => PwFailureKind::ScratchUnavailable,
            _ => PwFailureKind::ProgramNotFound,
        };
        let program = self.command.first().map_or("", String::as_str);
        PwFailure::new(kind, format!("cannot start '{program}': {error}"))
    }
}

const VERSION_LIMIT: Duration = Duration::from_secs(60);

/// Why this side ended the program.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stopped {
    Cancelled,
    TimeLimit,
    TooMuchOutput,
}

/// A program that has ended, by itself or not.
struct Ended {
    output: PwOutput,
    stderr: String,
    stopped: Option<Stopped>,
    signal: Option<i32>,
    code: Option<i32>,
    time_limit: Option<Duration>,
    most_output_bytes: u64,
}

impl Ended {
    fn verdict(mut self, input: &PwInput, scratch: &Path) -> Result<PwOutput, PwFailure> {
        if self.is_complete(input) {
            return Ok(self.output);
        }
        if self.output.error.is_none() {
            self.output.error = crash_file(scratch);
        }
        let (kind, message) = self.failure(scratch);
        Err(PwFailure {
            kind,
            message,
            output: Box::new(self.output),
            seconds: 0.0,
        })
    }

    fn is_complete(&self, input: &PwInput) -> bool {
        let Some(first) = self.output.scf_cycles.first() else {
            return false;
        };
        let converged = first.converged == Some(true) && first.total_energy_ry.is_some();
        match input.control.calculation {
            Calculation::Scf => converged && self.output.job_done,
            Calculation::Relax { .. } => {
                let cycles = &self.output.scf_cycles;
                let all = cycles.iter().all(|cycle| cycle.converged == Some(true));
                all && self.output.job_done
            }
            Calculation::VcRelax { .. } => {
                let step = self.output.relax_steps.first();
                converged && step.is_some_and(|step| step.density_g_cm3.is_some())
            }
        }
    }

    fn failure(&self, scratch: &Path) -> (PwFailureKind, String) {
        match self.stopped {
            Some(Stopped::Cancelled) => return (PwFailureKind::Cancelled, "cancelled".into()),
            Some(Stopped::TimeLimit) => {
                let seconds = self.time_limit.unwrap_or_default().as_secs_f64();
                let message = format!("pw.x was ended after its time limit of {seconds} s");
                return (PwFailureKind::TimeLimit, message);
            }
            Some(Stopped::TooMuchOutput) => {
                let message = format!(
                    "the program printed more than {} bytes and was ended",
                    self.most_output_bytes
                );
                return (PwFailureKind::UnreadableOutput, message);
            }
            None => {}
        }
        let said = self.stderr.to_ascii_lowercase();
        let disk_words = [
            "no space left on device",
            "disk quota exceeded",
            "disk full",
        ];
        if disk_words.iter().any(|words| said.contains(words)) || is_full(scratch) {
            return (
                PwFailureKind::ScratchUnavailable,
                "the scratch folder is full".into(),
            );
        }
        if let Some(error) = &self.output.error {
            let (routine, message) = (&error.routine, &error.message);
            return (
                error.kind(),
                format!("pw.x stopped in {routine}: {message}"),
            );
        }
        let mut cycles = self.output.scf_cycles.iter();
        if cycles.any(|cycle| cycle.converged == Some(false)) {
            let iterations = self.output.scf_iterations();
            let message = format!("the SCF did not converge in {iterations} iterations");
            return (PwFailureKind::ScfNotConverged, message);
        }
        if let Some(signal) = self.signal.or_else(|| signal_in(&said)) {
            return (
                PwFailureKind::Killed,
                format!("pw.x was ended by signal {signal}"),
            );
        }
        let last_words = last_line(&self.stderr);
        match (self.code, &self.output.version) {
            (_, None) => (
                PwFailureKind::UnreadableOutput,
                format!("the program's output is not that of pw.x{last_words}"),
            ),
            (Some(0) | None, Some(_)) => (
                PwFailureKind::UnreadableOutput,
                "the output of pw.x lacks what a finished calculation prints".into(),
            ),
            (Some(code), Some(_)) => (
                PwFailureKind::Crashed,
                format!("pw.x ended with code {code} and no message of its own{last_words}"),
            ),
        }
    }
}

/// Output as it comes: cut into lines, none of them kept.
#[derive(Default)]
struct Stdout {
    parser: PwOutputParser,
    line: Vec<u8>,
    bytes: u64,
    copy: Option<File>,
}

impl Stdout {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(copy) = &mut self.copy
            && copy.write_all(bytes).is_err()
        {
            self.copy = None;
        }
        for (index, part) in bytes.split(|&byte| byte == b'\n').enumerate() {
            if index > 0 {
                self.end_line();
            }
            let room = LONGEST_LINE - self.line.len();
            self.line.extend_from_slice(&part[..part.len().min(room)]);
        }
    }

    fn end_line(&mut self) {
        self.parser.line(&String::from_utf8_lossy(&self.line));
        self.line.clear();
    }
}

fn drain(mut pipe: impl Read, mut take: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => take(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
}

fn keep_tail(kept: &mut Vec<u8>, bytes: &[u8]) {
    kept.extend_from_slice(bytes);
    if kept.len() > STDERR_KEPT {
        kept.drain(..kept.len() - STDERR_KEPT);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// pw.x writes its error box into this file too; under MPI the printed one can get lost.
fn crash_file(scratch: &Path) -> Option<ErrorBox> {
    let mut bytes = Vec::new();
    File::open(scratch.join("CRASH"))
        .ok()?
        .take(1 << 16)
        .read_to_end(&mut bytes)
        .ok()?;
    let mut parser = PwOutputParser::default();
    for line in String::from_utf8_lossy(&bytes).lines() {
        parser.line(line);
    }
    parser.finish().error
}

fn is_full(folder: &Path) -> bool {
    nix::sys::statvfs::statvfs(folder).is_ok_and(|free| free.blocks_available() == 0)
}

/// The signal that a launcher reports in words, such as Open MPI's `exited on signal 9 (Killed)`.
fn signal_in(said: &str) -> Option<i32> {
    let (_, rest) = said.split_once("exited on signal ")?;
    rest.split_whitespace().next()?.parse().ok()
}

fn last_line(text: &str) -> String {
    const MOST_CHARACTERS: usize = 200;
    text.lines()
        .map(str::trim)
        .rfind(|line| line.chars().any(char::is_alphanumeric))
        .map_or_else(String::new, |line| {
            let line: String = line.chars().take(MOST_CHARACTERS).collect();
            format!(" ({line})")
        })
}
