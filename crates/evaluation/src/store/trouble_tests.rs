//! A file that cannot be written, leases, and workers that are gone: nothing waits for ever, and
//! nothing is lost.

use std::{
    path::{Path, PathBuf},
    sync::MutexGuard,
    thread,
    time::{Duration, Instant},
};

use crystalgym_crystal::Element;
use rusqlite::Connection;

use super::{
    ResultStore, StoreKey,
    process_identity::this_process,
    table::Table,
    tests::{Counting, crystal, run},
};
use crate::{CancelToken, Evaluation, Property, Source, evaluate};

const LEASE: Duration = Duration::from_millis(600);

fn open(path: &Path) -> ResultStore {
    ResultStore::open_with(path, Duration::from_millis(500), LEASE).unwrap()
}

fn ask(calculator: &Counting, store: &ResultStore, symbols: &str) -> Evaluation {
    let cancel = CancelToken::default();
    let crystal = crystal(symbols);
    evaluate(
        calculator,
        Some(store),
        &crystal,
        Property::Density,
        &cancel,
    )
}

fn perovskites(count: usize) -> Vec<String> {
    let elements = Element::all().skip(2).take(count);
    elements.map(|x| format!("Rb Ca H H {x}")).collect()
}

/// As if the disk were full: SQLite gives the same error. `None` for room again.
fn limit_pages(store: &ResultStore, spare: Option<u32>) {
    let connection = file_connection(store);
    let pages: u32 = connection
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    let limit = spare.map_or(1_000_000, |spare| pages + spare);
    let set: u32 = connection
        .query_row(&format!("PRAGMA max_page_count = {limit}"), [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(set, limit);
}

fn file_connection(store: &ResultStore) -> MutexGuard<'_, Connection> {
    let Table::File(file) = &store.shared.table else {
        panic!("no file");
    };
    file.connection(file.lock_timeout)
}

fn claims(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection
        .query_row("SELECT count(*) FROM claims", [], |row| row.get(0))
        .unwrap()
}

fn store_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    (folder, path)
}

/// Every amount of room: the file becomes full at a claim, at a result, or in between.
#[test]
fn a_full_disk_costs_no_result_and_is_reported_once() {
    for spare in 0..3 {
        let (_folder, path) = store_file();
        let store = open(&path);
        let calculator = Counting::new(0, None);
        ask(&calculator, &store, "Li Na K Rb H");
        limit_pages(&store, Some(spare));
        let crystals = perovskites(40);
        let errors: Vec<String> = crystals
            .iter()
            .filter_map(|symbols| {
                let evaluation = ask(&calculator, &store, symbols);
                assert!(evaluation.outcome.value().is_some());
                evaluation.store_error
            })
            .collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("full"), "{errors:?}");
        assert!(store.unwritten() > 0);
        assert!(store.flush().is_err());
        // This process finds them all the same.
        for symbols in &crystals {
            assert_eq!(ask(&calculator, &store, symbols).source, Source::Store);
        }
        assert_eq!(calculator.calls(), 41);

        // Others wait no longer than a lease for what this one cannot write.
        let other = open(&path);
        let start = Instant::now();
        let again = Counting::new(0, None);
        for symbols in &crystals {
            assert!(ask(&again, &other, symbols).outcome.value().is_some());
        }
        assert!(start.elapsed() < 30 * LEASE, "{:?}", start.elapsed());
        drop(other);

        // With room again everything is written without anybody asking.
        limit_pages(&store, None);
        let start = Instant::now();
        while store.unwritten() > 0 && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!((store.unwritten(), claims(&path)), (0, 0));
        let reader = ResultStore::open_read_only(&path).unwrap();
        assert_eq!(reader.results(None).unwrap().len(), 41);
        reader.check().unwrap();
        // Trouble that comes again is reported again.
        limit_pages(&store, Some(0));
        let more: Vec<_> = (perovskites(100).iter().skip(40))
            .filter_map(|symbols| ask(&calculator, &store, symbols).store_error)
            .collect();
        assert_eq!(more.len(), 1, "{more:?}");
        limit_pages(&store, None);
        drop(store);
        assert_eq!(
            ResultStore::open(&path)
                .unwrap()
                .results(None)
                .unwrap()
                .len(),
            101
        );
    }
}

#[test]
fn a_living_worker_keeps_its_claim_far_beyond_a_lease() {
    let (_folder, path) = store_file();
    let calculator = Counting::new(4 * LEASE.as_millis() as u64, None);
    thread::scope(|scope| {
        scope.spawn(|| ask(&calculator, &open(&path), "Li Na K Rb H"));
        thread::sleep(LEASE / 3);
        let waited = ask(&calculator, &open(&path), "Li Na K Rb H");
        assert_eq!(waited.source, Source::Store);
    });
    assert_eq!(calculator.calls(), 1);
}

