//! Conservative objective models: graph networks that predict a property of crystals, trained
//! against what their own gradient ascent finds.
//!
//! A network that is trained on known crystals alone is wrong about those that look best to it, and an
//! agent that is rewarded by it ends there. An [`ObjectiveModel`] is therefore trained on
//! `(f(x⁺) − y)² + α (J(x⁻) − J(x⁺))`, where `x⁻` is what an [`ascent`](Ascent) on its own objective
//! J makes of a known crystal `x⁺` (Trabucco, Kumar, Geng and Levine, ICML 2021; Reddy, Geng, Herschl,
//! Kolli, Kumar, Hsu, Levine and Ioannidis 2024). J is the predicted property or the reward for it.
//! Several members that leave out a part of the data each say how far the model can be trusted.

mod ascent;
mod config;
mod error;
mod examples;
mod file;
mod loss;
mod member;
mod model;
mod saved;

pub use ascent::{Ascent, Attack};
pub use config::{Climb, ObjectiveModelConfig, Weighting};
pub use error::ObjectiveModelError;
pub use examples::{Example, Examples, Truth};
pub use loss::{Conservative, Losses, Objective, Scale, conservative_loss};
pub use model::{Belief, Epoch, ObjectiveModel};
pub use saved::SavedModel;
