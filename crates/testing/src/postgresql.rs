//! A real PostgreSQL server in a temporary folder, on a socket, as an ordinary user.
#![allow(clippy::unwrap_used, reason = "a test that has no server ends here")]

use std::{
    env, fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;

use crate::{missing, wait_until};

/// Whom the server runs as where the tests run as root, as which it refuses to: nobody on Debian.
const NOBODY: u32 = 65_534;

/// A server that ends with its last user.
pub struct PostgresqlServer {
    folder: TempDir,
    programs: PathBuf,
    process: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl PostgresqlServer {
    /// The server that tests of this process share at the time.
    ///
    /// # Panics
    /// If PostgreSQL is missing although tools are required, or does not start.
    pub fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<PostgresqlServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start(&["fsync=off"])?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server of one's own, with settings.
    ///
    /// # Panics
    /// As [`Self::shared`].
    pub fn start(settings: &[&str]) -> Option<Self> {
        let programs = programs()?;
        let folder = TempDir::new().unwrap();
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let server = Self {
            folder,
            programs,
            process: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        let data = server.data();
        let made = server
            .command("initdb")
            .args(["--auth=trust", "--username=crystalgym", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success(), "initdb: {complaint}");
        let settings: String = settings.iter().map(|line| format!("{line}\n")).collect();
        let file = data.join("postgresql.conf");
        let given = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{given}\n{settings}")).unwrap();
        server.go_on();
        Some(server)
    }

    /// The URL of a new, empty database, with options behind it such as `&compute=here`.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new_database(&self, options: &str) -> String {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name, options)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str, options: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgres:///{database}?host={folder}&user=crystalgym{options}")
    }

    /// Output of a statement by `psql`, columns with `|` between them.
    ///
    /// # Panics
    /// If it fails.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let output = self
            .command("psql")
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "crystalgym", "-h"])
            .arg(self.folder.path())
            .args(["-d", database, "-c", statement])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{statement}: {complaint}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Ends the server at once, as a crash would; it is not started again by itself.
    pub fn crash(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut process) = process.take() {
            // Its processes see the end of the first one and end too.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts the server where it was.
    ///
    /// # Panics
    /// If it does not start.
    pub fn go_on(&self) {
        let data = self.data();
        let folder = self.folder.path();
        // One that was killed leaves it.
        let _ = fs::remove_file(data.join("postmaster.pid"));
        let started = wait_until(|| {
            let log = fs::File::create(folder.join("log")).unwrap();
            let mut process = self
                .command("postgres")
                .arg("-D")
                .arg(&data)
                .arg("-k")
                .arg(folder)
                .args(["-c", "listen_addresses="])
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut ended = false;
            let ready = wait_until(|| {
                ended = process.try_wait().unwrap().is_some();
                ended || self.is_ready()
            });
            // Children of a killed one may keep its shared memory for a moment.
            if !ended && ready {
                let mut place = self.process.lock().unwrap_or_else(PoisonError::into_inner);
                *place = Some(process);
            }
            !ended && ready
        });
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(started, "postgres: {log}");
    }

    fn is_ready(&self) -> bool {
        self.command("pg_isready")
            .arg("-qh")
            .arg(self.folder.path())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of PostgreSQL as an ordinary user.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match is_root() {
            false => Command::new(program),
            true => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
                    .arg(program);
                command
            }
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for PostgresqlServer {
    fn drop(&mut self) {
        self.crash();
    }
}

/// The folder of the server's programs, which Debian keeps off the search path.
fn programs() -> Option<PathBuf> {
    let on_path = env::var_os("PATH").into_iter();
    let on_path = on_path.flat_map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.flatten().map(|entry| entry.path().join("bin"));
    let has_all = |folder: &Path| {
        ["initdb", "postgres", "psql", "pg_isready"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    let found = versions.chain(on_path).find(|folder| has_all(folder));
    if found.is_none() {
        missing("no PostgreSQL server (Debian's package postgresql)");
    }
    found
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| {
        use std::os::unix::fs::MetadataExt as _;
        process.uid() == 0
    })
}
