//! Learning curves: returns of a run over steps, episodes or calculations.

/// What a learning curve is drawn over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurveAxis {
    /// Environment steps.
    Steps,
    /// Finished episodes.
    Episodes,
    /// Calculations that the run would have made on a store of its own: distinct crystals so far.
    Calculations,
}

impl CurveAxis {
    /// All axes, first what costs: calculations.
    pub const ALL: [Self; 3] = [Self::Calculations, Self::Steps, Self::Episodes];

    /// Short name for files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Episodes => "episodes",
            Self::Calculations => "calculations",
        }
    }
}

/// Episodes in a row, as one point.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    /// How many episodes it stands for.
    count: u64,
    /// Sum of their returns.
    sum: f64,
    /// Where each axis stands after the last of them, in the order in which [`CurveAxis`] names them.
    at: [u64; 3],
}

/// Points beyond which neighbours are merged, so that a curve of any length takes 64 kB at most.
const MOST_POINTS: usize = 1024;
/// Least episodes of the trailing mean.
const LEAST_WINDOW: u64 = 5;
/// Share of a run that the trailing mean spans.
const WINDOW_SHARE: f64 = 0.1;

/// Returns of a run in the order in which they arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct LearningCurve {
    points: Vec<Point>,
    episodes_per_point: u64,
}

impl Default for LearningCurve {
    fn default() -> Self {
        Self {
            points: Vec::new(),
            episodes_per_point: 1,
        }
    }
}

impl LearningCurve {
    /// Adds an episode: its return, and the steps and distinct crystals so far.
    pub(crate) fn add(&mut self, episodic_return: f64, steps: u64, calculations: u64) {
        let episodes = self.length(CurveAxis::Episodes) + 1;
        let at = [steps, episodes, calculations];
        match self.points.last_mut() {
            Some(last) if last.count < self.episodes_per_point => {
                last.count += 1;
                last.sum += episodic_return;
                last.at = at;
            }
            _ => {
                if self.points.len() == MOST_POINTS {
                    self.halve();
                }
                self.points.push(Point {
                    count: 1,
                    sum: episodic_return,
                    at,
                });
            }
        }
    }

    fn halve(&mut self) {
        self.episodes_per_point *= 2;
        let merged = self.points.chunks(2).map(|pair| Point {
            count: pair.iter().map(|point| point.count).sum(),
            sum: pair.iter().map(|point| point.sum).sum(),
            at: pair[pair.len() - 1].at,
        });
        self.points = merged.collect();
    }

    /// Where the axis stands at the end.
    pub fn length(&self, axis: CurveAxis) -> u64 {
        self.points
            .last()
            .map_or(0, |point| point.at[axis as usize])
    }

    /// Trailing means of the returns, over 10 % of the run but at least five episodes, with where the
    /// axis stood; fewer episodes at the start.
    pub fn smoothed(&self, axis: CurveAxis) -> Vec<(f64, f64)> {
        let share = WINDOW_SHARE * self.length(CurveAxis::Episodes) as f64;
        let window = (share.ceil() as u64).max(LEAST_WINDOW);
        let mut first = 0;
        let (mut sum, mut count) = (0.0, 0);
        let mut means = Vec::with_capacity(self.points.len());
        for point in &self.points {
            sum += point.sum;
            count += point.count;
            while count - self.points[first].count >= window {
                sum -= self.points[first].sum;
                count -= self.points[first].count;
                first += 1;
            }
            means.push((point.at[axis as usize] as f64, sum / count as f64));
        }
        means
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the mean of the last five returns, written out; the window never holds more.
    #[test]
    fn short_runs_are_averaged_over_five_episodes() {
        let mut curve = LearningCurve::default();
        let returns = [1.0, 3.0, 2.0, 8.0, 6.0, 4.0, 10.0];
        for (index, value) in returns.into_iter().enumerate() {
            curve.add(value, 5 * (index as u64 + 1), 1);
        }
        let smooth = curve.smoothed(CurveAxis::Steps);
        let expected = [1.0, 2.0, 2.0, 3.5, 4.0, 4.6, 6.0];
        for ((index, (x, y)), expected) in smooth.into_iter().enumerate().zip(expected) {
            assert_eq!(x, 5.0 * (index as f64 + 1.0));
            assert!((y - expected).abs() < 1e-12, "{index}: {y} {expected}");
        }
    }

    /// Identity: a long run keeps its length and its mean, and few points.
    #[test]
    fn long_runs_are_merged_without_loss_of_their_mean() {
        let mut curve = LearningCurve::default();
        for index in 0..100_000u64 {
            curve.add((index % 7) as f64, 4 * index + 4, index / 2);
        }
        assert!(curve.points.len() <= MOST_POINTS);
        assert_eq!(curve.length(CurveAxis::Steps), 400_000);
        let sum: f64 = curve.points.iter().map(|point| point.sum).sum();
        assert_eq!(sum, (0..100_000u64).map(|i| (i % 7) as f64).sum::<f64>());
        let (_, last) = *curve.smoothed(CurveAxis::Episodes).last().unwrap();
        assert!((last - 3.0).abs() < 0.01, "{last}");
    }
}
