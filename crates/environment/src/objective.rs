//! What an episode aims at: a property, its target, and the reward for how close a crystal came.

use std::{fmt, sync::Arc};

use crystalgym_evaluation::{Outcome, Property};
use serde::{Deserialize, Serialize};

use crate::appraisal::{Appraisal, Prediction};

/// Property, target and reward of a task.
#[derive(Debug, Clone)]
pub struct Objective {
    property: Property,
    target: f64,
    tolerance: f64,
    reward: Reward,
    form: RewardForm,
}

/// What the last step of an episode earns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardForm {
    /// The reward Φ of the crystal at the end.
    #[default]
    Final,
    /// Φ of the crystal at the end less Φ of the crystal at the start.
    ///
    /// These are the potential-based rewards `Φ(s') − Φ(s)` of all steps added up, without discount
    /// (Ng, Harada and Russell 1999, equation 2): what is between cancels and is never computed, and
    /// since no action changes Φ(start), the best policy is that of [`Self::Final`]. A learner may
    /// give −Φ(start) to the first step, where it is a function of what is seen.
    Difference,
}

impl RewardForm {
    /// The name used in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Difference => "difference",
        }
    }
}

impl Objective {
    /// The objective with the reward that a property has unless somebody says otherwise.
    pub fn new(property: Property, target: f64) -> Self {
        Self {
            property,
            target,
            tolerance: 0.0,
            reward: Reward::of(property),
            form: RewardForm::Final,
        }
    }

    /// The same with another form of the reward.
    #[must_use]
    pub fn with_form(self, form: RewardForm) -> Self {
        Self { form, ..self }
    }

    /// The same with the best reward for whatever is at most so far from the target, in its unit:
    /// beyond, the reward falls off with the distance from that range.
    #[must_use]
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        let reward = match tolerance > 0.0 {
            false => self.reward,
            true => Reward::Within {
                tolerance,
                reward: Box::new(self.reward),
            },
        };
        Self {
            tolerance,
            reward,
            ..self
        }
    }

    /// The same with a reward of one's own, which says itself what it tolerates.
    #[must_use]
    pub fn with_reward(self, reward: Arc<dyn CustomReward>) -> Self {
        Self {
            reward: Reward::Custom(reward),
            tolerance: 0.0,
            ..self
        }
    }

    /// The property to aim at.
    pub fn property(&self) -> Property {
        self.property
    }

    /// Its target, in its unit.
    pub fn target(&self) -> f64 {
        self.target
    }

    /// How far from the target a value still has the best reward.
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// The reward Φ of a crystal.
    pub fn reward(&self) -> &Reward {
        &self.reward
    }

    /// What of that an episode earns.
    pub fn form(&self) -> RewardForm {
        self.form
    }

    /// The lowest and the highest reward of an episode.
    pub fn range(&self) -> (f64, f64) {
        let (lowest, best) = (self.reward.of_failure(), self.reward.best());
        match self.form {
            RewardForm::Final => (lowest, best),
            RewardForm::Difference => (lowest - best, best - lowest),
        }
    }

    /// The reward of an episode for a target, from what its last crystal was said to be worth, and
    /// its first one where the form of the reward asks for that.
    pub fn of_episode(&self, target: f64, end: &Appraisal, start: Option<&Appraisal>) -> f64 {
        let reward = |appraisal| self.reward.of_appraisal(target, appraisal);
        reward(end) - start.map_or(0.0, reward)
    }

    /// A typical value of the property, which scales a network's input to about one. It does not
    /// depend on the target, so that one network can be used with many.
    pub fn scale(&self) -> f64 {
        self.property.facts().typical_value
    }
}

/// How close a value came to a target p̂ (CrystalGym paper, section on rewards).
#[derive(Clone)]
pub enum Reward {
    /// `max(−|p̂ − p| / p̂, −5)`, of the moduli; a failure is −5.
    RelativeDistance,
    /// `exp(−(p − p̂)² / p̂)`, of the density; a failure is −1.
    ScaledGaussian,
    /// `exp(−(p − p̂)²)`, of the band gap and of energies; a failure is −1.
    Gaussian,
    /// Another reward, the best one within a range around the target: of a value p it is that of
    /// `p̂ + sign(p − p̂) max(|p − p̂| − tolerance, 0)`, so that it falls off with the distance from
    /// the range.
    Within {
        /// Half the width of the range, in the property's unit.
        tolerance: f64,
        /// The reward outside.
        reward: Box<Reward>,
    },
    /// One of the caller's own.
    Custom(Arc<dyn CustomReward>),
}

/// A target as it is read: `1.5`, or `1.4 to 1.6` with a tolerance.
pub fn target_text(target: f64, tolerance: f64) -> String {
    // Differences of two decimals have a tail.
    let short = |value: f64| (1e9 * value).round() / 1e9;
    match tolerance > 0.0 {
        false => target.to_string(),
        true => format!(
            "{} to {}",
            short(target - tolerance),
            short(target + tolerance)
        ),
    }
}

