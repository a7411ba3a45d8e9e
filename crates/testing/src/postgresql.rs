//! A real PostgreSQL server in a temporary folder, on a socket, as an ordinary user.
#![allow(clippy::unwrap_used, reason = "a test that has no server ends here")]

use std::{
    env, fs,
    net::TcpListener,
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
/// The port in the name of a socket.
const SOCKET_PORT: u16 = 5432;

/// A server that ends with its last user.
pub struct PostgresqlServer {
    folder: TempDir,
    programs: PathBuf,
    process: Mutex<Option<Child>>,
    databases: AtomicU32,
    /// Of the network, if it listens there, and of the socket.
    port: u16,
    listens: bool,
}

/// Where a server listens.
enum Place {
    Socket,
    /// On this machine's own network, encrypted.
    Localhost,
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
        Self::start_at(Place::Socket, settings)
    }

    /// A server of one's own on `localhost`, encrypted, with a certificate of that name by the authority
    /// whose certificate is [`Self::authority`].
    ///
    /// # Panics
    /// As [`Self::shared`], and without `openssl`.
    pub fn start_encrypted() -> Option<Self> {
        crate::program("openssl")?;
        Self::start_at(Place::Localhost, &["fsync=off", "ssl=on"])
    }

    fn start_at(place: Place, settings: &[&str]) -> Option<Self> {
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
            port: match place {
                Place::Socket => SOCKET_PORT,
                Place::Localhost => free_port(),
            },
            listens: matches!(place, Place::Localhost),
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
        if server.listens {
            server.make_certificates();
        }
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

    /// The URL of a database by the network, with options.
    ///
    /// # Panics
    /// If the server listens on its socket alone.
    pub fn network_url(&self, host: &str, database: &str, options: &str) -> String {
        assert!(self.listens);
        format!(
            "postgres://crystalgym@{host}:{}/{database}?{options}",
            self.port
        )
    }

    /// The certificate of the authority that has signed the server's.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// An authority, and a certificate of `localhost` signed by it.
    fn make_certificates(&self) {
        let script = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority-$$ \
             -keyout authority.key -out authority.pem && \
             openssl req -newkey rsa:2048 -nodes -subj /CN=localhost \
             -keyout data/server.key -out request.pem && \
             printf 'subjectAltName=DNS:localhost' >extensions && \
             openssl x509 -req -in request.pem -CA authority.pem -CAkey authority.key \
             -CAcreateserial -days 2 -extfile extensions -out data/server.crt && \
             chmod 600 data/server.key";
        let made = as_server(Path::new("sh"), self.folder.path())
            .args(["-c", script])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "openssl: {complaint}");
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
            .args(["-p", &self.port.to_string()])
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
                .args(["-p", &self.port.to_string(), "-c"])
                .arg(match self.listens {
                    true => "listen_addresses=localhost",
                    false => "listen_addresses=",
                })
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
            .args(["-p", &self.port.to_string(), "-qh"])
            .arg(self.folder.path())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of PostgreSQL as an ordinary user.
    fn command(&self, program: &str) -> Command {
        as_server(&self.programs.join(program), self.folder.path())
    }
}

/// A program as the user that the server runs as, in its folder.
fn as_server(program: &Path, folder: &Path) -> Command {
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
    command.current_dir(folder);
    command
}

/// A port of this machine that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("localhost:0").unwrap();
    listener.local_addr().unwrap().port()
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
