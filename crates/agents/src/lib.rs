//! Agents that learn to fill skeletons: deep Q-learning, Rainbow, proximal policy optimisation and
//! discrete soft actor-critic, and the searches that they have to beat.
//!
//! An [`Agent`] is driven one [`step`](Agent::step) at a time; whatever wants to know what happens
//! is an [`Observer`]. A saved agent goes on exactly as it would have.

mod advantage;
mod agent;
mod batch;
mod categorical;
mod categorical_policy;
mod check;
mod checkpoint;
mod collect;
mod dqn;
mod error;
mod evaluate;
mod network_config;
mod ppo;
mod registry;
mod replay;
mod sac;
mod schedule;
mod search;
mod support;

pub use advantage::generalized_advantages;
pub use agent::{Agent, Evaluator, Observer, Policy, PolicyMode, Progress, Update};
pub use categorical::MaskedCategorical;
pub use checkpoint::CheckpointInfo;
pub use collect::CollectConfig;
pub use dqn::{AdvantageMean, Dqn, DqnConfig};
pub use error::AgentError;
pub use evaluate::{PUBLISHED_ROLLOUTS, Rollout, evaluate_policy};
pub use network_config::{NetworkConfig, templates};
pub use ppo::{Ppo, PpoConfig};
pub use registry::{AgentConfig, load_agent};
pub use replay::{
    Batch, Experience, Priorities, RelabelConfig, ReplayBuffer, SumTree, Transition,
    episode_transitions,
};
pub use sac::{CriticCombination, Sac, SacConfig};
pub use schedule::LinearSchedule;
pub use search::{
    Filling, GeneticConfig, GeneticProposer, GeneticSearch, LocalProposer, LocalSearch,
    LocalSearchConfig, Proposer, RandomProposer, RandomSearch, RandomSearchConfig, Search,
};
pub use support::Support;

/// Seed of an agent's own draws: environments use `seed`, `seed + 1`, …, so that it has to lie
/// elsewhere (the fractional part of the golden ratio, as in SplitMix64).
pub(crate) fn agent_seed(seed: u64) -> u64 {
    seed ^ 0x9e37_79b9_7f4a_7c15
}
