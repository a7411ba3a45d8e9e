//! What one evaluated crystal teaches beyond its own episode.

use crystalgym_environment::{
    Episode, FinishedEpisode, State, Task,
    random::{uniform_below, uniform_unit},
};
use crystalgym_evaluation::Property;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::experience::{Experience, first_reward};
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
    /// Whether a copy is made in another order, from a start site drawn anew: the crystal, and
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

    /// Whether the settings can be right for some property; [`Self::check_for`] asks about one.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        let copies = self.copies as u64;
        check::counts(&[("relabel.copies", (copies, 0..=*check::REPEATS.end()))])?;
        let ranges = Property::ALL.map(|property| property.facts().targets);
        let least = ranges.iter().map(|range| range[0]).fold(f64::MAX, f64::min);
        let most = ranges.iter().map(|range| range[1]).fold(f64::MIN, f64::max);
        self.check_targets([least, most])
    }

    /// Whether the targets are such as the property can be aimed at.
    pub(crate) fn check_for(&self, property: Property) -> Result<(), AgentError> {
        self.check_targets(property.facts().targets)
    }

    fn check_targets(&self, [least, most]: [f64; 2]) -> Result<(), AgentError> {
        match self.targets {
            Some([low, high]) if !(low >= least && high >= low && high <= most) => {
                let found = format!("[{low}, {high}]");
                let expected =
                    format!("two numbers from {least:?} to {most:?}, the smaller one first");
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
        let reward = task.objective().reward();
        let copy = |_| {
            let (mut start, mut end) = (episode.episode.start.clone(), episode.state.clone());
            if self.symmetry {
                let skeleton = &task.skeletons()[usize::from(start.skeleton)];
                let permutations = &skeleton.symmetry.site_permutations;
                let permutation = &permutations[uniform_below(rng, permutations.len())];
                start = permuted(&start, permutation);
                end = permuted(&end, permutation);
            }
            if self.order && task.board().start_site().is_none() {
                start.start = uniform_below(rng, start.node_types.len()) as u16;
            }
            let target = match self.targets {
                Some([low, high]) => low + (high - low) * uniform_unit(rng),
                None => episode.target,
            };
            // An image may start from, or end at, what the task does not allow.
            let history = task
                .process()
                .history(task.board(), &start, &end.node_types);
            let actions = history.filter(|_| task.can_hold(&start))?;
            Some(Experience {
                episode: Episode { start, actions },
                target,
                reward: reward.of_appraisal(target, &episode.appraisal),
                first_reward: first_reward(episode, target),
            })
        };
        (0..self.copies).filter_map(copy).collect()
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

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use crystalgym_environment::{Appraisal, TaskConfig};
    use crystalgym_evaluation::{Evaluation, Failure, FailureCode, Outcome, Source, Values};
    use rand::SeedableRng;

    use super::*;

    fn task() -> Task {
        Task::new(&TaskConfig {
            skeletons: vec!["C2".into()],
            ..TaskConfig::default()
        })
        .unwrap()
    }

    /// From site 2 to the end, in the order of the traversal.
    fn finished(task: &Task) -> (Episode, State) {
        let filling = [3, 9, 8, 10, 11];
        let mut start = task.initial_state(&mut Pcg64::seed_from_u64(1));
        start.start = 2;
        let order = task.board().traversal(0, 2).iter();
        let actions = order.map(|&site| filling[usize::from(site)]).collect();
        let episode = Episode { start, actions };
        let state = episode.last_state(task).unwrap();
        (episode, state)
    }

    fn episode(task: &Task, outcome: Outcome) -> FinishedEpisode {
        let (episode, state) = finished(task);
        FinishedEpisode {
            number: 1,
            environment: 0,
            task: Arc::new(task.clone()),
            episode,
            crystal: task.crystal(0, &state.node_types).unwrap(),
            state,
            target: 3.0,
            reward: 0.5,
            crystal_reward: 0.5,
            start_appraisal: None,
            appraisal: Appraisal::Computed(Box::new(Evaluation {
                outcome,
                source: Source::Computed,
                store_error: None,
            })),
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
        let expected = canonical(&finished(&task).1);
        let ends = copies.iter();
        let ends: Vec<State> = ends
            .map(|copy| copy.episode.last_state(&task).unwrap())
            .collect();
        assert!(ends.iter().all(|end| canonical(end) == expected));
        let images: HashSet<_> = ends.iter().collect();
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
        let starts = copies.iter().map(|copy| copy.episode.start.start);
        let starts: HashSet<u16> = starts.collect();
        assert_eq!(starts.len(), 5);
        for copy in &copies {
            let end = copy.episode.last_state(&task).unwrap();
            assert_eq!(end.node_types, finished(&task).1.node_types);
            assert!((2.0..6.0).contains(&copy.target));
            // The published density reward, written out.
            let expected = (-(2.5 - copy.target).powi(2) / copy.target).exp();
            assert!((copy.reward - expected).abs() < 1e-15);
        }
        let failure = Outcome::Failure(Failure::new(FailureCode::ScfNotConverged, ""));
        let failed = config.copies(&task, &episode(&task, failure), &mut rng);
        assert!(failed.iter().all(|copy| copy.reward == -1.0));
    }

    /// Oracle: the ranges that `task.target` is held to.
    #[test]
    fn impossible_targets_are_named() {
        let config = |targets| RelabelConfig {
            targets: Some(targets),
            ..RelabelConfig::default()
        };
        let message = config([3.0, 2.0]).check().unwrap_err().to_string();
        assert!(message.contains("relabel.targets is [3, 2]"), "{message}");
        let message = config([-1.0, f64::NAN]).check().unwrap_err().to_string();
        assert!(
            message.contains("relabel.targets is [-1, NaN]"),
            "{message}"
        );
        let signed = config([-2.0, 0.0]);
        signed.check().unwrap();
        for property in Property::ALL {
            let task = Task::new(&TaskConfig {
                property,
                target: -2.0,
                ..TaskConfig::default()
            });
            assert_eq!(
                signed.check_for(property).is_ok(),
                task.is_ok(),
                "{property}"
            );
            config([0.5, 2.0]).check_for(property).unwrap();
        }
        let message = signed.check_for(Property::Density).unwrap_err().to_string();
        assert!(
            message.contains("relabel.targets is [-2, 0], expected two numbers from 1e-6"),
            "{message}"
        );
    }
}
