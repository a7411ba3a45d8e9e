//! What a cheap calculation says of a dear one.

use crystalgym_evaluation::{FailureCode, Property};

use crate::{
    features::GROUP_SIZES,
    kernel::Hyperparameters,
    model::{Forecast, Known, floor_below},
    regression::Regression,
    rewards::Normal,
};

/// What a calculation can give: a failure, a value at the property's floor, or another value.
const KINDS: usize = 3;
const FAILURE: usize = 0;
const FLOOR: usize = 1;
const VALUE: usize = 2;

/// Before any data: so many crystals of each kind of cheap result (rows), by what the dear
/// calculation gives (columns). Most stay what they are, and nothing is certain.
const PRIOR_COUNTS: [[f64; KINDS]; KINDS] = [[2.4, 0.8, 0.8], [0.4, 3.0, 0.6], [0.4, 0.8, 2.8]];

/// Standard deviation of dear less cheap values before any data, in units of a typical value.
const PRIOR_DIFFERENCE: f64 = 0.25;

/// A crystal that was calculated both ways, with its standardised features.
pub type Pair<'a> = (&'a [f64], Known, Known);

/// What crystals that were calculated cheaply and dearly say of those that were not calculated dearly.
///
/// Each kind `c` of cheap result becomes the kind `d` with the probability
/// `(a_cd + n_cd) / Σ_d (a_cd + n_cd)`, of `n` pairs and prior counts `a`; dear values are
/// cheap values and a Gaussian process of their difference, whose mean is zero before any data (Kennedy
/// and O'Hagan, Biometrika 87, 1 (2000), with a factor of one).
#[derive(Debug, Clone)]
pub struct Correction {
    property: Property,
    becomes: [[f64; KINDS]; KINDS],
    /// Differences, and a typical one added, which the process takes for its prior mean.
    difference: Option<Regression>,
    typical: f64,
    /// What a failure is most often.
    failure: FailureCode,
}

