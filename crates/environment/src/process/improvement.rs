//! Improvement: the free form of substitution, in which each action also says on which site it acts.

use rand_pcg::Pcg64;

use super::{
    Process,
    substitution::{complete_start, shows_complete},
};
use crate::{Action, Actions, Board, NodeTypes, Observation, State};

/// Every episode starts from a complete crystal; action `site × elements + element` puts an element,
/// the same one or another, on a site. An episode has so many steps; a site may have its turn more
/// than once, or never.
///
/// A traversal is the order in which [`Process::history`] makes the changes of an episode, nothing
/// else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Improvement {
    /// By skeleton, what every site holds at the start; `None` draws among the allowed elements.
    starts: Vec<Option<Box<[u8]>>>,
    steps: Option<usize>,
    elements: usize,
    /// By skeleton, which actions are allowed, whatever the state; as many for each skeleton.
    allowed: Vec<Vec<bool>>,
}

impl Improvement {
    /// Improvement that starts from these node types on each skeleton of the board, `None` for random
    /// ones, and takes so many steps (at least one), `None` for as many as there are sites.
    pub fn new(starts: Vec<Option<Box<[u8]>>>, steps: Option<usize>, board: &Board) -> Self {
        let elements = board.elements().len();
        let skeletons = 0..board.skeletons().len();
        let sites = skeletons.clone().map(|skeleton| board.sites(skeleton));
        let most_sites = sites.max().unwrap_or(0);
        let mask = |skeleton: usize| {
            let sites = 0..board.sites(skeleton);
            let on_sites = sites.flat_map(|site| board.allowed_at(skeleton, site));
            let mut mask: Vec<bool> = on_sites.copied().collect();
            mask.resize(most_sites * elements, false);
            mask
        };
        Self {
            starts,
            steps,
            elements,
            allowed: skeletons.map(mask).collect(),
        }
    }

    fn action(&self, site: usize, node_type: u8) -> Action {
        (site * self.elements + usize::from(node_type)) as Action
    }
}

impl Process for Improvement {
    fn initial_sites(&self, board: &Board, skeleton: usize, rng: &mut Pcg64) -> NodeTypes {
        complete_start(self.starts.get(skeleton), board, skeleton, rng)
    }

    /// Every site holds an allowed element, and no more than were acted on another one than at the
    /// start.
    fn can_hold(&self, board: &Board, state: &State) -> bool {
        let start = self.starts.get(usize::from(state.skeleton));
        let reached = start.and_then(Option::as_deref).is_none_or(|start| {
            let sites = start.iter().zip(&state.node_types);
            sites.filter(|(was, is)| was != is).count() <= usize::from(state.step)
        });
        reached && board.obeys(state.skeleton.into(), &state.node_types)
    }

    fn shows(&self, seen: &Observation<'_>) -> bool {
        shows_complete(seen)
    }

    fn n_actions(&self, _board: &Board) -> usize {
        self.allowed.first().map_or(0, Vec::len)
    }

    fn chooses_site(&self) -> bool {
        true
    }

    fn length(&self, sites: usize) -> usize {
        self.steps.unwrap_or(sites)
    }

    fn focus(&self, _board: &Board, _state: &State) -> usize {
        0
    }

    fn allowed<'a>(&'a self, _board: &'a Board, skeleton: usize, _focus: usize) -> &'a [bool] {
        &self.allowed[skeleton]
    }

    fn placement(&self, _focus: usize, action: Action) -> (usize, u8) {
        let action = usize::from(action);
        (action / self.elements, (action % self.elements) as u8)
    }

    /// What is wanted on the first site that holds something else; where none does, what is on the
    /// first site stays.
    fn action_towards(&self, seen: &Observation<'_>, filling: &[u8]) -> Option<Action> {
        let mut sites = seen.node_types.iter().zip(filling);
        let site = sites.position(|(is, wanted)| is != wanted).unwrap_or(0);
        Some(self.action(site, *filling.get(site)?))
    }

