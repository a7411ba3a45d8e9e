//! Configured, logged, resumable training runs on disk.

mod episodes;
mod error;
mod layers;
mod tensorboard;

pub use episodes::{EpisodeRow, EpisodeTable, read_episodes};
pub use error::TrainingError;
pub use layers::ConfigLayers;
pub use tensorboard::EventWriter;
