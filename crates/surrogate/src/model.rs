//! What is expected of a crystal: which failure, a value at the property's floor, or a value with
//! its uncertainty.

use std::{collections::BTreeMap, f64::consts::PI};

use crystalgym_environment::{Prediction, Reward};
use crystalgym_evaluation::{FailureCode, Outcome, Property};
use serde::{Deserialize, Serialize};

use crate::{
    classification::{self, Classification},
    features::GROUP_SIZES,
    kernel::Hyperparameters,
    regression::{self, Regression},
    rewards::{Normal, expected_improvement},
};

/// Hyperparameters are found anew when there are so many times the data of the last time.
pub const NEXT_FIT: f64 = 1.25;
/// Data beyond which hyperparameters are found on this many of them, evenly spread over all.
const MOST_TO_FIT: usize = 250;

/// What a calculation said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The property's value, in its unit.
    Value(f64),
    /// It failed.
    Failure(FailureCode),
}

impl Known {
    /// What an outcome says of its crystal; `None` of a failure that depends on the moment, and of a
    /// value that is no number.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Success(values) => {
                (values.value.is_finite()).then_some(Self::Value(values.value))
            }
            Outcome::Failure(failure) => {
                (!failure.code.depends_on_the_moment()).then_some(Self::Failure(failure.code))
            }
        }
    }
}

/// Values below which a property counts as at its floor of 0: metals have no gap at all, so that a
/// smooth function of the elements cannot hold them and semiconductors alike.
pub fn floor_below(property: Property) -> Option<f64> {
    match property {
        Property::BandGap => Some(0.02),
        Property::BulkModulus
        | Property::Density
        | Property::ShearModulus
        | Property::Energy
        | Property::FormationEnergy
        | Property::EnergyAboveHull => None,
    }
}

/// The hyperparameters of a model; what is missing is as expected before any data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelHyperparameters {
    /// Of each kind of failure.
    pub failures: BTreeMap<FailureCode, Hyperparameters>,
    /// Of values at the floor.
    pub floor: Option<Hyperparameters>,
    /// Of the value.
    pub value: Option<Hyperparameters>,
}

impl ModelHyperparameters {
    /// The most probable ones, given what calculations said of crystals with these standardised
    /// features.
    pub fn fitted(property: Property, data: &[(&[f64], Known)]) -> Self {
        let sizes = &GROUP_SIZES;
        let stages = Stages::of(property, data);
        let class = |stage: &Stage<'_>| {
            let (features, yes) = stage.thinned();
            classification::fitted(&features, &yes, sizes)
        };
        let failures = stages.failures.iter();
        let (features, values) = thinned(&stages.features, &stages.values);
        Self {
            failures: failures
                .map(|(code, stage)| (*code, class(stage)))
                .collect(),
            floor: stages.floor.as_ref().map(class),
            value: (features.len() > 2).then(|| {
                let typical = property.facts().typical_value;
                regression::fitted(&features, &values, sizes, typical)
            }),
        }
    }

    /// Whether all are numbers of a size that a fit can give.
    pub fn are_sane(&self) -> bool {
        let all = self.failures.values().chain(&self.floor).chain(&self.value);
        all.into_iter().all(|hyperparameters| {
            hyperparameters.are_sane() && hyperparameters.weights_ln.len() == GROUP_SIZES.len()
        })
    }
}

/// A yes-or-no question with what is known of it.
struct Stage<'a> {
    features: Vec<&'a [f64]>,
    yes: Vec<bool>,
}

impl<'a> Stage<'a> {
    fn thinned(&self) -> (Vec<&'a [f64]>, Vec<bool>) {
        thinned(&self.features, &self.yes)
    }
}

/// The data of each question: does it fail in the first way? If not, in the second? … If it does
/// not fail, is its value at the floor? If not, which is it?
struct Stages<'a> {
    failures: Vec<(FailureCode, Stage<'a>)>,
    floor: Option<Stage<'a>>,
    features: Vec<&'a [f64]>,
    values: Vec<f64>,
}

