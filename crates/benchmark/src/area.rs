//! The area under a learning curve, in which every episode of an arrival weighs the same.

/// Area under a learning curve, `A = Σ_a (R̄_a − R_failure)(s_a − s_{a−1})`, summed as episodes come.
///
/// An arrival `a` is all episodes whose rewards came at one number `s_a` of environment steps
/// (`s_0 = 0`); `R̄_a` is the mean of their returns, failures counted. Environments in lockstep share
/// their steps, so that an arrival holds many episodes. The paper (Table 5) gives areas and no formula;
/// docs/benchmark.md has this one with its reasons.
#[derive(Debug)]
pub(crate) struct LearningArea {
    failure_return: f64,
    /// Of the arrivals that are complete.
    sum: f64,
    /// Steps at the end of the last complete arrival.
    before: u64,
    /// The arrival under way: its steps, the sum of its returns, how many.
    step: u64,
    returns: f64,
    episodes: u64,
}

impl LearningArea {
    /// Nothing so far, above the return of a failure.
    pub(crate) fn above(failure_return: f64) -> Self {
        Self {
            failure_return,
            sum: 0.0,
            before: 0,
            step: 0,
            returns: 0.0,
            episodes: 0,
        }
    }

    /// Adds an episode, whose steps are not fewer than those of the one before.
    pub(crate) fn add(&mut self, episodic_return: f64, step: u64) {
        if step > self.step {
            self.end_arrival();
            self.step = step;
        }
        self.returns += episodic_return;
        self.episodes += 1;
    }

    /// Steps so far.
    pub(crate) fn last_step(&self) -> u64 {
        self.step
    }

    /// The area, in returns times steps.
    pub(crate) fn finish(mut self) -> f64 {
        self.end_arrival();
        self.sum
    }

    fn end_arrival(&mut self) {
        if self.episodes > 0 {
            let mean = self.returns / self.episodes as f64;
            self.sum += (mean - self.failure_return) * (self.step - self.before) as f64;
        }
        (self.before, self.returns, self.episodes) = (self.step, 0.0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(failure_return: f64, episodes: &[(f64, u64)]) -> f64 {
        let mut area = LearningArea::above(failure_return);
        for (episodic_return, step) in episodes {
            area.add(*episodic_return, *step);
        }
        area.finish()
    }

    /// Oracle: docs/benchmark.md, its two examples worked out by hand.
    #[test]
    fn every_episode_of_an_arrival_weighs_the_same() {
        let first = [1.0, 0.5, -1.0, 1.0, 0.0, -1.0, 0.5, 1.0].map(|r| (r, 40));
        let second = [1.0, 1.0, 0.0, 1.0, 1.0, -1.0, 1.0, 0.0].map(|r| (r, 80));
        let eight = [first, second].concat();
        assert_eq!(area(-1.0, &eight), 40.0 * 1.25 + 40.0 * 1.5);
        // In whatever order the episodes of an arrival are written down.
        let mut turned = eight.clone();
        turned[..8].reverse();
        turned[8..].reverse();
        assert_eq!(area(-1.0, &turned), area(-1.0, &eight));

        // All rewards at one moment: a failure written down first does not count alone.
        let one = [(-1.0, 60), (1.0, 60), (0.0, 60), (0.4, 60)];
        assert!((area(-1.0, &one) - 1.1 * 60.0).abs() < 1e-12);
    }

    /// Oracle: single arrivals are rectangles of their own; a failure adds nothing; a bulk modulus
    /// is measured above −5.
    #[test]
    fn single_episodes_are_rectangles() {
        assert_eq!(area(-1.0, &[(1.0, 5), (-1.0, 10), (0.0, 15)]), 10.0 + 5.0);
        assert_eq!(area(-5.0, &[(-1.0, 4), (-5.0, 8)]), 16.0);
        assert_eq!(area(-1.0, &[]), 0.0);
        assert_eq!(area(-1.0, &[(1.0, 0)]), 0.0);
    }
}
