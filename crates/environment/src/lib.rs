//! The Markov decision processes of crystal design.
//!
//! An episode turns a skeleton into a crystal; when the last action is taken the crystal is
//! appraised, and the reward says how close its property came to the target. A [`Task`] is a
//! [`Board`] (skeletons and elements), a [`Process`](process::Process) (what an action does) and an
//! [`Objective`] (property, target, reward). An [`Episode`] records its start and its actions; an
//! [`Observation`] is what policies and networks see. [`VectorEnvironment`] steps many environments
//! side by side while an [`Appraiser`] works elsewhere.

mod action_set;
mod appraisal;
mod board;
mod episode;
mod error;
mod objective;
mod observation;
pub mod process;
mod published;
pub mod random;
mod skeleton_identity;
mod state;
mod task;
mod task_list;
mod terms;
mod vector;

pub use action_set::ActionSet;
pub use appraisal::{
    Answer, Appraisal, Appraiser, InPlaceAppraiser, PoolAppraiser, Prediction, Surrogate,
    SurrogateAppraiser,
};
pub use board::Board;
pub use episode::Episode;
pub use error::EnvironmentError;
pub use objective::{CustomReward, Objective, Reward, RewardForm, target_text};
pub use observation::{Observation, Traversal};
pub use process::{NamedStart, ProcessName, StartCrystal};
pub use published::{Difficulty, published_steps, published_target};
pub use skeleton_identity::SkeletonIdentity;
pub use state::{Action, Actions, NodeTypes, State};
pub use task::{Task, TaskConfig, file_label, find_skeleton};
pub use task_list::{NamedTask, named_tasks, paper_tasks, stability_tasks};
pub use terms::{Aim, Combination, Term, Terms};
pub use vector::{
    Autoreset, FinishedEpisode, Interrupted, Stepped, VectorEnvironment, VectorSnapshot,
};
