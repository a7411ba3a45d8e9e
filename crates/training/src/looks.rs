//! Looks at the greedy policy while an agent learns.

use std::sync::Arc;

use crystalgym_agents::{Agent, Evaluator, PUBLISHED_ROLLOUTS, PolicyMode, evaluate_policy};
use crystalgym_environment::Task;
use serde::{Deserialize, Serialize};

use crate::TrainingError;

/// Seed of the rollouts of the first look, away from those of training and of the end.
const LOOK_SEED_OFFSET: u64 = 2_000_000;

/// What the greedy policy was worth after so many episodes: a row of `looks.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Episodes whose rewards had arrived.
    pub episodes: u64,
    /// Environment steps.
    pub step: u64,
    /// Mean return of the rollouts, each from a start drawn anew.
    pub mean_return: f64,
    /// The least of them.
    pub least_return: f64,
}

impl Look {
    /// Looks at what an agent would do now. The rollouts are other ones at each look, so that none is
    /// learned by heart.
    pub(crate) fn at(
        agent: &Agent,
        task: &Arc<Task>,
        evaluator: &Evaluator,
        episodes: u64,
    ) -> Result<Self, TrainingError> {
        let mut policy = agent.policy(task, PolicyMode::Greedy)?;
        let seed = agent.settings().seed();
        let seed = seed.wrapping_add(LOOK_SEED_OFFSET).wrapping_add(episodes);
        let count = PUBLISHED_ROLLOUTS;
        let made = evaluate_policy(policy.as_mut(), task, evaluator, count, seed)?;
        let returns = || made.iter().map(|rollout| rollout.reward);
        Ok(Self {
            episodes,
            step: agent.steps(),
            mean_return: returns().sum::<f64>() / made.len().max(1) as f64,
            least_return: returns().fold(f64::INFINITY, f64::min),
        })
    }

    /// The table of all looks of a run.
    pub(crate) fn table(looks: &[Self]) -> String {
        let mut text = String::from("episodes,step,mean_return,least_return\n");
        for look in looks {
            let Self {
                episodes,
                step,
                mean_return,
                least_return,
            } = look;
            text += &format!("{episodes},{step},{mean_return},{least_return}\n");
        }
        text
    }

    /// Whether looks, read from a file, can be of a run that has come so far.
    pub(crate) fn are_sane(looks: &[Self], episodes: u64) -> bool {
        let in_order = |pair: &[Self]| pair[0].episodes < pair[1].episodes;
        looks.windows(2).all(in_order)
            && looks.iter().all(|look| {
                look.episodes <= episodes
                    && look.mean_return.is_finite()
                    && look.least_return.is_finite()
            })
    }
}
