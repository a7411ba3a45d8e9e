//! The temperature of SAC.

use serde::{Deserialize, Serialize};

use crate::check::sane;

/// `ln α` with its own Adam (Kingma and Ba 2015, algorithm 1), when it is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Temperature {
    log_alpha: f64,
    first_moment: f64,
    second_moment: f64,
    steps: i32,
}

impl Temperature {
    pub(super) fn new(alpha: f64) -> Self {
        Self {
            log_alpha: alpha.max(f64::MIN_POSITIVE).ln(),
            first_moment: 0.0,
            second_moment: 0.0,
            steps: 0,
        }
    }

    pub(super) fn alpha(&self) -> f64 {
        self.log_alpha.exp()
    }

    /// Whether it, read from a file, can have come about.
    pub(super) fn check(&self) -> Result<(), String> {
        let numbers = [self.log_alpha, self.first_moment, self.second_moment];
        if sane(numbers) && self.second_moment >= 0.0 && self.steps >= 0 {
            return Ok(());
        }
        Err(format!("a temperature cannot be {self:?}"))
    }

    pub(super) fn descend(&mut self, slope: f64, learning_rate: f64) {
        const DECAY: [f64; 2] = [0.9, 0.999];
        self.steps = self.steps.saturating_add(1);
        self.first_moment = DECAY[0] * self.first_moment + (1.0 - DECAY[0]) * slope;
        self.second_moment = DECAY[1] * self.second_moment + (1.0 - DECAY[1]) * slope * slope;
        let first = self.first_moment / (1.0 - DECAY[0].powi(self.steps));
        let second = self.second_moment / (1.0 - DECAY[1].powi(self.steps));
        self.log_alpha -= learning_rate * first / (second.sqrt() + 1e-8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closed form: under a constant slope every step of Adam has the length of the learning rate.
    #[test]
    fn constant_slopes_move_by_the_learning_rate() {
        let mut temperature = Temperature::new(0.2);
        for step in 1..=5 {
            temperature.descend(-0.3, 0.01);
            let expected = 0.2_f64.ln() + 0.01 * f64::from(step);
            assert!((temperature.alpha().ln() - expected).abs() < 1e-8);
        }
    }
}
