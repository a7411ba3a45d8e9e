//! How much better an episode was than others.

use super::{config::Baseline, update::Sample};

/// The advantage of each episode of a batch.
pub(super) fn advantages(samples: &[Sample], baseline: Baseline, normalize: bool) -> Vec<f64> {
    let rewards = samples.iter().map(|sample| sample.reward);
    let mut advantages: Vec<f64> = match baseline {
        Baseline::None => rewards.collect(),
        Baseline::LeaveOneOut => {
            let mean_of = |index: usize, counts: &dyn Fn(&Sample) -> bool| {
                let others = samples.iter().enumerate();
                let others: Vec<f64> = others
                    .filter(|(other, sample)| *other != index && counts(sample))
                    .map(|(_, sample)| sample.reward)
                    .collect();
                (!others.is_empty()).then(|| others.iter().sum::<f64>() / others.len() as f64)
            };
            let alike = |a: &Sample, b: &Sample| {
                (a.episode.start.skeleton, a.target) == (b.episode.start.skeleton, b.target)
            };
            let each = samples.iter().enumerate().map(|(index, sample)| {
                let others = mean_of(index, &|other| alike(sample, other))
                    .or_else(|| mean_of(index, &|_| true));
                sample.reward - others.unwrap_or(0.0)
            });
            each.collect()
        }
    };
    if normalize && advantages.len() > 1 {
        let square = advantages.iter().map(|a| a * a).sum::<f64>() / advantages.len() as f64;
        // Below this all returns are alike, and their differences noise.
        let deviation = square.sqrt().max(1e-3);
        advantages
            .iter_mut()
            .for_each(|advantage| *advantage /= deviation);
    }
    advantages
}

#[cfg(test)]
mod tests {
    use crystalgym_environment::{Episode, State};

    use super::*;

    fn sample(skeleton: u16, reward: f64) -> Sample {
        let start = State {
            skeleton,
            start: 0,
            step: 0,
            node_types: vec![2].into(),
        };
        Sample {
            episode: Episode {
                start,
                actions: vec![0].into(),
            },
            target: 3.0,
            reward,
        }
    }

    /// By hand.
    #[test]
    fn others_on_the_same_crystal_are_the_baseline() {
        let samples = [
            sample(0, 1.0),
            sample(0, 0.0),
            sample(0, 0.5),
            sample(1, 0.3),
        ];
        let found = advantages(&samples, Baseline::LeaveOneOut, false);
        for (found, expected) in found.iter().zip([0.75, -0.75, 0.0, 0.3 - 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert_eq!(
            advantages(&samples, Baseline::None, false),
            [1.0, 0.0, 0.5, 0.3]
        );
        let normal = advantages(&samples[..3], Baseline::LeaveOneOut, true);
        assert!((normal[0] - 1.5_f64.sqrt()).abs() < 1e-12, "{normal:?}");
        assert_eq!(
            advantages(&samples[..1], Baseline::LeaveOneOut, true),
            [1.0]
        );
    }
}
