//! Configured, logged, resumable training runs on disk.

mod error;
mod layers;
mod tensorboard;

pub use error::TrainingError;
pub use layers::ConfigLayers;
pub use tensorboard::EventWriter;
