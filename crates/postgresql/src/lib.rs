//! Sessions with a PostgreSQL server that outlive its restarts: URLs, passwords, TLS, back-off.

mod error;
mod password;
mod session;
mod tls;
mod url;

pub use error::{PostgresqlError, UrlError};
pub use postgres::{Error as ClientError, Row, types::ToSql};
pub use session::{Client, Session};
pub use url::{Compute, ServerUrl, is_server_url, without_password};
