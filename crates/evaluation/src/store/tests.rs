//! Results that are shared by threads and processes, and survive their ends.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Instant,
};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_testing::PostgresqlServer;

use super::*;
use crate::{
    Calculator, CancelToken, Failure, FailureCode, Fingerprint, Outcome, Property, Source, Values,
    evaluate,
};

/// Counts its calls and takes a moment for each.
pub(super) struct Counting {
    calls: AtomicU32,
    pause: Duration,
    failure: Option<FailureCode>,
}

impl Counting {
    pub(super) fn new(pause_ms: u64, failure: Option<FailureCode>) -> Self {
        Self {
            calls: AtomicU32::new(0),
            pause: Duration::from_millis(pause_ms),
            failure,
        }
    }

    pub(super) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Calculator for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn fingerprint(&self, _: &[Element], _: Property) -> Fingerprint {
        Fingerprint("{}".into())
    }

    fn evaluate(&self, crystal: &Crystal, _: Property, _: &CancelToken) -> Outcome {
        self.calls.fetch_add(1, Ordering::SeqCst);
        thread::sleep(self.pause);
        match self.failure {
            Some(code) => Outcome::Failure(Failure::new(code, "as asked")),
            None => Outcome::Success(Values {
                value: crystal.rigid_density_g_cm3(),
                total_energy_ev: Some(-0.1 - 0.2),
                ..Values::default()
            }),
        }
    }
}

/// Where a store can be: a file, or a database on a server.
pub(super) struct Place {
    pub(super) path: PathBuf,
    _folder: Option<tempfile::TempDir>,
    pub(super) server: Option<Arc<PostgresqlServer>>,
}

impl Place {
    fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().join("deep/er/store.sqlite"),
            _folder: Some(folder),
            server: None,
        }
    }

    pub(super) fn server() -> Option<Self> {
        let server = PostgresqlServer::shared()?;
        Some(Self {
            path: server.new_database("&compute=here").into(),
            _folder: None,
            server: Some(server),
        })
    }

    /// One of each kind.
    pub(super) fn each() -> impl Iterator<Item = Self> {
        [Some(Self::file()), Self::server()].into_iter().flatten()
    }

    pub(super) fn open(&self) -> ResultStore {
        ResultStore::open(&self.path).unwrap()
    }
}

pub(super) fn crystal(symbols: &str) -> Crystal {
    let elements = symbols
        .split(' ')
        .map(|symbol| symbol.parse().unwrap())
        .collect();
    Crystal::new(Skeleton::builtin("C2").unwrap(), elements).unwrap()
}

pub(super) fn run(calculator: &Counting, store: &ResultStore, symbols: &str) -> (Outcome, Source) {
    let cancel = CancelToken::default();
    let result = evaluate(
        calculator,
        Some(store),
        &crystal(symbols),
        Property::Density,
        &cancel,
    );
    assert_eq!(result.store_error, None);
    (result.outcome, result.source)
}

#[test]
fn equivalent_crystals_are_computed_once_and_come_back_bit_for_bit() {
    for place in Place::each() {
        let store = place.open();
        let calculator = Counting::new(0, None);
        let (first, source) = run(&calculator, &store, "Rb Ca H F Cl");
        assert_eq!(source, Source::Computed);
        // The three anion sites are interchangeable.
        let (second, source) = run(&calculator, &store, "Rb Ca Cl H F");
        assert_eq!((second, source), (first, Source::Store));
        run(&calculator, &store, "Ca Rb Cl H F");
        assert_eq!(calculator.calls(), 2);
    }
}

#[test]
fn lasting_failures_are_stored_and_momentary_ones_are_not() {
    let in_memory = ResultStore::in_memory().unwrap();
    let places: Vec<_> = Place::each().collect();
    for store in places.iter().map(Place::open).chain([in_memory]) {
        for code in FailureCode::ALL {
            let calculator = Counting::new(0, Some(*code));
            let symbols = format!("Rb Ca H H {}", Element::all().nth(*code as usize).unwrap());
            run(&calculator, &store, &symbols);
            let (outcome, _) = run(&calculator, &store, &symbols);
            assert_eq!(outcome.failure().unwrap().code, *code);
            let expected = if code.depends_on_the_moment() { 2 } else { 1 };
            assert_eq!(calculator.calls(), expected, "{code}");
        }
    }
}

