//! Queue, desk and workers on a real server.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_postgresql::Session;
use crystalgym_testing::{PostgresqlServer, wait_until};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use super::{
    calculation::QueuedCalculation,
    jobs,
    makers::{CalculatorMaker, MachineCalculators, MachineSettings},
    sessions::{self, Hears},
    sweeper::Sweeper,
    worker::{WorkerOptions, WorkerSummary, work},
};
use crate::{
    Calculator, CalculatorConfig, CancelToken, EvaluationPool, Failure, FailureCode, Fingerprint,
    NativeCalculator, NativeSettings, Outcome, Property, ResultStore, Source, SpeciesSource,
    Values, evaluate,
};

/// Goes by the name and the settings of the built-in engine, and sleeps.
#[derive(Default)]
pub(super) struct Sleeping {
    pub(super) calls: AtomicU32,
    pub(super) pause: Duration,
    pub(super) failure: Option<FailureCode>,
    /// Said instead of the real ones, as by another pseudopotential.
    pub(super) fingerprint: Option<&'static str>,
}

impl Calculator for Sleeping {
    fn name(&self) -> &str {
        "native"
    }

    fn travelling_settings(&self) -> Option<serde_json::Value> {
        native().travelling_settings()
    }

    fn fingerprint(&self, _: &[Element], _: Property) -> Fingerprint {
        Fingerprint(self.fingerprint.unwrap_or("{\"cutoff\":1}").to_owned())
    }

    fn evaluate(&self, crystal: &Crystal, _: Property, cancel: &CancelToken) -> Outcome {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut left = self.pause;
        while !left.is_zero() {
            if cancel.is_cancelled() {
                return Outcome::Failure(Failure::new(FailureCode::Cancelled, "cancelled"));
            }
            let nap = left.min(Duration::from_millis(5));
            thread::sleep(nap);
            left -= nap;
        }
        match self.failure {
            Some(code) => Outcome::Failure(Failure::new(code, "as asked")),
            None => Outcome::Success(Values {
                value: crystal.rigid_density_g_cm3(),
                seconds: self.pause.as_secs_f64(),
                ..Values::default()
            }),
        }
    }
}

pub(super) struct Always(pub(super) Arc<Sleeping>);

impl CalculatorMaker for Always {
    fn make(&self, _: &CalculatorConfig) -> Result<Arc<dyn Calculator>, String> {
        Ok(Arc::clone(&self.0) as _)
    }
}

fn native() -> NativeCalculator {
    NativeCalculator::new(NativeSettings::default(), SpeciesSource::Gth).unwrap()
}

pub(super) fn crystals(count: usize) -> Vec<Crystal> {
    let skeleton = Skeleton::builtin("C2").unwrap();
    let all: Vec<_> = Element::all().collect();
    (0..count)
        .map(|i| {
            // Sites 2 to 4 are interchangeable, and hold no two crystals alike.
            let elements = vec![all[10 + i / 118], all[19], all[i % 118], all[7], all[3]];
            Crystal::new(Arc::clone(&skeleton), elements).unwrap()
        })
        .collect()
}

/// Ends the workers of a scope, so that a test that fails there ends.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Works in the scope of a test until it is told to stop.
pub(super) fn worker(
    url: &str,
    threads: usize,
    makers: &dyn CalculatorMaker,
    stop: &AtomicBool,
) -> WorkerSummary {
    let options = WorkerOptions {
        threads: NonZeroUsize::new(threads).unwrap(),
        calculators: vec!["native".to_owned(), "qe".to_owned()],
        until_idle: None,
        grace: Duration::from_millis(200),
        lease: Some(Duration::from_millis(900)),
        makers,
        prepare_thread: &|_| {},
        stop: &|| stop.load(Ordering::SeqCst),
        report: &|_| {},
    };
    work(url, &options).unwrap()
}

fn database(url: &str) -> &str {
    url.strip_prefix("postgres:///")
        .unwrap()
        .split_once('?')
        .unwrap()
        .0
}

pub(super) fn session(url: &str) -> Session {
    sessions::session(&url.parse().unwrap(), Hears::Nothing).unwrap()
}

const PATIENCE: Duration = Duration::from_secs(5);