    /// One action for each site that differs, in the order of the traversal, then the element that
    /// is on its first site for as long as the episode lasts.
    fn history(&self, board: &Board, start: &State, filling: &[u8]) -> Option<Actions> {
        let order = board.traversal(start.skeleton.into(), start.start.into());
        let put = |&site: &u16| self.action(site.into(), filling[usize::from(site)]);
        let differs = |site: &&u16| {
            let site = usize::from(**site);
            start.node_types[site] != filling[site]
        };
        let mut actions: Actions = order.iter().filter(differs).map(put).collect();
        let length = self.length(order.len());
        if !board.obeys(start.skeleton.into(), filling) || actions.len() > length {
            return None;
        }
        actions.resize(length, put(order.first()?));
        Some(actions)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;
    use crate::{Episode, ProcessName, StartCrystal, Task, TaskConfig};

    fn config(skeletons: &[&str], steps: Option<usize>) -> TaskConfig {
        TaskConfig {
            skeletons: skeletons.iter().map(|name| (*name).to_owned()).collect(),
            process: ProcessName::Improvement,
            steps,
            ..TaskConfig::default()
        }
    }

    /// Tin tetraiodide again, on sites in any order: one of them twice, others never.
    #[test]
    fn a_hand_worked_improvement() {
        let symbols = |text: &str| text.split(' ').map(|s| s.parse().unwrap()).collect();
        let task = Task::new(&TaskConfig {
            elements: symbols("Si Sn Br I"),
            start_crystal: StartCrystal::Elements(symbols("Sn I I I I")),
            allowed: [("0".to_owned(), symbols("Si Sn"))].into(),
            ..config(&["C7"], Some(4))
        })
        .unwrap();
        assert_eq!(task.n_actions(), 5 * 4);
        let mut state = task.initial_state(&mut Pcg64::seed_from_u64(0));
        let seen = task.observe(&state);
        assert_eq!((seen.step, seen.steps, seen.focus), (0, 4, 0));
        let forbidden: Vec<usize> = (0..20).filter(|&action| !seen.allowed[action]).collect();
        assert_eq!(forbidden, [2, 3]);
        let error = task.apply(&mut state, 3).unwrap_err().to_string();
        assert_eq!(error, "I is not allowed on site 0 by this task");
        // Br on site 3, Si on site 0, I on site 3 again, what is there on site 4.
        for (action, after) in [
            (3 * 4 + 2, [1, 3, 3, 2, 3]),
            (0, [0, 3, 3, 2, 3]),
            (3 * 4 + 3, [0, 3, 3, 3, 3]),
            (4 * 4 + 3, [0, 3, 3, 3, 3]),
        ] {
            assert!(!task.is_terminal(&state));
            task.apply(&mut state, action).unwrap();
            assert_eq!(*state.node_types, after);
        }
        assert!(task.is_terminal(&state) && task.can_hold(&state));
        // Two sites cannot differ from the start after one step.
        state.node_types[2] = 2;
        state.step = 1;
        assert!(!task.can_hold(&state));
    }

    /// Smaller skeletons lack the actions of sites that they do not have.
    #[test]
    fn actions_are_those_of_the_largest_skeleton() {
        let task = Task::new(&config(&["C2", "C6"], None)).unwrap();
        assert_eq!(task.n_actions(), 5 * 18);
        let mut rng = Pcg64::seed_from_u64(1);
        let mut seen = [false; 2];
        for _ in 0..20 {
            let state = task.initial_state(&mut rng);
            let sites = state.node_types.len();
            let allowed = task.allowed(&state).iter().filter(|allowed| **allowed);
            assert_eq!(allowed.count(), sites * 18);
            assert_eq!(task.length(&state), sites);
            let check = |action: usize| task.check(&state, action as i64);
            assert!(check(sites * 18 - 1).is_ok() && check(sites * 18).is_err());
            seen[usize::from(state.skeleton)] = true;
        }
        assert_eq!(seen, [true; 2]);
    }

    proptest! {
        /// A history leads from its start to its filling in the episode's length; there is none
        /// exactly if more sites differ than there are steps. What leads towards a filling does so
        /// as fast.
        #[test]
        fn histories_lead_where_they_should(
            label in 1..=7usize,
            steps in 1..10usize,
            seed in any::<u64>(),
            wanted in prop::collection::vec(0u8..18, 8),
        ) {
            let task = Task::new(&config(&[&format!("C{label}")], Some(steps))).unwrap();
            let start = task.initial_state(&mut Pcg64::seed_from_u64(seed));
            let filling = &wanted[..start.node_types.len()];
            let sites = start.node_types.iter().zip(filling);
            let differing = sites.filter(|(is, wanted)| is != wanted).count();
            let history = task.process().history(task.board(), &start, filling);
            prop_assert_eq!(history.is_some(), differing <= steps);
            let mut state = start.clone();
            while !task.is_terminal(&state) {
                let seen = task.observe(&state);
                let action = task.process().action_towards(&seen, filling).unwrap();
                task.apply(&mut state, action.into()).unwrap();
                prop_assert!(task.can_hold(&state));
            }
            prop_assert_eq!(&*state.node_types == filling, differing <= steps);
            if let Some(actions) = history {
                prop_assert_eq!(actions.len(), steps);
                let episode = Episode { start, actions };
                prop_assert!(episode.belongs_to(&task));
                prop_assert_eq!(&*episode.last_state(&task).unwrap().node_types, filling);
            }
        }
    }
}
