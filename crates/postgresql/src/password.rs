//! The password of a server: `PGPASSWORD`, or the file that `PGPASSFILE` names, or `~/.pgpass`.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::ServerUrl;

/// The password of this user on this server, if the environment knows one.
pub(crate) fn password_of(url: &ServerUrl) -> Option<String> {
    if let Ok(password) = env::var("PGPASSWORD") {
        return Some(password);
    }
    let file = env::var_os("PGPASSFILE").map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME")?;
        Some(Path::new(&home).join(".pgpass"))
    })?;
    in_file(&file, url)
}

/// As libpq, a file that others can read does not count.
fn in_file(file: &Path, url: &ServerUrl) -> Option<String> {
    let metadata = fs::metadata(file).ok()?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o077 != 0 {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| in_line(line, url))
}

/// `host:port:database:user:password`; `*` is anything, `\` keeps the next character.
fn in_line(line: &str, url: &ServerUrl) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    // A socket goes by the name of the local host.
    let host = match url.host.starts_with('/') {
        true => "localhost",
        false => &url.host,
    };
    let port = url.port.to_string();
    let mut rest = line;
    for expected in [host, &port, &url.database, &url.user] {
        let (field, after) = field(rest);
        if field != expected && !(field == "*" && rest.starts_with('*')) {
            return None;
        }
        rest = after?;
    }
    Some(field(rest).0)
}

/// The text up to a colon, and what stands behind it.
fn field(text: &str) -> (String, Option<&str>) {
    let mut field = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            ':' => return (field, Some(&text[place + 1..])),
            '\\' => field.extend(characters.next().map(|(_, next)| next)),
            _ => field.push(character),
        }
    }
    (field, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: PostgreSQL 15's manual, section 34.16.
    #[test]
    fn a_password_file_is_read_as_libpq_reads_it() {
        let url: ServerUrl = "postgres://ann@db:5432/results".parse().unwrap();
        for (line, password) in [
            ("db:5432:results:ann:pw", Some("pw")),
            ("*:*:*:*:pw:with", Some("pw")),
            ("*:*:*:ann:a\\:b\\\\c", Some("a:b\\c")),
            ("db:5433:results:ann:pw", None),
            ("#db:5432:results:ann:pw", None),
            ("db:5432:results", None),
            ("", None),
        ] {
            assert_eq!(in_line(line, &url).as_deref(), password, "{line}");
        }
        let local: ServerUrl = "postgres://ann@/results?host=/run/pg".parse().unwrap();
        assert_eq!(
            in_line("localhost:*:*:ann:pw", &local).as_deref(),
            Some("pw")
        );

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgpass");
        fs::write(&file, "other:*:*:*:no\ndb:*:*:ann:yes\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(in_file(&file, &url), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(in_file(&file, &url).as_deref(), Some("yes"));
    }
}
