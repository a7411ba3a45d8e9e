//! A program in a session of its own, ended as a whole.
//!
//! MPI launchers put each rank into its own process *group*, but the session stays the same: it is
//! what a time limit, a cancellation and the end of a run clean up.

use std::{
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        prctl, resource,
        signal::{SigHandler, Signal, kill, killpg, signal},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::{Pid, getpid, getppid, setsid},
};

/// How long a program may take to clean up after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How long the kernel may take to end killed processes.
const DEATH: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// A running program, leader of its session; dropping it ends the session.
pub(crate) struct Session {
    child: Child,
    leader: Pid,
    /// Once reaped, the leader's number may belong to another process.
    is_reaped: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.end();
        }
    }
}

impl Session {
    /// Starts `command` in a new session. If this thread dies, the program gets SIGTERM.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let parent = getpid();
        // SAFETY: between fork and exec only system calls that are async-signal-safe are made
        // (setsid, signal, prctl, getppid, setrlimit), nothing is allocated and no lock is taken.
        unsafe {
            command.pre_exec(move || {
                setsid()?;
                // This process may ignore SIGTERM, which exec hands on, or have a handler, which
                // would swallow one that comes before the exec.
                signal(Signal::SIGTERM, SigHandler::SigDfl)?;
                #[cfg(target_os = "linux")]
                {
                    // SIGTERM, since mpirun passes it on to its ranks and pw.x ends on it.
                    prctl::set_pdeathsig(Signal::SIGTERM)?;
                    if getppid() != parent {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                }
                // A crash must not fill the scratch folder with a core file.
                resource::setrlimit(resource::Resource::RLIMIT_CORE, 0, 0)?;
                Ok(())
            });
        }
        let child = command.spawn()?;
        let leader = Pid::from_raw(child.id().cast_signed());
        Ok(Self {
            child,
            leader,
            is_reaped: false,
        })
    }

    pub(crate) fn child_mut(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Whether the leader has ended. It is not reaped, so that its number stays taken.
    pub(crate) fn leader_has_ended(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        !matches!(
            waitid(Id::Pid(self.leader), flags),
            Ok(WaitStatus::StillAlive)
        )
    }

    /// Ends every process of the session: asks, waits a little, kills; then reaps the leader.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        if self.anybody_alive() {
            self.signal(Signal::SIGTERM);
            self.wait_for_all(GRACE);
        }
        let deadline = Instant::now() + DEATH;
        while self.anybody_alive() && Instant::now() < deadline {
            self.signal(Signal::SIGKILL);
            thread::sleep(POLL);
        }
        let status = self.child.wait()?;
        self.is_reaped = true;
        Ok(status)
    }

    fn wait_for_all(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.anybody_alive() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }

    fn anybody_alive(&self) -> bool {
        !self.leader_has_ended() || !members(self.leader).is_empty()
    }

    fn signal(&self, signal: Signal) {
        // Errors mean that the process is gone, which is what is wanted.
        let _ = killpg(self.leader, signal);
        for member in members(self.leader) {
            let _ = kill(member, signal);
        }
    }
}

/// Living processes of a session, from /proc; empty where there is none.
fn members(leader: Pid) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|&process| session_of_living(process) == Some(leader.as_raw()))
        .map(Pid::from_raw)
        .collect()
}

fn session_of_living(process: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold blanks and brackets; after it: state, parent, group, session.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let session = fields.nth(2)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(session)
}

/// The signal that ended a program, also when a shell or a launcher reports it as 128 + number.
pub(crate) fn ending_signal(status: ExitStatus) -> Option<i32> {
    status.signal().or_else(|| {
        let code = status.code()?;
        (129..=192).contains(&code).then_some(code - 128)
    })
}

/// Lets a program of QE work in a folder of its own, beside others that start and end meanwhile.
pub(crate) fn run_alone_in(command: &mut Command, scratch: &Path) {
    command
        .current_dir(scratch)
        .env("OMP_NUM_THREADS", "1")
        // Open MPI keeps its session folder in there. In a shared one, a job that ends removes
        // folders that another has just made, which then fails in MPI_Init.
        .env("TMPDIR", scratch)
        // A program without mpirun would start Open MPI's daemon in another session (0.1 s); when it
        // is ended, the daemon can deadlock in its clean-up and stay for good.
        .env("OMPI_MCA_ess_singleton_isolated", "1");
    if nix::unistd::geteuid().is_root() {
        // Open MPI refuses to run as root, as in containers, without these.
        command
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
}
