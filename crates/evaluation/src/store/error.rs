//! What can be wrong with a store.

use std::path::PathBuf;

/// What can be wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("store {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The folder of the file cannot be created.
    #[error("store folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file cannot be looked at.
    #[error("store {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// What lies there is no store: another program's database, a folder, a device, ….
    #[error("'{}' is no store of results: {found}; nothing was changed", path.display())]
    NotAStore {
        /// The name.
        path: PathBuf,
        /// What was found, and what was expected.
        found: String,
    },
    /// The file, its folder or its medium cannot be written.
    #[error("store {}: it can only be read (no permission to write, or a read-only medium)", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error("store {}: layout {found} is newer than this program's {supported}", path.display())]
    NewerLayout {
        /// The file.
        path: PathBuf,
        /// Layout of the file.
        found: i64,
        /// Newest layout that this program knows.
        supported: i64,
    },
    /// Another process has kept the file locked for too long.
    #[error("store {}: locked by another process for {seconds} s", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long this process waited.
        seconds: u64,
    },
    /// SQLite failed (disk full, damaged file, …).
    #[error("store {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The file as a whole is damaged, or rows of it.
    #[error("store {}: {}", path.display(), summary(problems))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Each damage, in words.
        problems: Vec<String>,
    },
    /// The file would lie on a network file system, whose locks and shared memory SQLite cannot rely on.
    #[error(
        "store {}: it would lie on a network file system ({kind}), where several machines would damage \
         it: name a file on a local disk, or a PostgreSQL server as postgres://host/database \
         (docs/cluster.md)",
        path.display()
    )]
    NetworkFileSystem {
        /// The file.
        path: PathBuf,
        /// Name of the file system.
        kind: &'static str,
    },
    /// The URL of a server is wrong.
    #[error(transparent)]
    Url(#[from] crystalgym_postgresql::UrlError),
    /// A PostgreSQL server failed, or cannot be reached.
    #[error("store {0}")]
    Server(#[from] crystalgym_postgresql::PostgresqlError),
    /// What was asked for needs a queue of calculations.
    #[error("the store has no queue of calculations, expected postgres://host/database")]
    NoQueue,
    /// An export could not be written.
    #[error("export: {0}")]
    Export(std::io::Error),
}

impl StoreError {
    /// Whether another try, without anybody doing anything, may end otherwise.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Locked { .. } => true,
            Self::Server(error) => error.is_passing(),
            _ => false,
        }
    }
}

/// Problems that a message lists.
const LISTED: usize = 10;

fn summary(problems: &[String]) -> String {
    let listed = problems.iter().take(LISTED).cloned().collect::<Vec<_>>();
    let more = match problems.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{} damaged: {}{more}", problems.len(), listed.join("; "))
}
