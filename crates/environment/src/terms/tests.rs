//! Rewards of several terms, worked out by hand.

use crystalgym_evaluation::{Failure, Values};
use serde_json::{Value, json};

use super::*;
use crate::{Task, TaskConfig};

fn term(property: Property, aim: Aim, weight: f64) -> Term {
    Term {
        property,
        aim,
        weight,
    }
}

/// Density 3 g/cm³, at most 0.1 eV/atom above the hull, with weights 3 and 1.
fn two(combination: Combination, weights: [f64; 2]) -> Terms {
    let target = Aim::Target {
        target: 3.0,
        tolerance: 0.0,
    };
    let terms = vec![
        term(Property::Density, target, weights[0]),
        term(Property::EnergyAboveHull, Aim::AtMost(0.1), weights[1]),
    ];
    Terms::new(terms, combination, None).unwrap()
}

fn outcome(property: Property, value: Result<f64, FailureCode>) -> TermOutcome {
    TermOutcome {
        property,
        calculator: "test".into(),
        value: value.ok(),
        failure: value.err(),
    }
}

/// Density and energy above the hull, as a calculator says it.
fn success(density: f64, above_hull: f64) -> Outcome {
    Outcome::Success(Values {
        value: density,
        terms: vec![
            outcome(Property::EnergyAboveHull, Ok(above_hull)),
            outcome(Property::Density, Ok(density)),
        ],
        ..Values::default()
    })
}

fn failure(code: FailureCode, terms: Vec<TermOutcome>) -> Outcome {
    Outcome::Failure(Failure {
        terms,
        ..Failure::new(code, "")
    })
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
}

/// Closed forms by hand.
#[test]
fn desirabilities_by_hand() {
    let target = |target, tolerance| Aim::Target { target, tolerance };
    for (property, aim, value, expected) in [
        (Property::BandGap, target(1.12, 0.0), 2.12, (-1f64).exp()),
        (Property::BandGap, target(1.5, 0.1), 1.42, 1.0),
        (Property::BandGap, target(1.5, 0.1), 2.1, (-0.25f64).exp()),
        (Property::Density, target(3.0, 0.0), 6.0, (-3f64).exp()),
        // −0.5 and −5 on the way from −5 to 0.
        (Property::BulkModulus, target(300.0, 0.0), 150.0, 0.9),
        (Property::BulkModulus, target(300.0, 0.0), 9e9, 0.0),
        (Property::BulkModulus, Aim::AtLeast(400.0), 200.0, 0.9),
        (Property::BulkModulus, Aim::AtLeast(400.0), 900.0, 1.0),
        (Property::EnergyAboveHull, Aim::AtMost(0.1), -3.0, 1.0),
        (
            Property::EnergyAboveHull,
            Aim::AtMost(0.1),
            1.1,
            (-1f64).exp(),
        ),
        (Property::FormationEnergy, Aim::Minimise, 0.0, 0.5),
        (Property::FormationEnergy, Aim::Minimise, 3f64.ln(), 0.25),
        (Property::FormationEnergy, Aim::Maximise, 3f64.ln(), 0.75),
        (Property::BulkModulus, Aim::Maximise, 300.0, 0.5),
        (
            Property::BulkModulus,
            Aim::Maximise,
            300.0 * (1.0 + 3f64.ln()),
            0.75,
        ),
        (
            Property::Density,
            Aim::Minimise,
            3.0 * (1.0 - 4f64.ln()),
            0.8,
        ),
    ] {
        let found = term(property, aim, 1.0).desirability(value);
        assert!(
            (found - expected).abs() < 1e-12,
            "{property} {aim:?} {value}: {found}"
        );
    }
}

/// Closed forms by hand: d = e⁻³ of the density 6, 1 and e⁻¹ of the energies above the hull.
#[test]
fn combinations_by_hand() {
    use Combination::{Product, WeightedSum, Worst};
    let of = |combination, weights, density, above_hull| {
        let terms = two(combination, weights);
        terms.of_outcome(3.0, &success(density, above_hull))
    };
    near(
        of(WeightedSum, [3.0, 1.0], 6.0, 0.0),
        (3.0 * (-3f64).exp() + 1.0) / 4.0,
    );
    near(
        of(WeightedSum, [0.3, 0.1], 6.0, 0.0),
        (3.0 * (-3f64).exp() + 1.0) / 4.0,
    );
    near(
        of(Product, [3.0, 1.0], 6.0, 1.1),
        (-(3.0 * 3.0 + 1.0) / 4f64).exp(),
    );
    near(of(Worst, [1.0, 1.0], 6.0, 1.1), (-3f64).exp());
    near(of(Worst, [1.0, 1.0], 3.0, 1.1), (-1f64).exp());
    for combination in [WeightedSum, Product, Worst] {
        near(of(combination, [1.0, 1.0], 3.0, -0.2), 1.0);
    }
    // Another target of the first term, as relabelling asks for.
    let terms = two(WeightedSum, [1.0, 1.0]);
    near(
        terms.of_outcome(6.0, &success(6.0, 1.1)),
        0.5 * (1.0 + (-1f64).exp()),
    );
}

