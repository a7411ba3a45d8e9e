//! A session that is begun anew, with back-off, when the server or the way to it is gone.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    io, thread,
    time::{Duration, Instant},
};

use postgres::{
    Config, Error, NoTls, Notification, Row, Statement, config::SslMode as ClientSslMode,
    error::SqlState, fallible_iterator::FallibleIterator as _, types::ToSql,
};

use crate::{PostgresqlError, ServerUrl, password::password_of, tls::Encryption, url::SslMode};

/// First and longest pause between two tries to reach the server.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long one try may take, and how long a silent network is believed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);

/// A session with a server. One thread at a time uses it.
pub struct Session {
    url: ServerUrl,
    config: Config,
    encryption: Option<Encryption>,
    /// Sent at the begin of every connection.
    setup: &'static str,
    client: Option<Client>,
    connections: u64,
}

/// An open connection with the statements that it has prepared.
pub struct Client {
    client: postgres::Client,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    /// A session that is begun when it is first needed. `setup` are statements for the begin of each
    /// connection.
    ///
    /// # Errors
    /// [`PostgresqlError::Tls`] if certificates cannot be read.
    pub fn new(url: &ServerUrl, setup: &'static str) -> Result<Self, PostgresqlError> {
        let is_socket = url.host.starts_with('/');
        let encryption = match url.ssl_mode {
            _ if is_socket => None,
            SslMode::Disable => None,
            SslMode::Prefer | SslMode::Require | SslMode::VerifyFull => Some(Encryption::of(url)?),
        };
        let mut config = Config::new();
        config
            .port(url.port)
            .user(&url.user)
            .dbname(&url.database)
            .application_name("crystalgym")
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(SILENCE)
            .keepalives_idle(SILENCE)
            .ssl_mode(match url.ssl_mode {
                _ if is_socket => ClientSslMode::Disable,
                SslMode::Disable => ClientSslMode::Disable,
                SslMode::Prefer => ClientSslMode::Prefer,
                SslMode::Require | SslMode::VerifyFull => ClientSslMode::Require,
            });
        match is_socket {
            true => config.host_path(&url.host),
            false => config.host(&url.host),
        };
        if let Some(password) = password_of(url) {
            config.password(password);
        }
        Ok(Self {
            url: url.clone(),
            config,
            encryption,
            setup,
            client: None,
            connections: 0,
        })
    }

    /// Where the server is.
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Does something on the server. If the connection is lost, or the server is not there, it is done
    /// again on a new one until `patience` is over: what is done must bear to be done twice.
    ///
    /// # Errors
    /// [`PostgresqlError::Unreachable`] when the patience is over; [`PostgresqlError::Refused`] and
    /// [`PostgresqlError::Tls`] at once for what another try would not change.
    pub fn run<T>(
        &mut self,
        patience: Duration,
        mut work: impl FnMut(&mut Client) -> Result<T, Error>,
    ) -> Result<T, PostgresqlError> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let open = self.client.take();
            let client = match open.filter(|client| !client.client.is_closed()) {
                Some(client) => Ok(client),
                None => self.connect().inspect(|_| self.connections += 1),
            };
            let error = match client {
                Ok(mut client) => match work(&mut client) {
                    Ok(done) => {
                        self.client = Some(client);
                        return Ok(done);
                    }
                    Err(error) => {
                        // A transaction that was begun must not be gone on with.
                        let is_open = !client.client.is_closed()
                            && client.client.batch_execute("ROLLBACK").is_ok();
                        self.client = is_open.then_some(client);
                        error
                    }
                },
                Err(error) => error,
            };
            if is_of_certificate(&error) {
                return Err(PostgresqlError::Tls {
                    server: self.url.to_string(),
                    cause: cause(&error),
                });
            }
            if !is_passing(&error) {
                return Err(PostgresqlError::Refused {
                    server: self.url.to_string(),
                    cause: cause(&error),
                    code: error.code().map(|code| code.code().to_owned()),
                });
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(PostgresqlError::Unreachable {
                    server: self.url.to_string(),
                    seconds: patience.as_secs(),
                    cause: cause(&error),
                });
            }
            thread::sleep(jittered(pause).min(left));
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Whether there is a connection; a new one is made when it is needed.
    pub fn is_connected(&self) -> bool {
        self.client
            .as_ref()
            .is_some_and(|client| !client.client.is_closed())
    }