#[test]
fn threads_that_ask_at_the_same_time_share_one_calculation() {
    Place::each().for_each(|place| share_one_calculation(&place.path));
}

fn share_one_calculation(path: &Path) {
    let calculator = Arc::new(Counting::new(100, None));
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let (calculator, path) = (Arc::clone(&calculator), path.to_owned());
            // A connection each, as in separate processes.
            thread::spawn(move || {
                run(
                    &calculator,
                    &ResultStore::open(&path).unwrap(),
                    "Li Na K Rb H",
                )
            })
        })
        .collect();
    let outcomes: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(calculator.calls(), 1);
    assert!(
        outcomes
            .iter()
            .all(|(outcome, _)| *outcome == outcomes[0].0)
    );
}

/// Not a test of its own: the body of the processes that the next test starts and kills.
#[test]
fn writer_process() {
    let Ok(path) = std::env::var("CRYSTALGYM_TEST_STORE") else {
        return;
    };
    let store = ResultStore::open(Path::new(&path)).unwrap();
    let calculator = Counting::new(1, None);
    for z in (1..=118).cycle().take(100_000) {
        let element = Element::from_atomic_number(z).unwrap();
        let (outcome, _) = run(&calculator, &store, &format!("Rb Ca H H {element}"));
        // On the parent's side a line means: this result has been promised to be kept.
        println!("stored {element} {}", outcome.value().unwrap());
    }
}

/// Kills writers with SIGKILL at arbitrary points and looks for damage and lost results.
#[test]
fn killed_writers_lose_nothing_that_was_finished() {
    Place::each().for_each(|place| kill_writers(&place.path));
}

fn kill_writers(path: &Path) {
    for round in 0..6u64 {
        let children: Vec<_> = (0..2)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "store::tests::writer_process", "--nocapture"])
                    .env("CRYSTALGYM_TEST_STORE", path)
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let mut promised = Vec::new();
        for (number, mut child) in children.into_iter().enumerate() {
            // Some results, and then anywhere within the next.
            let mut stdout = BufReader::new(child.stdout.take().unwrap());
            let mut text = String::new();
            while number == 0 && text.matches("stored").count() <= round as usize {
                assert!(
                    stdout.read_line(&mut text).unwrap() > 0,
                    "a writer ended: {text}"
                );
            }
            thread::sleep(Duration::from_millis(7 * round));
            child.kill().unwrap();
            stdout.read_to_string(&mut text).unwrap();
            let output = child.wait_with_output().unwrap();
            // And not by an error of its own.
            assert_eq!(output.status.signal(), Some(9), "{output:?}");
            let complete = text.rfind('\n').map_or("", |end| &text[..end]);
            promised.extend(complete.lines().filter_map(|line| {
                let (_, rest) = line.split_once("stored ")?;
                rest.split(' ').next().map(str::to_owned)
            }));
        }
        let store = ResultStore::open(path).unwrap();
        store.check().unwrap();
        let calculator = Counting::new(0, None);
        for element in promised {
            let (_, source) = run(&calculator, &store, &format!("Rb Ca H H {element}"));
            assert_eq!(source, Source::Store, "{element} was lost in round {round}");
        }
    }
    // Claims of the dead are taken over: everything can be computed at once.
    let store = ResultStore::open(path).unwrap();
    assert!(
        store.results(None).unwrap().len() >= 2,
        "the writers got nowhere"
    );
    let calculator = Counting::new(0, None);
    for element in Element::all() {
        run(&calculator, &store, &format!("Rb Ca H H {element}"));
    }
    assert_eq!(store.results(None).unwrap().len(), 118);
}

