//! What the final greedy rollouts of an algorithm are: a policy's, or the best find of a search.

use crystalgym_training::Algorithm;

/// What the final greedy rollouts of an algorithm are. The two are never compared: a policy makes a
/// crystal of its own from a start it has not seen, a search repeats the best crystal that it ever
/// came across.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RolloutKind {
    /// Of an agent that learns: mean return of its greedy policy.
    Policy,
    /// Of a search: return of its best find.
    BestFind,
}

impl RolloutKind {
    /// Both, policies first.
    pub const ALL: [Self; 2] = [Self::Policy, Self::BestFind];

    /// That of an algorithm.
    pub fn of(algorithm: Algorithm) -> Self {
        match algorithm.is_search() {
            false => Self::Policy,
            true => Self::BestFind,
        }
    }

    /// What the number is, as `greedy policy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "greedy policy",
            Self::BestFind => "best find",
        }
    }

    /// What the mean return of the sampled rollouts is.
    pub fn sampled_name(self) -> &'static str {
        match self {
            Self::Policy => "sampled policy",
            Self::BestFind => "as it searches",
        }
    }

    /// Who has it, as a heading.
    pub fn group(self) -> &'static str {
        match self {
            Self::Policy => "agents that learn",
            Self::BestFind => "searches",
        }
    }

    /// One sentence on what the number is.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Policy => {
                "Greedy policy: mean return of five rollouts of the trained policy from random \
                 starts, failures counted."
            }
            Self::BestFind => {
                "Best find: a search learns no policy; in the end it repeats the best crystal that \
                 it came across on the skeleton. This is a maximum over all its episodes, not the mean \
                 of a policy, and no agent's greedy policy should be compared with it."
            }
        }
    }
}
