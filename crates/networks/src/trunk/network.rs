//! A trainable perceptron on the features of a trunk.

use std::sync::Arc;

use crystalgym_crystal::Skeleton;
use crystalgym_environment::{Observation, Task};
use crystalgym_kernels::Buffer;
use pulp::Arch;
use rand_pcg::Pcg64;

use super::Trunk;
use crate::{
    Gradients, GraphNetwork, NetworkError, Parameters,
    check::{Frame, check_states},
    layers::{Activation, Flow, LayoutBuilder, Mlp, MlpCache, Weights},
    sharded::Sharded,
};

/// Numbers that the head sees beside the features: target and progress.
const BESIDE_FEATURES: usize = 2;
/// Name of the head.
const HEAD: &str = "head";
/// What the names of its layers begin with.
const LAST_LAYERS: &str = "head.";

/// A perceptron on the features of a trunk and, unless it is [`Head::FeaturesAlone`], the target over
/// the scale of the task's reward and the fraction of the episode that is done.
///
/// The parameters are those of the perceptron alone, `head.layers.{0, 2, …}.{weight, bias}`. The
/// trunk is shared between clones, such as an agent's target networks.
#[derive(Debug)]
pub struct TrunkNetwork<T> {
    trunk: Arc<T>,
    skeletons: Arc<[Arc<Skeleton>]>,
    /// Node type of an empty site.
    blank: usize,
    target_scale: f32,
    kind: Head,
    head: Arc<Mlp>,
    n_outputs: usize,
    parameters: Parameters,
    arch: Arch,
}

/// What a head sees, and what is between its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Head {
    /// Features, target and progress; softplus2.
    #[default]
    Standard,
    /// Features alone; `x σ(x)`, as the published agents on CHGNet.
    FeaturesAlone,
}

impl Head {
    fn beside_features(self) -> usize {
        match self {
            Self::Standard => BESIDE_FEATURES,
            Self::FeaturesAlone => 0,
        }
    }

    fn activation(self) -> Activation {
        match self {
            Self::Standard => Activation::Softplus2,
            Self::FeaturesAlone => Activation::Silu,
        }
    }
}

// Derived, it would ask that the trunk can be cloned.
impl<T> Clone for TrunkNetwork<T> {
    fn clone(&self) -> Self {
        Self {
            trunk: Arc::clone(&self.trunk),
            skeletons: Arc::clone(&self.skeletons),
            head: Arc::clone(&self.head),
            parameters: self.parameters.clone(),
            ..*self
        }
    }
}

impl<T: Trunk> TrunkNetwork<T> {
    /// A network on a trunk for the skeletons and elements of this task; `hidden` are the widths
    /// of the layers between features and outputs. Initialised as PyTorch's affine layers.
    ///
    /// # Errors
    /// [`NetworkError::Config`] for a width that no network can have.
    pub fn new(
        trunk: Arc<T>,
        hidden: &[usize],
        task: &Task,
        n_outputs: usize,
        rng: &mut Pcg64,
    ) -> Result<Self, NetworkError> {
        Self::with_head(trunk, Head::Standard, hidden, task, n_outputs, rng)
    }

    /// The same with another kind of head.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_head(
        trunk: Arc<T>,
        kind: Head,
        hidden: &[usize],
        task: &Task,
        n_outputs: usize,
        rng: &mut Pcg64,
    ) -> Result<Self, NetworkError> {
        let inputs = trunk.width() + kind.beside_features();
        let widths = [&[inputs], hidden, &[n_outputs]].concat();
        if let Some(width) = widths.iter().find(|width| !(1..=1 << 18).contains(*width)) {
            return Err(NetworkError::Config {
                field: "width of a layer",
                found: width.to_string(),
                expected: format!("1 to {}", 1 << 18),
            });
        }
        let mut builder = LayoutBuilder::default();
        let head = Arc::new(Mlp {
            activation: kind.activation(),
            ..builder.mlp(HEAD, &widths, false)
        });
        Ok(Self {
            trunk,
            skeletons: task.skeletons().into(),
            blank: task.elements().len(),
            target_scale: task.objective().scale() as f32,
            kind,
            head,
            n_outputs,
            parameters: Parameters::random(Arc::from(builder.finish()), rng)?,
            arch: Arch::new(),
        })
    }

    /// What features come from.
    pub fn trunk(&self) -> &Arc<T> {
        &self.trunk
    }
}

/// Memory of the passes of a [`TrunkNetwork`].
#[derive(Debug)]
pub struct TrunkWorkspace(Sharded<Shard>);

/// A part of the batch.
#[derive(Debug, Default)]
struct Shard {
    inputs: Buffer,
    activations: MlpCache,
    flow: Flow,
}

impl<T: Trunk> GraphNetwork for TrunkNetwork<T> {
    type Workspace = TrunkWorkspace;

    fn workspace(&self, threads: usize) -> Result<TrunkWorkspace, NetworkError> {
        Sharded::new(threads).map(TrunkWorkspace)
    }

    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        Ok(Self {
            trunk: Arc::new(self.trunk.for_skeletons(skeletons)?),
            skeletons: skeletons.into(),
            ..self.clone()
        })
    }

    fn last_layers(&self) -> &'static str {
        LAST_LAYERS
    }

    /// Inputs and outputs of all layers.
    fn features_per_state(&self) -> usize {
        let layers = self.head.layers.iter();
        self.head.inputs() + layers.map(|layer| layer.outputs).sum::<usize>()
    }

    fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn forward<'w>(
        &self,
        seen: &[Observation<'_>],
        workspace: &'w mut TrunkWorkspace,
    ) -> Result<&'w [f32], NetworkError> {
        check_states(seen, self.skeletons.len(), self.blank, |skeleton| {
            let skeleton = &self.skeletons[skeleton];
            Frame {
                label: &skeleton.label,
                sites: skeleton.sites(),
                focus_limit: skeleton.sites(),
            }
        })?;
        let weights = Weights {
            arch: self.arch,
            values: self.parameters.values(),
        };
        let width = self.head.inputs();
        let run = |shard: &mut Shard, seen: &[Observation<'_>], outputs: &mut [f32]| {
            let inputs = shard.inputs.resize(seen.len() * width);
            for (seen, row) in seen.iter().zip(inputs.chunks_exact_mut(width)) {
                let (features, beside) = row.split_at_mut(width - self.kind.beside_features());
                self.trunk.features(seen.into(), features);
                if let [target, progress] = beside {
                    *target = seen.target as f32 / self.target_scale;
                    *progress = seen.step as f32 / seen.steps as f32;
                }
            }
            let activations = &mut shard.activations;
            self.head.forward(weights, inputs, seen.len(), activations);
            outputs.copy_from_slice(activations.output());
        };
        Ok(workspace.0.forward(seen, self.n_outputs, run))
    }

    fn backward(
        &self,
        grad_outputs: &[f32],
        workspace: &mut TrunkWorkspace,
        gradients: &mut Gradients,
    ) -> Result<(), NetworkError> {
        workspace.0.backward(
            self.arch,
            &self.parameters,
            grad_outputs,
            gradients,
            |shard, weights, grad_outputs, gradients| {
                let flow = &mut shard.flow;
                flow.grad
                    .resize(grad_outputs.len())
                    .copy_from_slice(grad_outputs);
                let (inputs, activations) = (&shard.inputs, &shard.activations);
                self.head
                    .backward(weights, inputs, activations, flow, gradients);
            },
        )
    }
}