#[test]
fn waiting_for_another_worker_can_be_cancelled() {
    for place in Place::each() {
        let store = place.open();
        let calculator = Counting::new(0, None);
        let key = || StoreKey::new(&crystal("Li Na K Rb H"), Property::Density, &calculator);
        let cancel = CancelToken::default();
        let Claimed::Mine(claim) = store.claim(key(), &cancel) else {
            panic!("not mine")
        };
        cancel.cancel();
        assert!(matches!(store.claim(key(), &cancel), Claimed::Cancelled));
        drop(claim);
        assert!(matches!(store.claim(key(), &cancel), Claimed::Mine(_)));
    }
}

#[test]
fn a_store_locked_by_another_process_is_named_and_costs_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let store = ResultStore::open_with_timeout(&path, Duration::from_millis(50)).unwrap();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let calculator = Counting::new(0, None);
    let start = Instant::now();
    let crystal = crystal("Li Na K Rb H");
    let result = evaluate(
        &calculator,
        Some(&store),
        &crystal,
        Property::Density,
        &CancelToken::default(),
    );
    assert!(result.outcome.value().is_some());
    let error = result.store_error.unwrap();
    assert!(
        error.contains("store.sqlite") && error.contains("locked"),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
    // Kept in memory meanwhile, and written once that is possible.
    assert_eq!(run(&calculator, &store, "Li Na K Rb H").1, Source::Store);
    blocker.execute_batch("ROLLBACK").unwrap();
    store.flush().unwrap();
    let store = ResultStore::open(&path).unwrap();
    assert_eq!(run(&calculator, &store, "Li Na K Rb H").1, Source::Store);
    assert_eq!(calculator.calls(), 1);
    store.check().unwrap();
}

#[test]
fn a_new_store_may_be_opened_by_many_at_once() {
    let places = (0..40).map(|_| Place::file());
    for place in places.chain((0..3).filter_map(|_| Place::server())) {
        let path = place.path.as_path();
        let barrier = std::sync::Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    ResultStore::open(path).unwrap();
                });
            }
        });
    }
}

#[test]
fn files_that_are_no_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(
        &path,
        "no database, but long enough to be looked at as one ".repeat(50),
    )
    .unwrap();
    let error = ResultStore::open(&path).unwrap_err().to_string();
    assert!(
        error.contains("notes.txt") && error.contains("it is not a database"),
        "{error}"
    );

    let path = folder.path().join("newer.sqlite");
    Connection::open(&path)
        .unwrap()
        .execute_batch(&format!(
            "PRAGMA application_id = {}; PRAGMA user_version = 99",
            layout::APPLICATION_ID
        ))
        .unwrap();
    let error = ResultStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("layout 99 is newer"), "{error}");

    let error = ResultStore::open(&path.join("below/store.sqlite"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("newer.sqlite"), "{error}");
}

#[test]
fn exports() {
    for place in Place::each() {
        export_two(&place.open());
    }
}

fn export_two(store: &ResultStore) {
    run(&Counting::new(0, None), store, "Rb Ca H H H");
    run(
        &Counting::new(0, Some(FailureCode::ScfNotConverged)),
        store,
        "Li Na K Rb H",
    );
    let results = store.results(Some(Property::Density)).unwrap();
    assert_eq!(results.len(), 2);
    assert!(store.results(Some(Property::BandGap)).unwrap().is_empty());
    let export = |format| {
        let mut out = Vec::new();
        StoredResult::write_all(&results, format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let csv = export(ExportFormat::Csv);
    assert_eq!(csv.lines().count(), 3);
    assert!(
        csv.contains("scf_not_converged") && csv.contains("-0.30000000000000004"),
        "{csv}"
    );
    let frame = export(ExportFormat::ExtXyz);
    let structure = crystalgym_crystal::Structure::from_text(
        &frame,
        crystalgym_crystal::StructureFormat::ExtXyz,
    )
    .unwrap();
    assert_eq!(structure.formula(), "RbCaH3");
    for line in export(ExportFormat::JsonLines).lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["calculator"], "counting");
    }
}
