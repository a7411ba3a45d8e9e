//! Crystals that are never forgotten: the best ones, and the last failures of each code.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crystalgym_environment::{
    Action, Actions, Appraisal, Episode, FinishedEpisode, State, Task,
    random::{uniform_below, uniform_unit},
};
use crystalgym_evaluation::{FailureCode, Outcome};
use crystalgym_surrogate::{Filling, canonical, images};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::config::FindsConfig;
use crate::{AgentError, Experience, Transition, check::sane, episode_transitions};

/// Symmetric images of a crystal that are looked at.
const MOST_IMAGES: usize = 64;
/// Crystals that are drawn to start from, where an episode starts from a random one.
const DRAWN_STARTS: usize = 32;

/// Why a crystal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// It is among the best.
    Best,
    /// It failed.
    Failure(FailureCode),
}

/// A crystal that is kept, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Crystal {
    reason: Reason,
    /// In canonical form.
    filling: Filling,
    start: State,
    actions: Actions,
    target: f64,
    reward: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_reward: Option<f64>,
}

impl Crystal {
    fn experience(&self) -> Experience {
        Experience {
            episode: Episode {
                start: self.start.clone(),
                actions: self.actions.clone(),
            },
            target: self.target,
            reward: self.reward,
            first_reward: self.first_reward,
        }
    }

    fn same_kind(&self, other: &Self) -> bool {
        let kind = |crystal: &Self| {
            let target = crystal.target.to_bits();
            (crystal.reason, crystal.start.skeleton, target)
        };
        kind(self) == kind(other)
    }
}

/// What is kept of all crystals, the better before the worse, the later before the earlier failure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Kept {
    crystals: Vec<Crystal>,
    /// Transitions of each, in all orders that an episode can have.
    #[serde(skip)]
    transitions: Vec<Vec<Transition>>,
    /// Largest return that is known to follow an action, by state and target.
    #[serde(skip)]
    bounds: HashMap<(State, Action, u64), f64>,
    /// For each skeleton and target, what an episode can do to make the best crystal or an image of it.
    #[serde(skip)]
    lessons: Vec<Vec<Transition>>,
    /// Actions that lead to the best crystal of the skeleton, by state and target.
    #[serde(skip)]
    ways: HashMap<(State, u64), BTreeSet<Action>>,
}

/// How returns are cut out of episodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Returns {
    pub(crate) n_step: usize,
    pub(crate) discount: f64,
}

impl Kept {
    pub(crate) fn is_empty(&self) -> bool {
        self.crystals.is_empty()
    }

    /// Takes a finished episode, if it is to be kept.
    pub(crate) fn take(
        &mut self,
        task: &Task,
        episode: &FinishedEpisode,
        config: &FindsConfig,
        returns: Returns,
    ) -> Result<(), AgentError> {
        let (reason, most) = match outcome(episode) {
            Some(Outcome::Failure(failure)) if failure.code.depends_on_the_moment() => {
                return Ok(());
            }
            Some(Outcome::Failure(failure)) => (Reason::Failure(failure.code), config.failures),
            Some(Outcome::Success(_)) => (Reason::Best, config.elites),
            None => return Ok(()),
        };
        let skeleton = episode.state.skeleton;
        let experience = Experience::from(episode);
        let crystal = Crystal {
            reason,
            filling: canonical(task, skeleton.into(), &episode.state.node_types),
            start: experience.episode.start,
            actions: experience.episode.actions,
            target: experience.target,
            reward: experience.reward,
            first_reward: experience.first_reward,
        };
        let alike = |(place, other): (usize, &Crystal)| crystal.same_kind(other).then_some(place);
        let places: Vec<usize> = self.crystals.iter().enumerate().filter_map(alike).collect();
        let is_known =
            (places.iter()).any(|&place| self.crystals[place].filling == crystal.filling);
        if most == 0 || is_known {
            return Ok(());
        }
        let first_worse = |&&place: &&usize| match reason {
            Reason::Best => crystal.reward > self.crystals[place].reward,
            Reason::Failure(_) => true,
        };
        let before = places.iter().find(first_worse).copied();
        if before.is_none() && places.len() >= most {
            return Ok(());
        }
        if places.len() >= most
            && let Some(&last) = places.last()
        {
            self.crystals.remove(last);
            self.transitions.remove(last);
        }
        let place = before
            .unwrap_or(self.crystals.len())
            .min(self.crystals.len());
        self.transitions
            .insert(place, all_orders(task, &crystal, returns)?);
        self.crystals.insert(place, crystal);
        match reason {
            Reason::Best => self.bound(task, returns),
            Reason::Failure(_) => Ok(()),
        }
    }

