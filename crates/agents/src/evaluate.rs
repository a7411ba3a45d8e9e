//! Rollouts of a fixed policy.

use std::sync::Arc;

use crystalgym_crystal::Crystal;
use crystalgym_environment::{Appraisal, Autoreset, Observation, Task};
use crystalgym_evaluation::Outcome;

use crate::{AgentError, Evaluator, Policy};

/// Rollouts of the published evaluation.
pub const PUBLISHED_ROLLOUTS: usize = 5;

/// A crystal made by a policy, with its reward.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The crystal in site order.
    pub crystal: Crystal,
    /// Its reward; that of a failure where the calculation failed.
    pub reward: f64,
    /// What the calculator said.
    pub outcome: Outcome,
}

/// Lets a policy play episodes of a task from random starts and computes what it made.
///
/// Rollout `i` draws its start from a generator seeded with `seed + i`. Failures are rollouts like
/// any other. All crystals are computed side by side.
///
/// # Errors
/// [`AgentError`] of the policy.
pub fn evaluate_policy(
    policy: &mut dyn Policy,
    task: &Arc<Task>,
    evaluator: &Evaluator,
    rollouts: usize,
    seed: u64,
) -> Result<Vec<Rollout>, AgentError> {
    if rollouts == 0 {
        return Ok(Vec::new());
    }
    let mut environment = evaluator.environments(task, rollouts, seed, Autoreset::Disabled);
    loop {
        let playing: Vec<usize> = (0..rollouts)
            .filter(|&rollout| !environment.has_ended(rollout))
            .collect();
        if playing.is_empty() {
            break;
        }
        let seen: Vec<Observation<'_>> = playing.iter().map(|&i| environment.observe(i)).collect();
        let actions = policy.act(&seen)?;
        for (rollout, action) in playing.into_iter().zip(actions) {
            environment.step_one(rollout, action.into())?;
        }
    }
    let mut finished = Vec::with_capacity(rollouts);
    while let Ok(Some(episode)) = environment.next_finished(0, &|| false) {
        finished.push(episode);
    }
    finished.sort_by_key(|episode| episode.environment);
    let rollouts = finished.into_iter().filter_map(|episode| {
        // What a calculator is asked for is never predicted.
        let Appraisal::Computed(evaluation) = episode.appraisal else {
            return None;
        };
        Some(Rollout {
            crystal: episode.crystal,
            reward: episode.reward,
            outcome: evaluation.outcome,
        })
    });
    Ok(rollouts.collect())
}
