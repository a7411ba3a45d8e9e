//! Where a server is: `postgres://user@host:port/database?option=value`, without a password.

use std::{env, fmt, path::PathBuf, str::FromStr};

use percent_encoding::percent_decode_str;

use crate::UrlError;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const PORT: u16 = 5432;

/// Who computes what a store on a server lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compute {
    /// The workers that take from the server's queue.
    #[default]
    Workers,
    /// The process that asks.
    Here,
}

/// How a connection is encrypted, as in libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SslMode {
    /// Never.
    Disable,
    /// If the server can; no certificate is verified.
    #[default]
    Prefer,
    /// Always; no certificate is verified.
    Require,
    /// Always, and the certificate must be the host's (`verify-ca` is as strict).
    VerifyFull,
}

/// Where a server is, and how it is reached. Its text holds no password.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    /// A name, an address, or the folder of a socket.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) ssl_mode: SslMode,
    pub(crate) root_certificates: Option<PathBuf>,
    compute: Compute,
}

/// Whether a text is meant as the URL of a server and not as the name of a file.
pub fn is_server_url(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

/// A text in which the password of a URL, if there is one, cannot be read.
pub fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://").filter(|_| is_server_url(text)) else {
        return text.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    // A password may hold a slash that nobody encoded: the last @ ends it.
    let at = rest[..end].rfind('@').or_else(|| rest.rfind('@'));
    let rest = match at {
        Some(at) => match rest[..at].split_once(':') {
            Some((user, _)) => format!("{user}:***{}", &rest[at..]),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let Some((before, options)) = rest.split_once('?') else {
        return format!("{scheme}://{rest}");
    };
    let options = options
        .split('&')
        .map(|option| match option.split_once('=') {
            Some((name, _)) if name.contains("pass") => format!("{name}=***"),
            _ => option.to_owned(),
        });
    let options: Vec<_> = options.collect();
    format!("{scheme}://{before}?{}", options.join("&"))
}

impl ServerUrl {
    /// Who computes what the store lacks: option `compute`, `workers` unless it says `here`.
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// The same server, whatever the options say of who computes.
    #[must_use]
    pub fn computing(&self, compute: Compute) -> Self {
        Self {
            compute,
            ..self.clone()
        }
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = SCHEMES
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .ok_or_else(|| UrlError("expected postgres://host/database".to_owned()))?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (user, host),
            None => ("", authority),
        };
        if user.contains(':') || database.contains('@') {
            return Err(no_password());
        }
        let (host, port) = host_and_port(host)?;
        let mut url = Self {
            text: without_password(text),
            host: decoded(host)?,
            port,
            user: decoded(user)?,
            database: decoded(database)?,
            ssl_mode: SslMode::default(),
            root_certificates: None,
            compute: Compute::default(),
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option
                .split_once('=')
                .ok_or_else(|| UrlError(format!("the option '{option}' has no value")))?;
            url.set(name, &decoded(value)?)?;
        }
        if url.user.is_empty() {
            url.user = user_name()?;
        }
        if url.database.is_empty() {
            url.database.clone_from(&url.user);
        }
        if url.host.is_empty() {
            return Err(UrlError(
                "it names no host: expected one, or ?host=/folder/of/the/socket".to_owned(),
            ));
        }
        Ok(url)
    }
}

impl ServerUrl {
    fn set(&mut self, name: &str, value: &str) -> Result<(), UrlError> {
        let refuse = |expected: &str| Err(UrlError(format!("{name} is '{value}', {expected}")));
        match name {
            "host" => value.clone_into(&mut self.host),
            "port" => match value.parse() {
                Ok(port) => self.port = port,
                Err(_) => return refuse("expected a number"),
            },
            "user" => value.clone_into(&mut self.user),
            "dbname" => value.clone_into(&mut self.database),
            "sslmode" => {
                self.ssl_mode = match value {
                    "disable" => SslMode::Disable,
                    "allow" | "prefer" => SslMode::Prefer,
                    "require" => SslMode::Require,
                    "verify-ca" | "verify-full" => SslMode::VerifyFull,
                    _ => {
                        return refuse(
                            "expected disable, prefer, require, verify-ca or verify-full",
                        );
                    }
                }
            }
            "sslrootcert" => self.root_certificates = Some(PathBuf::from(value)),
            "compute" => {
                self.compute = match value {
                    "workers" => Compute::Workers,
                    "here" => Compute::Here,
                    _ => return refuse("expected workers or here"),
                }
            }
            "password" | "passfile" => return Err(no_password()),
            _ => {
                return Err(UrlError(format!(
                    "unknown option '{name}': expected host, port, user, dbname, sslmode, \
                     sslrootcert or compute"
                )));
            }
        }
        Ok(())
    }
}

fn no_password() -> UrlError {
    UrlError(
        "it must hold no password, which would be kept in run folders: expected PGPASSWORD, \
         PGPASSFILE or ~/.pgpass"
            .to_owned(),
    )
}

/// `host`, `host:port`, `[address]:port`.
fn host_and_port(text: &str) -> Result<(&str, u16), UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest
                .split_once(']')
                .ok_or_else(|| UrlError("the address has no closing bracket".to_owned()))?;
            (host, port.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => PORT,
        Some(port) => port
            .parse()
            .map_err(|_| UrlError("the port is no number up to 65535".to_owned()))?,
    };
    Ok((host, port))
}

