//! What was made, as it is learned from.

use std::collections::VecDeque;

use crystalgym_environment::{Episode, Task, random::uniform_below};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::GFlowNetConfig;
use crate::{Experience, check::sane};

/// A way to a crystal, and what that earns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trajectory {
    pub(super) episode: Episode,
    pub(super) target: f64,
    pub(super) reward: f64,
}

impl From<Experience> for Trajectory {
    fn from(made: Experience) -> Self {
        Self {
            episode: made.episode,
            target: made.target,
            reward: made.reward,
        }
    }
}

impl Trajectory {
    /// Whether it is a whole one of this task.
    pub(super) fn belongs_to(&self, task: &Task) -> bool {
        let last = self.episode.last_state(task);
        sane([self.target, self.reward])
            && self.episode.belongs_to(task)
            && last.is_ok_and(|last| task.is_terminal(&last))
    }
}

/// A batch: so many of the best, the others of all, with repetitions.
pub(super) fn draw<'a>(
    made: &'a VecDeque<Trajectory>,
    config: &GFlowNetConfig,
    rng: &mut Pcg64,
) -> Vec<&'a Trajectory> {
    let count = config.batch_trajectories;
    let of_best = (config.best_share * count as f64).round() as usize;
    let best = best_places(made, config.best_fraction);
    let mut drawn: Vec<&Trajectory> = (0..of_best)
        .map(|_| &made[best[uniform_below(rng, best.len())]])
        .collect();
    drawn.extend((of_best..count).map(|_| &made[uniform_below(rng, made.len())]));
    drawn
}

/// Where the best of them are, at least one; of equals the older ones.
fn best_places(made: &VecDeque<Trajectory>, fraction: f64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..made.len()).collect();
    let count = ((fraction * made.len() as f64).ceil() as usize).clamp(1, made.len().max(1));
    if count < places.len() {
        places.select_nth_unstable_by(count, |&a, &b| {
            let by_reward = made[b].reward.total_cmp(&made[a].reward);
            by_reward.then(a.cmp(&b))
        });
        places.truncate(count);
        // In an order that does not depend on how they were selected.
        places.sort_unstable();
    }
    places
}

#[cfg(test)]
mod tests {
    use crystalgym_environment::{Actions, NodeTypes, State};
    use rand::SeedableRng;

    use super::*;

    fn made(rewards: &[f64]) -> VecDeque<Trajectory> {
        let start = State {
            skeleton: 0,
            start: 0,
            step: 0,
            node_types: NodeTypes::from_slice(&[0]),
        };
        let of_reward = |&reward| Trajectory {
            episode: Episode {
                start: start.clone(),
                actions: Actions::new(),
            },
            target: 3.0,
            reward,
        };
        rewards.iter().map(of_reward).collect()
    }

    #[test]
    fn the_best_make_up_their_share_of_a_batch() {
        let rewards: Vec<f64> = (0..40).map(|i| f64::from(i * 7 % 40)).collect();
        let made = made(&rewards);
        assert_eq!(best_places(&made, 0.1).len(), 4);
        assert!(best_places(&made, 0.1).iter().all(|&i| rewards[i] >= 36.0));
        assert_eq!(best_places(&made, 0.0).len(), 1);
        assert_eq!(best_places(&made, 1.0).len(), 40);

        let config = GFlowNetConfig {
            batch_trajectories: 1000,
            best_share: 0.5,
            ..GFlowNetConfig::default()
        };
        let mut rng = Pcg64::seed_from_u64(1);
        let drawn = draw(&made, &config, &mut rng);
        let best = drawn.iter().filter(|t| t.reward >= 36.0).count();
        // Half, and a tenth of the other half.
        assert!((500..=620).contains(&best), "{best}");
    }
}
