//! Shape of the network, and the skeletons as it sees them.

use std::sync::Arc;

use crystalgym_environment::Task;
use crystalgym_evaluation::Property;
use crystalgym_networks::{GraphTemplate, InputStyle, Megnet, MegnetConfig, Parameters};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::{AgentError, check};

/// Features of edges and nodes in all blocks for all states of a batch: some gigabytes with what a
/// gradient needs beside them.
const MOST_FEATURES: usize = 1 << 26;

/// The part of a network's shape that the task does not fix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
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

impl Default for NetworkConfig {
    fn default() -> Self {
        Self::from(MegnetConfig::default())
    }
}

impl From<MegnetConfig> for NetworkConfig {
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

impl NetworkConfig {
    /// The shape of the published agents.
    pub fn published() -> Self {
        Self::from(MegnetConfig::published(1, 1))
    }

    /// # Errors
    /// [`AgentError::Network`] names the first field outside of its range.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        let shape = MegnetConfig {
            hidden: self.hidden,
            blocks: self.blocks,
            set2set_iterations: self.set2set_iterations,
            gaussian_centres: self.gaussian_centres,
            ..MegnetConfig::default()
        };
        Ok(shape.check()?)
    }

    /// Whether a network of this shape can see so many states of this task at once.
    ///
    /// # Errors
    /// [`AgentError::Config`] names `field`, the number of states.
    pub(crate) fn check_batch(
        &self,
        task: &Task,
        field: &'static str,
        states: usize,
    ) -> Result<(), AgentError> {
        let graphs = task.skeletons().iter();
        let largest = graphs.map(|skeleton| 2 * skeleton.graph.bonds() + skeleton.sites());
        let each = largest.max().unwrap_or(1) * self.hidden * self.blocks;
        let most = MOST_FEATURES / each.max(1);
        if states <= most {
            return Ok(());
        }
        let expected = format!("at most {most} with this network and these skeletons");
        Err(check::bad(field, states, expected))
    }

    /// A new network with `n_outputs` numbers per state of this task.
    pub(crate) fn build(
        &self,
        task: &Task,
        n_outputs: usize,
        rng: &mut Pcg64,
    ) -> Result<Megnet, AgentError> {
        let shape = self.megnet(task, n_outputs);
        let templates = templates(task, &shape);
        Ok(Megnet::new(shape, templates, rng)?)
    }

    /// The whole shape, for `n_outputs` numbers per state of this task.
    pub fn megnet(&self, task: &Task, n_outputs: usize) -> MegnetConfig {
        let n_actions = task.actions().len();
        let base = match self.inputs {
            InputStyle::Published => MegnetConfig::published(n_actions, n_outputs),
            InputStyle::Corrected => MegnetConfig::corrected(n_actions, n_outputs),
        };
        MegnetConfig {
            hidden: self.hidden,
            blocks: self.blocks,
            set2set_iterations: self.set2set_iterations,
            gaussian_centres: self.gaussian_centres,
            target_scale: target_scale(task.property()),
            ..base
        }
    }
}

/// The skeletons of a task as a network sees them.
pub fn templates(task: &Task, config: &MegnetConfig) -> Arc<[GraphTemplate]> {
    task.skeletons()
        .iter()
        .map(|skeleton| GraphTemplate::new(skeleton, config))
        .collect()
}

/// What the names of the layers behind the readout begin with.
pub(crate) const LAST_LAYERS: &str = "output_proj.";

/// A trained network for another task with the same actions.
///
/// # Errors
/// [`AgentError::Config`] if the actions differ in number.
pub(crate) fn for_task(
    network: &Megnet,
    task: &Task,
    trained: &Task,
) -> Result<Megnet, AgentError> {
    if trained.actions().len() != task.actions().len() {
        return Err(AgentError::Config {
            field: "number of actions",
            found: task.actions().len().to_string(),
            expected: "as many as the network was trained with".to_owned(),
        });
    }
    Ok(network.with_templates(templates(task, network.config()))?)
}

/// Moves a target network's parameters towards those it follows; all the way with rate 1.
pub(crate) fn polyak_update(
    target: &mut Parameters,
    online: &Parameters,
    rate: f64,
) -> Result<(), AgentError> {
    if rate < 1.0 {
        target.blend_from(online, rate as f32)?;
    } else {
        target.copy_from(online)?;
    }
    Ok(())
}

/// A typical target, which scales the network's input to about one. It depends on the property
/// alone, so that one network can be used with many targets.
fn target_scale(property: Property) -> f64 {
    match property {
        Property::BulkModulus => 300.0,
        Property::Density => 3.0,
        _ => 1.0,
    }
}
