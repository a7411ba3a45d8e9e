//! Notifications of a real server.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use crystalgym_postgresql::Session;
use crystalgym_testing::PostgresqlServer;

const PATIENCE: Duration = Duration::from_secs(60);

/// Oracle: what was said, in the order in which it was.
#[test]
fn all_that_has_come_is_heard_at_once_in_order() {
    let Some(server) = PostgresqlServer::shared() else {
        return;
    };
    let url = server.new_database("").parse().unwrap();
    let mut ear = Session::new(&url, "LISTEN ends").unwrap();
    let mut mouth = Session::new(&url, "SET client_min_messages = error").unwrap();
    let nothing = ear.run(PATIENCE, |client| {
        client.notifications(Duration::from_millis(1))
    });
    assert_eq!(nothing.unwrap(), Vec::<String>::new());
    let said =
        "SELECT pg_notify('ends', number::TEXT) FROM generate_series(1, 500) AS given(number)";
    mouth
        .run(PATIENCE, |client| client.query(said, &[]))
        .unwrap();
    let (mut heard, mut times) = (Vec::new(), 0);
    while heard.len() < 500 {
        let texts = ear.run(PATIENCE, |client| client.notifications(PATIENCE));
        heard.extend(texts.unwrap());
        times += 1;
    }
    let all: Vec<_> = (1..=500).map(|number| number.to_string()).collect();
    assert_eq!(heard, all);
    // One transaction's come in a few packets.
    assert!(times < 100, "{times}");
    // A connection that was ended is begun anew, and hears again.
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    mouth
        .run(PATIENCE, |client| client.query(others, &[]))
        .unwrap();
    while ear.connections() < 2 {
        let nothing = ear.run(PATIENCE, |client| {
            client.notifications(Duration::from_millis(1))
        });
        assert_eq!(nothing.unwrap(), Vec::<String>::new());
    }
    mouth
        .run(PATIENCE, |client| {
            client.query("SELECT pg_notify('ends', 'last')", &[])
        })
        .unwrap();
    let last = ear.run(PATIENCE, |client| client.notifications(PATIENCE));
    assert_eq!(last.unwrap(), ["last"]);
}
