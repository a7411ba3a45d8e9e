//! Searches without a network: what learning has to beat, with the same environments, the same
//! logging and the same budget of calculations.

mod best;
mod filling;
mod genetic;
mod knowledge;
mod known;
mod learner;
mod local;
mod policy;
mod proposer;
mod random;

pub use self::{
    filling::Filling,
    genetic::{GeneticConfig, GeneticProposer},
    learner::Search,
    local::{LocalProposer, LocalSearchConfig},
    proposer::Proposer,
    random::{RandomProposer, RandomSearchConfig},
};
