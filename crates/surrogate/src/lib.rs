//! Models of a property with their uncertainty, and where to calculate next.
//!
//! A [`FeatureMap`] turns the filling of a skeleton into numbers that do not depend on the order of
//! its sites or on symmetric images. A [`PropertyModel`] is an exact Gaussian process of the value
//! on these, with one for the probability of each kind of failure. A [`Forecast`] of a crystal has
//! its expected reward and improvement for any target in closed form. A [`Correction`] turns what cheap
//! calculations say into what dear ones are expected to.

mod calibration;
mod charge;
mod cholesky;
mod classification;
mod correction;
mod features;
mod fillings;
mod fit;
mod kernel;
mod maximum;
mod model;
mod normal;
mod regression;
mod rewards;

pub use calibration::Calibration;
pub use charge::ChargeCount;
pub use correction::{Correction, Pair};
pub use features::{FEATURES, FeatureMap, GROUP_SIZES, Standardiser};
pub use fillings::{Filling, Fillings, canonical, images};
pub use kernel::Hyperparameters;
pub use model::{Forecast, Known, ModelHyperparameters, NEXT_FIT, PropertyModel, floor_below};
pub use rewards::{Normal, central_half_width, expected_improvement, expected_reward};
