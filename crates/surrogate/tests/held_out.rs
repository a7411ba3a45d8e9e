//! The model on calculations that it was not given: values, failures and the coverage of its
//! intervals.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crystalgym_crystal::Element;
use crystalgym_environment::{Task, TaskConfig, random::uniform_below};
use crystalgym_evaluation::{FailureCode, Property};
use crystalgym_surrogate::{
    Calibration, ChargeCount, FeatureMap, Known, ModelHyperparameters, PropertyModel, Standardiser,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// Random fillings of several skeletons with their standardised features.
fn fillings(count: usize, seed: u64) -> Vec<(Box<[f64]>, Vec<Element>, f64)> {
    let task = Task::new(&TaskConfig {
        skeletons: ["C2", "C4", "C6"].map(Into::into).into(),
        ..TaskConfig::default()
    })
    .unwrap();
    let maps: Vec<FeatureMap> = task
        .skeletons()
        .iter()
        .map(|s| FeatureMap::new(s, true))
        .collect();
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut all = Vec::new();
    for number in 0..count {
        let skeleton = number % maps.len();
        let sites = task.skeletons()[skeleton].sites();
        let filling: Vec<u8> = (0..sites)
            .map(|_| uniform_below(&mut rng, 18) as u8)
            .collect();
        let crystal = task.crystal(skeleton, &filling).unwrap();
        let density = crystal.rigid_density_g_cm3();
        all.push((
            maps[skeleton].of(crystal.elements()),
            crystal.elements().to_vec(),
            density,
        ));
    }
    let features: Vec<Vec<f64>> = all.iter().map(|(features, ..)| features.clone()).collect();
    let standardiser = Standardiser::of(&features);
    let standard =
        |(features, elements, density)| (standardiser.standardised(features), elements, density);
    all.into_iter().map(standard).collect()
}

/// Densities are predicted, and the intervals hold what they should: 400 held-out values, so that
/// shares are known to 0.025; a model that is right to a factor of two in its spread stays inside.
#[test]
fn densities_and_their_intervals() {
    let all = fillings(520, 1);
    let data: Vec<(&[f64], Known)> = all[..120]
        .iter()
        .map(|(features, _, density)| (&**features, Known::Value(*density)))
        .collect();
    let hyperparameters = ModelHyperparameters::fitted(Property::Density, &data);
    assert!(hyperparameters.are_sane());
    let model = PropertyModel::new(Property::Density, &data, &hyperparameters);
    let mut calibration = Calibration::default();
    let (mut squares, mut variance) = (0.0, 0.0);
    let mean = all.iter().map(|(_, _, density)| density).sum::<f64>() / all.len() as f64;
    for (features, _, density) in &all[120..] {
        let forecast = model.forecast(features);
        assert!(forecast.failures.is_empty() && forecast.floor == 0.0);
        calibration.take(Property::Density, &forecast, Known::Value(*density));
        squares += (forecast.value.mean - density).powi(2);
        variance += (mean - density).powi(2);
    }
    assert!(squares < 0.05 * variance, "{squares} {variance}");
    let (half, most) = (
        calibration.coverage_50().unwrap(),
        calibration.coverage_90().unwrap(),
    );
    assert!((0.35..0.75).contains(&half) && most > 0.8, "{half} {most}");
    assert!(calibration.is_sane());
}

/// A rule of nature that the model is not told: crystals fail in one way if too much of one kind of
/// electrons is left, in another if the cell is too full. Probabilities are better than the shares.
#[test]
fn failures_by_kind() {
    let all = fillings(560, 2);
    let outcome = |elements: &[Element], density: f64| {
        if ChargeCount::of(elements).surplus < -3 {
            Known::Failure(FailureCode::ScfNotConverged)
        } else if density > 2.2 {
            Known::Failure(FailureCode::BadGeometry)
        } else {
            Known::Value(density)
        }
    };
    let known: Vec<Known> = all
        .iter()
        .map(|(_, e, density)| outcome(e, *density))
        .collect();
    let data: Vec<(&[f64], Known)> = all[..160]
        .iter()
        .zip(&known)
        .map(|((features, ..), known)| (&**features, *known))
        .collect();
    let hyperparameters = ModelHyperparameters::fitted(Property::Density, &data);
    let model = PropertyModel::new(Property::Density, &data, &hyperparameters);
    for code in [FailureCode::ScfNotConverged, FailureCode::BadGeometry] {
        let share = known
            .iter()
            .filter(|known| **known == Known::Failure(code))
            .count() as f64
            / known.len() as f64;
        let (mut score, mut of_share) = (0.0, 0.0);
        for ((features, ..), known) in all[160..].iter().zip(&known[160..]) {
            let forecast = model.forecast(features);
            let sum = forecast.failure_probability() + forecast.floor + forecast.value_probability;
            assert!((sum - 1.0).abs() < 1e-12);
            let (_, expected) = forecast.failures.iter().find(|(c, _)| *c == code).unwrap();
            let failed = f64::from(u8::from(*known == Known::Failure(code)));
            score += (failed - expected).powi(2);
            of_share += (failed - share).powi(2);
        }
        assert!((0.1..0.7).contains(&share), "{share}");
        assert!(score < 0.5 * of_share, "{code}: {score} {of_share}");
    }
}
