//! A network that is trained, with its optimiser.

use crystalgym_environment::Observation;
use crystalgym_networks::{Adam, AdamConfig, Checkpoint, Gradients, GraphNetwork};

use crate::{AgentError, MaskedCategorical, batch::StateBatch, categorical_policy::policies};

/// A network and its optimiser.
pub(crate) struct Trained<N: GraphNetwork> {
    pub(crate) network: N,
    adam: Adam,
    pub(crate) workspace: N::Workspace,
    pub(crate) gradients: Gradients,
}

impl<N: GraphNetwork> Trained<N> {
    pub(crate) fn new(network: N, adam_epsilon: f64, threads: usize) -> Result<Self, AgentError> {
        let adam = AdamConfig {
            epsilon: adam_epsilon,
            ..AdamConfig::default()
        };
        Ok(Self {
            adam: Adam::new(adam, network.parameters()),
            workspace: network.workspace(threads)?,
            gradients: network.parameters().zeros_like(),
            network,
        })
    }

    pub(crate) fn forward(&mut self, batch: &StateBatch<'_>) -> Result<Vec<f32>, AgentError> {
        batch.forward(&self.network, &mut self.workspace)
    }

    /// The policy for each observation; `None` where the logits are no numbers.
    pub(crate) fn policies(
        &mut self,
        seen: &[Observation<'_>],
    ) -> Result<Vec<Option<MaskedCategorical>>, AgentError> {
        policies(&self.network, &mut self.workspace, seen)
    }

    /// One step down the gradient of a loss of the last forward pass; returns its norm.
    pub(crate) fn descend(
        &mut self,
        batch: &StateBatch<'_>,
        grad: &[f32],
        learning_rate: f64,
        largest_norm: Option<f64>,
    ) -> Result<f64, AgentError> {
        self.gradients.clear();
        batch.backward(
            &self.network,
            &mut self.workspace,
            grad,
            &mut self.gradients,
        )?;
        let norm = match largest_norm {
            Some(largest) => self.gradients.clip_norm(largest),
            None => self.gradients.norm(),
        };
        self.adam.step(
            learning_rate,
            &self.gradients,
            self.network.parameters_mut(),
        )?;
        Ok(norm)
    }

    /// Puts parameters and optimiser under a name into a file of networks.
    pub(crate) fn insert_into(&self, networks: &mut Checkpoint, name: &str) {
        let parameters = self.network.parameters();
        networks.insert_parameters(name, parameters);
        networks.insert_adam(&format!("{name}_adam"), &self.adam, parameters);
    }

    /// Takes both from there.
    pub(crate) fn restore_from(&mut self, read: &Checkpoint, name: &str) -> Result<(), AgentError> {
        read.restore_parameters(name, self.network.parameters_mut())?;
        let parameters = self.network.parameters();
        read.restore_adam(&format!("{name}_adam"), &mut self.adam, parameters)?;
        Ok(())
    }
}