#[test]
fn a_failure_costs_once_and_what_is_left_out_counts_as_met() {
    let hull = outcome(Property::EnergyAboveHull, Ok(1.1));
    let failed = outcome(Property::Density, Err(FailureCode::ScfNotConverged));
    for combination in [
        Combination::WeightedSum,
        Combination::Product,
        Combination::Worst,
    ] {
        let terms = two(combination, [1.0, 1.0]);
        let of = |code, known: Vec<TermOutcome>| terms.of_outcome(3.0, &failure(code, known));
        assert_eq!(of(FailureCode::ScfNotConverged, vec![]), -1.0);
        assert_eq!(
            of(
                FailureCode::ScfNotConverged,
                vec![hull.clone(), failed.clone()]
            ),
            -1.0
        );
        let expected = match combination {
            Combination::WeightedSum => 0.5 * (1.0 + (-1f64).exp()),
            Combination::Product => (-0.5f64).exp(),
            Combination::Worst => (-1f64).exp(),
        };
        near(of(FailureCode::Skipped, vec![hull.clone()]), expected);
    }
}

#[test]
fn a_term_decides_where_no_more_can_be_earned() {
    let terms = |combination, skip_below| {
        let all = two(combination, [1.0, 1.0]).terms().to_vec();
        Terms::new(all, combination, skip_below).unwrap()
    };
    let hull = |value| [outcome(Property::EnergyAboveHull, Ok(value))];
    // e⁻¹ = 0.3679 and, with the weight ½, e^(−½) = 0.6065; half of it and a half are 0.6839.
    for (combination, most) in [
        (Combination::Worst, 0.3679),
        (Combination::Product, 0.6066),
        (Combination::WeightedSum, 0.684),
    ] {
        assert!(terms(combination, Some(most)).is_decided(&hull(1.1)));
        assert!(!terms(combination, Some(most - 1e-3)).is_decided(&hull(1.1)));
        assert!(!terms(combination, Some(most)).is_decided(&hull(0.0)));
        assert!(!terms(combination, None).is_decided(&hull(50.0)));
    }
}

fn task(objective: Value) -> Result<TaskConfig, String> {
    let task = serde_json::from_value(json!({ "objective": objective }));
    task.map_err(|error| error.to_string())
}

#[test]
fn what_is_written_is_read_back() {
    let written = json!({ "combination": "product", "skip_below": 0.05, "terms": [
        { "property": "band_gap" },
        { "property": "energy_above_hull", "at_most": 0.1, "weight": 2.0 },
        { "property": "density", "at_least": 2.0, "at_most": 3.0 },
        { "property": "bulk_modulus", "direction": "maximise" },
        { "property": "density", "target": "1..2" },
    ]});
    let config = task(written).unwrap();
    assert_eq!(
        (config.property, config.target, config.tolerance),
        (Property::BandGap, 1.12, 0.0)
    );
    let terms = config.objective.as_ref().unwrap();
    let range = |target| Aim::Target {
        target,
        tolerance: 0.5,
    };
    let aims: Vec<Aim> = terms.terms().iter().map(|term| term.aim).collect();
    let gap = Aim::Target {
        target: 1.12,
        tolerance: 0.0,
    };
    assert_eq!(
        aims,
        [gap, Aim::AtMost(0.1), range(2.5), Aim::Maximise, range(1.5)]
    );
    let again: TaskConfig = serde_json::from_value(json!(config)).unwrap();
    assert_eq!(again, config);
    let properties = [
        Property::BandGap,
        Property::EnergyAboveHull,
        Property::Density,
        Property::BulkModulus,
    ];
    assert_eq!(terms.properties(), properties);
    let played = Task::new(&config).unwrap();
    assert!(played.needs_pairs());
    assert_eq!(played.objective().range(), (-1.0, 1.0));
}

#[test]
fn what_cannot_be_is_named() {
    let gap = json!({ "property": "band_gap" });
    for (terms, extra, expected) in [
        (json!([]), json!({}), "objective has no terms"),
        (
            json!([{ "property": "hardness" }]),
            json!({}),
            "unknown variant `hardness`",
        ),
        (
            json!([{ "property": "shear_modulus" }]),
            json!({}),
            "none was published for shear_modulus",
        ),
        (
            json!([{ "property": "band_gap", "weight": -1.0 }]),
            json!({}),
            "weight of band_gap is -1, expected a positive number",
        ),
        (
            json!([{ "property": "band_gap", "weight": 2.0 }]),
            json!({ "combination": "worst" }),
            "the worst term counts alone",
        ),
        (
            json!([{ "property": "density", "at_least": 3.0, "at_most": 2.0 }]),
            json!({}),
            "density is to be at least 3 and at most 2",
        ),
        (
            json!([gap, { "property": "density", "at_least": 3.0 }, { "property": "density", "at_most": 2.0 }]),
            json!({}),
            "density is to be at least 3 and at most 2",
        ),
        (
            json!([{ "property": "density", "at_most": 2.0, "target": 3.0 }]),
            json!({}),
            "more than one of a target, bounds and a direction",
        ),
        (
            json!([{ "property": "density", "at_most": -2.0 }]),
            json!({}),
            "density aims at -2, expected a number from 1e-6",
        ),
        (
            json!([gap]),
            json!({ "skip_below": 2.0 }),
            "skip_below is 2",
        ),
        (
            json!([gap]),
            json!({ "combination": "mean" }),
            "unknown variant `mean`",
        ),
    ] {
        let mut objective = json!({ "terms": terms });
        for (key, value) in extra.as_object().unwrap() {
            objective[key] = value.clone();
        }
        let error = task(objective).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let infinite = term(Property::Density, Aim::AtMost(2.0), f64::INFINITY);
    let error = Terms::new(vec![infinite], Combination::Product, None).unwrap_err();
    assert!(
        error.to_string().contains("weight of density is inf"),
        "{error}"
    );
    let beside = json!({ "property": "density", "objective": { "terms": [gap] } });
    let error = serde_json::from_value::<TaskConfig>(beside).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("property is density, but the first term of objective has band_gap"),
        "{error}"
    );
}
