use std::sync::Arc;

use crystalgym_evaluation::{Calculator, CancelToken, Evaluation, ResultStore, Source, evaluate};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{
    EnvironmentError, Observation, State, Task, initial_state, is_terminal, known_outcome,
    observation, reward, transition,
};

/// One environment that waits for every reward: the plain `reset` and `step` of Gymnasium.
pub struct Environment {
    task: Arc<Task>,
    calculator: Arc<dyn Calculator>,
    store: Option<Arc<ResultStore>>,
    rng: Pcg64,
    state: State,
}

/// What a step brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// 0 before the last step.
    pub reward: f64,
    /// Whether the last site has been filled.
    pub terminated: bool,
    /// The evaluation behind the reward of the last step.
    pub evaluation: Option<Evaluation>,
}

impl Environment {
    /// An environment at the start of its first episode.
    pub fn new(
        task: Arc<Task>,
        calculator: Arc<dyn Calculator>,
        store: Option<Arc<ResultStore>>,
        seed: u64,
    ) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let state = initial_state(&task, &mut rng);
        Self {
            task,
            calculator,
            store,
            rng,
            state,
        }
    }

    /// Starts the next episode; a seed starts the random numbers anew.
    pub fn reset(&mut self, seed: Option<u64>) -> Observation<'_> {
        if let Some(seed) = seed {
            self.rng = Pcg64::seed_from_u64(seed);
        }
        self.state = initial_state(&self.task, &mut self.rng);
        self.observation()
    }

    /// Puts an element on the site in focus; the last step computes the reward.
    ///
    /// # Errors
    /// As [`transition`].
    pub fn step(&mut self, action: u8, cancel: &CancelToken) -> Result<Step, EnvironmentError> {
        transition(&self.task, &mut self.state, action)?;
        if !is_terminal(&self.state) {
            return Ok(Step {
                reward: 0.0,
                terminated: false,
                evaluation: None,
            });
        }
        let crystal = self
            .task
            .crystal(self.state.skeleton.into(), &self.state.node_types)?;
        let property = self.task.property();
        let evaluation = match known_outcome(&self.task, &crystal) {
            Some(outcome) => Evaluation {
                outcome,
                source: Source::Computed,
                store_error: None,
            },
            None => evaluate(
                self.calculator.as_ref(),
                self.store.as_deref(),
                &crystal,
                property,
                cancel,
            ),
        };
        let reward = reward(property, self.task.target(), &evaluation.outcome);
        Ok(Step {
            reward,
            terminated: true,
            evaluation: Some(evaluation),
        })
    }

    /// What the agent sees now.
    pub fn observation(&self) -> Observation<'_> {
        observation(&self.task, &self.state, self.task.target())
    }

    /// Where the episode stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The task.
    pub fn task(&self) -> &Task {
        &self.task
    }
}
