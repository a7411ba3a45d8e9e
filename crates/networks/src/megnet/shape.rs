//! The part of a MEGNet's shape that the task does not fix.

use crystalgym_environment::Task;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{
    config::{InputStyle, MegnetConfig},
    network::Megnet,
    template::GraphTemplate,
};
use crate::{NetworkError, NetworkShape};

/// The part of a [`Megnet`]'s shape that the task does not fix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MegnetShape {
    /// `corrected` (default) or `published` inputs.
    pub inputs: InputStyle,
    /// Width of edge, node and state features.
    pub hidden: usize,
    /// Number of interaction blocks.
    pub blocks: usize,
    /// Iterations of the Set2Set readouts.
    pub set2set_iterations: usize,
    /// Number of Gaussians of the bond expansion.
    pub gaussian_centres: usize,
}

impl Default for MegnetShape {
    fn default() -> Self {
        Self::from(MegnetConfig::default())
    }
}

impl From<MegnetConfig> for MegnetShape {
    fn from(config: MegnetConfig) -> Self {
        Self {
            inputs: config.inputs,
            hidden: config.hidden,
            blocks: config.blocks,
            set2set_iterations: config.set2set_iterations,
            gaussian_centres: config.gaussian_centres,
        }
    }
}

impl MegnetShape {
    /// The shape of the published agents.
    pub fn published() -> Self {
        Self::from(MegnetConfig::published(1, 1))
    }

    /// The whole shape, for `n_outputs` numbers for each observation of this task.
    pub fn config(&self, task: &Task, n_outputs: usize) -> MegnetConfig {
        let n_actions = task.elements().len();
        let base = match self.inputs {
            InputStyle::Published => MegnetConfig::published(n_actions, n_outputs),
            InputStyle::Corrected => MegnetConfig::corrected(n_actions, n_outputs),
        };
        MegnetConfig {
            hidden: self.hidden,
            blocks: self.blocks,
            set2set_iterations: self.set2set_iterations,
            gaussian_centres: self.gaussian_centres,
            target_scale: task.objective().scale(),
            ..base
        }
    }
}

impl NetworkShape for MegnetShape {
    type Network = Megnet;

    fn check(&self) -> Result<(), NetworkError> {
        let shape = MegnetConfig {
            hidden: self.hidden,
            blocks: self.blocks,
            set2set_iterations: self.set2set_iterations,
            gaussian_centres: self.gaussian_centres,
            ..MegnetConfig::default()
        };
        shape.check()
    }

    fn build(
        &self,
        task: &Task,
        n_outputs: usize,
        rng: &mut Pcg64,
    ) -> Result<Megnet, NetworkError> {
        let config = self.config(task, n_outputs);
        let skeletons = task.skeletons().iter();
        let templates = skeletons.map(|skeleton| GraphTemplate::new(skeleton, &config));
        let templates = templates.collect();
        Megnet::new(config, templates, rng)
    }
}
