use std::sync::Arc;

use crystalgym_environment::{State, Task};
use crystalgym_networks::GraphNetwork;

use crate::{AgentError, Policy, dqn::greedy_actions};

/// Takes the allowed action for which a network says the highest number.
pub struct GreedyPolicy<N: GraphNetwork> {
    task: Arc<Task>,
    network: N,
    workspace: N::Workspace,
}

impl<N: GraphNetwork> GreedyPolicy<N> {
    /// # Errors
    /// [`AgentError::Config`] if the network has another number of outputs than the task actions.
    pub fn new(task: Arc<Task>, network: N, threads: usize) -> Result<Self, AgentError> {
        if network.n_outputs() != task.actions().len() {
            return Err(AgentError::Config {
                field: "number of actions",
                found: task.actions().len().to_string(),
                expected: "as many as the network was trained with",
            });
        }
        let workspace = network.workspace(threads)?;
        Ok(Self {
            task,
            network,
            workspace,
        })
    }
}

impl<N: GraphNetwork> Policy for GreedyPolicy<N> {
    fn act(&mut self, states: &[&State], target: f64) -> Result<Vec<u8>, AgentError> {
        greedy_actions(
            &self.task,
            &self.network,
            &mut self.workspace,
            states,
            target,
        )?
        .into_iter()
        .map(|action| {
            action.ok_or(AgentError::Diverged {
                step: 0,
                what: "the best action value",
                found: f64::NAN,
            })
        })
        .collect()
    }
}
