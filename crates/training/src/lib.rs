//! Configured, logged, resumable training runs on disk.
//!
//! [`ConfigLayers`] (TOML files and `key=value` options) resolve to a [`TrainingConfig`];
//! [`TrainingRun`] trains it in a folder of its own and goes on where it was stopped or killed.

mod base_task;
mod benchmark;
mod best;
mod checkpoints;
mod config;
mod config_change;
mod episode_row;
mod episode_table;
mod error;
mod layers;
mod load;
mod looks;
mod policy_evaluation;
mod prediction_row;
mod prediction_table;
mod run;
mod run_folder;
mod run_log;
mod run_state;
mod screening;
mod setting_names;
mod short_lines;
mod statistics;
mod store_choice;
mod stored_start;
mod tensorboard;
mod trust;

pub use base_task::first_task;
pub use benchmark::{LearningMeasure, exact_optimum, measure_learning};
pub use best::{BestCrystal, BestCrystals};
pub use checkpoints::checkpointed_episodes;
pub use config::{
    Algorithm, AlgorithmConfig, EvaluationConfig, OutputConfig, Preset, TrainingConfig,
};
pub use episode_row::{EpisodeRow, RowSource, episode_rows, read_episodes};
pub use episode_table::{Columns, EpisodeTable};
pub use error::TrainingError;
pub use layers::ConfigLayers;
pub use load::TrainedAgent;
pub use looks::Look;
pub use policy_evaluation::PolicyEvaluation;
pub use prediction_row::{PredictionRow, PretrainingRow};
pub use run::{EVALUATION_SEED_OFFSET, RunEnd, TrainingRun};
pub use run_folder::RunFolder;
pub use statistics::RunStatistics;
pub use store_choice::{default_store_path, open_store};
pub use stored_start::stored_start;
pub use tensorboard::EventWriter;
pub use trust::{Trust, programs_named};
