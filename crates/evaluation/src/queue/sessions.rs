//! Sessions for the queue, and how statements about its tables are planned.

use crystalgym_postgresql::{PostgresqlError, ServerUrl, Session};

/// The table of jobs changes faster than its statistics: its indices are what to go by, and planning anew
/// costs more than a statement. Nothing in it needs the disk: what a crash takes of it is found out.
macro_rules! quiet {
    () => {
        "SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan; \
         SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; \
         SET enable_mergejoin = off; SET enable_material = off; SET jit = off; \
         SET client_min_messages = error"
    };
}

/// What a session hears of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hears {
    Nothing,
    /// Work has come.
    Work,
    /// A job has ended; its key is the text of the notification.
    Ends,
}

/// A session for the queue.
pub(crate) fn session(url: &ServerUrl, hears: Hears) -> Result<Session, PostgresqlError> {
    let setup = match hears {
        Hears::Nothing => quiet!(),
        Hears::Work => concat!(quiet!(), "; LISTEN crystalgym_work"),
        Hears::Ends => concat!(quiet!(), "; LISTEN crystalgym_ends"),
    };
    Session::new(url, setup)
}
