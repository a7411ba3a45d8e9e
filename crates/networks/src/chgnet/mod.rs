//! Networks on the features of the pretrained potential CHGNet, which is not trained.

mod features;
mod shape;
mod trunk;

pub use self::{
    features::{ChgnetFeatures, LayerOrder},
    shape::{ChgnetHead, ChgnetShape},
    trunk::{Blanks, ChgnetTrunk},
};

use crate::TrunkNetwork;

/// A perceptron on [`ChgnetTrunk`].
pub type ChgnetNetwork = TrunkNetwork<ChgnetTrunk>;
