//! A store on a real PostgreSQL server: the answers of a file, and what only a server can go through.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crystalgym_crystal::Element;
use crystalgym_testing::PostgresqlServer;

use super::{
    ExportFormat, ResultStore, StoreError, StoreKey, StoredResult,
    process_identity::this_process,
    tests::{Counting, Place, crystal, run},
};
use crate::{CancelToken, Evaluation, FailureCode, Property, Source, evaluate};

const LEASE: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_millis(300);

fn open(path: &Path) -> ResultStore {
    let url = path.to_str().unwrap().parse().unwrap();
    ResultStore::open_server(&url, LEASE, PATIENCE).unwrap()
}

fn ask(calculator: &Counting, store: &ResultStore, symbols: &str) -> Evaluation {
    let (crystal, cancel) = (crystal(symbols), CancelToken::default());
    evaluate(
        calculator,
        Some(store),
        &crystal,
        Property::Density,
        &cancel,
    )
}

/// Some results of many kinds.
fn fill(store: &ResultStore) {
    let calculator = Counting::new(0, None);
    let failing = Counting::new(0, Some(FailureCode::ScfNotConverged));
    for element in Element::all().take(40) {
        let calculator = match element.atomic_number() % 3 {
            0 => &failing,
            _ => &calculator,
        };
        run(calculator, store, &format!("Rb Ca H H {element}"));
        run(calculator, store, &format!("Li {element} Na K H"));
    }
}

/// Everything but the second of writing.
fn content(store: &ResultStore) -> Vec<StoredResult> {
    let mut results = store.results(None).unwrap();
    for result in &mut results {
        result.created = String::new();
        match &mut result.outcome {
            crate::Outcome::Success(values) => values.seconds = 0.0,
            crate::Outcome::Failure(failure) => failure.seconds = 0.0,
        }
    }
    results
}

fn jsonl(store: &ResultStore) -> String {
    let mut text = Vec::new();
    let results = store.results(None).unwrap();
    StoredResult::write_all(&results, ExportFormat::JsonLines, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// Oracle: the file, with the same questions.
#[test]
fn a_server_answers_as_a_file_does_and_results_move_between_them_unchanged() {
    let places: Vec<_> = Place::each().collect();
    let [file, server] = places.as_slice() else {
        return;
    };
    let (file, server_store) = (file.open(), server.open());
    fill(&file);
    fill(&server_store);
    assert_eq!(content(&file), content(&server_store));
    let counted: u64 = file.statistics().unwrap().iter().map(|count| count.3).sum();
    assert_eq!(content(&file).len() as u64, counted);
    assert_eq!(
        file.statistics().unwrap(),
        server_store.statistics().unwrap()
    );
    let (of_file, of_server) = (
        file.results(Some(Property::BandGap)).unwrap(),
        server_store.results(Some(Property::BandGap)).unwrap(),
    );
    assert_eq!(of_file, of_server);

    // To an empty server, twice, and back to an empty file: the same to the letter.
    let empty = Place::server().unwrap();
    let target = empty.open();
    let copied = file.copy_to(&target).unwrap();
    assert_eq!(copied.added as usize, content(&file).len());
    assert_eq!((copied.known, copied.damaged.len()), (0, 0));
    let again = file.copy_to(&target).unwrap();
    assert_eq!((again.added, again.known), (0, copied.added));
    assert_eq!(jsonl(&file), jsonl(&target));
    let back = ResultStore::in_memory().unwrap();
    target.copy_to(&back).unwrap();
    assert_eq!(jsonl(&file), jsonl(&back));
    back.check().unwrap();
    // What was there stands.
    let kept = jsonl(&server_store);
    file.copy_to(&server_store).unwrap();
    assert_eq!(kept, jsonl(&server_store));
    // A damaged row stays where it is and is named.
    let name = database(&empty.path);
    (empty.server.as_ref().unwrap()).sql(
        name,
        "UPDATE crystalgym.results SET value = 99 WHERE elements LIKE '%Ca%' AND elements LIKE '%Cl%'",
    );
    let copied = target.copy_to(&ResultStore::in_memory().unwrap()).unwrap();
    assert_eq!(copied.damaged.len(), 1);
    let error = target.check().unwrap_err().to_string();
    assert!(error.contains("1 damaged: result "), "{error}");
    assert_eq!(
        run(&Counting::new(0, None), &target, "Rb Ca H H Cl").1,
        Source::Computed
    );
    target.check().unwrap();
}

/// The name of the database in a URL of the tests.
fn database(path: &Path) -> &str {
    let text = path.to_str().unwrap();
    let text = text.strip_prefix("postgres:///").unwrap();
    text.split_once('?').unwrap().0
}

#[test]
fn claims_on_a_server_are_leases() {
    let Some(place) = Place::server() else {
        return;
    };
    let server = place.server.clone().unwrap();
    // Whoever lives keeps a claim far beyond a lease.
    let slow = Counting::new(4 * LEASE.as_millis() as u64, None);
    thread::scope(|scope| {
        scope.spawn(|| ask(&slow, &open(&place.path), "Li Na K Rb H"));
        thread::sleep(LEASE / 3);
        assert_eq!(
            ask(&slow, &open(&place.path), "Li Na K Rb H").source,
            Source::Store
        );
    });
    assert_eq!(slow.calls(), 1);
    // A claim that nobody renews is over after a lease by the server's clock, and at once if its
    // process is known to have ended.
    let dead = this_process().replacen(&std::process::id().to_string(), "4000000", 1);
    let lease = LEASE.as_millis();
    for (owner, expires, at_once) in [
        ("elsewhere 5 gone".to_owned(), format!("{lease}"), false),
        ("elsewhere 5 gone".to_owned(), "-1".to_owned(), true),
        ("elsewhere 5 gone".to_owned(), "3600000".to_owned(), true),
        (dead, format!("{lease}"), true),
    ] {
        let place = Place::server().unwrap();
        let store = open(&place.path);
        let calculator = Counting::new(0, None);
        let key = StoreKey::new(&crystal("Li Na K Rb H"), Property::Density, &calculator);
        server.sql(
            database(&place.path),
            &format!(
                "INSERT INTO crystalgym.claims VALUES ('{}', '{owner}', \
                 (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + {expires})",
                key.hash()
            ),
        );
        let start = Instant::now();
        assert_eq!(run(&calculator, &store, "Li Na K Rb H").1, Source::Computed);
        let waited = start.elapsed();
        assert_eq!(waited < LEASE / 2, at_once, "{owner} {waited:?}");
        let left = server.sql(
            database(&place.path),
            "SELECT count(*) FROM crystalgym.claims",
        );
        assert_eq!(left, "0");
    }
}

#[test]
fn a_server_that_is_gone_for_a_while_costs_no_result() {
    let Some(server) = PostgresqlServer::start(&["fsync=off"]) else {
        return;
    };
    let path: PathBuf = server.new_database("&compute=here").into();
    let store = open(&path);
    let calculator = Counting::new(0, None);
    assert_eq!(ask(&calculator, &store, "Li Na K Rb H").store_error, None);
    // Sessions that the server ends are begun anew without a word.
    for _ in 0..3 {
        server.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'd0'",
        );
        assert_eq!(run(&calculator, &store, "Li Na K Rb H").1, Source::Store);
    }
    server.crash();
    let mut errors = Vec::new();
    for symbols in ["Rb Ca H H F", "Rb Ca H H Cl", "Rb Ca H H Br"] {
        let evaluation = ask(&calculator, &store, symbols);
        assert!(evaluation.outcome.value().is_some());
        errors.extend(evaluation.store_error);
        // Found in this process all the same.
        assert_eq!(ask(&calculator, &store, symbols).source, Source::Store);
    }
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("postgres:///d0") && errors[0].contains("not reached"),
        "{errors:?}"
    );
    assert_eq!((store.unwritten(), calculator.calls()), (3, 4));
    server.go_on();
    // Delivered without anybody asking.
    assert!(crystalgym_testing::wait_until(|| store.unwritten() == 0));
    assert_eq!(
        server.sql("d0", "SELECT count(*) FROM crystalgym.claims"),
        "0"
    );
    assert_eq!(store.results(None).unwrap().len(), 4);
    store.check().unwrap();
}