    /// Finds what follows the actions that lead to the best crystals: of those that are kept now
    /// alone, as after a restart.
    fn bound(&mut self, task: &Task, returns: Returns) -> Result<(), AgentError> {
        let whole = Returns {
            n_step: usize::MAX,
            ..returns
        };
        self.bounds.clear();
        self.lessons.clear();
        self.ways.clear();
        let mut seen = BTreeSet::new();
        for crystal in self
            .crystals
            .iter()
            .filter(|crystal| crystal.reason == Reason::Best)
        {
            let target = crystal.target.to_bits();
            // They stand with the best of each skeleton and target first.
            let is_first = seen.insert((crystal.start.skeleton, target));
            let images = images_of(task, crystal)?;
            if is_first {
                let mut lesson = Vec::new();
                for image in &images {
                    lesson.extend(all_orders(task, image, returns)?);
                }
                self.lessons.push(lesson);
            }
            for image in images {
                for transition in all_orders(task, &image, whole)? {
                    if is_first {
                        let key = (transition.state.clone(), target);
                        self.ways.entry(key).or_default().insert(transition.action);
                    }
                    let key = (transition.state, transition.action, target);
                    let bound = self.bounds.entry(key).or_insert(f64::NEG_INFINITY);
                    *bound = bound.max(transition.reward);
                }
            }
        }
        Ok(())
    }

    /// Actions that lead to the best crystal of the skeleton from a state on a way to it.
    pub(crate) fn ways(&self, state: &State, target: f64) -> Option<&BTreeSet<Action>> {
        self.ways.get(&(state.clone(), target.to_bits()))
    }

    /// The largest return that is known to follow an action.
    pub(crate) fn known_return(&self, transition: &Transition) -> Option<f64> {
        let target = transition.target.to_bits();
        // The state is cloned for the look-up alone; it is a few bytes.
        let key = (transition.state.clone(), transition.action, target);
        self.bounds.get(&key).copied()
    }

    /// The states from which episodes to the best crystals begin, in a fixed order, with their targets.
    pub(crate) fn beginnings(&self) -> Vec<(State, f64)> {
        let begun = self.ways.keys().filter(|(state, _)| state.step == 0);
        let mut begun: Vec<(State, u64)> = begun.cloned().collect();
        begun.sort_by(|(a, of_a), (b, of_b)| {
            let key = |state: &State| (state.skeleton, state.start);
            let by_place = (key(a), of_a).cmp(&(key(b), of_b));
            by_place.then_with(|| a.node_types.cmp(&b.node_types))
        });
        let begun = begun.into_iter();
        begun
            .map(|(state, target)| (state, f64::from_bits(target)))
            .collect()
    }

    /// Ways to the best crystal of each skeleton and target, all of these as likely. Half of them begin
    /// where a policy went `astray`, if it did.
    pub(crate) fn lessons(
        &self,
        count: usize,
        astray: &[(State, f64)],
        rng: &mut Pcg64,
    ) -> Vec<&Transition> {
        let astray: HashSet<(&State, u64)> = (astray.iter())
            .map(|(state, target)| (state, target.to_bits()))
            .collect();
        let begins_there = |t: &&Transition| astray.contains(&(&t.state, t.target.to_bits()));
        let wanted: Vec<&Transition> = self.lessons.iter().flatten().filter(begins_there).collect();
        let of_wanted = match wanted.len() {
            0 => 0,
            _ => count.div_ceil(2),
        };
        let mut drawn: Vec<&Transition> = (0..of_wanted)
            .map(|_| wanted[uniform_below(rng, wanted.len())])
            .collect();
        if !self.lessons.is_empty() {
            drawn.extend((of_wanted..count).filter_map(|_| {
                let lesson = &self.lessons[uniform_below(rng, self.lessons.len())];
                (!lesson.is_empty()).then(|| &lesson[uniform_below(rng, lesson.len())])
            }));
        }
        drawn
    }

    /// Transitions of the best crystals, the k-th of each skeleton and target with a weight of 1/k.
    pub(crate) fn best(&self, count: usize, rng: &mut Pcg64) -> Vec<&Transition> {
        let mut ranks: BTreeMap<(u16, u64), f64> = BTreeMap::new();
        let weights: Vec<f64> = (self.crystals.iter())
            .map(|crystal| match crystal.reason {
                Reason::Best => {
                    let kind = (crystal.start.skeleton, crystal.target.to_bits());
                    let rank = ranks.entry(kind).or_default();
                    *rank += 1.0;
                    1.0 / *rank
                }
                Reason::Failure(_) => 0.0,
            })
            .collect();
        self.drawn(&weights, count, rng)
    }

    /// Transitions of failures, each code as likely as another.
    pub(crate) fn failed(&self, count: usize, rng: &mut Pcg64) -> Vec<&Transition> {
        let mut counts: BTreeMap<Reason, f64> = BTreeMap::new();
        for crystal in &self.crystals {
            *counts.entry(crystal.reason).or_default() += 1.0;
        }
        let weights: Vec<f64> = (self.crystals.iter())
            .map(|crystal| match crystal.reason {
                Reason::Best => 0.0,
                Reason::Failure(_) => 1.0 / counts[&crystal.reason],
            })
            .collect();
        self.drawn(&weights, count, rng)
    }

