//! Histograms.

use crate::axis::{Axis, extent};

/// Counts of values in equal bins; values beyond its ends count in the first and the last one.
pub(super) struct Histogram {
    pub(super) low: f64,
    pub(super) high: f64,
    bins: usize,
}

impl Histogram {
    /// Bins that hold nearly all of the values (all but the outermost 0.5 % on each side) and the
    /// point `include`, if there is one; `None` without values.
    pub(super) fn around(values: &[f64], include: Option<f64>, bins: usize) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let cut = (0.005 * sorted.len() as f64).floor() as usize;
        let ends = [sorted[cut], sorted[last - cut]];
        let (low, high) = extent(ends.into_iter().chain(include))?;
        let margin = match high - low {
            extent if extent > 0.0 => 0.03 * extent,
            _ => 0.5,
        };
        Some(Self {
            low: low - margin,
            high: high + margin,
            bins,
        })
    }

    /// Counts of the values.
    pub(super) fn count(&self, values: &[f64]) -> Vec<usize> {
        let mut counts = vec![0; self.bins];
        for value in values.iter().filter(|value| value.is_finite()) {
            let share = (value - self.low) / (self.high - self.low);
            let bin = (share * self.bins as f64).floor().max(0.0) as usize;
            counts[bin.min(self.bins - 1)] += 1;
        }
        counts
    }

    /// Edges of a bin.
    pub(super) fn edges(&self, bin: usize) -> (f64, f64) {
        let at = |bin: usize| self.low + (self.high - self.low) * bin as f64 / self.bins as f64;
        (at(bin), at(bin + 1))
    }

    /// The outline of shares over the bins, from the base line and back to it.
    pub(super) fn outline(&self, shares: &[f64], x: &Axis, y: &Axis) -> Vec<(f64, f64)> {
        let mut points = vec![(x.at(self.low), y.at(0.0))];
        for (bin, share) in shares.iter().enumerate() {
            let (from, to) = self.edges(bin);
            points.push((x.at(from), y.at(*share)));
            points.push((x.at(to), y.at(*share)));
        }
        points.push((x.at(self.high), y.at(0.0)));
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let values: Vec<f64> = (0..1000).map(f64::from).chain([1e9, f64::NAN]).collect();
        let histogram = Histogram::around(&values, Some(-50.0), 20).unwrap();
        assert!(histogram.low < -50.0 && histogram.high < 1e6);
        assert_eq!(histogram.count(&values).iter().sum::<usize>(), 1001);
        assert!(Histogram::around(&[f64::NAN], Some(1.0), 20).is_none());
        assert_eq!(
            Histogram::around(&[2.0], None, 4)
                .unwrap()
                .count(&[2.0])
                .iter()
                .sum::<usize>(),
            1
        );
    }
}
