//! The crystal-filling Markov decision process.
//!
//! An episode takes an empty skeleton; each action puts one element on the site in *focus*; when
//! the last site is filled the crystal is evaluated and the reward says how close the property
//! came to its target. The process itself is a few pure functions of a [`Task`] and a [`State`]
//! ([`initial_state`], [`transition`], [`observation`], [`is_terminal`], [`reward`]);
//! [`VectorEnvironment`] steps many of them side by side while evaluations run elsewhere.

mod action_set;
mod environment;
mod error;
mod known_outcome;
pub mod random;
mod reward;
mod skeleton_identity;
mod state;
mod task;
mod task_list;
mod vector;

pub use action_set::ActionSet;
pub use environment::{Environment, Step};
pub use error::EnvironmentError;
pub use known_outcome::known_outcome;
pub use reward::{failure_reward, reward};
pub use skeleton_identity::SkeletonIdentity;
pub use state::{
    Observation, State, initial_state, is_terminal, observation, site_for, transition,
};
pub use task::{Task, TaskConfig, find_skeleton};
pub use task_list::{Difficulty, NamedTask, paper_tasks, published_target};
pub use vector::{FinishedEpisode, Interrupted, VectorEnvironment, VectorSnapshot};
