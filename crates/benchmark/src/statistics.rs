//! Interquartile means and their bootstrap intervals.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// Draws of the bootstrap.
const DRAWS: usize = 2000;

/// Mean of the middle half: what lies below the first and above the third quartile is left out, in
/// part where the quartile falls within a value (Agarwal et al., NeurIPS 2021).
///
/// `None` without values.
pub fn interquartile_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let (first, last) = (0.25 * count, 0.75 * count);
    let mut sum = 0.0;
    for (index, value) in sorted.iter().enumerate() {
        let (from, to) = (index as f64, index as f64 + 1.0);
        let weight = (to.min(last) - from.max(first)).max(0.0);
        sum += weight * value;
    }
    Some(sum / (last - first))
}

/// The interval that holds 95 % of the interquartile means of bootstrap samples, drawn within each
/// stratum (a task; its values are those of the seeds), from a fixed seed.
///
/// `None` where no stratum has two values: nothing is known of the spread.
pub fn interquartile_mean_interval(strata: &[Vec<f64>]) -> Option<(f64, f64)> {
    if strata.iter().all(|values| values.len() < 2) {
        return None;
    }
    let mut random = Pcg64::seed_from_u64(1);
    let mut means: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            let mut sample = Vec::new();
            for values in strata {
                for _ in values {
                    let index = random.next_u64() % values.len() as u64;
                    sample.push(values[index as usize]);
                }
            }
            interquartile_mean(&sample)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((means.len() - 1) as f64 * share).round() as usize];
    Some((at(0.025), at(0.975)))
}

/// `None` of nothing.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: by hand. Of 1 to 8 the middle half is 3 to 6; of three values the outer ones
    /// weigh a quarter each.
    #[test]
    fn the_middle_half_counts() {
        let eight: Vec<f64> = (1..=8).map(f64::from).collect();
        assert_eq!(interquartile_mean(&eight), Some(4.5));
        assert_eq!(interquartile_mean(&[3.0, 1.0, 2.0]), Some(2.0));
        let skewed = interquartile_mean(&[0.0, 0.0, 9.0]).unwrap();
        assert!((skewed - 0.25 * 9.0 / 1.5).abs() < 1e-15);
        assert_eq!(interquartile_mean(&[]), None);
    }

    /// Identities: equal values have no spread; a single seed says nothing of it; and for many
    /// normal-like values the interval is about the mean's ±1.96 standard errors wide.
    #[test]
    fn intervals_tell_the_spread() {
        assert_eq!(
            interquartile_mean_interval(&[vec![2.0; 5]]),
            Some((2.0, 2.0))
        );
        assert_eq!(interquartile_mean_interval(&[vec![1.0], vec![2.0]]), None);
        let uniform: Vec<f64> = (0..400).map(|i| (f64::from(i) + 0.5) / 400.0).collect();
        let (low, high) = interquartile_mean_interval(&[uniform]).unwrap();
        // Asymptotic variance of the mean trimmed at α = 1/4 of a uniform variable:
        // (∫ (x − ½)² dx from ¼ to ¾ + 2α (¼)²) / (1 − 2α)² / n = 1/(6n).
        let expected = 1.96 / (6.0f64 * 400.0).sqrt();
        assert!(
            (0.5 * (high - low) / expected - 1.0).abs() < 0.25,
            "{low} {high}"
        );
        assert!(low < 0.5 && high > 0.5);
    }
}