impl<'a> Stages<'a> {
    fn of(property: Property, data: &[(&'a [f64], Known)]) -> Self {
        let mut left: Vec<(&[f64], Known)> = data.to_vec();
        let mut codes = BTreeMap::<FailureCode, usize>::new();
        for (_, known) in data {
            if let Known::Failure(code) = known {
                *codes.entry(*code).or_default() += 1;
            }
        }
        let mut codes: Vec<(FailureCode, usize)> = codes.into_iter().collect();
        // The commonest first, so that every question has the most data.
        codes.sort_by_key(|&(code, count)| (std::cmp::Reverse(count), code));
        let ask = |left: &mut Vec<(&'a [f64], Known)>, is_yes: &dyn Fn(Known) -> bool| {
            let stage = Stage {
                features: left.iter().map(|(features, _)| *features).collect(),
                yes: left.iter().map(|(_, known)| is_yes(*known)).collect(),
            };
            left.retain(|(_, known)| !is_yes(*known));
            stage
        };
        let failures = codes
            .into_iter()
            .map(|(code, _)| (code, ask(&mut left, &|known| known == Known::Failure(code))))
            .collect();
        let at_floor = |floor: f64, known| matches!(known, Known::Value(value) if value < floor);
        let floor = floor_below(property)
            .map(|floor| ask(&mut left, &|known| at_floor(floor, known)))
            .filter(|stage| !stage.yes.is_empty());
        let values = left.iter().filter_map(|&(features, known)| match known {
            Known::Value(value) => Some((features, value)),
            Known::Failure(_) => None,
        });
        let (features, values) = values.unzip();
        Self {
            failures,
            floor,
            features,
            values,
        }
    }
}

/// At most so many members, evenly spread.
fn thinned<'a, T: Copy>(features: &[&'a [f64]], values: &[T]) -> (Vec<&'a [f64]>, Vec<T>) {
    let count = values.len();
    let kept = count.min(MOST_TO_FIT);
    let places = (0..kept).map(|place| place * count / kept);
    places.map(|place| (features[place], values[place])).unzip()
}

/// A model of a property, given what calculations said of crystals with these standardised
/// features.
#[derive(Debug, Clone)]
pub struct PropertyModel {
    failures: Vec<(FailureCode, Classification)>,
    floor: Option<Classification>,
    value: Option<Regression>,
    typical: f64,
}

impl PropertyModel {
    /// The posterior of all data.
    pub fn new(
        property: Property,
        data: &[(&[f64], Known)],
        hyperparameters: &ModelHyperparameters,
    ) -> Self {
        let sizes = &GROUP_SIZES;
        let expected = Hyperparameters::expected(sizes.len());
        let stages = Stages::of(property, data);
        let class = |stage: &Stage<'_>, hyperparameters: Option<&Hyperparameters>| {
            let hyperparameters = hyperparameters.unwrap_or(&expected);
            Classification::new(&stage.features, &stage.yes, sizes, hyperparameters)
        };
        let typical = property.facts().typical_value;
        Self {
            failures: stages
                .failures
                .iter()
                .filter_map(|(code, stage)| {
                    Some((*code, class(stage, hyperparameters.failures.get(code))?))
                })
                .collect(),
            floor: stages
                .floor
                .as_ref()
                .and_then(|stage| class(stage, hyperparameters.floor.as_ref())),
            value: Regression::new(
                &stages.features,
                &stages.values,
                sizes,
                typical,
                hyperparameters.value.as_ref().unwrap_or(&expected),
            ),
            typical,
        }
    }

    /// Takes a crystal that is being calculated as if its expected value had come, so that the
    /// next one is looked for elsewhere.
    pub fn believe(&mut self, features: &[f64]) {
        if let Some(value) = &mut self.value {
            value.believe(features);
        }
    }

    /// What is expected of a crystal with these standardised features.
    pub fn forecast(&self, features: &[f64]) -> Forecast {
        self.expected(
            |class| class.probability(features),
            |value| value.posterior(features),
        )
    }

    /// The same with uncertainties that are the same for all crystals, in a time that grows with the
    /// number of data instead of its square.
    pub fn forecast_roughly(&self, features: &[f64]) -> Forecast {
        self.expected(
            |class| class.rough_probability(features),
            |value| value.rough_posterior(features),
        )
    }

    fn expected(
        &self,
        probability: impl Fn(&Classification) -> f64,
        posterior: impl Fn(&Regression) -> (f64, f64),
    ) -> Forecast {
        let mut left = 1.0;
        let failures = self.failures.iter().map(|(code, class)| {
            let probability = left * probability(class);
            left -= probability;
            (*code, probability)
        });
        let failures = failures.collect();
        let floor = left * self.floor.as_ref().map_or(0.0, probability);
        let value = self.value.as_ref();
        let (mean, spread) = value.map_or((self.typical, self.typical), posterior);
        Forecast {
            failures,
            floor,
            value_probability: left - floor,
            value: Normal { mean, spread },
        }
    }

    /// The values of several crystals in one function that is drawn from the posterior, should each
    /// have a value above the floor: with as many standard normal numbers `z`, `μ + L z` with the
    /// factor `L` of their covariance.
    pub fn draw(&self, features: &[&[f64]], normals: &[f64]) -> Vec<f64> {
        match &self.value {
            Some(value) => value.draw(features, normals),
            None => normals.iter().map(|z| self.typical * (1.0 + z)).collect(),
        }
    }
}

