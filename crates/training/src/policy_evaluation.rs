//! Evaluates the agent of a run.

use std::sync::Arc;

use crystalgym_agents::{PolicyMode, Rollout, evaluate_policy};
use crystalgym_environment::{StartCrystal, Task, TaskConfig};

use crate::{
    TrainedAgent, TrainingConfig, TrainingError, Trust,
    config::MOST_ROLLOUTS,
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

impl TrainedAgent {
    /// Lets the agent make crystals and computes them. Failures are rollouts like any other. The run
    /// is only read and may be under way.
    ///
    /// # Errors
    /// [`TrainingError`]; [`TrainingError::Untrusted`] before anything is done that the folder's
    /// configuration names and `trust` does not cover.
    pub fn evaluate(
        &self,
        evaluation: &PolicyEvaluation,
        trust: Trust<'_>,
    ) -> Result<Vec<Rollout>, TrainingError> {
        trust.check(&self.config, self.folder.path())?;
        let rollouts = evaluation.rollouts;
        if !(1..=MOST_ROLLOUTS).contains(&rollouts) {
            return Err(TrainingError::Configuration {
                origin: "rollouts".to_owned(),
                message: format!("{rollouts} of them, expected 1 to {MOST_ROLLOUTS}"),
            });
        }
        let mut other = self.config.task.clone();
        if !evaluation.skeletons.is_empty() {
            other.skeletons.clone_from(&evaluation.skeletons);
            // Start sites, start crystals and allowed elements belong to the sites of the training's skeletons.
            other.start_site = None;
            other.allowed.clear();
            if matches!(
                other.start_crystal,
                StartCrystal::Elements(_) | StartCrystal::EachSkeleton(_)
            ) {
                other.start_crystal = StartCrystal::default();
            }
        }
        other.target = evaluation.target.unwrap_or(other.target);
        let task = Arc::new(Task::new(&other)?);
        let config = TrainingConfig {
            task: TaskConfig {
                objective: task.terms().map(|terms| terms.as_ref().clone()),
                ..other
            },
            // A policy asks for no cheap results.
            screening: None,
            ..self.config.clone()
        };
        let evaluator = config.evaluator()?;
        evaluator
            .calculator
            .check(&elements_of(&task), task.property())?;
        for skeleton in task.skeletons() {
            evaluator.calculator.check_skeleton(skeleton)?;
        }
        let seed = evaluation.seed.wrapping_add(EVALUATION_SEED_OFFSET);
        let mode = if evaluation.sampled {
            PolicyMode::Sampled { seed }
        } else {
            PolicyMode::Greedy
        };
        let mut policy = self.agent.policy(&task, mode)?;
        Ok(evaluate_policy(
            policy.as_mut(),
            &task,
            &evaluator,
            rollouts,
            seed,
        )?)
    }
}
