//! The pool of workers: every request answered exactly once, whatever the calculator does.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_evaluation::{
    Calculator, CancelToken, EvaluationPool, Failure, FailureCode, Fingerprint, Outcome, Property,
    ResultStore, RigidCalculator, Source, Values,
};

/// Sleeps for as many milliseconds as the first element's atomic number, panics on gold, and waits
/// for its cancellation on silver.
#[derive(Default)]
struct Moody {
    calls: AtomicU32,
}

impl Calculator for Moody {
    fn name(&self) -> &str {
        "moody"
    }

    fn fingerprint(&self, _: &[Element], _: Property) -> Fingerprint {
        Fingerprint(String::new())
    }

    fn evaluate(&self, crystal: &Crystal, _: Property, cancel: &CancelToken) -> Outcome {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let has = |symbol: &str| crystal.elements().iter().any(|e| e.symbol() == symbol);
        assert!(!has("Au"), "no gold, please");
        while has("Ag") {
            if cancel.is_cancelled() {
                return Outcome::Failure(Failure::new(FailureCode::Cancelled, "as asked"));
            }
            thread::sleep(Duration::from_millis(2));
        }
        let pause = crystal.elements()[0].atomic_number().into();
        thread::sleep(Duration::from_millis(pause));
        Outcome::Success(Values {
            value: crystal.rigid_density_g_cm3(),
            ..Values::default()
        })
    }
}

fn crystal(skeleton: &Arc<Skeleton>, symbols: &str) -> Crystal {
    let elements = symbols
        .split(' ')
        .map(|symbol| symbol.parse().unwrap())
        .collect();
    Crystal::new(Arc::clone(skeleton), elements).unwrap()
}

fn pool(workers: usize, capacity: usize) -> (Arc<Moody>, EvaluationPool, Arc<Skeleton>) {
    let calculator = Arc::new(Moody::default());
    let shared: Arc<dyn Calculator> = calculator.clone();
    let pool = EvaluationPool::new(shared, None, workers, capacity);
    (calculator, pool, Skeleton::builtin("C2").unwrap())
}

#[test]
fn answers_come_in_any_order_and_each_once() {
    let (_, pool, skeleton) = pool(3, 100);
    let tickets: Vec<_> = ["Kr", "Li", "Be", "Fe", "H", "Zn"]
        .iter()
        .map(|a| {
            pool.submit(
                &crystal(&skeleton, &format!("{a} Ca H H H")),
                Property::Density,
            )
        })
        .collect();
    let mut seen = Vec::new();
    while let Some((ticket, evaluation)) = pool.receive(None) {
        assert!(evaluation.outcome.value().is_some());
        seen.push(ticket);
    }
    seen.sort();
    assert_eq!(seen, tickets);
    assert_eq!(pool.outstanding(), 0);
    assert!(pool.wait(tickets[0], None).is_none());
}

#[test]
fn equal_requests_under_way_are_computed_once() {
    let (calculator, pool, skeleton) = pool(2, 100);
    let first = pool.submit(&crystal(&skeleton, "Kr Ca H F Cl"), Property::Density);
    let second = pool.submit(&crystal(&skeleton, "Kr Ca Cl H F"), Property::Density);
    let second = pool.wait(second, None).unwrap();
    let first = pool.wait(first, None).unwrap();
    assert_eq!(
        (first.source, second.source),
        (Source::Computed, Source::Coalesced)
    );
    assert_eq!(first.outcome, second.outcome);
    assert_eq!(calculator.calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_is_an_outcome_and_the_pool_goes_on() {
    let (_, pool, skeleton) = pool(1, 100);
    let gold = pool.submit(&crystal(&skeleton, "Au Ca H H H"), Property::Density);
    let fine = pool.submit(&crystal(&skeleton, "Li Ca H H H"), Property::Density);
    let failure = pool.wait(gold, None).unwrap().outcome;
    let failure = failure.failure().unwrap();
    assert_eq!(failure.code, FailureCode::Internal);
    assert!(failure.message.contains("no gold"), "{}", failure.message);
    assert!(pool.wait(fine, None).unwrap().outcome.value().is_some());
}

#[test]
fn a_cancelled_request_is_answered_and_its_worker_is_free_again() {
    let (_, pool, skeleton) = pool(1, 100);
    let endless = pool.submit(&crystal(&skeleton, "Ag Ca H H H"), Property::Density);
    let queued = pool.submit(&crystal(&skeleton, "Ag Ca F F F"), Property::Density);
    let fine = pool.submit(&crystal(&skeleton, "Li Ca H H H"), Property::Density);
    assert!(
        pool.wait(endless, Some(Duration::from_millis(30)))
            .is_none()
    );
    for ticket in [endless, queued] {
        pool.cancel(ticket);
        let outcome = pool.wait(ticket, None).unwrap().outcome;
        assert_eq!(outcome.failure().unwrap().code, FailureCode::Cancelled);
    }
    assert!(pool.wait(fine, None).unwrap().outcome.value().is_some());
}

#[test]
fn a_full_pool_makes_the_caller_wait() {
    let (_, pool, skeleton) = pool(1, 2);
    for symbol in ["Kr", "Fe", "Zn", "Ca"] {
        pool.submit(
            &crystal(&skeleton, &format!("{symbol} Ca H H H")),
            Property::Density,
        );
        // Queued and running requests never exceed the capacity; finished ones do not count.
        let finished = std::iter::from_fn(|| pool.receive(Some(Duration::ZERO))).count();
        assert!(pool.outstanding() <= 2, "{finished}");
    }
}

#[test]
fn dropping_the_pool_stops_what_runs() {
    let (_, pool, skeleton) = pool(2, 100);
    pool.submit(&crystal(&skeleton, "Ag Ca H H H"), Property::Density);
    thread::sleep(Duration::from_millis(20));
    let start = Instant::now();
    drop(pool);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_instant_calculator_needs_no_worker() {
    let pool = EvaluationPool::new(Arc::new(RigidCalculator), None, 4, 1);
    let skeleton = Skeleton::builtin("C2").unwrap();
    let tickets: Vec<_> = (0..10)
        .map(|_| pool.submit(&crystal(&skeleton, "Rb Ca H H H"), Property::Density))
        .collect();
    for ticket in tickets {
        assert!(pool.wait(ticket, None).unwrap().outcome.value().is_some());
    }
}

#[test]
fn results_of_an_earlier_pool_come_from_the_store() {
    let store = Arc::new(ResultStore::in_memory().unwrap());
    let skeleton = Skeleton::builtin("C2").unwrap();
    for expected in [Source::Computed, Source::Store] {
        let calculator = Arc::new(Moody::default());
        let pool = EvaluationPool::new(calculator, Some(Arc::clone(&store)), 1, 4);
        let ticket = pool.submit(&crystal(&skeleton, "Li Ca H H H"), Property::Density);
        assert_eq!(pool.wait(ticket, None).unwrap().source, expected);
    }
}
