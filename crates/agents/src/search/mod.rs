//! Searches without a network: what learning has to beat, with the same environments, the same
//! logging and the same budget of calculations.

mod best;
mod config;
mod filling;
mod genetic;
mod knowledge;
mod known;
mod learner;
mod local;
mod plans;
mod policy;
mod proposer;
mod random;

pub use self::{
    config::{GeneticConfig, LocalSearchConfig, RandomSearchConfig},
    filling::Filling,
    genetic::GeneticProposer,
    learner::Search,
    local::LocalProposer,
    proposer::Proposer,
    random::RandomProposer,
};
pub(crate) use self::{
    filling::{fits, random_filling},
    plans::{PlansUnderWay, planned_action},
};
