use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::{EnvironmentError, Task, random::uniform_below};

/// Where an episode stands: which skeleton, which traversal, and what has been put where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// Index into [`Task::skeletons`].
    pub skeleton: u16,
    /// Site at which the traversal started.
    pub start: u16,
    /// Sites filled so far.
    pub step: u16,
    /// Action of each site, [`ActionSet::blank`](crate::ActionSet::blank) where it is empty.
    pub node_types: Box<[u8]>,
}

/// What an agent sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// Index into [`Task::skeletons`].
    pub skeleton: usize,
    /// Action of each site, blank where it is empty.
    pub node_types: &'a [u8],
    /// Site that the next action fills; after the last step, the site filled last.
    pub focus: usize,
    /// Sites filled so far.
    pub step: usize,
    /// Target of the property, in its unit.
    pub target: f64,
}

/// An empty skeleton: which one and where its traversal starts are drawn uniformly, the skeleton
/// first.
pub fn initial_state(task: &Task, rng: &mut Pcg64) -> State {
    let skeleton = match task.skeletons().len() {
        1 => 0,
        count => uniform_below(rng, count),
    };
    let sites = task.skeletons()[skeleton].sites();
    let start = task
        .start_site()
        .unwrap_or_else(|| uniform_below(rng, sites));
    State {
        skeleton: skeleton as u16,
        start: start as u16,
        step: 0,
        node_types: vec![task.actions().blank(); sites].into(),
    }
}

/// Puts the element of `action` on the site in focus.
///
/// # Errors
/// As [`site_for`]; the state is then unchanged.
pub fn transition(task: &Task, state: &mut State, action: u8) -> Result<(), EnvironmentError> {
    let site = site_for(task, state, action)?;
    state.node_types[site] = action;
    state.step += 1;
    Ok(())
}

/// The site in focus, if the element of `action` may be put on it.
///
/// # Errors
/// [`EnvironmentError::EpisodeEnded`], [`EnvironmentError::InvalidAction`] or
/// [`EnvironmentError::ForbiddenAction`].
pub fn site_for(task: &Task, state: &State, action: u8) -> Result<usize, EnvironmentError> {
    if is_terminal(state) {
        return Err(EnvironmentError::EpisodeEnded);
    }
    let focus = focus(task, state);
    match task.allowed_at(focus).get(usize::from(action)) {
        Some(true) => Ok(focus),
        Some(false) => Err(EnvironmentError::ForbiddenAction {
            element: task.actions().elements()[usize::from(action)].to_string(),
            site: focus,
        }),
        None => Err(EnvironmentError::InvalidAction {
            action: action.into(),
            step: state.step.into(),
            last: task.actions().len() - 1,
        }),
    }
}

/// Whether every site is filled.
pub fn is_terminal(state: &State) -> bool {
    usize::from(state.step) >= state.node_types.len()
}

/// What an agent sees of a state.
pub fn observation<'a>(task: &Task, state: &'a State, target: f64) -> Observation<'a> {
    Observation {
        skeleton: state.skeleton.into(),
        node_types: &state.node_types,
        focus: focus(task, state),
        step: state.step.into(),
        target,
    }
}

impl State {
    /// Actions allowed on the site in focus.
    pub fn action_mask<'a>(&self, task: &'a Task) -> &'a [bool] {
        task.allowed_at(focus(task, self))
    }

    /// Whether the state, read from a file, can be one of this task.
    pub fn belongs_to(&self, task: &Task) -> bool {
        let skeleton = task.skeletons().get(usize::from(self.skeleton));
        skeleton.is_some_and(|skeleton| {
            let sites = skeleton.sites();
            let (start, step) = (usize::from(self.start), usize::from(self.step));
            if self.node_types.len() != sites || start >= sites || step > sites {
                return false;
            }
            let order = task.traversal(self.skeleton.into(), start);
            // The first sites of the traversal hold an element, the others none.
            order.iter().enumerate().all(|(place, &site)| {
                let action = self.node_types[usize::from(site)];
                match place < step {
                    true => action < task.actions().blank(),
                    false => action == task.actions().blank(),
                }
            })
        })
    }

    /// The state `steps` actions earlier.
    pub fn rewound(&self, task: &Task, steps: usize) -> Self {
        let mut state = self.clone();
        let order = task.traversal(self.skeleton.into(), self.start.into());
        let step = usize::from(self.step).saturating_sub(steps);
        for &site in &order[step..self.step.into()] {
            state.node_types[usize::from(site)] = task.actions().blank();
        }
        state.step = step as u16;
        state
    }

    /// The action that led here from the state before, `None` at the start.
    pub fn last_action(&self, task: &Task) -> Option<u8> {
        let order = task.traversal(self.skeleton.into(), self.start.into());
        let site = order[usize::from(self.step.checked_sub(1)?)];
        Some(self.node_types[usize::from(site)])
    }
}