#[test]
fn what_is_no_store_of_ours_and_what_may_only_be_read_is_said() {
    let Some(place) = Place::server() else {
        return;
    };
    let (server, name) = (place.server.clone().unwrap(), database(&place.path));
    let error = ResultStore::open_read_only(&place.path).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    let schemas = "SELECT count(*) FROM information_schema.schemata \
                   WHERE schema_name = 'crystalgym'";
    assert_eq!(server.sql(name, schemas), "0");
    fill(&place.open());
    let reader = ResultStore::open_read_only(&place.path).unwrap();
    assert_eq!(reader.results(None).unwrap().len(), 80);
    let trouble = ask(&Counting::new(0, None), &reader, "Fr Ra H H F").store_error;
    assert!(trouble.is_some_and(|error| error.contains("can only be read")));
    drop(reader);
    // A user without the right to write.
    server.sql(
        name,
        "CREATE ROLE looker LOGIN; GRANT USAGE ON SCHEMA crystalgym TO looker; \
         GRANT SELECT ON ALL TABLES IN SCHEMA crystalgym TO looker",
    );
    let url = place
        .path
        .to_str()
        .unwrap()
        .replace("user=crystalgym", "user=looker");
    let looker = ResultStore::open(Path::new(&url)).unwrap();
    assert_eq!(
        ask(&Counting::new(0, None), &looker, "Li He Na K H").source,
        Source::Store
    );
    let trouble = ask(&Counting::new(0, None), &looker, "Fr Ra H H Cl").store_error;
    assert!(trouble.is_some_and(|error| error.contains("can only be read")));

    server.sql(name, "UPDATE crystalgym.layout SET version = 99");
    let error = ResultStore::open(&place.path).unwrap_err().to_string();
    assert!(error.contains("layout 99 is newer"), "{error}");
    let nowhere = Path::new("postgres:///d?host=/nowhere&user=u");
    let url = nowhere.to_str().unwrap().parse().unwrap();
    let error = ResultStore::open_server(&url, LEASE, PATIENCE)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/nowhere") && error.contains("not reached"),
        "{error}"
    );
    let error = ResultStore::open(Path::new("postgres://u:secret@h/d"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("PGPASSFILE") && !error.contains("secret"),
        "{error}"
    );
}
