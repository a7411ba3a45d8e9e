//! What can be wrong with a server or its URL.

/// What can be wrong with a URL. The message never holds the URL itself, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the URL of the PostgreSQL server: {0}")]
pub struct UrlError(pub(crate) String);

/// What can be wrong with a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresqlError {
    /// The server could not be reached, or ended the session, for so long.
    #[error("{server}: not reached for {seconds} s: {cause}")]
    Unreachable {
        /// The server's URL, without a password.
        server: String,
        /// How long it was tried.
        seconds: u64,
        /// What the last try gave.
        cause: String,
    },
    /// The server refused what was asked for.
    #[error("{server}: {cause}")]
    Refused {
        /// The server's URL, without a password.
        server: String,
        /// What it said.
        cause: String,
        /// Its five characters for it (SQLSTATE), if it gave any.
        code: Option<String>,
    },
    /// Certificates cannot be read, or none is there to verify by.
    #[error("{server}: TLS: {cause}")]
    Tls {
        /// The server's URL, without a password.
        server: String,
        /// What is wrong.
        cause: String,
    },
}

impl PostgresqlError {
    /// Whether the server may answer later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// What the server calls it (SQLSTATE).
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => code.as_deref(),
            _ => None,
        }
    }
}
