use serde::{Deserialize, Serialize};

/// A number that goes linearly from one value to another and then stays there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LinearSchedule {
    /// Value at step 0.
    pub start: f64,
    /// Value from step [`steps`](Self::steps) on.
    pub end: f64,
    /// Length of the way.
    pub steps: f64,
}

impl LinearSchedule {
    /// `start + (end − start) · min(step / steps, 1)`.
    pub fn at(&self, step: u64) -> f64 {
        let progress = step as f64 / self.steps;
        if progress < 1.0 {
            self.start + (self.end - self.start) * progress
        } else {
            self.end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_exploration_ends_after_a_fifth_of_the_run() {
        let epsilon = LinearSchedule {
            start: 1.0,
            end: 0.05,
            steps: 0.2 * 100_000.0,
        };
        assert_eq!(epsilon.at(0), 1.0);
        assert!((epsilon.at(10_000) - 0.525).abs() < 1e-15);
        assert_eq!((epsilon.at(20_000), epsilon.at(99_999)), (0.05, 0.05));
    }

    #[test]
    fn without_length_it_is_at_its_end() {
        let constant = LinearSchedule {
            start: 1.0,
            end: 0.1,
            steps: 0.0,
        };
        assert_eq!((constant.at(0), constant.at(1)), (0.1, 0.1));
    }
}
