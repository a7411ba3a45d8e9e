//! Agents that act on a learned reward: a model says what most crystals are worth, and a calculation now
//! and then says what is true (CrystalGym paper, Section D.2).
//!
//! The whole of it, for any algorithm ([`LearnedReward`]): an episode has ended →
//! [`decide`](LearnedReward::decide) whether its crystal is calculated or predicted → the answer is
//! delivered, in order → [`delivered`](LearnedReward::delivered) lets the model learn from it if it was
//! calculated. The agent's own main loop is the driver's.

mod appraiser;
mod config;
mod decision;
mod reward;
mod saved;

pub(crate) use self::{
    appraiser::{LearnedAppraiser, SharedReward},
    saved::SavedReward,
};
pub use self::{
    config::{FineTuning, LearnedRewardConfig},
    decision::Forecast,
    reward::LearnedReward,
};
