//! Agents that learn to fill skeletons: deep Q-learning, and random search to compare with.
//!
//! An [`Agent`] is driven one [`step`](Agent::step) at a time; whatever wants to know what happens
//! is an [`Observer`]. A saved agent goes on exactly as it would have.

mod agent;
mod checkpoint;
mod dqn;
mod error;
mod evaluate;
mod masked;
mod network_config;
mod policy;
mod random_search;
mod replay;
mod schedule;

pub use agent::{Agent, Evaluator, Observer, Policy, Progress, Update};
pub use checkpoint::CheckpointInfo;
pub use dqn::{Dqn, DqnConfig};
pub use error::AgentError;
pub use evaluate::{PUBLISHED_ROLLOUTS, Rollout, evaluate_policy};
pub use network_config::{NetworkConfig, templates};
pub use policy::GreedyPolicy;
pub use random_search::{RandomSearch, RandomSearchConfig};
pub use replay::{ReplayBuffer, Transition, episode_transitions};
pub use schedule::LinearSchedule;

/// Seed of an agent's own draws: environments use `seed`, `seed + 1`, …, so that it has to lie
/// elsewhere (the fractional part of the golden ratio, as in SplitMix64).
pub(crate) fn agent_seed(seed: u64) -> u64 {
    seed ^ 0x9e37_79b9_7f4a_7c15
}
