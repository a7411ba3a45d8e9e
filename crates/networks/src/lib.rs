//! Graph networks with fused kernels and reverse-mode gradients.
//!
//! A [`GraphNetwork`] maps partly filled skeletons ([`GraphState`]) to numbers: action values,
//! logits or a state value. [`Megnet`] is the network of the published agents. What never changes
//! within a skeleton is computed once, in a [`GraphTemplate`]; what a batch needs lives in a
//! workspace that is reused.
//!
//! All numbers are f32. A batch is cut into parts of fixed size whose results are added in a fixed
//! order, so outputs and gradients are the same to the last bit for any number of threads.

mod adam;
mod buffer;
mod checkpoint;
mod config;
mod error;
mod kernels;
mod layers;
mod megnet;
mod network;
mod parameters;
mod random;
mod template;

pub use adam::{Adam, AdamConfig};
pub use checkpoint::Checkpoint;
pub use config::{InputStyle, MegnetConfig};
pub use error::NetworkError;
pub use megnet::{Megnet, Workspace};
pub use network::{GraphNetwork, GraphState};
pub use parameters::{Gradients, ParameterInfo, Parameters};
pub use template::GraphTemplate;
