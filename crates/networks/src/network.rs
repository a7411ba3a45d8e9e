//! What an agent asks of a network.

use crate::{Gradients, NetworkError, Parameters};

/// What an agent sees of one partly filled skeleton.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphState<'a> {
    /// Index of the skeleton's template in the network's list.
    pub skeleton: usize,
    /// Action index of each site's element; the number of actions for a blank site.
    pub node_types: &'a [u8],
    /// Site that is filled next.
    ///
    /// A terminal state has none; its value is never used, so any site will do.
    pub focus: usize,
    /// Target of the property, in its unit.
    pub target: f32,
}

/// A function from partly filled skeletons to numbers, with its gradient.
///
/// Agents are written against this trait, so that a larger model on another framework can take
/// the place of [`Megnet`](crate::Megnet).
pub trait GraphNetwork {
    /// Memory of one forward pass, reused from pass to pass.
    type Workspace;

    /// A workspace that runs this network on so many threads.
    ///
    /// Results do not depend on the number of threads, to the last bit.
    ///
    /// # Errors
    /// [`NetworkError::Threads`] if they cannot be started.
    fn workspace(&self, threads: usize) -> Result<Self::Workspace, NetworkError>;

    /// Numbers returned per state.
    fn n_outputs(&self) -> usize;

    /// Trainable numbers.
    fn parameters(&self) -> &Parameters;

    /// Trainable numbers, to change.
    fn parameters_mut(&mut self) -> &mut Parameters;

    /// Outputs for a batch, `states × n_outputs` row by row.
    ///
    /// # Errors
    /// [`NetworkError::State`] for a state that does not fit its skeleton.
    fn forward<'w>(
        &self,
        states: &[GraphState<'_>],
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