fn focus(task: &Task, state: &State) -> usize {
    let order = task.traversal(state.skeleton.into(), state.start.into());
    let next = usize::from(state.step).min(order.len() - 1);
    order[next].into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;
    use crate::TaskConfig;

    fn task(skeleton: &str) -> Task {
        Task::new(&TaskConfig {
            skeletons: vec![skeleton.into()],
            ..TaskConfig::default()
        })
        .unwrap()
    }

    #[test]
    fn a_hand_worked_episode() {
        let config = TaskConfig {
            skeletons: vec!["C7".into()],
            start_site: Some(3),
            ..TaskConfig::default()
        };
        let task = Task::new(&config).unwrap();
        let mut state = initial_state(&task, &mut Pcg64::seed_from_u64(0));
        // C7 is a star: from arm 3 to the centre 0, then to the other arms.
        for (step, (focus, action)) in [(3, 7), (0, 0), (1, 17), (2, 4), (4, 9)]
            .into_iter()
            .enumerate()
        {
            let seen = observation(&task, &state, task.target());
            assert_eq!(
                (seen.focus, seen.step, seen.node_types[focus]),
                (focus, step, 18)
            );
            assert!(!is_terminal(&state));
            transition(&task, &mut state, action).unwrap();
            assert_eq!(state.last_action(&task), Some(action));
        }
        assert!(is_terminal(&state));
        assert_eq!(*state.node_types, [0, 17, 4, 7, 9]);
        let crystal = task.crystal(0, &state.node_types).unwrap();
        assert_eq!(crystal.formula(), "BeBrCLiSr");
        assert!(matches!(
            transition(&task, &mut state, 0),
            Err(EnvironmentError::EpisodeEnded)
        ));
        assert_eq!(*state.rewound(&task, 2).node_types, [0, 17, 18, 7, 18]);
    }

    #[test]
    fn an_action_outside_of_the_set_changes_nothing() {
        let task = task("C2");
        let mut state = initial_state(&task, &mut Pcg64::seed_from_u64(0));
        let before = state.clone();
        let error = transition(&task, &mut state, 18).unwrap_err().to_string();
        assert_eq!(error, "action 18 at step 0: expected 0 to 17");
        assert_eq!(state, before);
    }

    proptest! {
        /// Every site is filled exactly once, the focus is the next empty site of the traversal,
        /// and rewinding undoes what was done.
        #[test]
        fn episodes_fill_every_site_once(
            label in 1..=7usize,
            seed in any::<u64>(),
            actions in prop::collection::vec(0u8..18, 8),
        ) {
            let task = task(&format!("C{label}"));
            let mut state = initial_state(&task, &mut Pcg64::seed_from_u64(seed));
            let mut history = vec![state.clone()];
            let mut visited = std::collections::HashSet::new();
            for &action in &actions[..state.node_types.len()] {
                let focus = observation(&task, &state, 1.0).focus;
                prop_assert!(visited.insert(focus));
                prop_assert_eq!(state.node_types[focus], 18);
                transition(&task, &mut state, action).unwrap();
                prop_assert_eq!(state.node_types[focus], action);
                history.push(state.clone());
            }
            prop_assert!(is_terminal(&state));
            for (steps, earlier) in history.iter().rev().enumerate() {
                prop_assert_eq!(&state.rewound(&task, steps), earlier);
            }
        }
    }
}