    fn drawn(&self, weights: &[f64], count: usize, rng: &mut Pcg64) -> Vec<&Transition> {
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return Vec::new();
        }
        let draw = |_| {
            let mut left = uniform_unit(rng) * total;
            let mut drawn = None;
            for (place, weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
                drawn = Some(place);
                if left < *weight {
                    break;
                }
                left -= weight;
            }
            let transitions = &self.transitions[drawn?];
            let place = (uniform_unit(rng) * transitions.len() as f64) as usize;
            transitions.get(place)
        };
        (0..count).filter_map(draw).collect()
    }

    /// Makes what was read usable.
    ///
    /// # Errors
    /// What cannot be of this task.
    pub(crate) fn restored(&mut self, task: &Task, returns: Returns) -> Result<(), String> {
        let wrong = |place: usize| format!("finds: crystal {place} does not belong to this task");
        for place in 0..self.crystals.len() {
            let crystal = self.crystals[place].clone();
            let experience = crystal.experience();
            let numbers = [
                crystal.target,
                crystal.reward,
                crystal.first_reward.unwrap_or(0.0),
            ];
            let end = experience.episode.last_state(task);
            let fits = experience.episode.belongs_to(task)
                && end.is_ok_and(|end| {
                    task.is_terminal(&end)
                        && canonical(task, end.skeleton.into(), &end.node_types) == crystal.filling
                })
                && sane(numbers);
            if !fits {
                return Err(wrong(place));
            }
            let transitions = all_orders(task, &crystal, returns).map_err(|_| wrong(place))?;
            self.transitions.push(transitions);
        }
        self.bound(task, returns).map_err(|error| error.to_string())
    }
}

/// A crystal and its symmetric images, as far as they can be made from its start.
fn images_of(task: &Task, crystal: &Crystal) -> Result<Vec<Crystal>, AgentError> {
    let end = crystal.experience().episode.last_state(task)?.node_types;
    let images = images(task, crystal.start.skeleton.into(), &end);
    let images: BTreeSet<Filling> = images.map(|image| image.collect()).collect();
    let of = |image: &Filling| {
        let process = task.process();
        let actions = process.history(task.board(), &crystal.start, image)?;
        Some(Crystal {
            actions,
            ..crystal.clone()
        })
    };
    // Of many starts, one aim is enough.
    let most = match starts_of(task, crystal).len() {
        1 => MOST_IMAGES,
        _ => 0,
    };
    let mut made: Vec<Crystal> = images.iter().take(most).filter_map(of).collect();
    made.push(crystal.clone());
    Ok(made)
}

/// Transitions to a crystal from every start site, and from some of the crystals that an episode can
/// start with, from which it can be reached as it was.
fn all_orders(
    task: &Task,
    crystal: &Crystal,
    returns: Returns,
) -> Result<Vec<Transition>, AgentError> {
    let mut experience = crystal.experience();
    let end = experience.episode.last_state(task)?;
    let cut = |experience: &Experience| {
        episode_transitions(task, experience, returns.n_step, returns.discount)
    };
    let mut transitions = cut(&experience)?;
    let sites = match task.board().start_site() {
        Some(site) => site as u16..site as u16 + 1,
        None => 0..end.node_types.len() as u16,
    };
    for node_types in starts_of(task, crystal) {
        for start in sites.clone() {
            let start = State {
                start,
                node_types: node_types.clone(),
                ..crystal.start
            };
            let process = task.process();
            if let Some(actions) = process.history(task.board(), &start, &end.node_types)
                && start != crystal.start
                && task.can_hold(&start)
            {
                experience.episode = Episode { start, actions };
                transitions.extend(cut(&experience)?);
            }
        }
    }
    Ok(transitions)
}

/// What the sites hold at the start of the crystal's own episode, and of others where that is drawn;
/// where rewards are differences, of its own alone, since they depend on it.
fn starts_of(task: &Task, crystal: &Crystal) -> Vec<Filling> {
    let mut starts = vec![crystal.start.node_types.clone()];
    if crystal.first_reward.is_none() {
        let skeleton = crystal.start.skeleton.into();
        let mut rng = Pcg64::seed_from_u64(0);
        for _ in 0..DRAWN_STARTS {
            let drawn = (task.process()).initial_sites(task.board(), skeleton, &mut rng);
            if !starts.contains(&drawn) {
                starts.push(drawn);
            }
        }
    }
    starts
}

/// What a calculator said; a prediction is no result.
fn outcome(episode: &FinishedEpisode) -> Option<&Outcome> {
    match &episode.appraisal {
        Appraisal::Computed(evaluation) => Some(&evaluation.outcome),
        Appraisal::Predicted(_) => None,
    }
}
