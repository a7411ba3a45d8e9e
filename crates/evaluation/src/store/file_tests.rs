//! What may lie at the path of a store: nothing foreign is changed, and nothing hangs.

use std::{fs, os::unix::net::UnixListener, path::Path, process::Command};

use rusqlite::Connection;

use super::{
    ResultStore, StoreError, layout,
    tests::{Counting, run},
};
use crate::Source;

/// All files of a folder with their contents.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let bytes = fs::read(entry.path()).unwrap_or_default();
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn databases_of_other_programs_are_refused_and_not_touched() {
    let diary = "CREATE TABLE diary (t TEXT); INSERT INTO diary VALUES ('dear');";
    let results = "CREATE TABLE results (key TEXT, value REAL);";
    for (name, statements) in [
        ("tables", diary.to_owned()),
        ("log", format!("PRAGMA journal_mode = WAL; {diary}")),
        ("version", format!("{diary} PRAGMA user_version = 1;")),
        ("id", format!("{diary} PRAGMA application_id = 7;")),
        ("only an id", "PRAGMA application_id = 7;".to_owned()),
        ("only a version", "PRAGMA user_version = 1;".to_owned()),
        ("like ours", format!("{results} PRAGMA user_version = 2;")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.sqlite");
        Connection::open(&path)
            .unwrap()
            .execute_batch(&statements)
            .unwrap();
        let before = contents(folder.path());
        for error in [
            ResultStore::open(&path).unwrap_err(),
            ResultStore::open_read_only(&path).unwrap_err(),
        ] {
            assert!(
                matches!(error, StoreError::NotAStore { .. }),
                "{name}: {error}"
            );
            let error = error.to_string();
            assert!(
                error.contains("another program's database"),
                "{name}: {error}"
            );
        }
        assert!(contents(folder.path()) == before, "{name}");
    }
}

#[test]
fn a_store_that_others_have_put_something_into_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.sqlite");
    run(
        &Counting::new(0, None),
        &ResultStore::open(&good).unwrap(),
        "Li Na K Rb H",
    );
    for (statements, expected) in [
        (
            "CREATE TRIGGER t AFTER INSERT ON claims BEGIN DELETE FROM results; END",
            "a trigger 't'",
        ),
        (
            "ALTER TABLE results RENAME TO r2; CREATE VIEW results AS SELECT r2.* FROM r2, r2 AS r",
            "a view 'results'",
        ),
        ("ALTER TABLE results ADD COLUMN more TEXT", "tables are not"),
        ("DROP TABLE claims", "tables are not"),
    ] {
        let path = folder.path().join("bad.sqlite");
        fs::copy(&good, &path).unwrap();
        Connection::open(&path)
            .unwrap()
            .execute_batch(statements)
            .unwrap();
        for error in [
            ResultStore::open(&path).unwrap_err().to_string(),
            ResultStore::open_read_only(&path).unwrap_err().to_string(),
        ] {
            assert!(error.contains(expected), "{statements}: {error}");
        }
    }
}

#[test]
fn looking_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.sqlite");
    let error = ResultStore::open_read_only(&path).unwrap_err().to_string();
    assert!(error.contains("no such file"), "{error}");
    fs::write(&path, "").unwrap();
    let error = ResultStore::open_read_only(&path).unwrap_err().to_string();
    assert!(error.contains("the file is empty"), "{error}");
    assert_eq!(
        contents(folder.path()),
        [("none.sqlite".to_owned(), Vec::new())]
    );
    // An empty file, as `mktemp` makes it, may become a store; a store is not changed by looking.
    run(
        &Counting::new(0, None),
        &ResultStore::open(&path).unwrap(),
        "Li Na K Rb H",
    );
    let before = contents(folder.path());
    let reader = ResultStore::open_read_only(&path).unwrap();
    assert_eq!(reader.results(None).unwrap().len(), 1);
    reader.check().unwrap();
    // Nor can anything be added.
    assert!(run_quietly(&reader).contains("only be read"));
    drop(reader);
    assert_eq!(contents(folder.path())[0], before[0]);
}

fn run_quietly(store: &ResultStore) -> String {
    let evaluation = crate::evaluate(
        &Counting::new(0, None),
        Some(store),
        &super::tests::crystal("Rb Ca H H H"),
        crate::Property::Density,
        &crate::CancelToken::default(),
    );
    evaluation.store_error.unwrap_or_default()
}

