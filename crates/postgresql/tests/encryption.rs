//! Encrypted connections to a real server with a certificate by an authority of its own.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use crystalgym_postgresql::{PostgresqlError, Session};
use crystalgym_testing::PostgresqlServer;

const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the connection is encrypted, as the server says.
fn is_encrypted(url: &str) -> Result<bool, PostgresqlError> {
    let mut session = Session::new(&url.parse().unwrap(), "SET client_min_messages = error")?;
    session.run(PATIENCE, |client| {
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.query(sql, &[])?[0].get(0))
    })
}

/// Oracle: the server's own word on each connection.
#[test]
fn a_server_is_believed_by_its_authority_and_its_name() {
    let Some(server) = PostgresqlServer::start_encrypted() else {
        return;
    };
    let Some(other) = PostgresqlServer::start_encrypted() else {
        return;
    };
    let url = |host, mode: &str, authority: &str| {
        let options = match authority {
            "" => format!("sslmode={mode}"),
            authority => format!("sslmode={mode}&sslrootcert={authority}"),
        };
        server.network_url(host, "postgres", &options)
    };
    let [own, foreign] = [&server, &other].map(|server| server.authority().display().to_string());
    let verified = url("localhost", "verify-full", &own);
    assert!(is_encrypted(&verified).unwrap());
    assert!(is_encrypted(&url("localhost", "require", "")).unwrap());
    assert!(is_encrypted(&url("localhost", "prefer", "")).unwrap());
    assert!(!is_encrypted(&url("localhost", "disable", "")).unwrap());
    for (refused, why) in [
        (url("localhost", "verify-full", &foreign), "UnknownIssuer"),
        (url("localhost", "require", &foreign), "UnknownIssuer"),
        (url("localhost", "verify-full", "system"), "UnknownIssuer"),
        // The certificate is of another name.
        (url("127.0.0.1", "verify-full", &own), "not valid for name"),
    ] {
        let error = is_encrypted(&refused).unwrap_err();
        assert!(matches!(error, PostgresqlError::Tls { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{refused}: {error}");
    }
    // One whose file of authorities is none.
    let nothing = is_encrypted(&url("localhost", "verify-full", "/dev/null"));
    assert!(
        matches!(nothing, Err(PostgresqlError::Tls { .. })),
        "{nothing:?}"
    );
}
