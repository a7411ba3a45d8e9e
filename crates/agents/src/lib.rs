//! Agents that learn to design crystals: deep Q-learning, Rainbow, proximal policy optimisation and
//! discrete soft actor-critic, a generative flow network, a language model, one that models the property, and
//! the searches that they have to beat.
//!
//! A [`Learner`] remembers, learns and acts; an [`Agent`] drives one through environments, one
//! [`step`](Agent::step) at a time. Whatever wants to know what happens is an [`Observer`]. A saved
//! agent goes on exactly as it would have; [`LoadedAgent`] acts without environments.

mod advantage;
mod agent_config;
mod batch;
mod categorical;
mod categorical_policy;
mod check;
mod checkpoint;
mod chemistry_rule;
mod collect;
mod dqn;
mod driver;
mod error;
mod evaluate;
mod evaluator;
mod finds;
mod gflownet;
mod language;
mod learned_reward;
mod learner;
mod networks;
mod observer;
mod policy;
mod ppo;
mod registry;
mod replay;
mod sac;
mod schedule;
mod search;
mod support;
mod surrogate;
mod trained;

pub use advantage::generalized_advantages;
pub use agent_config::AgentConfig;
pub use categorical::MaskedCategorical;
pub use checkpoint::{CheckpointFile, CheckpointInfo, Memory};
pub use chemistry_rule::ChemistryRule;
pub use collect::CollectConfig;
pub use dqn::{AdvantageMean, Dqn, DqnConfig};
pub use driver::{Agent, Progress};
pub use error::AgentError;
pub use evaluate::{PUBLISHED_ROLLOUTS, Rollout, evaluate_policy};
pub use evaluator::Evaluator;
pub use finds::FindsConfig;
pub use gflownet::{GFlowNet, GFlowNetConfig};
pub use language::{Baseline, LanguageAgent, LanguageConfig};
pub use learned_reward::{FineTuning, Forecast, LearnedReward, LearnedRewardConfig};
pub use learner::Learner;
pub use observer::{LearnedEpisode, Observer, Update};
pub use policy::{Policy, PolicyMode};
pub use ppo::{Ppo, PpoConfig};
pub use registry::LoadedAgent;
pub use replay::{
    Batch, Experience, Priorities, RelabelConfig, ReplayBuffer, SumTree, Transition,
    episode_transitions,
};
pub use sac::{CriticCombination, Sac, SacConfig};
pub use schedule::LinearSchedule;
pub use search::{
    Filling, GeneticConfig, GeneticProposer, LocalProposer, LocalSearchConfig, Proposer,
    RandomProposer, RandomSearchConfig, Search,
};
pub use support::Support;
pub use surrogate::{Acquisition, SurrogateAgent, SurrogateConfig};

/// Seed of an agent's own draws: environments use `seed`, `seed + 1`, …, so that it has to lie
/// elsewhere (the fractional part of the golden ratio, as in SplitMix64).
pub(crate) fn agent_seed(seed: u64) -> u64 {
    seed ^ 0x9e37_79b9_7f4a_7c15
}