/// What is expected of a crystal. The probabilities sum to one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Probability of each kind of failure that was met.
    pub failures: Vec<(FailureCode, f64)>,
    /// Probability of a value of 0, where the property has such a floor.
    pub floor: f64,
    /// Probability of another value.
    pub value_probability: f64,
    /// That value.
    pub value: Normal,
}

impl Forecast {
    /// Probability of any failure.
    pub fn failure_probability(&self) -> f64 {
        self.failures
            .iter()
            .map(|(_, probability)| probability)
            .sum()
    }

    /// The expected improvement of the reward over `best`.
    pub fn improvement(&self, reward: &Reward, target: f64, best: f64) -> f64 {
        let over = |reward: f64| (reward - best).max(0.0);
        self.failure_probability() * over(reward.of_failure())
            + self.floor * over(reward.of_value(target, 0.0))
            + self.value_probability * expected_improvement(reward, target, self.value, best)
    }

    /// The expected reward.
    pub fn reward(&self, reward: &Reward, target: f64) -> f64 {
        let lowest = reward.of_failure();
        lowest + self.improvement(reward, target, lowest)
    }

    /// The probability of a value at most so far from the target.
    pub fn hit(&self, target: f64, tolerance: f64) -> f64 {
        let at_floor = if target <= tolerance { self.floor } else { 0.0 };
        at_floor
            + self.value_probability * self.value.between(target - tolerance, target + tolerance)
    }

    /// The logarithm of the probability (of a value: the density) that it gave to what came; of a failure
    /// to any. At least that of one in a million.
    pub fn log_score(&self, property: Property, known: Known) -> f64 {
        let least = 1e-6;
        match known {
            Known::Failure(_) => self.failure_probability().max(least).ln(),
            Known::Value(value) if floor_below(property).is_some_and(|floor| value < floor) => {
                self.floor.max(least).ln()
            }
            Known::Value(value) => {
                let Normal { mean, spread } = self.value;
                let z = (value - mean) / spread;
                let density = -0.5 * z * z - (spread * (2.0 * PI).sqrt()).ln();
                (self.value_probability.ln() + density).max(least.ln())
            }
        }
    }

    /// Value and spread of what does not fail, whatever its distribution, and the probability that
    /// it does.
    pub fn prediction(&self) -> Prediction {
        let succeeds = self.floor + self.value_probability;
        let share = if succeeds > 0.0 {
            self.value_probability / succeeds
        } else {
            1.0
        };
        let Normal { mean, spread } = self.value;
        let variance = share * (spread * spread + (1.0 - share) * mean * mean);
        Prediction {
            value: share * mean,
            spread: variance.sqrt(),
            failure_probability: self.failure_probability(),
            penalty: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the probabilities of all that can come sum to one, values by a sum over a fine mesh.
    #[test]
    fn scores_are_logarithms_of_probabilities() {
        let forecast = Forecast {
            failures: vec![
                (FailureCode::ScfNotConverged, 0.2),
                (FailureCode::OddElectronCount, 0.1),
            ],
            floor: 0.3,
            value_probability: 0.4,
            value: Normal {
                mean: 3.0,
                spread: 0.5,
            },
        };
        let score = |known| forecast.log_score(Property::BandGap, known).exp();
        let failure = score(Known::Failure(FailureCode::BadGeometry));
        let floor = score(Known::Value(0.0));
        let step = 1e-3;
        let values: f64 = (20..6000)
            .map(|i| step * score(Known::Value(step * f64::from(i))))
            .sum();
        assert!((failure - 0.3).abs() < 1e-12 && (floor - 0.3).abs() < 1e-12);
        // Far away each value has at least one in a million.
        assert!((values - 0.4).abs() < 1e-5, "{values}");
    }
}
