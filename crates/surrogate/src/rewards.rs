//! What a reward is expected to be, for a value that is known up to a normal distribution.

use crystalgym_environment::Reward;
use serde::{Deserialize, Serialize};

use crate::normal::{below, between, density};

/// Standard deviations on either side within which a reward without a closed form is integrated,
/// and the intervals there.
const QUADRATURE: (f64, usize) = (8.0, 400);

/// A value that is known up to a normal distribution, in the property's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// Expected value.
    pub mean: f64,
    /// Standard deviation, positive.
    pub spread: f64,
}

impl Normal {
    /// Probability of a value between two numbers.
    pub fn between(self, low: f64, high: f64) -> f64 {
        between(
            (low - self.mean) / self.spread,
            (high - self.mean) / self.spread,
        )
    }

    fn moved(self, by: f64) -> Self {
        Self {
            mean: self.mean + by,
            ..self
        }
    }
}

/// The expected reward of a value for a target, `E[r(p)]`.
pub fn expected_reward(reward: &Reward, target: f64, value: Normal) -> f64 {
    let floor = reward.of_failure();
    floor + expected_improvement(reward, target, value, floor)
}

/// The expected improvement of the reward over what is known, `E[max(r(p) − best, 0)]`.
///
/// With `Z = √(c/(c + 2σ²)) exp(−(μ − p̂)²/(c + 2σ²))` a reward `exp(−(p − p̂)²/c)` is expected to be
/// `Z`, and improves by `Z P′ − best · P` over the values with `|p − p̂| < √(−c ln best)`, whose
/// probability is `P`, and `P′` for mean `(cμ + 2σ²p̂)/(c + 2σ²)` and variance `cσ²/(c + 2σ²)`. A
/// distance `−|p − p̂|/p̂` gives two truncated normal means. Products and integrals of normal
/// densities; derived here.
pub fn expected_improvement(reward: &Reward, target: f64, value: Normal, best: f64) -> f64 {
    let lowest = reward.of_failure();
    let everywhere = (f64::NEG_INFINITY, f64::INFINITY);
    let bar = best.max(lowest);
    (lowest - best).max(0.0) + above(reward, target, value, everywhere, bar)
}

/// `∫ max(r(p) − bar, 0) N(p) dp` over a range.
fn above(reward: &Reward, target: f64, value: Normal, range: (f64, f64), bar: f64) -> f64 {
    match reward {
        Reward::Gaussian => bell(1.0, target, value, range, bar),
        Reward::ScaledGaussian => bell(target, target, value, range, bar),
        Reward::RelativeDistance => distance(target, value, range, bar),
        Reward::Within { tolerance, reward } => {
            let (low, high) = (target - tolerance, target + tolerance);
            let inside = value.between(low.max(range.0), high.min(range.1)).max(0.0);
            let over = (range.0.max(high) - tolerance, range.1 - tolerance);
            let under = (range.0 + tolerance, range.1.min(low) + tolerance);
            inside * (reward.best() - bar).max(0.0)
                + above(reward, target, value.moved(-tolerance), over, bar)
                + above(reward, target, value.moved(*tolerance), under, bar)
        }
        Reward::Custom(_) => quadrature(reward, target, value, range, bar),
    }
}

/// Of `exp(−(p − p̂)²/c)`.
fn bell(c: f64, target: f64, value: Normal, range: (f64, f64), bar: f64) -> f64 {
    let reach = match bar {
        bar if bar <= 0.0 => f64::INFINITY,
        bar if bar >= 1.0 => return 0.0,
        bar => (-c * bar.ln()).sqrt(),
    };
    let (low, high) = (range.0.max(target - reach), range.1.min(target + reach));
    if low >= high {
        return 0.0;
    }
    let Normal { mean, spread } = value;
    let wider = c + 2.0 * spread * spread;
    let product = Normal {
        mean: (c * mean + 2.0 * spread * spread * target) / wider,
        spread: spread * (c / wider).sqrt(),
    };
    let all = (c / wider).sqrt() * (-(mean - target).powi(2) / wider).exp();
    (all * product.between(low, high) - bar * value.between(low, high)).max(0.0)
}

/// Of `−|p − p̂|/p̂`, nowhere below the bar.
fn distance(target: f64, value: Normal, range: (f64, f64), bar: f64) -> f64 {
    let reach = (-bar * target).max(0.0);
    let side = |low: f64, high: f64, sign: f64| {
        if low >= high {
            return 0.0;
        }
        let (from, to) = (
            (low - value.mean) / value.spread,
            (high - value.mean) / value.spread,
        );
        let middle = reach + sign * (target - value.mean);
        middle * between(from, to) + sign * value.spread * (density(to) - density(from))
    };
    let over = side(range.0.max(target), range.1.min(target + reach), 1.0);
    let under = side(range.0.max(target - reach), range.1.min(target), -1.0);
    ((over + under) / target).max(0.0)
}

