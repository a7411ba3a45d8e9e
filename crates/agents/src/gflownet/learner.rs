//! Gradient steps of the GFlowNet.

use crystalgym_environment::{State, Task};
use crystalgym_networks::GraphNetwork;

use super::{
    GFlowNetConfig,
    loss::{imbalance, log_weight},
    trajectory::Trajectory,
};
use crate::{AgentError, MaskedCategorical, batch::StateBatch, finds::Finds, trained::Trained};

/// The policy, and `ln Z` of what an episode starts from.
pub(super) struct Networks<N: GraphNetwork> {
    pub(super) policy: Trained<N>,
    pub(super) partition: Trained<N>,
}

impl<N: GraphNetwork> Networks<N> {
    pub(super) fn new(
        policy: N,
        partition: N,
        config: &GFlowNetConfig,
    ) -> Result<Self, AgentError> {
        let trained = |network| Trained::new(network, config.adam_epsilon, config.threads);
        Ok(Self {
            policy: trained(policy)?,
            partition: trained(partition)?,
        })
    }

    /// One step down the gradient of the mean of `δ²` over trajectories
    /// ([trajectory balance](super::loss::imbalance)).
    pub(super) fn update(
        &mut self,
        task: &Task,
        drawn: &[&Trajectory],
        finds: &Finds,
        config: &GFlowNetConfig,
    ) -> Result<Vec<(&'static str, f64)>, AgentError> {
        let ways = drawn.iter().map(|made| {
            let mut states = made.episode.states(task)?;
            // The last state has no action.
            states.truncate(made.episode.actions.len());
            Ok(states)
        });
        let ways = ways.collect::<Result<Vec<Vec<State>>, AgentError>>()?;
        let on_the_way = ways.iter().zip(drawn);
        let on_the_way =
            on_the_way.flat_map(|(states, made)| states.iter().map(|state| (state, made.target)));
        let at_the_start = drawn.iter().map(|made| (&made.episode.start, made.target));
        let steps = StateBatch::new(task, on_the_way);
        let starts = StateBatch::new(task, at_the_start);
        let logits = self.policy.forward(&steps)?;
        let log_partitions = self.partition.forward(&starts)?;

        let outputs = self.policy.network.n_outputs();
        let scale = 1.0 / drawn.len() as f64;
        let mut grad_logits = vec![0.0_f32; logits.len()];
        let mut grad_partitions = vec![0.0_f32; log_partitions.len()];
        let (mut loss, mut log_partition_sum, mut log_weight_sum) = (0.0, 0.0, 0.0);
        let mut row = 0;
        for (index, (made, states)) in drawn.iter().zip(&ways).enumerate() {
            let first_row = row;
            let mut taken = Vec::with_capacity(states.len());
            for (state, &action) in states.iter().zip(&made.episode.actions) {
                let logits = &logits[row * outputs..(row + 1) * outputs];
                let mask = finds.allowed(task, &task.observe(state));
                let Some(policy) = MaskedCategorical::new(logits, &mask) else {
                    return Ok(vec![("a logit of the policy", f64::NAN)]);
                };
                taken.push((policy, usize::from(action)));
                row += 1;
            }
            let log_probability: f64 = taken
                .iter()
                .map(|(policy, action)| policy.log_probabilities()[*action])
                .sum();
            // An image may end with an action that the mask forbids where the crystal was made.
            if log_probability == f64::NEG_INFINITY {
                continue;
            }
            let log_partition = f64::from(log_partitions[index]);
            let log_weight = log_weight(made.reward, config.power, config.least_weight);
            let off = imbalance(log_partition, log_probability, log_weight);
            for (step, (policy, action)) in taken.iter().enumerate() {
                let row = first_row + step;
                let grad = &mut grad_logits[row * outputs..(row + 1) * outputs];
                policy.add_log_probability_gradient(*action, 2.0 * scale * off, grad);
            }
            grad_partitions[index] = (2.0 * scale * off) as f32;
            loss += scale * off * off;
            log_partition_sum += scale * log_partition;
            log_weight_sum += scale * log_weight;
        }
        let largest = config.max_gradient_norm;
        let norm = (self.policy).descend(&steps, &grad_logits, config.learning_rate, largest)?;
        let rate = config.partition_learning_rate;
        (self.partition).descend(&starts, &grad_partitions, rate, largest)?;
        Ok(vec![
            ("losses/trajectory_balance", loss),
            ("losses/gradient_norm", norm),
            ("charts/log_partition", log_partition_sum),
            ("charts/log_weight", log_weight_sum),
        ])
    }
}