fn decoded(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    match decoded {
        Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
        _ => Err(UrlError("a part of it is no text".to_owned())),
    }
}

/// `PGUSER`, or the name of the user who runs the program.
fn user_name() -> Result<String, UrlError> {
    if let Ok(name) = env::var("PGUSER") {
        return Ok(name);
    }
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective());
    match user {
        Ok(Some(user)) => Ok(user.name),
        _ => Err(UrlError(
            "it names no user, and this one has no name".to_owned(),
        )),
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: PostgreSQL 15's manual, section 34.1.1.2.
    #[test]
    fn urls_say_what_the_manual_says() {
        let url: ServerUrl = "postgresql://ann@db.example:6000/results?sslmode=verify-full"
            .parse()
            .unwrap();
        let parts = (
            url.host.as_str(),
            url.port,
            url.user.as_str(),
            url.database.as_str(),
        );
        assert_eq!(parts, ("db.example", 6000, "ann", "results"));
        assert_eq!(url.ssl_mode, SslMode::VerifyFull);
        assert_eq!(url.compute(), Compute::Workers);
        let url: ServerUrl = "postgres:///d%20b?host=/run/pg&user=u&compute=here"
            .parse()
            .unwrap();
        assert_eq!(
            (url.host.as_str(), url.database.as_str()),
            ("/run/pg", "d b")
        );
        assert_eq!(url.compute(), Compute::Here);
        let url: ServerUrl = "postgres://u@[::1]:7/x".parse().unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 7));
        let url: ServerUrl = "postgres://u@%2Frun%2Fpg".parse().unwrap();
        assert_eq!((url.host.as_str(), url.database.as_str()), ("/run/pg", "u"));
    }

    #[test]
    fn no_password_gets_in_and_none_comes_out() {
        for text in [
            "postgres://u:secret@h/d",
            "postgres://u:se/cret@h/d",
            "postgres://u@h/d?password=secret",
            "postgres://u@h/d?sslpassword=secret&user=x",
            "postgres://u:secret@h/d?compute=nowhere",
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err().to_string();
            let shown = without_password(text);
            for text in [&error, &shown] {
                assert!(
                    !text.contains("secret") && !text.contains("cret@"),
                    "{text}"
                );
            }
        }
        let plain = "postgres://u@h:1/d?host=/x&compute=here";
        assert_eq!(without_password(plain), plain);
        assert_eq!(without_password("a:b@c/store.sqlite"), "a:b@c/store.sqlite");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "postgres:/x",
            "postgres:///d",
            "postgres://u@h:99999/d",
            "postgres://u@[::1/d",
            "postgres://u@h/d?compute=there",
            "postgres://u@h/d?sslmode=maybe",
            "postgres://u@h/d?options=-cx",
            "postgres://u@h/d?x",
            "postgres://u@h/%ff",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }
}