/// Simpson's rule, for a reward of the caller's own.
fn quadrature(reward: &Reward, target: f64, value: Normal, range: (f64, f64), bar: f64) -> f64 {
    let (reach, intervals) = QUADRATURE;
    let low = range.0.max(value.mean - reach * value.spread);
    let high = range.1.min(value.mean + reach * value.spread);
    if low >= high {
        return 0.0;
    }
    let step = (high - low) / intervals as f64;
    let sum: f64 = (0..=intervals)
        .map(|place| {
            let p = low + step * place as f64;
            let weight = match place {
                0 => 1.0,
                place if place == intervals => 1.0,
                place if place % 2 == 1 => 4.0,
                _ => 2.0,
            };
            let height = (reward.of_value(target, p) - bar).max(0.0);
            weight * height * density((p - value.mean) / value.spread)
        })
        .sum();
    sum * step / (3.0 * value.spread)
}

/// The half-width, in standard deviations, of the interval around the mean that holds a normal
/// number with this probability.
pub fn central_half_width(probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        match 2.0 * below(middle) - 1.0 < probability {
            true => low = middle,
            false => high = middle,
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use std::{f64::consts::PI, sync::Arc};

    use crystalgym_environment::CustomReward;
    use proptest::prelude::*;

    use super::*;

    /// Oracle: the rectangle rule on a mesh so fine that kinks do not matter.
    fn integrated(reward: &Reward, target: f64, value: Normal, best: f64) -> f64 {
        let count = 400_000;
        let (low, width) = (value.mean - 12.0 * value.spread, 24.0 * value.spread);
        let step = width / f64::from(count);
        let sum: f64 = (0..count)
            .map(|place| {
                let p = low + (f64::from(place) + 0.5) * step;
                let z = (p - value.mean) / value.spread;
                let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
                (reward.of_value(target, p) - best).max(0.0) * density
            })
            .sum();
        sum * step / value.spread
    }

    fn rewards() -> Vec<Reward> {
        let all = [
            Reward::Gaussian,
            Reward::ScaledGaussian,
            Reward::RelativeDistance,
        ];
        let within = all.clone().map(|reward| Reward::Within {
            tolerance: 0.3,
            reward: Box::new(reward),
        });
        all.into_iter().chain(within).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn closed_forms_are_the_integrals(
            target in 0.5..4.0f64,
            mean in -3.0..8.0f64,
            spread in 0.02..3.0f64,
            share in 0.0..1.0f64,
        ) {
            let value = Normal { mean, spread };
            for reward in rewards() {
                let (low, high) = (reward.of_failure(), reward.best());
                let best = low + share * (high - low);
                let found = expected_improvement(&reward, target, value, best);
                let expected = integrated(&reward, target, value, best);
                prop_assert!((found - expected).abs() < 1e-6, "{reward:?}: {found} {expected}");
                let found = expected_reward(&reward, target, value);
                let expected = low + integrated(&reward, target, value, low);
                prop_assert!((found - expected).abs() < 1e-6, "{reward:?}: {found} {expected}");
            }
        }
    }

    #[derive(Debug)]
    struct Bell;

    impl CustomReward for Bell {
        fn of_value(&self, target: f64, value: f64) -> f64 {
            Reward::Gaussian.of_value(target, value)
        }

        fn of_failure(&self) -> f64 {
            -1.0
        }

        fn best(&self) -> f64 {
            1.0
        }
    }

    /// Oracle: the closed form of the same reward.
    #[test]
    fn a_reward_of_ones_own_is_integrated() {
        let value = Normal {
            mean: 0.7,
            spread: 0.4,
        };
        for best in [-1.0, 0.0, 0.6] {
            let of = |reward: &Reward| expected_improvement(reward, 1.12, value, best);
            let custom = Reward::Custom(Arc::new(Bell));
            assert!((of(&custom) - of(&Reward::Gaussian)).abs() < 1e-5);
        }
    }

    /// Oracle: by hand. A certain value has its reward; below the worst, every value improves.
    #[test]
    fn limits() {
        let sure = Normal {
            mean: 1.5,
            spread: 1e-7,
        };
        let expected = expected_reward(&Reward::Gaussian, 1.12, sure);
        assert!((expected - Reward::Gaussian.of_value(1.12, 1.5)).abs() < 1e-9);
        let nothing_known = expected_improvement(&Reward::Gaussian, 1.12, sure, -3.0);
        assert!((nothing_known - (expected + 3.0)).abs() < 1e-9);
        // The mean distance of a standard normal number from 0 is √(2/π).
        let one = Normal {
            mean: 1000.0,
            spread: 1.0,
        };
        let found = expected_reward(&Reward::RelativeDistance, 1000.0, one);
        assert!((found + (2.0 / PI).sqrt() / 1000.0).abs() < 1e-12);
        for (probability, width) in [(0.5, 0.674_489_750_196), (0.9, 1.644_853_626_951)] {
            assert!((central_half_width(probability) - width).abs() < 1e-10);
        }
    }
}
