//! Drawing by priority.

use crystalgym_environment::random::uniform_unit;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::SumTree;
use crate::check::sane;

/// Which places of a replay buffer are drawn how often: place `i` with probability
/// `P(i) = p_i^α / Σ_k p_k^α` (Schaul et al. 2016, equation 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Priorities {
    exponent: f64,
    /// Largest priority so far, which new places get so that each is seen at least once.
    largest: f64,
    tree: SumTree,
}

/// Added to each error, so that no place is never drawn again (Schaul et al. 2016, section 3.3).
const SMALLEST: f64 = 1e-6;

impl Priorities {
    /// Priorities of `capacity` places, none of them filled, with exponent α.
    pub fn new(capacity: usize, exponent: f64) -> Self {
        Self {
            exponent,
            largest: 1.0,
            tree: SumTree::new(capacity),
        }
    }

    /// Whether they, read from a file, can have come from empty ones by filling `filled` places.
    pub(super) fn check(&self, filled: usize, empty: &Self) -> Result<(), String> {
        let (width, expected) = (self.tree.width(), empty.tree.width());
        if width != expected {
            return Err(format!("replay: {width} priorities, expected {expected}"));
        }
        let sound = |place| {
            let weight = self.tree.get(place);
            match place < filled {
                true => weight > 0.0 && sane([weight]),
                false => weight == 0.0,
            }
        };
        let same = self.exponent == empty.exponent;
        if !(same && self.largest >= 1.0 && sane([self.largest]) && (0..width).all(sound)) {
            return Err("replay: a priority cannot be what it is".to_owned());
        }
        Ok(())
    }

    /// A place has a new transition.
    pub fn filled(&mut self, place: usize) {
        self.tree.set(place, self.largest.powf(self.exponent));
    }

    /// A place was learned from, with this error.
    pub fn set(&mut self, place: usize, error: f64) {
        let priority = error.abs() + SMALLEST;
        self.largest = self.largest.max(priority);
        self.tree.set(place, priority.powf(self.exponent));
    }

    /// `count` places, one from each of `count` equal shares of the total.
    pub fn sample(&self, count: usize, rng: &mut Pcg64) -> Vec<usize> {
        let share = self.tree.total() / count as f64;
        (0..count)
            .map(|index| self.tree.find((index as f64 + uniform_unit(rng)) * share))
            .collect()
    }

    /// Importance weights `w_i = (N P(i))^−β / max_j w_j` of sampled places among `filled` ones
    /// (Schaul et al. 2016, section 3.4; the largest of the sample stands for that of all).
    pub fn weights(&self, places: &[usize], filled: usize, beta: f64) -> Vec<f64> {
        let scale = filled as f64 / self.tree.total();
        let raw: Vec<f64> = places
            .iter()
            .map(|&place| (scale * self.tree.get(place)).powf(-beta))
            .collect();
        let largest = raw.iter().copied().fold(0.0, f64::max);
        raw.into_iter().map(|weight| weight / largest).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Oracle: P(i) ∝ p_i^α written out for three places, within five standard errors of a
    /// multinomial; weights from the definition.
    #[test]
    fn places_are_drawn_by_priority_and_weighted_back() {
        let (alpha, beta) = (0.5, 0.4);
        let mut priorities = Priorities::new(4, alpha);
        let errors: [f64; 3] = [4.0, -1.0, 0.25];
        for (place, error) in errors.into_iter().enumerate() {
            priorities.filled(place);
            priorities.set(place, error);
        }
        let powers = errors.map(|error| (error.abs() + 1e-6).powf(alpha));
        let total: f64 = powers.iter().sum();
        let expected = powers.map(|power| power / total);

        let draws = 60_000;
        let mut counts = [0_u32; 4];
        let mut rng = Pcg64::seed_from_u64(3);
        for _ in 0..draws / 30 {
            for place in priorities.sample(30, &mut rng) {
                counts[place] += 1;
            }
        }
        assert_eq!(counts[3], 0, "an empty place was drawn");
        for (count, p) in counts.iter().zip(expected) {
            let error = (f64::from(draws) * p * (1.0 - p)).sqrt();
            assert!((f64::from(*count) - f64::from(draws) * p).abs() < 5.0 * error);
        }

        let weights = priorities.weights(&[0, 1, 2], 3, beta);
        let raw = expected.map(|p| (3.0 * p).powf(-beta));
        for (weight, raw_weight) in weights.iter().zip(raw) {
            assert!((weight - raw_weight / raw[2]).abs() < 1e-12);
        }
    }

    /// Identity: with α = 0 all places are alike and every weight is 1; with β = 1 the weighted
    /// mean over the distribution is the plain mean, up to the common factor.
    #[test]
    fn the_limits_are_uniform_replay() {
        let mut priorities = Priorities::new(3, 0.0);
        let mut steep = Priorities::new(3, 1.0);
        for (place, error) in [3.0, 0.5, 1.0].into_iter().enumerate() {
            priorities.set(place, error);
            steep.set(place, error);
        }
        assert_eq!(priorities.weights(&[0, 1, 2], 3, 0.7), [1.0; 3]);
        let weights = steep.weights(&[0, 1, 2], 3, 1.0);
        let products: Vec<f64> = (0..3).map(|i| weights[i] * steep.tree.get(i)).collect();
        assert!(products.iter().all(|p| (p - products[0]).abs() < 1e-12));
    }

    #[test]
    fn a_new_place_has_the_largest_priority() {
        let mut priorities = Priorities::new(4, 1.0);
        priorities.set(0, 7.0);
        priorities.set(0, 0.1);
        priorities.filled(1);
        assert_eq!(priorities.tree.get(1), 7.0 + SMALLEST);
    }
}