/// A reward that the caller defines.
pub trait CustomReward: fmt::Debug + Send + Sync {
    /// The reward of a finite value for a target, both in the property's unit.
    fn of_value(&self, target: f64, value: f64) -> f64;

    /// The reward of a crystal without a value; none is lower.
    fn of_failure(&self) -> f64;

    /// The highest reward that there is.
    fn best(&self) -> f64;

    /// The reward of what a calculator said; a value that is no number is a failure.
    fn of_outcome(&self, target: f64, outcome: &Outcome) -> f64 {
        match outcome.value().filter(|value| value.is_finite()) {
            Some(value) => self.of_value(target, value),
            None => self.of_failure(),
        }
    }
}

impl Reward {
    /// The reward that a property has unless somebody says otherwise.
    pub fn of(property: Property) -> Self {
        match property {
            Property::BulkModulus | Property::ShearModulus => Self::RelativeDistance,
            Property::Density => Self::ScaledGaussian,
            Property::BandGap
            | Property::Energy
            | Property::FormationEnergy
            | Property::EnergyAboveHull => Self::Gaussian,
        }
    }

    /// The reward of a finite value for a target, both in the property's unit.
    pub fn of_value(&self, target: f64, value: f64) -> f64 {
        match self {
            Self::RelativeDistance => (-(target - value).abs() / target).max(self.of_failure()),
            Self::ScaledGaussian => (-(value - target).powi(2) / target).exp(),
            Self::Gaussian => (-(value - target).powi(2)).exp(),
            Self::Within { tolerance, reward } => {
                let beyond = ((value - target).abs() - tolerance).max(0.0);
                reward.of_value(target, target + beyond.copysign(value - target))
            }
            Self::Custom(reward) => reward.of_value(target, value),
        }
    }

    /// The slope `dr/dp` of [`Self::of_value`] at a finite value, per unit of the property; 0 where the
    /// reward has its kink at the target or is cut off. Of a custom reward the central difference over
    /// a hundred-thousandth of the value or the target, whichever is larger.
    pub fn slope_of_value(&self, target: f64, value: f64) -> f64 {
        let reward = self.of_value(target, value);
        match self {
            Self::RelativeDistance if value == target || reward <= self.of_failure() => 0.0,
            Self::RelativeDistance => (target - value).signum() / target,
            Self::ScaledGaussian => -2.0 * (value - target) / target * reward,
            Self::Gaussian => -2.0 * (value - target) * reward,
            Self::Within { tolerance, reward } => {
                let beyond = (value - target).abs() - tolerance;
                match beyond > 0.0 {
                    true => reward.slope_of_value(target, target + beyond.copysign(value - target)),
                    false => 0.0,
                }
            }
            Self::Custom(reward) => {
                let step = 1e-5 * value.abs().max(target.abs()).max(1e-3);
                let at = |value| reward.of_value(target, value);
                (at(value + step) - at(value - step)) / (2.0 * step)
            }
        }
    }

    /// The reward of a crystal without a value; none is lower.
    pub fn of_failure(&self) -> f64 {
        match self {
            Self::RelativeDistance => -5.0,
            Self::ScaledGaussian | Self::Gaussian => -1.0,
            Self::Within { reward, .. } => reward.of_failure(),
            Self::Custom(reward) => reward.of_failure(),
        }
    }

    /// The highest reward that there is.
    pub fn best(&self) -> f64 {
        match self {
            Self::RelativeDistance => 0.0,
            Self::ScaledGaussian | Self::Gaussian => 1.0,
            Self::Within { reward, .. } => reward.best(),
            Self::Custom(reward) => reward.best(),
        }
    }

    /// The reward of what a calculator said. A value that is no number is a failure of the
    /// calculator, not a reward.
    pub fn of_outcome(&self, target: f64, outcome: &Outcome) -> f64 {
        if let Self::Custom(reward) = self {
            return reward.of_outcome(target, outcome);
        }
        match outcome.value().filter(|value| value.is_finite()) {
            Some(value) => self.of_value(target, value),
            None => self.of_failure(),
        }
    }

    /// The reward that a prediction lets expect, `(1 − f) r(value) + f r(failure)` with the predicted
    /// probability of failure `f`, less its penalty, and no less than that of a failure.
    pub fn of_prediction(&self, target: f64, prediction: &Prediction) -> f64 {
        let success = self.of_value(target, prediction.value);
        let expected = success + prediction.failure_probability * (self.of_failure() - success);
        (expected - prediction.penalty).max(self.of_failure())
    }

    /// The reward of an appraisal.
    pub fn of_appraisal(&self, target: f64, appraisal: &Appraisal) -> f64 {
        match appraisal {
            Appraisal::Computed(evaluation) => self.of_outcome(target, &evaluation.outcome),
            Appraisal::Predicted(prediction) => self.of_prediction(target, prediction),
        }
    }
}

