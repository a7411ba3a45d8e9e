//! What an agent asks of a network.

use std::sync::Arc;

use crystalgym_crystal::Skeleton;
use crystalgym_environment::{Observation, Task};
use rand_pcg::Pcg64;

use crate::{Gradients, NetworkError, Parameters};

/// A function from what is seen of an episode to numbers, with its gradient.
///
/// Agents are written against this trait. What is not trained (a pretrained trunk, what is computed
/// once for each skeleton) is shared between clones; [`Self::parameters`] are the trainable numbers
/// alone, so that an agent's copies, optimisers and checkpoints hold nothing else.
pub trait GraphNetwork: Clone + Send + 'static {
    /// Memory of one forward pass, reused from pass to pass.
    type Workspace: Send;

    /// A workspace that runs this network on so many threads.
    ///
    /// Results do not depend on the number of threads, to the last bit.
    ///
    /// # Errors
    /// [`NetworkError::Threads`] if they cannot be started.
    fn workspace(&self, threads: usize) -> Result<Self::Workspace, NetworkError>;

    /// The same network, with the same parameters, for other skeletons.
    ///
    /// # Errors
    /// [`NetworkError`] for skeletons that it cannot see.
    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError>;

    /// What the names of the layers begin with that turn features into outputs: those that noise
    /// goes into.
    fn last_layers(&self) -> &'static str;

    /// Features of one state in all layers, which the memory of a batch goes with.
    fn features_per_state(&self) -> usize;

    /// Numbers returned per state.
    fn n_outputs(&self) -> usize;

    /// Trainable numbers.
    fn parameters(&self) -> &Parameters;

    /// Trainable numbers, to change.
    fn parameters_mut(&mut self) -> &mut Parameters;

    /// Outputs for a batch, `states × n_outputs` row by row.
    ///
    /// # Errors
    /// [`NetworkError::State`] for one that does not fit its skeleton.
    fn forward<'w>(
        &self,
        seen: &[Observation<'_>],
        workspace: &'w mut Self::Workspace,
    ) -> Result<&'w [f32], NetworkError>;

    /// *Adds* the gradient of a loss to `gradients`, given its gradient with respect to the
    /// outputs of the last [`forward`](Self::forward) in this workspace (`states × n_outputs`).
    ///
    /// The parameters must be those of that forward pass.
    ///
    /// # Errors
    /// [`NetworkError::Length`] if `grad_outputs` or `gradients` has another length.
    fn backward(
        &self,
        grad_outputs: &[f32],
        workspace: &mut Self::Workspace,
        gradients: &mut Gradients,
    ) -> Result<(), NetworkError>;
}

/// What a kind of network is built from: the part of its shape that the task does not fix.
pub trait NetworkShape: Default {
    /// The kind of network.
    type Network: GraphNetwork;

    /// Whether a network can have this shape.
    ///
    /// # Errors
    /// [`NetworkError::Config`] names the first field outside of its range.
    fn check(&self) -> Result<(), NetworkError>;

    /// A new network with `n_outputs` numbers for each observation of this task with a site in focus.
    ///
    /// # Errors
    /// As [`Self::check`].
    fn build(
        &self,
        task: &Task,
        n_outputs: usize,
        rng: &mut Pcg64,
    ) -> Result<Self::Network, NetworkError>;
}
