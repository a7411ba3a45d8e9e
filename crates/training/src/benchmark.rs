//! How fast an agent comes near an optimum that is known.

use std::sync::Arc;

use crystalgym_agents::{
    Agent, AgentConfig, Evaluator, Observer, PUBLISHED_ROLLOUTS, PolicyMode, Progress,
    evaluate_policy,
};
use crystalgym_environment::{FinishedEpisode, Task};
use crystalgym_evaluation::CancelToken;

use crate::TrainingError;

/// Share of the optimum that counts as reached.
const GOAL: f64 = 0.95;
/// Episodes between two looks at the greedy policy.
const LOOK_EVERY: u64 = 20;
/// Seed of the rollouts, away from those of training.
const ROLLOUT_SEED: u64 = 1_000_000;

/// The best return that any allowed filling of any of the task's skeletons has, by evaluating all
/// of them; for calculators that are instant.
///
/// # Errors
/// [`TrainingError::Environment`] for a task whose fillings are no crystals.
pub fn exact_optimum(task: &Task, evaluator: &Evaluator) -> Result<f64, TrainingError> {
    let mut best = f64::NEG_INFINITY;
    for (index, skeleton) in task.skeletons().iter().enumerate() {
        let allowed: Vec<Vec<u8>> = (0..skeleton.sites())
            .map(|site| {
                let mask = task.board().allowed_at(index, site).iter().enumerate();
                mask.filter_map(|(action, allowed)| allowed.then_some(action as u8))
                    .collect()
            })
            .collect();
        let fillings: usize = allowed.iter().map(Vec::len).product();
        for mut code in 0..fillings {
            let filling: Vec<u8> = allowed
                .iter()
                .map(|actions| {
                    let action = actions[code % actions.len()];
                    code /= actions.len();
                    action
                })
                .collect();
            let crystal = task.crystal(index, &filling)?;
            let cancel = CancelToken::default();
            let outcome = evaluator
                .calculator
                .evaluate(&crystal, task.property(), &cancel);
            let reward = task.objective().reward();
            best = best.max(reward.of_outcome(task.target(), &outcome));
        }
    }
    Ok(best)
}

/// How fast an agent came near an optimum that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningMeasure {
    /// Episodes evaluated.
    pub episodes: u64,
    /// The first episode whose crystal had at least 0.95 of the optimum.
    pub first_good_crystal: Option<u64>,
    /// The first episode after which the greedy policy had at least 0.95 of it on the mean of five
    /// rollouts from random traversals, twice in a row, 20 episodes apart.
    pub reached: Option<u64>,
    /// Return of greedy rollouts at the end over the optimum.
    pub greedy: f64,
    /// The same for rollouts as the agent acts while it learns.
    pub sampled: f64,
}

struct Returns {
    goal: f64,
    episodes: u64,
    first_good_crystal: Option<u64>,
}

impl Observer for Returns {
    fn episode_finished(&mut self, _step: u64, episode: &FinishedEpisode) {
        self.episodes += 1;
        if episode.reward >= self.goal {
            self.first_good_crystal.get_or_insert(self.episodes);
        }
    }
}

/// Runs a new agent until its greedy policy has reached 0.95 of the (positive) optimum, or to its end,
/// but for at most `most_episodes`.
///
/// # Errors
/// [`TrainingError::Agent`].
pub fn measure_learning(
    config: &AgentConfig,
    task: &Arc<Task>,
    evaluator: &Evaluator,
    optimum: f64,
    most_episodes: u64,
) -> Result<LearningMeasure, TrainingError> {
    let mut agent = Agent::new(config, Arc::clone(task), evaluator)?;
    let share = |agent: &Agent, mode: PolicyMode, rollouts: usize, seed: u64| {
        let mut policy = agent.policy(task, mode)?;
        let made = evaluate_policy(policy.as_mut(), task, evaluator, rollouts, seed)?;
        let sum: f64 = made.iter().map(|rollout| rollout.reward).sum();
        Ok::<_, TrainingError>(sum / rollouts as f64 / optimum)
    };
    let mut returns = Returns {
        goal: GOAL * optimum,
        episodes: 0,
        first_good_crystal: None,
    };
    let (mut looked, mut good_before, mut reached) = (0, None, None);
    while agent.step(&mut returns)? == Progress::Continue && returns.episodes < most_episodes {
        if returns.episodes < looked + LOOK_EVERY {
            continue;
        }
        looked = returns.episodes;
        // Other rollouts at each look, so that none is learned by heart.
        let seed = ROLLOUT_SEED + looked;
        if share(&agent, PolicyMode::Greedy, PUBLISHED_ROLLOUTS, seed)? < GOAL {
            good_before = None;
        } else if let Some(first) = good_before {
            reached = Some(first);
            break;
        } else {
            good_before = Some(looked);
        }
    }
    let many = 4 * PUBLISHED_ROLLOUTS;
    let sampled = PolicyMode::Sampled { seed: ROLLOUT_SEED };
    Ok(LearningMeasure {
        episodes: returns.episodes,
        first_good_crystal: returns.first_good_crystal,
        reached,
        greedy: share(&agent, PolicyMode::Greedy, many, ROLLOUT_SEED)?,
        sampled: share(&agent, sampled, many, ROLLOUT_SEED)?,
    })
}
