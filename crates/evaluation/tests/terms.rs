//! Several properties of one crystal, each by its own calculator and stored by itself.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_evaluation::{
    Calculator, CancelToken, Decides, EvaluationPool, Failure, FailureCode, Fingerprint, Outcome,
    Property, ResultStore, RigidCalculator, Source, Term, TermsCalculator, Values, evaluate,
};

/// Gives a number, or a failure, and counts.
struct Counting {
    name: &'static str,
    value: Option<f64>,
    seconds: f64,
    calls: AtomicU32,
}

impl Counting {
    fn new(name: &'static str, value: Option<f64>, seconds: f64) -> Arc<Self> {
        Arc::new(Self {
            name,
            value,
            seconds,
            calls: AtomicU32::new(0),
        })
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Calculator for Counting {
    fn name(&self) -> &str {
        self.name
    }

    fn fingerprint(&self, _: &[Element], property: Property) -> Fingerprint {
        Fingerprint(format!("{}/{property}", self.name))
    }

    fn core_seconds(&self, _: Property) -> f64 {
        self.seconds
    }

    fn evaluate(&self, _: &Crystal, _: Property, _: &CancelToken) -> Outcome {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.value {
            Some(value) => Outcome::Success(Values {
                value,
                scf_iterations: 7,
                ..Values::default()
            }),
            None => Outcome::Failure(Failure::new(FailureCode::ScfNotConverged, "as asked")),
        }
    }
}

fn crystal() -> Crystal {
    let elements = ["Rb", "Ca", "H", "H", "H"];
    let elements = elements.map(|symbol| symbol.parse().unwrap()).to_vec();
    Crystal::new(Skeleton::builtin("C2").unwrap(), elements).unwrap()
}

/// The gap first, as the objective has it, though it is the dear one.
fn both(
    gap: &Arc<Counting>,
    above_hull: &Arc<Counting>,
    decides: Option<Box<Decides>>,
) -> TermsCalculator {
    let term = |property, calculator: &Arc<Counting>| Term {
        property,
        calculator: Arc::clone(calculator) as Arc<dyn Calculator>,
    };
    let terms = vec![
        term(Property::BandGap, gap),
        term(Property::EnergyAboveHull, above_hull),
    ];
    TermsCalculator::new(terms, decides).unwrap()
}

/// Name and value or failure of each term.
fn known(outcome: &Outcome) -> Vec<(Property, Result<f64, FailureCode>)> {
    let terms = outcome.terms().iter();
    terms
        .map(|term| {
            (
                term.property,
                term.value.ok_or_else(|| term.failure.unwrap()),
            )
        })
        .collect()
}

#[test]
fn each_term_is_a_result_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = ResultStore::open(&folder.path().join("s.sqlite")).unwrap();
    let (gap, hull) = (
        Counting::new("dear", Some(1.2), 9.0),
        Counting::new("cheap", Some(0.3), 0.1),
    );
    let calculator = both(&gap, &hull, None);
    assert_eq!(calculator.name(), "dear+cheap");
    let (crystal, never) = (crystal(), CancelToken::default());
    let ask = |calculator: &dyn Calculator, property| {
        evaluate(calculator, Some(&store), &crystal, property, &never)
    };
    let found = ask(&calculator, Property::BandGap);
    let expected = [
        (Property::EnergyAboveHull, Ok(0.3)),
        (Property::BandGap, Ok(1.2)),
    ];
    assert_eq!(known(&found.outcome), expected);
    assert_eq!(found.outcome.value(), Some(1.2));
    assert_eq!(found.source, Source::Computed);
    let Outcome::Success(values) = &found.outcome else {
        unreachable!("{found:?}")
    };
    assert_eq!(values.scf_iterations, 14);

    // Alone or together, nothing is computed twice.
    assert_eq!(ask(gap.as_ref(), Property::BandGap).source, Source::Store);
    assert_eq!(
        ask(hull.as_ref(), Property::EnergyAboveHull).source,
        Source::Store
    );
    let alone = ask(&calculator, Property::EnergyAboveHull);
    assert_eq!(
        (alone.source, alone.outcome.value()),
        (Source::Store, Some(0.3))
    );
    assert!(alone.outcome.terms().is_empty());
    let again = ask(&calculator, Property::BandGap);
    assert_eq!(
        (again.source, known(&again.outcome)),
        (Source::Store, expected.to_vec())
    );
    assert_eq!((gap.calls(), hull.calls()), (1, 1));
    let stored: Vec<(String, String)> = store
        .results(None)
        .unwrap()
        .into_iter()
        .map(|result| (result.calculator, result.fingerprint))
        .collect();
    assert_eq!(stored.len(), 2, "{stored:?}");
    for name in ["dear", "cheap"] {
        assert!(
            stored.iter().any(|(calculator, _)| calculator == name),
            "{stored:?}"
        );
    }
}

#[test]
fn a_failure_ends_it() {
    let (gap, hull) = (
        Counting::new("dear", Some(1.2), 9.0),
        Counting::new("cheap", None, 0.1),
    );
    let calculator = both(&gap, &hull, None);
    let never = CancelToken::default();
    let found = evaluate(&calculator, None, &crystal(), Property::BandGap, &never);
    let failure = found.outcome.failure().unwrap();
    assert_eq!(failure.code, FailureCode::ScfNotConverged);
    assert_eq!(failure.message, "energy_above_hull: as asked");
    let failed = Err(FailureCode::ScfNotConverged);
    assert_eq!(known(&found.outcome), [(Property::EnergyAboveHull, failed)]);
    assert_eq!((gap.calls(), hull.calls()), (0, 1));
}

#[test]
fn what_is_decided_is_not_computed() {
    let (gap, hull) = (
        Counting::new("dear", Some(1.2), 9.0),
        Counting::new("cheap", Some(0.3), 0.1),
    );
    for (least, calls) in [(0.2, 0), (0.4, 1)] {
        let decides: Box<Decides> =
            Box::new(move |known| known.iter().any(|term| term.value > Some(least)));
        let calculator: Arc<dyn Calculator> = Arc::new(both(&gap, &hull, Some(decides)));
        let pool = EvaluationPool::new(calculator, None, 2, 10);
        let ticket = pool.submit(&crystal(), Property::BandGap);
        let outcome = pool.wait(ticket, None).unwrap().outcome;
        assert_eq!(gap.calls(), calls);
        match calls {
            0 => {
                let failure = outcome.failure().unwrap();
                assert_eq!(failure.code, FailureCode::Skipped);
                assert!(failure.code.depends_on_the_moment());
                assert_eq!(
                    failure.message,
                    "band_gap is not computed: energy_above_hull decides"
                );
                assert_eq!(known(&outcome), [(Property::EnergyAboveHull, Ok(0.3))]);
            }
            _ => assert_eq!(outcome.value(), Some(1.2)),
        }
    }
}

/// What takes no time beside what is in the store is no calculation.
#[test]
fn what_is_instant_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = ResultStore::open(&folder.path().join("s.sqlite")).unwrap();
    let hull = Counting::new("cheap", Some(0.3), 0.1);
    let terms = vec![
        Term {
            property: Property::Density,
            calculator: Arc::new(RigidCalculator) as Arc<dyn Calculator>,
        },
        Term {
            property: Property::EnergyAboveHull,
            calculator: hull.clone(),
        },
    ];
    let calculator = TermsCalculator::new(terms, None).unwrap();
    assert!(!calculator.is_instant());
    let never = CancelToken::default();
    for source in [Source::Computed, Source::Store] {
        let found = evaluate(
            &calculator,
            Some(&store),
            &crystal(),
            Property::Density,
            &never,
        );
        assert_eq!(found.source, source);
        let density = crystal().rigid_density_g_cm3();
        assert_eq!(found.outcome.value(), Some(density));
    }
    assert_eq!(hull.calls(), 1);
    assert!(TermsCalculator::new(Vec::new(), None).is_none());
}
