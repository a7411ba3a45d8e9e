//! What one evaluated crystal teaches beyond its own episode.

use crystalgym_environment::{
    FinishedEpisode, State, Task,
    random::{uniform_below, uniform_unit},
    reward,
};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::experience::Experience;
use crate::{AgentError, check};

/// What else one evaluated crystal teaches: each evaluation costs far more than a gradient step.
///
/// Every finished episode enters the replay `copies` times more, each time changed at random in
/// the ways that are switched on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelabelConfig {
    /// Further copies of each episode; 0 switches relabelling off.
    pub copies: usize,
    /// Whether a copy is filled in another order, from a start site drawn anew: the crystal, and
    /// so the reward, is the same for every order. These are all the orders that an episode can
    /// have, since the traversal follows from its start site.
    pub order: bool,
    /// Whether a copy is an image under one of the skeleton's symmetries, which has the same
    /// properties.
    pub symmetry: bool,
    /// Range from which a copy's target is drawn, in the property's unit: the property does not
    /// depend on the target, the reward is computed anew (hindsight experience replay,
    /// Andrychowicz et al. 2017). Absent: the target stays.
    pub targets: Option<[f64; 2]>,
}

impl RelabelConfig {
    /// So many copies, each in an order drawn anew.
    pub fn other_orders(copies: usize) -> Self {
        Self {
            copies,
            order: true,
            ..Self::default()
        }
    }

    pub(crate) fn check(&self) -> Result<(), AgentError> {
        let copies = self.copies as u64;
        check::counts(&[("relabel.copies", (copies, 0..=*check::REPEATS.end()))])?;
        match self.targets {
            Some([low, high]) if !(low >= 1e-6 && high >= low && high <= 1e6) => {
                let found = format!("[{low}, {high}]");
                let expected = "two numbers from 1e-6 to 1e6, the smaller one first";
                Err(check::bad("relabel.targets", found, expected))
            }
            _ => Ok(()),
        }
    }

    /// The copies of an episode.
    pub(crate) fn copies(
        &self,
        task: &Task,
        episode: &FinishedEpisode,
        rng: &mut Pcg64,
    ) -> Vec<Experience> {
        let copy = |_| {
            let mut state = episode.state.clone();
            if self.symmetry {
                let skeleton = &task.skeletons()[usize::from(state.skeleton)];
                let permutations = &skeleton.symmetry.site_permutations;
                let permutation = &permutations[uniform_below(rng, permutations.len())];
                state = permuted(&state, permutation);
            }
            if self.order && task.start_site().is_none() {
                state.start = uniform_below(rng, state.node_types.len()) as u16;
            }
            let target = match self.targets {
                Some([low, high]) => low + (high - low) * uniform_unit(rng),
                None => episode.target,
            };
            let reward = reward(task.property(), target, &episode.outcome);
            Experience {
                state,
                target,
                reward,
            }
        };
        (0..self.copies)
            .map(copy)
            // An image may put an element where the task forbids it.
            .filter(|copy| obeys_masks(task, &copy.state))
            .collect()
    }
}

/// The filling with site `i` moved to site `permutation[i]`.
fn permuted(state: &State, permutation: &[usize]) -> State {
    let mut moved = state.clone();
    for (&action, &to) in state.node_types.iter().zip(permutation) {
        moved.node_types[to] = action;
    }
    moved
}

fn obeys_masks(task: &Task, state: &State) -> bool {
    let sites = state.node_types.iter().enumerate();
    sites
        .into_iter()
        .all(|(site, &action)| task.allowed_at(site)[usize::from(action)])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crystalgym_environment::TaskConfig;
    use crystalgym_evaluation::{Failure, FailureCode, Outcome, Source, Values};
    use rand::SeedableRng;

    use super::*;

    fn task() -> Task {
        Task::new(&TaskConfig {
            skeletons: vec!["C2".into()],
            ..TaskConfig::default()
        })
        .unwrap()
    }

    fn finished() -> State {
        State {
            skeleton: 0,
            start: 2,
            step: 5,
            node_types: vec![3, 9, 8, 10, 11].into(),
        }
    }

    fn episode(task: &Task, outcome: Outcome) -> FinishedEpisode {
        FinishedEpisode {
            number: 1,
            environment: 0,
            state: finished(),
            crystal: task.crystal(0, &finished().node_types).unwrap(),
            property: task.property(),
            target: 3.0,
            reward: 0.5,
            outcome,
            source: Source::Computed,
            store_error: None,
        }
    }

    fn outcome() -> Outcome {
        Outcome::Success(Values {
            value: 2.5,
            ..Values::default()
        })
    }

    /// Oracle: `Crystal::canonical`, which finds one form of all symmetric images.
    #[test]
    fn symmetric_images_are_the_same_crystal() {
        let task = task();
        let config = RelabelConfig {
            copies: 200,
            symmetry: true,
            ..RelabelConfig::default()
        };
        let mut rng = Pcg64::seed_from_u64(1);
        let copies = config.copies(&task, &episode(&task, outcome()), &mut rng);
        let canonical = |state: &State| {
            let crystal = task.crystal(0, &state.node_types).unwrap();
            crystal.canonical().elements().to_vec()
        };
        let expected = canonical(&finished());
        assert!(copies.iter().all(|copy| canonical(&copy.state) == expected));
        let images: HashSet<_> = copies.iter().map(|copy| copy.state.clone()).collect();
        // The three equal sites of a perovskite in every order.
        assert_eq!(images.len(), 6);
    }

    #[test]
    fn orders_keep_the_crystal_and_targets_change_the_reward() {
        let task = task();
        let config = RelabelConfig {
            copies: 50,
            order: true,
            targets: Some([2.0, 6.0]),
            ..RelabelConfig::default()
        };
        let mut rng = Pcg64::seed_from_u64(1);
        let copies = config.copies(&task, &episode(&task, outcome()), &mut rng);
        let starts: HashSet<u16> = copies.iter().map(|copy| copy.state.start).collect();
        assert_eq!(starts.len(), 5);
        for copy in &copies {
            assert_eq!(copy.state.node_types, finished().node_types);
            assert!((2.0..6.0).contains(&copy.target));
            // The published density reward, written out.
            let expected = (-(2.5 - copy.target).powi(2) / copy.target).exp();
            assert!((copy.reward - expected).abs() < 1e-15);
        }
        let failure = Outcome::Failure(Failure::new(FailureCode::ScfNotConverged, ""));
        let failed = config.copies(&task, &episode(&task, failure), &mut rng);
        assert!(failed.iter().all(|copy| copy.reward == -1.0));
    }

    #[test]
    fn impossible_targets_are_named() {
        let config = RelabelConfig {
            targets: Some([3.0, 2.0]),
            ..RelabelConfig::default()
        };
        let message = config.check().unwrap_err().to_string();
        assert!(message.contains("relabel.targets is [3, 2]"), "{message}");
    }
}
