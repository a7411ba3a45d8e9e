//! Queue, desk and workers on a real server.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_postgresql::Session;
use crystalgym_testing::{PostgresqlServer, wait_until};

use super::{
    jobs,
    makers::CalculatorMaker,
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
        let end = Instant::now() + self.pause;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            if cancel.is_cancelled() {
                return Outcome::Failure(Failure::new(FailureCode::Cancelled, "cancelled"));
            }
            thread::sleep(left.min(Duration::from_millis(5)));
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

pub(super) fn native() -> NativeCalculator {
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
