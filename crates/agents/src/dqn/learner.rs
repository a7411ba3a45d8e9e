use crystalgym_environment::{State, Task, observation};
use crystalgym_networks::{Adam, AdamConfig, Gradients, GraphNetwork, GraphState};

use crate::{AgentError, DqnConfig, Transition, masked::masked_argmax};

/// A state as a network sees it.
pub(crate) fn graph_state<'a>(task: &'a Task, state: &'a State, target: f64) -> GraphState<'a> {
    let seen = observation(task, state, target);
    GraphState {
        skeleton: seen.skeleton,
        node_types: seen.node_types,
        focus: seen.focus,
        target: seen.target as f32,
    }
}

/// The allowed action of the highest value for each state.
pub(crate) fn greedy_actions<N: GraphNetwork>(
    task: &Task,
    network: &N,
    workspace: &mut N::Workspace,
    states: &[&State],
    target: f64,
) -> Result<Vec<Option<u8>>, AgentError> {
    if states.is_empty() {
        return Ok(Vec::new());
    }
    let seen: Vec<_> = states
        .iter()
        .map(|state| graph_state(task, state, target))
        .collect();
    let values = network.forward(&seen, workspace)?;
    let actions = values
        .chunks_exact(network.n_outputs())
        .zip(states)
        .map(|(values, state)| {
            masked_argmax(values, state.action_mask(task)).map(|action| action as u8)
        });
    Ok(actions.collect())
}

/// What a gradient step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Losses {
    pub(crate) td_loss: f64,
    pub(crate) q_values: f64,
    pub(crate) gradient_norm: f64,
}

/// The two networks and the optimiser.
pub(crate) struct Learner<N: GraphNetwork> {
    pub(crate) online: N,
    pub(crate) target: N,
    pub(crate) adam: Adam,
    pub(crate) workspace: N::Workspace,
    gradients: Gradients,
}

impl<N: GraphNetwork + Clone> Learner<N> {
    pub(crate) fn new(online: N, config: &DqnConfig) -> Result<Self, AgentError> {
        let adam = AdamConfig {
            epsilon: config.adam_epsilon,
            ..AdamConfig::default()
        };
        Ok(Self {
            adam: Adam::new(adam, online.parameters()),
            gradients: online.parameters().zeros_like(),
            workspace: online.workspace(config.threads)?,
            target: online.clone(),
            online,
        })
    }

    /// One step down the gradient of `mean (Q(s, a) − y)²`, with
    /// `y = r + γⁿ max_a Q_target(s', a)` over the actions allowed in `s'` (Mnih et al. 2015).
    pub(crate) fn update(
        &mut self,
        task: &Task,
        batch: &[&Transition],
        config: &DqnConfig,
        learning_rate: f64,
    ) -> Result<Losses, AgentError> {
        let y = self.td_targets(task, batch, config.double)?;
        let states: Vec<_> = batch
            .iter()
            .map(|t| graph_state(task, &t.state, t.target))
            .collect();
        let n_outputs = self.online.n_outputs();
        let q = self.online.forward(&states, &mut self.workspace)?;

        let scale = 1.0 / batch.len() as f64;
        let mut grad_q = vec![0.0_f32; q.len()];
        let (mut td_loss, mut q_values) = (0.0, 0.0);
        for (row, (transition, y)) in batch.iter().zip(y).enumerate() {
            let index = row * n_outputs + usize::from(transition.action);
            let value = f64::from(q[index]);
            td_loss += scale * (value - y).powi(2);
            q_values += scale * value;
            grad_q[index] = (2.0 * scale * (value - y)) as f32;
        }

        self.gradients.clear();
        self.online
            .backward(&grad_q, &mut self.workspace, &mut self.gradients)?;
        let gradient_norm = match config.max_gradient_norm {
            Some(norm) => self.gradients.clip_norm(norm),
            None => self.gradients.norm(),
        };
        self.adam
            .step(learning_rate, &self.gradients, self.online.parameters_mut())?;
        Ok(Losses {
            td_loss,
            q_values,
            gradient_norm,
        })
    }

    /// Moves the target network towards the online one; all the way with rate 1.
    pub(crate) fn update_target(&mut self, rate: f64) -> Result<(), AgentError> {
        let (target, online) = (self.target.parameters_mut(), self.online.parameters());
        if rate < 1.0 {
            target.blend_from(online, rate as f32)?;
        } else {
            target.copy_from(online)?;
        }
        Ok(())
    }

    /// `r + γⁿ Q_target(s', a')` with the best allowed a'; `r` alone where the episode ended.
    fn td_targets(
        &mut self,
        task: &Task,
        batch: &[&Transition],
        double: bool,
    ) -> Result<Vec<f64>, AgentError> {
        let next: Vec<(&State, GraphState<'_>)> = batch
            .iter()
            .filter_map(|t| {
                t.next
                    .as_ref()
                    .map(|next| (next, graph_state(task, next, t.target)))
            })
            .collect();
        let mut next_values = Vec::new().into_iter();
        if !next.is_empty() {
            let seen: Vec<_> = next.iter().map(|(_, seen)| *seen).collect();
            let chooser = if double {
                Some(self.online.forward(&seen, &mut self.workspace)?.to_vec())
            } else {
                None
            };
            let values = self.target.forward(&seen, &mut self.workspace)?;
            let n_outputs = self.online.n_outputs();
            let best = next.iter().enumerate().map(|(row, (state, _))| {
                let row = row * n_outputs..(row + 1) * n_outputs;
                let values = &values[row.clone()];
                let chooser = chooser.as_ref().map_or(values, |chooser| &chooser[row]);
                masked_argmax(chooser, state.action_mask(task))
                    .map_or(f64::NAN, |action| values[action].into())
            });
            next_values = best.collect::<Vec<_>>().into_iter();
        }
        let y = batch.iter().map(|t| match t.next {
            Some(_) => t.reward + t.discount * next_values.next().unwrap_or(f64::NAN),
            None => t.reward,
        });
        Ok(y.collect())
    }
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
