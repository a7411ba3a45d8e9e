//! A plain perceptron on descriptors of elements and sites: the baseline that a graph network has
//! to beat.

mod descriptors;
mod shape;

pub use self::{descriptors::SiteDescriptors, shape::PerceptronShape};

use crate::TrunkNetwork;

/// A perceptron on [`SiteDescriptors`].
///
/// It sees the sites in their order in the skeleton, so that a permutation of equivalent sites is
/// another input to it, and what it learns of one skeleton says little of another.
pub type Perceptron = TrunkNetwork<SiteDescriptors>;