/// What stands in the table when its worker is gone, cannot be known, or renews nothing.
#[test]
fn claims_that_nobody_renews_end_with_their_lease() {
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_millis() as i64
    };
    let lease = LEASE.as_millis() as i64;
    let dead = this_process().replacen(&std::process::id().to_string(), "4000000", 1);
    for (owner, ahead, at_once) in [
        // This very process, of which it is known that it lives.
        (this_process(), Some(lease), false),
        // As a process without /proc writes itself.
        (" 999999 gone".to_owned(), Some(lease), false),
        // A clock set back after the claim.
        (this_process(), Some(3_600_000), true),
        (this_process(), None, true),
        (dead, Some(lease), true),
        (String::new(), Some(-1), true),
    ] {
        let (_folder, path) = store_file();
        let store = open(&path);
        let calculator = Counting::new(0, None);
        let key = StoreKey::new(&crystal("Li Na K Rb H"), Property::Density, &calculator);
        file_connection(&store)
            .execute(
                "INSERT INTO claims VALUES (?1, ?2, ?3)",
                rusqlite::params![key.hash(), owner, ahead.map_or(1, |ahead| now() + ahead)],
            )
            .unwrap();
        let start = Instant::now();
        assert_eq!(run(&calculator, &store, "Li Na K Rb H").1, Source::Computed);
        let waited = start.elapsed();
        assert!(waited < 3 * LEASE, "{owner} {waited:?}");
        assert_eq!(waited < LEASE / 2, at_once, "{owner} {waited:?}");
        assert_eq!(claims(&path), 0);
    }
}

/// The clock of a row may be anything: whoever has watched it for a lease takes it.
#[test]
fn a_claim_is_watched_by_a_steady_clock_too() {
    let (_folder, path) = store_file();
    let store = open(&path);
    let calculator = Counting::new(0, None);
    let key = StoreKey::new(&crystal("Li Na K Rb H"), Property::Density, &calculator);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // As far ahead as is believed: twice the lease.
    let expires = (now.unwrap() + 2 * LEASE).as_millis() as i64 - 5;
    file_connection(&store)
        .execute(
            "INSERT INTO claims VALUES (?1, ?2, ?3)",
            rusqlite::params![key.hash(), this_process(), expires],
        )
        .unwrap();
    let start = Instant::now();
    run(&calculator, &store, "Li Na K Rb H");
    assert!(start.elapsed() > LEASE / 2 && start.elapsed() < 2 * LEASE + LEASE / 2);
}

/// A store that is locked from outside costs its lock timeout once, not once a crystal.
#[test]
fn a_locked_store_does_not_set_the_pace() {
    let (_folder, path) = store_file();
    // Ten crystals with two accesses each would take a minute.
    let store = ResultStore::open_with(&path, Duration::from_secs(3), LEASE).unwrap();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let calculator = Counting::new(0, None);
    let start = Instant::now();
    let errors = perovskites(10)
        .iter()
        .filter(|symbols| ask(&calculator, &store, symbols).store_error.is_some())
        .count();
    assert_eq!(errors, 1);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    blocker.execute_batch("ROLLBACK").unwrap();
    store.flush().unwrap();
    assert_eq!(
        ResultStore::open(&path)
            .unwrap()
            .results(None)
            .unwrap()
            .len(),
        10
    );
}

/// Rows that cannot be read are named, left out, computed again once, and replaced.
#[test]
fn damaged_rows_are_named_and_replaced() {
    for (damage, readable) in [
        ("outcome = '{'", 1),
        (
            "outcome = replace(outcome, '\"value\":', '\"value\":1e400,\"v\":')",
            1,
        ),
        ("outcome = CAST(x'ff' AS TEXT)", 1),
        ("value = 99", 2),
        ("status = 'failure'", 2),
        ("failure = 'killed'", 2),
        ("structure = '[]'", 1),
        ("elements = 'H'", 1),
        ("formula = 'H'", 1),
    ] {
        let (_folder, path) = store_file();
        let calculator = Counting::new(0, None);
        {
            let store = open(&path);
            run(&calculator, &store, "Li Na K Rb H");
            run(&calculator, &store, "Rb Ca H H H");
        }
        let connection = Connection::open(&path).unwrap();
        let changed = connection
            .execute(
                &format!("UPDATE results SET {damage} WHERE elements LIKE '%Ca%'"),
                [],
            )
            .unwrap();
        assert_eq!(changed, 1);
        drop(connection);
        let reader = ResultStore::open_read_only(&path).unwrap();
        let error = reader.check().unwrap_err().to_string();
        assert!(error.contains("1 damaged: result "), "{damage}: {error}");
        let (good, damaged) = reader.results_and_damage(None).unwrap();
        assert_eq!((good.len(), damaged.len()), (readable, 1), "{damage}");
        let store = open(&path);
        assert_eq!(
            run(&calculator, &store, "Rb Ca H H H").1,
            Source::Computed,
            "{damage}"
        );
        assert_eq!(
            run(&calculator, &store, "Rb Ca H H H").1,
            Source::Store,
            "{damage}"
        );
        assert_eq!(calculator.calls(), 3, "{damage}");
        store.check().unwrap();
        assert_eq!(store.results(None).unwrap().len(), 2);
    }
}