impl Correction {
    /// Of pairs of a cheap and a dear result.
    pub fn new(property: Property, pairs: &[Pair<'_>]) -> Self {
        let typical = PRIOR_DIFFERENCE * property.facts().typical_value;
        let mut counts = PRIOR_COUNTS;
        let mut failures: Vec<FailureCode> = Vec::new();
        let (mut features, mut differences) = (Vec::new(), Vec::new());
        for &(of, cheap, dear) in pairs {
            if is_odd(cheap) {
                continue;
            }
            counts[kind(property, cheap)][kind(property, dear)] += 1.0;
            match (cheap, dear) {
                (_, Known::Failure(code)) => failures.push(code),
                (Known::Value(cheap), Known::Value(dear)) => {
                    if [cheap, dear].map(|v| kind(property, Known::Value(v))) == [VALUE; 2] {
                        features.push(of);
                        differences.push(dear - cheap + typical);
                    }
                }
                (Known::Failure(_), Known::Value(_)) => {}
            }
        }
        let expected = Hyperparameters::expected(GROUP_SIZES.len());
        let difference = (!differences.is_empty())
            .then(|| Regression::new(&features, &differences, &GROUP_SIZES, typical, &expected));
        let share = |row: [f64; KINDS]| row.map(|count| count / row.iter().sum::<f64>());
        Self {
            property,
            becomes: counts.map(share),
            difference: difference.flatten(),
            typical,
            failure: commonest(failures),
        }
    }

    /// Takes a crystal that is being calculated as if its expected value had come.
    pub fn believe(&mut self, features: &[f64]) {
        if let Some(difference) = &mut self.difference {
            difference.believe(features);
        }
    }

    /// What a dear calculation is expected to give where a cheap one gave this; `by_cheap` is what a model of
    /// cheap results says, for the value of what has none.
    pub fn of_result(&self, features: &[f64], cheap: Known, by_cheap: &Forecast) -> Forecast {
        if is_odd(cheap) {
            return self.forecast([1.0, 0.0, 0.0], by_cheap.value);
        }
        let row = self.becomes[kind(self.property, cheap)];
        let value = match cheap {
            Known::Value(mean) if kind(self.property, cheap) == VALUE => {
                Normal { mean, spread: 0.0 }
            }
            _ => by_cheap.value,
        };
        self.forecast(row, self.corrected(features, value))
    }

    /// The same where a model of cheap results alone speaks of the crystal.
    pub fn of_forecast(&self, features: &[f64], by_cheap: &Forecast) -> Forecast {
        let shares = [
            by_cheap.failure_probability(),
            by_cheap.floor,
            by_cheap.value_probability,
        ];
        let mut kinds = [0.0; KINDS];
        for (share, row) in shares.into_iter().zip(self.becomes) {
            for (kind, becomes) in kinds.iter_mut().zip(row) {
                *kind += share * becomes;
            }
        }
        self.forecast(kinds, self.corrected(features, by_cheap.value))
    }

    fn corrected(&self, features: &[f64], cheap: Normal) -> Normal {
        let difference = self.difference.as_ref();
        let (mean, spread) = difference.map_or((self.typical, self.typical), |difference| {
            difference.posterior(features)
        });
        Normal {
            mean: cheap.mean + mean - self.typical,
            spread: cheap.spread.hypot(spread),
        }
    }

    fn forecast(&self, kinds: [f64; KINDS], value: Normal) -> Forecast {
        Forecast {
            failures: vec![(self.failure, kinds[FAILURE])],
            floor: kinds[FLOOR],
            value_probability: kinds[VALUE],
            value,
        }
    }
}

fn kind(property: Property, known: Known) -> usize {
    match known {
        Known::Failure(_) => FAILURE,
        Known::Value(value) if floor_below(property).is_some_and(|floor| value < floor) => FLOOR,
        Known::Value(_) => VALUE,
    }
}

/// An odd number of electrons is odd by whatever means it is calculated.
fn is_odd(known: Known) -> bool {
    known == Known::Failure(FailureCode::OddElectronCount)
}

fn commonest(codes: Vec<FailureCode>) -> FailureCode {
    let count = |code: FailureCode| codes.iter().filter(|other| **other == code).count();
    let most = codes
        .iter()
        .copied()
        .max_by_key(|&code| (count(code), code));
    most.unwrap_or(FailureCode::ScfNotConverged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FEATURES;

    const PROPERTY: Property = Property::BandGap;

    fn features(shift: f64) -> Vec<f64> {
        (0..FEATURES).map(|i| shift + (i as f64).sin()).collect()
    }

    fn by_cheap(mean: f64) -> Forecast {
        Forecast {
            failures: vec![(FailureCode::ScfNotConverged, 0.2)],
            floor: 0.3,
            value_probability: 0.5,
            value: Normal { mean, spread: 0.4 },
        }
    }

    fn sum(forecast: &Forecast) -> f64 {
        forecast.failure_probability() + forecast.floor + forecast.value_probability
    }

    /// Oracle: with as many pairs as there are, shares are counts, and a difference that is always the
    /// same is what is expected of the next crystal.
    #[test]
    fn pairs_say_what_becomes_of_cheap_results() {
        let all: Vec<Vec<f64>> = (0..80).map(|i| features(0.01 * f64::from(i))).collect();
        let pairs: Vec<Pair<'_>> = (all.iter().enumerate())
            .map(|(i, features)| {
                let cheap = 0.5 + 0.01 * i as f64;
                let dear = match i % 4 {
                    0 => Known::Value(0.0),
                    _ => Known::Value(cheap + 0.3),
                };
                (&**features, Known::Value(cheap), dear)
            })
            .collect();
        let correction = Correction::new(PROPERTY, &pairs);
        let new = features(0.405);
        let forecast = correction.of_result(&new, Known::Value(1.0), &by_cheap(5.0));
        assert!((sum(&forecast) - 1.0).abs() < 1e-12);
        assert!((forecast.floor - 20.0 / 80.0).abs() < 0.01, "{forecast:?}");
        assert!((forecast.value_probability - 60.0 / 80.0).abs() < 0.03);
        assert!((forecast.value.mean - 1.3).abs() < 0.01, "{forecast:?}");
        assert!(forecast.value.spread < 0.1, "{forecast:?}");
    }

    /// Without pairs a cheap value is expected to hold, within the prior's spread; an odd number of
    /// electrons stays odd.
    #[test]
    fn without_pairs_cheap_results_hold_roughly() {
        let correction = Correction::new(PROPERTY, &[]);
        let of = features(0.0);
        let forecast = correction.of_result(&of, Known::Value(1.2), &by_cheap(5.0));
        assert_eq!(
            forecast.value,
            Normal {
                mean: 1.2,
                spread: 0.25
            }
        );
        assert!(forecast.value_probability > 0.5);
        let odd = Known::Failure(FailureCode::OddElectronCount);
        let forecast = correction.of_result(&of, odd, &by_cheap(5.0));
        assert_eq!(forecast.failure_probability(), 1.0);
        let metal = correction.of_result(&of, Known::Value(0.0), &by_cheap(5.0));
        assert!(metal.floor > 0.5 && (sum(&metal) - 1.0).abs() < 1e-12);
    }

    /// Oracle: the law of total probability over the kinds of cheap results, and independent
    /// variances that add up.
    #[test]
    fn an_expected_cheap_result_is_the_mean_of_the_certain_ones() {
        let correction = Correction::new(PROPERTY, &[]);
        let of = features(0.3);
        let cheap = by_cheap(1.1);
        let certain = [
            (0.2, Known::Failure(FailureCode::ScfNotConverged)),
            (0.3, Known::Value(0.0)),
            (0.5, Known::Value(1.1)),
        ];
        let mean: f64 = certain
            .iter()
            .map(|(share, known)| share * correction.of_result(&of, *known, &cheap).floor)
            .sum();
        let forecast = correction.of_forecast(&of, &cheap);
        assert!((forecast.floor - mean).abs() < 1e-12);
        assert!((sum(&forecast) - 1.0).abs() < 1e-12);
        let spread = (0.4f64.powi(2) + 0.25f64.powi(2)).sqrt();
        assert!((forecast.value.spread - spread).abs() < 1e-12);
    }
}
