//! Shape of the perceptron as a configuration file says it.

use std::sync::Arc;

use crystalgym_environment::Task;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Perceptron, SiteDescriptors};
use crate::{NetworkError, NetworkShape, TrunkNetwork, trunk::hidden_widths};

/// The part of a [`Perceptron`]'s shape that the task does not fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerceptronShape {
    /// Width of each hidden layer.
    pub hidden: usize,
    /// Number of hidden layers.
    pub layers: usize,
}

impl Default for PerceptronShape {
    fn default() -> Self {
        Self {
            hidden: 64,
            layers: 2,
        }
    }
}

impl NetworkShape for PerceptronShape {
    type Network = Perceptron;

    fn check(&self) -> Result<(), NetworkError> {
        hidden_widths(self.hidden, self.layers).map(drop)
    }

    fn build(
        &self,
        task: &Task,
        n_outputs: usize,
        rng: &mut Pcg64,
    ) -> Result<Perceptron, NetworkError> {
        let hidden = hidden_widths(self.hidden, self.layers)?;
        let trunk = SiteDescriptors::new(task.skeletons(), task.elements().elements());
        TrunkNetwork::new(Arc::new(trunk), &hidden, task, n_outputs, rng)
    }
}
