//! States of a minibatch as a network sees them.

use std::collections::HashMap;

use crystalgym_environment::{Observation, State, Task};
use crystalgym_networks::{Gradients, GraphNetwork};

use crate::AgentError;

/// States as a network sees them, each distinct one once.
///
/// A batch holds the same state more than once (every episode begins with one of a few), and what
/// a network says of a state does not depend on the others; so it is asked once, and gradients
/// with respect to its answers are added up.
pub(crate) struct StateBatch<'a> {
    distinct: Vec<Observation<'a>>,
    /// Which of the distinct states each row is.
    rows: Vec<usize>,
}

impl<'a> StateBatch<'a> {
    /// A batch of states, each with its target.
    pub(crate) fn new(task: &'a Task, states: impl IntoIterator<Item = (&'a State, f64)>) -> Self {
        let mut known = HashMap::new();
        let mut distinct = Vec::new();
        let rows = states
            .into_iter()
            .map(|(state, target)| {
                *known.entry((state, target.to_bits())).or_insert_with(|| {
                    distinct.push(task.observe_for(state, target));
                    distinct.len() - 1
                })
            })
            .collect();
        Self { distinct, rows }
    }

    /// A batch of what is seen of environments.
    pub(crate) fn of_observations(seen: &[Observation<'a>]) -> Self {
        let mut known = HashMap::new();
        let mut distinct = Vec::new();
        let rows = seen
            .iter()
            .map(|seen| {
                let crystal = (seen.skeleton, seen.node_types, seen.focus);
                let aim = (seen.step, seen.steps, seen.target.to_bits());
                *known.entry((crystal, aim)).or_insert_with(|| {
                    distinct.push(*seen);
                    distinct.len() - 1
                })
            })
            .collect();
        Self { distinct, rows }
    }

    /// What the network says, row by row.
    pub(crate) fn forward<N: GraphNetwork>(
        &self,
        network: &N,
        workspace: &mut N::Workspace,
    ) -> Result<Vec<f32>, AgentError> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let outputs = network.forward(&self.distinct, workspace)?;
        let n = network.n_outputs();
        let rows = self.rows.iter();
        Ok(rows
            .flat_map(|&row| &outputs[row * n..(row + 1) * n])
            .copied()
            .collect())
    }

    /// Adds the gradient of a loss to `gradients`, given that with respect to the rows that the
    /// last [`Self::forward`] of this batch in this workspace returned.
    pub(crate) fn backward<N: GraphNetwork>(
        &self,
        network: &N,
        workspace: &mut N::Workspace,
        grad_rows: &[f32],
        gradients: &mut Gradients,
    ) -> Result<(), AgentError> {
        let n = network.n_outputs();
        let mut grad_outputs = vec![0.0_f32; self.distinct.len() * n];
        for (&row, grad) in self.rows.iter().zip(grad_rows.chunks_exact(n)) {
            for (sum, grad) in grad_outputs[row * n..].iter_mut().zip(grad) {
                *sum += grad;
            }
        }
        network.backward(&grad_outputs, workspace, gradients)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_environment::TaskConfig;
    use crystalgym_networks::{NetworkConfig, Outputs};
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;

    fn three() -> Outputs {
        Outputs {
            whole: 3,
            each_action: 0,
        }
    }

    /// Oracle: the same network asked row by row. Answers agree to the last bit; gradients are
    /// sums in another order.
    #[test]
    fn repeated_states_are_asked_once() {
        let task = Task::new(&TaskConfig::default()).unwrap();
        let mut rng = Pcg64::seed_from_u64(2);
        let network = NetworkConfig::default()
            .build(&task, three(), &mut rng)
            .unwrap();
        let mut workspace = network.workspace(1).unwrap();
        let first = task.initial_state(&mut rng);
        let mut second = first.clone();
        task.apply(&mut second, 4).unwrap();
        let rows = [(&first, 3.0), (&second, 3.0), (&first, 3.0), (&first, 5.0)];
        let batch = StateBatch::new(&task, rows);
        assert_eq!(batch.distinct.len(), 3);
        let seen: Vec<_> = rows.iter().map(|(s, t)| task.observe_for(s, *t)).collect();
        let seen = StateBatch::of_observations(&seen);
        assert_eq!((&seen.distinct, &seen.rows), (&batch.distinct, &batch.rows));

        let all: Vec<_> = rows.iter().map(|(s, t)| task.observe_for(s, *t)).collect();
        let expected = network.forward(&all, &mut workspace).unwrap().to_vec();
        let grad: Vec<f32> = (0..12).map(|i| 0.1 * i as f32 - 0.5).collect();
        let mut expected_gradients = network.parameters().zeros_like();
        network
            .backward(&grad, &mut workspace, &mut expected_gradients)
            .unwrap();

        assert_eq!(batch.forward(&network, &mut workspace).unwrap(), expected);
        let mut gradients = network.parameters().zeros_like();
        batch
            .backward(&network, &mut workspace, &grad, &mut gradients)
            .unwrap();
        let difference: f64 = gradients
            .values()
            .iter()
            .zip(expected_gradients.values())
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum();
        assert!(difference.sqrt() < 1e-5 * expected_gradients.norm());
    }
}