impl fmt::Debug for Reward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RelativeDistance => f.write_str("RelativeDistance"),
            Self::ScaledGaussian => f.write_str("ScaledGaussian"),
            Self::Gaussian => f.write_str("Gaussian"),
            Self::Within { tolerance, reward } => write!(f, "Within({tolerance}, {reward:?})"),
            Self::Custom(reward) => reward.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_evaluation::{Failure, FailureCode, Values};

    use super::*;

    fn reward(property: Property, target: f64, value: f64) -> f64 {
        let values = Values {
            value,
            ..Values::default()
        };
        Reward::of(property).of_outcome(target, &Outcome::Success(values))
    }

    /// Oracle: central differences of the reward.
    #[test]
    fn slopes_of_values() {
        let within = Reward::Within {
            tolerance: 0.2,
            reward: Box::new(Reward::Gaussian),
        };
        let rewards = [
            Reward::RelativeDistance,
            Reward::ScaledGaussian,
            Reward::Gaussian,
            within,
        ];
        for reward in rewards {
            for value in [-0.7, 0.4, 1.0, 1.6, 2.9, 40.0] {
                let at = |value| reward.of_value(1.5, value);
                let expected = (at(value + 1e-5) - at(value - 1e-5)) / 2e-5;
                let slope = reward.slope_of_value(1.5, value);
                assert!(
                    (slope - expected).abs() < 1e-8,
                    "{reward:?} at {value}: {slope}"
                );
            }
            assert_eq!(reward.slope_of_value(1.5, 1.5), 0.0);
        }
    }

    /// Closed forms, worked out by hand.
    #[test]
    fn rewards_of_values() {
        assert_eq!(reward(Property::Density, 3.0, 3.0), 1.0);
        assert!((reward(Property::Density, 3.0, 6.0) - (-3f64).exp()).abs() < 1e-15);
        assert!((reward(Property::BandGap, 1.12, 0.0) - 0.285_247).abs() < 1e-6);
        assert!((reward(Property::BandGap, 2.0, 0.0) - 0.018_316).abs() < 1e-6);
        assert!((reward(Property::BulkModulus, 300.0, 150.0) + 0.5).abs() < 1e-15);
        assert_eq!(reward(Property::BulkModulus, 300.0, 1e6), -5.0);
    }

    #[test]
    fn failures_cost_what_the_paper_says() {
        let failure = Outcome::Failure(Failure::new(FailureCode::ScfNotConverged, ""));
        for (property, penalty) in [
            (Property::Density, -1.0),
            (Property::BandGap, -1.0),
            (Property::BulkModulus, -5.0),
            (Property::ShearModulus, -5.0),
            (Property::EnergyAboveHull, -1.0),
        ] {
            assert_eq!(Reward::of(property).of_outcome(3.0, &failure), penalty);
            assert_eq!(reward(property, 3.0, f64::NAN), penalty);
        }
    }

    /// No value earns less than a failure or more than the best.
    #[test]
    fn values_stay_in_the_range() {
        for property in Property::ALL {
            let range = Reward::of(property).of_failure()..=Reward::of(property).best();
            for value in [-1e9, -3.0, 0.0, 1.0, 3.0, 1e9] {
                assert!(range.contains(&reward(property, 3.0, value)));
            }
        }
    }

    /// Closed forms by hand: 1 (or 0) within, and outside the reward at the distance from the range.
    #[test]
    fn a_range_is_rewarded_within_and_by_the_distance_to_it() {
        let gap = Objective::new(Property::BandGap, 1.5).with_tolerance(0.1);
        let of = |value: f64| gap.reward().of_value(1.5, value);
        for inside in [1.4, 1.45, 1.5, 1.6] {
            assert!((of(inside) - 1.0).abs() < 1e-15, "{inside}");
        }
        assert!((of(2.1) - (-0.25f64).exp()).abs() < 1e-12);
        assert!((of(0.9) - (-0.25f64).exp()).abs() < 1e-12);
        assert_eq!(
            (gap.reward().of_failure(), gap.reward().best()),
            (-1.0, 1.0)
        );
        let bulk = Objective::new(Property::BulkModulus, 300.0).with_tolerance(50.0);
        assert_eq!(bulk.reward().of_value(300.0, 340.0), 0.0);
        assert!((bulk.reward().of_value(300.0, 200.0) + 50.0 / 300.0).abs() < 1e-15);
        assert_eq!(bulk.reward().of_value(300.0, 1e6), -5.0);
        let plain = Objective::new(Property::Density, 3.0).with_tolerance(0.0);
        assert!(matches!(plain.reward(), Reward::ScaledGaussian));
        assert_eq!(
            (target_text(1.5, 0.1), target_text(3.0, 0.0)),
            ("1.4 to 1.6".into(), "3".into())
        );
    }

    #[test]
    fn a_prediction_earns_what_is_expected() {
        let prediction = Prediction {
            value: 3.0,
            spread: 0.1,
            failure_probability: 0.25,
            penalty: 0.1,
        };
        let expected = 0.75 - 0.25 - 0.1;
        let found = Reward::of(Property::Density).of_prediction(3.0, &prediction);
        assert!((found - expected).abs() < 1e-15);
        let doubtful = Prediction {
            value: 3.0,
            penalty: 7.0,
            ..Prediction::default()
        };
        let least = Reward::of(Property::Density).of_prediction(3.0, &doubtful);
        assert_eq!(least, -1.0);
    }
}
