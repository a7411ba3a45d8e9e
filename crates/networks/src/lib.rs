//! Graph networks with fused kernels and reverse-mode gradients.
//!
//! A [`GraphNetwork`] maps what is seen of an episode ([`Observation`](crystalgym_environment::Observation)) to numbers: action values,
//! logits or a state value. [`Megnet`] is the network of the published agents, [`Perceptron`] a plain
//! baseline, [`ChgnetNetwork`] a head on a pretrained potential, and a [`TrunkNetwork`] puts a trainable head on any [`Trunk`] that is not trained. Where
//! actions choose their site, [`SiteBySite`] asks a network about each. What never changes
//! within a skeleton is computed once, in a [`GraphTemplate`]; what a batch needs lives in a
//! workspace that is reused.
//!
//! All numbers are f32. A batch is cut into parts of fixed size whose results are added in a fixed
//! order, so outputs and gradients are the same to the last bit for any number of threads.
//!
//! ```
//! use crystalgym_crystal::Skeleton;
//! use crystalgym_environment::Observation;
//! use crystalgym_networks::{
//!     Adam, AdamConfig, GraphNetwork, GraphTemplate, Megnet, MegnetConfig,
//! };
//! use rand::SeedableRng;
//! use rand_pcg::Pcg64;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = MegnetConfig::corrected(18, 18);
//! let skeleton = Skeleton::builtin("C2")?;
//! let templates = [GraphTemplate::new(&skeleton, &config)].into();
//! let mut network = Megnet::new(config, templates, &mut Pcg64::seed_from_u64(1))?;
//!
//! let blank = [18; 5];
//! let state = Observation {
//!     skeleton: 0,
//!     node_types: &blank,
//!     elements: &[],
//!     focus: 0,
//!     traversal: None,
//!     step: 0,
//!     steps: 5,
//!     target: 3.0,
//!     allowed: &[],
//! };
//! let mut workspace = network.workspace(1)?;
//! let values = network.forward(&[state], &mut workspace)?;
//!
//! // One step that raises the value of action 4.
//! let mut grad_outputs = vec![0.0; values.len()];
//! grad_outputs[4] = -1.0;
//! let before = values[4];
//! let mut gradients = network.parameters().zeros_like();
//! network.backward(&grad_outputs, &mut workspace, &mut gradients)?;
//! let mut adam = Adam::new(AdamConfig::default(), network.parameters());
//! adam.step(1e-3, &gradients, network.parameters_mut())?;
//! assert!(network.forward(&[state], &mut workspace)?[4] > before);
//! # Ok(())
//! # }
//! ```

mod adam;
mod check;
mod checkpoint;
mod chgnet;
mod error;
mod factory;
mod layers;
mod megnet;
mod network;
mod noisy;
mod outputs;
mod parameters;
mod perceptron;
mod random;
mod sharded;
mod site_by_site;
mod trunk;

pub use adam::{Adam, AdamConfig};
pub use checkpoint::Checkpoint;
pub use chgnet::{
    Blanks, ChgnetFeatures, ChgnetHead, ChgnetNetwork, ChgnetShape, ChgnetTrunk, LayerOrder,
};
pub use error::NetworkError;
pub use factory::{Network, NetworkConfig, NetworkWorkspace};
pub use megnet::{
    GraphTemplate, InputStyle, Megnet, MegnetConfig, MegnetShape, SoftCrystal, Workspace,
};
pub use network::{GraphNetwork, NetworkShape};
pub use noisy::Noisy;
pub use outputs::Outputs;
pub use parameters::{Gradients, ParameterInfo, Parameters};
pub use perceptron::{Perceptron, PerceptronShape, SiteDescriptors};
pub use site_by_site::{SiteBySite, SiteBySiteWorkspace};
pub use trunk::{Cached, Head, PartialCrystal, Trunk, TrunkNetwork, TrunkWorkspace};
