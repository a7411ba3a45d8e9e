//! Networks on the features of the pretrained potential CHGNet, which is not trained.

mod features;
mod head;
mod shape;
mod trunk;

pub use self::{
    features::{ChgnetFeatures, LayerOrder},
    head::ChgnetHead,
    shape::ChgnetShape,
    trunk::{Blanks, ChgnetTrunk},
};

use crate::TrunkNetwork;

/// A perceptron on [`ChgnetTrunk`].
pub type ChgnetNetwork = TrunkNetwork<ChgnetTrunk>;
