use crystalgym_evaluation::{Outcome, Property};

/// Reward of a finished crystal (CrystalGym paper, section on rewards), with p̂ the target:
///
/// | property | success | failure |
/// |---|---|---|
/// | bulk modulus B | `max(−|p̂ − B| / p̂, −5)` | −5 |
/// | density ρ | `exp(−(ρ − p̂)² / p̂)` | −1 |
/// | band gap E | `exp(−(E − p̂)²)` | −1 |
pub fn reward(property: Property, target: f64, outcome: &Outcome) -> f64 {
    // A value that is no number is a failure of the calculator, not a reward.
    let Some(value) = outcome.value().filter(|value| value.is_finite()) else {
        return failure_reward(property);
    };
    match property {
        Property::BulkModulus => (-(target - value).abs() / target).max(failure_reward(property)),
        Property::Density => (-(value - target).powi(2) / target).exp(),
        // Properties added later are rewarded like the gap until they say otherwise.
        _ => (-(value - target).powi(2)).exp(),
    }
}

/// Reward of a crystal whose evaluation failed; no reward is lower.
pub fn failure_reward(property: Property) -> f64 {
    match property {
        Property::BulkModulus => -5.0,
        _ => -1.0,
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_evaluation::{Failure, FailureCode, Values};

    use super::*;

    fn value(value: f64) -> Outcome {
        Outcome::Success(Values {
            value,
            ..Values::default()
        })
    }

    /// Closed forms, worked out by hand.
    #[test]
    fn rewards_of_values() {
        assert_eq!(reward(Property::Density, 3.0, &value(3.0)), 1.0);
        assert!((reward(Property::Density, 3.0, &value(6.0)) - (-3f64).exp()).abs() < 1e-15);
        assert!((reward(Property::BandGap, 1.12, &value(0.0)) - 0.285_247).abs() < 1e-6);
        assert!((reward(Property::BandGap, 2.0, &value(0.0)) - 0.018_316).abs() < 1e-6);
        assert!((reward(Property::BulkModulus, 300.0, &value(150.0)) + 0.5).abs() < 1e-15);
        assert_eq!(reward(Property::BulkModulus, 300.0, &value(1e6)), -5.0);
    }

    #[test]
    fn failures_cost_what_the_paper_says() {
        let failure = Outcome::Failure(Failure::new(FailureCode::ScfNotConverged, ""));
        for (property, penalty) in [
            (Property::Density, -1.0),
            (Property::BandGap, -1.0),
            (Property::BulkModulus, -5.0),
        ] {
            assert_eq!(reward(property, 3.0, &failure), penalty);
            assert_eq!(reward(property, 3.0, &value(f64::NAN)), penalty);
        }
    }
}