    /// Connections that have been made so far; what was sent to an earlier one may not have arrived.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    fn connect(&self) -> Result<Client, Error> {
        let mut client = match &self.encryption {
            Some(encryption) => self.config.connect(encryption.clone())?,
            None => self.config.connect(NoTls)?,
        };
        client.batch_execute(self.setup)?;
        Ok(Client {
            client,
            statements: HashMap::new(),
        })
    }
}

impl Client {
    /// Rows of a statement, which is prepared once a connection.
    ///
    /// # Errors
    /// The server's, or the connection's.
    pub fn query(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql)?;
        self.client.query(&statement, parameters)
    }

    /// The one row of a statement, or none.
    ///
    /// # Errors
    /// The server's, or the connection's; more than one row.
    pub fn query_opt(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error> {
        let statement = self.prepared(sql)?;
        self.client.query_opt(&statement, parameters)
    }

    /// Number of rows that a statement changed.
    ///
    /// # Errors
    /// The server's, or the connection's.
    pub fn execute(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        let statement = self.prepared(sql)?;
        self.client.execute(&statement, parameters)
    }

    /// Statements without parameters.
    ///
    /// # Errors
    /// The server's, or the connection's.
    pub fn batch(&mut self, sql: &'static str) -> Result<(), Error> {
        self.client.batch_execute(sql)
    }

    /// What is done in one transaction. An error leaves it to [`Session::run`] to take it back.
    ///
    /// # Errors
    /// Those of `work`; the server's, or the connection's.
    pub fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.client.batch_execute("BEGIN")?;
        let done = work(self)?;
        self.client.batch_execute("COMMIT")?;
        Ok(done)
    }

    /// Waits for a notification, at most so long; the texts of all that have come.
    ///
    /// # Errors
    /// The connection's.
    pub fn notifications(&mut self, timeout: Duration) -> Result<Vec<String>, Error> {
        let mut notifications = self.client.notifications();
        let text = |notification: Notification| notification.payload().to_owned();
        let Some(first) = notifications.timeout_iter(timeout).next()? else {
            return Ok(Vec::new());
        };
        let mut texts = vec![text(first)];
        // Not by a time-out of zero, which the clock behind it makes a millisecond.
        let mut others = notifications.iter();
        while let Some(next) = others.next()? {
            texts.push(text(next));
        }
        Ok(texts)
    }

    fn prepared(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.url).finish()
    }
}

/// Whether another try may end otherwise: the connection is gone, the server ends or begins, it has
/// no place, or two transactions were in each other's way.
fn is_passing(error: &Error) -> bool {
    let Some(code) = error.code() else {
        return true;
    };
    let class = code.code().get(..2).unwrap_or_default();
    class == "08"
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::DISK_FULL,
            SqlState::OUT_OF_MEMORY,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
        ]
        .contains(code)
}

/// Whether the server's certificate is not believed, which another try would not change.
fn is_of_certificate(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inside = inner
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        let tls = inside.and_then(|inside| inside.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(_)) = tls {
            return true;
        }
        source = inner.source();
    }
    false
}

/// What the server or the system said, on one line.
fn cause(error: &Error) -> String {
    let mut text = match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    let mut source = match error.as_db_error() {
        Some(_) => None,
        None => std::error::Error::source(error),
    };
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text.replace('\n', " ")
}

/// Half to the whole of a pause, so that many do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0);
    pause.mul_f64(0.5 + 0.5 * (random >> 11) as f64 / (1u64 << 53) as f64)
}
