//! Shape of a network on CHGNet as a configuration file says it.

use std::sync::Arc;

use crystalgym_environment::Task;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{
    ChgnetNetwork,
    features::{ChgnetFeatures, LayerOrder},
    head::ChgnetHead,
    trunk::{Blanks, ChgnetTrunk},
};
use crate::{Head, NetworkError, NetworkShape, TrunkNetwork, trunk::hidden_widths};

/// The part of a [`ChgnetNetwork`]'s shape that the task does not fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChgnetShape {
    /// `standard` or `published`.
    pub head: ChgnetHead,
    /// `corrected` (CHGNet's own) or `published` order of the trunk's layers.
    pub order: LayerOrder,
    /// What stands on empty sites: `material`, or the symbol of an element.
    pub blanks: Blanks,
    /// Width of each hidden layer of the head.
    pub hidden: usize,
    /// Number of hidden layers of the head.
    pub layers: usize,
}

impl Default for ChgnetShape {
    fn default() -> Self {
        Self {
            head: ChgnetHead::Standard,
            order: LayerOrder::Corrected,
            blanks: Blanks::Material,
            hidden: 64,
            layers: 2,
        }
    }
}

impl ChgnetShape {
    /// The shape of the published agents: 64 → 64 → 64 → 64 → actions.
    pub fn published() -> Self {
        Self {
            head: ChgnetHead::Published,
            order: LayerOrder::Published,
            layers: 3,
            ..Self::default()
        }
    }

    /// A new network on features that are at hand, as [`NetworkShape::build`] makes one on those of the
    /// installed model.
    ///
    /// # Errors
    /// As [`NetworkShape::build`].
    pub fn build_on(
        &self,
        features: Arc<ChgnetFeatures>,
        task: &Task,
        n_outputs: usize,
        rng: &mut Pcg64,
    ) -> Result<ChgnetNetwork, NetworkError> {
        let hidden = hidden_widths(self.hidden, self.layers)?;
        let trunk = ChgnetTrunk::new(
            features,
            self.head,
            self.order,
            self.blanks,
            task.skeletons(),
            task.elements().elements(),
        )?;
        let head = match self.head {
            ChgnetHead::Standard => Head::Standard,
            ChgnetHead::Published => Head::FeaturesAlone,
        };
        TrunkNetwork::with_head(Arc::new(trunk), head, &hidden, task, n_outputs, rng)
    }
}

impl NetworkShape for ChgnetShape {
    type Network = ChgnetNetwork;

    fn check(&self) -> Result<(), NetworkError> {
        hidden_widths(self.hidden, self.layers).map(drop)
    }

    fn build(
        &self,
        task: &Task,
        n_outputs: usize,
        rng: &mut Pcg64,
    ) -> Result<ChgnetNetwork, NetworkError> {
        self.build_on(ChgnetFeatures::installed()?, task, n_outputs, rng)
    }
}