#[test]
fn names_and_things_that_are_no_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(
        Command::new("mkfifo")
            .arg(at("pipe"))
            .status()
            .unwrap()
            .success()
    );
    assert!(
        Command::new("mkfifo")
            .arg(at("s-wal"))
            .status()
            .unwrap()
            .success()
    );
    fs::create_dir(at("t-journal")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    std::os::unix::fs::symlink(at("pipe"), at("link")).unwrap();
    for (path, expected) in [
        (Path::new(""), "the name is empty"),
        (Path::new(":memory:"), "lost at the end"),
        (Path::new("/"), "a folder"),
        (Path::new("."), "a folder"),
        (Path::new("/dev/null"), "a device"),
        (&at("pipe"), "a pipe"),
        (&at("link"), "a pipe"),
        (&at("socket"), "a socket"),
        (&at("s"), "s-wal beside it is a pipe"),
        (&at("t"), "t-journal beside it is a folder"),
    ] {
        for error in [
            ResultStore::open(path).unwrap_err().to_string(),
            ResultStore::open_read_only(path).unwrap_err().to_string(),
        ] {
            assert!(error.contains(expected), "{}: {error}", path.display());
        }
    }
}

/// A name is a name, whatever SQLite would make of it.
#[test]
fn any_name_keeps_its_results() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "file:x?mode=memory",
        "x%20y#z?w",
        "a'b\"c",
        "new\nline",
        "ünï\u{202e}",
        "-dash",
    ] {
        let path = folder.path().join(name);
        let calculator = Counting::new(0, None);
        for expected in [Source::Computed, Source::Store] {
            let store = ResultStore::open(&path).unwrap();
            assert_eq!(
                run(&calculator, &store, "Li Na K Rb H").1,
                expected,
                "{name}"
            );
        }
        assert!(path.is_file(), "{name}");
        let reader = ResultStore::open_read_only(&path).unwrap();
        assert_eq!(reader.results(None).unwrap().len(), 1, "{name}");
    }
}

/// A store as the first layout has it, in its own words.
const LAYOUT_1: &str = "
CREATE TABLE results (
    key TEXT PRIMARY KEY NOT NULL, skeleton TEXT NOT NULL, elements TEXT NOT NULL,
    formula TEXT NOT NULL, property TEXT NOT NULL, calculator TEXT NOT NULL,
    fingerprint TEXT NOT NULL, status TEXT NOT NULL, failure TEXT, value REAL,
    seconds REAL NOT NULL, outcome TEXT NOT NULL, structure TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')), version TEXT NOT NULL
) STRICT;
CREATE TABLE claims (
    key TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, number INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
INSERT INTO claims VALUES ('k', 'somebody 1 2', 3);
";

#[test]
fn a_store_of_the_first_layout_is_kept_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new.sqlite");
    let calculator = Counting::new(0, None);
    run(
        &calculator,
        &ResultStore::open(&new).unwrap(),
        "Rb Ca H F Cl",
    );
    let path = folder.path().join("old.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(LAYOUT_1).unwrap();
    connection
        .execute("ATTACH ?1 AS new", [new.to_string_lossy()])
        .unwrap();
    // Under the key that it had: the same crystal in the skeleton's own order of sites.
    let structure = super::tests::crystal("Rb Ca H F Cl")
        .canonical()
        .structure();
    let symbols: Vec<&str> = structure.elements.iter().map(|e| e.symbol()).collect();
    connection
        .execute(
            "INSERT INTO results SELECT 'an older key', skeleton, ?1, formula, property, \
             calculator, fingerprint, status, failure, value, seconds, outcome, ?2, created, \
             version FROM new.results",
            [
                symbols.join(" "),
                structure.to_text(crystalgym_crystal::StructureFormat::Json),
            ],
        )
        .unwrap();
    connection.execute_batch("DETACH new").unwrap();
    drop(connection);

    let before = fs::read(&path).unwrap();
    let reader = ResultStore::open_read_only(&path).unwrap();
    assert_eq!(reader.results(None).unwrap()[0].key, "an older key");
    reader.check().unwrap();
    drop(reader);
    assert!(fs::read(&path).unwrap() == before);

    let store = ResultStore::open(&path).unwrap();
    assert_eq!(run(&calculator, &store, "Rb Ca Cl F H").1, Source::Store);
    run(&calculator, &store, "Rb Ca H H H");
    assert_eq!(
        (calculator.calls(), store.results(None).unwrap().len()),
        (2, 2)
    );
    store.check().unwrap();
    drop(store);
    let connection = Connection::open(&path).unwrap();
    let layout: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(layout, layout::LAYOUT);
}