/// Oracle: what the same calculator gives here.
#[test]
fn workers_compute_what_a_pool_hands_in_and_nobody_computes_twice() {
    let Some(server) = PostgresqlServer::shared() else {
        return;
    };
    let url = server.new_database("");
    let store = Arc::new(ResultStore::open(url.as_ref()).unwrap());
    let sleeping = Arc::new(Sleeping::default());
    let stop = AtomicBool::new(false);
    let crystals = crystals(300);
    let makers = Always(Arc::clone(&sleeping));
    let calculator: Arc<dyn Calculator> = Arc::new(Sleeping::default());
    let pool = EvaluationPool::new(calculator, Some(Arc::clone(&store)), 1, usize::MAX);
    let threads_before = threads();
    let tickets: Vec<_> = crystals
        .iter()
        .map(|c| pool.submit(c, Property::Density))
        .collect();
    // Two of the desk, however much is under way; other tests have some too.
    assert!(
        threads() <= threads_before + 60,
        "{} {threads_before}",
        threads()
    );
    thread::scope(|scope| {
        let _ending = StopAtEnd(&stop);
        let (url, stop, makers) = (&url, &stop, &makers);
        let workers: Vec<_> = (0..2)
            .map(|_| scope.spawn(move || worker(url, 3, makers, stop)))
            .collect();
        for (ticket, crystal) in tickets.iter().zip(&crystals) {
            let evaluation = pool.wait(*ticket, Some(Duration::from_secs(60))).unwrap();
            assert_eq!(
                evaluation.outcome.value(),
                Some(crystal.rigid_density_g_cm3())
            );
            assert_eq!(evaluation.source, Source::Computed);
        }
        // And from the store, also one by one.
        let asked = Sleeping::default();
        let again = evaluate(
            &asked,
            Some(&store),
            &crystals[0],
            Property::Density,
            &CancelToken::default(),
        );
        assert_eq!((again.source, asked.calls.into_inner()), (Source::Store, 0));
        stop.store(true, Ordering::SeqCst);
        let finished: u64 = workers
            .into_iter()
            .map(|w| w.join().unwrap().finished)
            .sum();
        assert_eq!(finished, 300);
    });
    assert_eq!(sleeping.calls.load(Ordering::SeqCst), 300);
    assert_eq!(store.results(None).unwrap().len(), 300);
    for table in ["jobs", "claims", "workers"] {
        let left = server.sql(
            database(&url),
            &format!("SELECT count(*) FROM crystalgym.{table}"),
        );
        assert_eq!(left, "0", "{table}");
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn failures_of_the_moment_are_answered_and_tried_again_when_asked_again() {
    let Some(server) = PostgresqlServer::shared() else {
        return;
    };
    let url = server.new_database("");
    let store = ResultStore::open(url.as_ref()).unwrap();
    let stop = AtomicBool::new(false);
    for code in [FailureCode::TimeLimit, FailureCode::ScfNotConverged] {
        let sleeping = Arc::new(Sleeping {
            failure: Some(code),
            ..Sleeping::default()
        });
        stop.store(false, Ordering::SeqCst);
        let crystal = &crystals(code as usize + 1)[code as usize];
        thread::scope(|scope| {
            let makers = Always(Arc::clone(&sleeping));
            let (url, stop) = (&url, &stop);
            let _ending = StopAtEnd(stop);
            scope.spawn(move || worker(url, 1, &makers, stop));
            for _ in 0..2 {
                let cancel = CancelToken::default();
                let asked = Sleeping::default();
                let given = evaluate(&asked, Some(&store), crystal, Property::Density, &cancel);
                assert_eq!(given.outcome.failure().unwrap().code, code);
            }
            stop.store(true, Ordering::SeqCst);
        });
        let expected = if code.depends_on_the_moment() { 2 } else { 1 };
        assert_eq!(sleeping.calls.load(Ordering::SeqCst), expected, "{code}");
    }
}

/// Takes a job as a worker does that then vanishes.
fn take_and_vanish(url: &str, takes_suspects: bool) -> usize {
    let refused = Vec::new();
    let calculators = ["native".to_owned()];
    let wish = jobs::Wish {
        worker: "elsewhere 5 gone x",
        calculators: &calculators,
        refused: &refused,
        most: 1,
        takes_suspects,
    };
    let mut session = session(url);
    let lease = Duration::from_millis(50);
    let taken = session.run(PATIENCE, |client| jobs::take(client, &wish, lease));
    let mut sweeper = Sweeper::new(lease);
    // Seen over, and again after the beats of a worker that lives.
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(100));
        (session.run(PATIENCE, |client| sweeper.sweep(client))).unwrap();
    }
    taken.unwrap().len()
}

