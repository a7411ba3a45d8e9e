use std::{path::Path, sync::Arc};

use crystalgym_agents::{PolicyMode, Rollout, evaluate_policy};
use crystalgym_environment::Task;

use crate::{
    TrainedAgent, TrainingError,
    run::{EVALUATION_SEED_OFFSET, elements_of},
};

/// How the agent of a run is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyEvaluation {
    /// Skeletons, such as held-out ones; none: those of the training.
    pub skeletons: Vec<String>,
    /// Target of the property, in its unit; absent: that of the training.
    pub target: Option<f64>,
    /// Rollouts, each from a skeleton and start site drawn at random.
    pub rollouts: usize,
    /// Whether actions are drawn as the agent draws them while it learns, instead of the best one.
    pub sampled: bool,
    /// Seed of the draws.
    pub seed: u64,
}

/// Lets the agent of a run's latest checkpoint make crystals and computes them. Failures are
/// rollouts like any other. The run is only read and may be under way.
///
/// # Errors
/// [`TrainingError`]; a folder without a checkpoint is a [`TrainingError::RunFolder`].
pub fn evaluate_run(
    folder: &Path,
    evaluation: &PolicyEvaluation,
) -> Result<Vec<Rollout>, TrainingError> {
    let TrainedAgent { config, agent, .. } = TrainedAgent::load(folder)?;
    let evaluator = config.evaluator()?;
    let mut other = config.task;
    if !evaluation.skeletons.is_empty() {
        other.skeletons.clone_from(&evaluation.skeletons);
        // Start sites and allowed elements belong to the sites of the training's skeletons.
        other.start_site = None;
        other.allowed.clear();
    }
    other.target = evaluation.target.unwrap_or(other.target);
    let task = Arc::new(Task::new(&other)?);
    evaluator
        .calculator
        .check(&elements_of(&task), task.property())?;
    let seed = evaluation.seed.wrapping_add(EVALUATION_SEED_OFFSET);
    let mode = if evaluation.sampled {
        PolicyMode::Sampled { seed }
    } else {
        PolicyMode::Greedy
    };
    let mut policy = agent.policy(&task, mode)?;
    let rollouts = evaluation.rollouts;
    Ok(evaluate_policy(
        policy.as_mut(),
        &task,
        &evaluator,
        rollouts,
        seed,
    )?)
}
