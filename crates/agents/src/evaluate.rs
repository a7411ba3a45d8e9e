//! Rollouts of a fixed policy.

use std::sync::Arc;

use crystalgym_crystal::Crystal;
use crystalgym_environment::{
    EnvironmentError, State, Task, initial_state, is_terminal, known_outcome, reward, transition,
};
use crystalgym_evaluation::{EvaluationPool, Failure, FailureCode, Outcome};
use rand::SeedableRng;
use rand_pcg::Pcg64;

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

/// Lets a policy fill skeletons of a task from random traversals and computes what it made.
///
/// Rollout `i` draws its skeleton and start site from a generator seeded with `seed + i`. Failures
/// are rollouts like any other. All crystals are computed side by side.
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
    let mut states: Vec<State> = (0..rollouts as u64)
        .map(|index| initial_state(task, &mut Pcg64::seed_from_u64(seed.wrapping_add(index))))
        .collect();
    loop {
        let mut open: Vec<&mut State> = states
            .iter_mut()
            .filter(|state| !is_terminal(state))
            .collect();
        if open.is_empty() {
            break;
        }
        let seen: Vec<&State> = open.iter().map(|state| &**state).collect();
        let actions = policy.act(&seen, task.target())?;
        for (state, action) in open.iter_mut().zip(actions) {
            transition(task, state, action)?;
        }
    }

    let crystals = states
        .iter()
        .map(|state| task.crystal(state.skeleton.into(), &state.node_types))
        .collect::<Result<Vec<_>, EnvironmentError>>()?;
    let Evaluator {
        calculator,
        store,
        workers,
    } = evaluator.clone();
    let pool = EvaluationPool::new(calculator, store, workers, rollouts);
    let answers: Vec<_> = crystals
        .iter()
        .map(|crystal| {
            known_outcome(task, crystal).ok_or_else(|| pool.submit(crystal, task.property()))
        })
        .collect();
    let finished = crystals.into_iter().zip(answers).map(|(crystal, answer)| {
        let outcome = answer.unwrap_or_else(|ticket| {
            // The pool answers every ticket once; that it does not is no more than a failure.
            pool.wait(ticket, None).map_or_else(
                || {
                    Outcome::Failure(Failure::new(
                        FailureCode::Internal,
                        "the pool lost the request",
                    ))
                },
                |evaluation| evaluation.outcome,
            )
        });
        let reward = reward(task.property(), task.target(), &outcome);
        Rollout {
            crystal,
            reward,
            outcome,
        }
    });
    Ok(finished.collect())
}