#[test]
fn a_calculation_that_loses_three_workers_is_set_aside_and_others_go_on() {
    let Some(server) = PostgresqlServer::shared() else {
        return;
    };
    let url = server.new_database("");
    let store = Arc::new(ResultStore::open(url.as_ref()).unwrap());
    let calculator: Arc<dyn Calculator> = Arc::new(Sleeping::default());
    let pool = EvaluationPool::new(calculator, Some(Arc::clone(&store)), 1, usize::MAX);
    let bad = pool.submit(&crystals(1)[0], Property::Density);
    assert!(wait_until(|| store
        .queue_status()
        .unwrap()
        .count("waiting")
        == 1));
    for round in 0..3 {
        // One that has cost a worker is not taken among others.
        assert_eq!(take_and_vanish(&url, false), usize::from(round == 0));
        if round > 0 {
            assert_eq!(take_and_vanish(&url, true), 1);
        }
    }
    let failure = pool.wait(bad, Some(Duration::from_secs(30))).unwrap();
    assert_eq!(
        failure.outcome.failure().unwrap().code,
        FailureCode::LostWorkers
    );
    assert_eq!(store.queue_status().unwrap().count("set_aside"), 1);
    // Asked for again it isn't tried again, until somebody says so.
    let bad = pool.submit(&crystals(1)[0], Property::Density);
    let failure = pool.wait(bad, Some(Duration::from_secs(30))).unwrap();
    assert_eq!(
        failure.outcome.failure().unwrap().code,
        FailureCode::LostWorkers
    );
    assert_eq!(take_and_vanish(&url, true), 0);
    assert_eq!(store.release_set_aside().unwrap(), 1);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let makers = Always(Arc::default());
        let (url, stop) = (&url, &stop);
        let _ending = StopAtEnd(stop);
        scope.spawn(move || worker(url, 2, &makers, stop));
        let again = pool.submit(&crystals(1)[0], Property::Density);
        let value = pool.wait(again, Some(Duration::from_secs(30))).unwrap();
        assert!(value.outcome.value().is_some());
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_worker_with_other_files_refuses_and_says_which_and_one_that_ends_hands_back() {
    let Some(server) = PostgresqlServer::shared() else {
        return;
    };
    let url = server.new_database("");
    let store = Arc::new(ResultStore::open(url.as_ref()).unwrap());
    let calculator: Arc<dyn Calculator> = Arc::new(Sleeping::default());
    let pool = EvaluationPool::new(calculator, Some(Arc::clone(&store)), 1, usize::MAX);
    let ticket = pool.submit(&crystals(1)[0], Property::Density);
    let [refusing, slow, quick] = [const { AtomicBool::new(false) }; 3];
    let other = Always(Arc::new(Sleeping {
        fingerprint: Some("{\"cutoff\":1,\"pseudopotentials\":{\"H\":\"abc\"}}"),
        ..Sleeping::default()
    }));
    let long = Always(Arc::new(Sleeping {
        pause: Duration::from_secs(3600),
        ..Sleeping::default()
    }));
    let makers = Always(Arc::default());
    thread::scope(|scope| {
        let _ending = [&refusing, &slow, &quick].map(StopAtEnd);
        let url = &url;
        let refused = scope.spawn(|| worker(url, 1, &other, &refusing));
        let refusal = || {
            let status = store.queue_status().unwrap();
            status.refusals().next().map(|(_, why)| why.to_owned())
        };
        assert!(wait_until(|| refusal().is_some()));
        assert!(
            refusal()
                .unwrap()
                .contains("pseudopotentials is {\"H\":\"abc\"} here")
        );
        assert_eq!(store.queue_status().unwrap().count("waiting"), 1);
        refusing.store(true, Ordering::SeqCst);
        assert_eq!(refused.join().unwrap().finished, 0);
        // One that takes too long for the time of grace.
        let handed = scope.spawn(|| worker(url, 1, &long, &slow));
        assert!(wait_until(
            || store.queue_status().unwrap().count("taken") == 1
        ));
        slow.store(true, Ordering::SeqCst);
        let summary = handed.join().unwrap();
        assert_eq!((summary.finished, summary.handed_back), (0, 1));
        assert_eq!(store.queue_status().unwrap().count("waiting"), 1);
        let done = scope.spawn(|| worker(url, 1, &makers, &quick));
        assert!(
            pool.wait(ticket, Some(Duration::from_secs(30)))
                .unwrap()
                .outcome
                .value()
                .is_some()
        );
        quick.store(true, Ordering::SeqCst);
        done.join().unwrap();
    });
}

#[test]
fn a_server_that_crashes_under_a_run_costs_time_alone() {
    let Some(server) = PostgresqlServer::start(&["fsync=off"]) else {
        return;
    };
    let url = server.new_database("");
    let store = Arc::new(ResultStore::open(url.as_ref()).unwrap());
    let calculator: Arc<dyn Calculator> = Arc::new(Sleeping::default());
    let pool = EvaluationPool::new(calculator, Some(Arc::clone(&store)), 1, usize::MAX);
    let stop = AtomicBool::new(false);
    let crystals = crystals(60);
    thread::scope(|scope| {
        let makers = Always(Arc::new(Sleeping {
            pause: Duration::from_millis(60),
            ..Sleeping::default()
        }));
        let (url, stop) = (&url, &stop);
        let _ending = StopAtEnd(stop);
        scope.spawn(move || worker(url, 2, &makers, stop));
        let tickets: Vec<_> = crystals
            .iter()
            .map(|c| pool.submit(c, Property::Density))
            .collect();
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(400));
            server.crash();
            thread::sleep(Duration::from_millis(200));
            server.go_on();
        }
        for (ticket, crystal) in tickets.iter().zip(&crystals) {
            let evaluation = pool.wait(*ticket, Some(Duration::from_secs(120))).unwrap();
            assert_eq!(
                evaluation.outcome.value(),
                Some(crystal.rigid_density_g_cm3())
            );
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(store.results(None).unwrap().len(), 60);
    store.check().unwrap();
}

/// Every text is read or refused, and nothing that is read names a program, a folder or threads.
#[test]
fn damaged_calculations_are_read_or_refused() {
    let crystal = crystals(1).remove(0).canonical();
    let text = QueuedCalculation::of(&crystal, Property::BandGap, &native())
        .unwrap()
        .to_text();
    let mut random = Pcg64Mcg::seed_from_u64(24);
    let mut read = 0;
    for _ in 0..5_000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => bytes.truncate(at.max(1)),
                2 => {
                    let end = (at + random.random_range(1..40)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = random.random_range(0..bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => bytes[at] = b"0123456789.-e\"{}[],:/"[random.random_range(0..21)],
            }
        }
        let Ok(calculation) = QueuedCalculation::from_text(&String::from_utf8_lossy(&bytes)) else {
            continue;
        };
        assert_eq!(
            calculation.calculator,
            calculation.calculator.without_machine()
        );
        if let Ok(skeleton) = calculation.to_skeleton() {
            read += usize::from(calculation.to_crystal(&skeleton).is_ok());
        }
    }
    assert!(read > 10, "{read}");
}

#[test]
fn a_calculation_travels_unchanged_and_names_nothing_to_run() {
    let calculator = native();
    let crystal = crystals(1).remove(0).canonical();
    let calculation = QueuedCalculation::of(&crystal, Property::BandGap, &calculator).unwrap();
    let text = calculation.to_text();
    let read = QueuedCalculation::from_text(&text).unwrap();
    assert_eq!(read, calculation);
    let skeleton = read.to_skeleton().unwrap();
    let there = read.to_crystal(&skeleton).unwrap();
    let makers = MachineCalculators::new(MachineSettings::default());
    let made = makers.make(&read.calculator).unwrap();
    let key = |crystal: &Crystal, calculator: &dyn Calculator| {
        crate::StoreKey::new(crystal, Property::BandGap, calculator)
    };
    assert_eq!(key(&there, made.as_ref()), key(&crystal, &calculator));
    let config = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        QueuedCalculation::from_text(&value.to_string())
    };
    assert!(config(&|_| {}).is_ok());
    for (pointer, value) in [
        (
            "/calculator/qe/command",
            serde_json::json!(["sh", "-c", "x"]),
        ),
        ("/calculator/qe/ev_command", serde_json::json!(["x"])),
        ("/calculator/qe/scratch", serde_json::json!("/tmp")),
        (
            "/calculator/qe/environment",
            serde_json::json!({"LD_PRELOAD": "x"}),
        ),
        ("/calculator/native/threads", serde_json::json!(64)),
        ("/calculator/name", serde_json::json!("table")),
        ("/calculator/pseudopotentials", serde_json::json!("../x")),
        ("/calculator/pseudopotentials", serde_json::json!("/etc")),
        ("/elements", serde_json::json!(["H"])),
        ("/form", serde_json::json!(2)),
    ] {
        let refused = config(&|json| {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        });
        assert!(refused.is_err(), "{pointer}");
    }
}
