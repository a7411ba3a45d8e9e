//! Tests of the processes against episodes worked out by hand and what both promise.

use std::collections::HashSet;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::*;
use crate::{Episode, RewardForm, Task, TaskConfig};

fn task(skeleton: &str, process: ProcessName) -> Task {
    Task::new(&TaskConfig {
        skeletons: vec![skeleton.into()],
        process,
        ..TaskConfig::default()
    })
    .unwrap()
}

#[test]
fn a_hand_worked_filling() {
    let config = TaskConfig {
        skeletons: vec!["C7".into()],
        start_site: Some(3),
        ..TaskConfig::default()
    };
    let task = Task::new(&config).unwrap();
    let mut state = task.initial_state(&mut Pcg64::seed_from_u64(0));
    // C7 is a star: from arm 3 to the centre 0, then to the other arms.
    for (step, (focus, action)) in [(3, 7), (0, 0), (1, 17), (2, 4), (4, 9)]
        .into_iter()
        .enumerate()
    {
        let seen = task.observe(&state);
        assert_eq!(
            (seen.focus, seen.step, seen.node_types[focus]),
            (focus, step, 18)
        );
        assert!(!task.is_terminal(&state));
        task.apply(&mut state, action).unwrap();
    }
    assert!(task.is_terminal(&state));
    assert_eq!(*state.node_types, [0, 17, 4, 7, 9]);
    let crystal = task.crystal(0, &state.node_types).unwrap();
    assert_eq!(crystal.formula(), "LiSrBeCBr");
    assert!(matches!(
        task.apply(&mut state, 0),
        Err(EnvironmentError::EpisodeEnded)
    ));
}

/// C7 again, from tin tetraiodide: keeping an element is an action like any other.
#[test]
fn a_hand_worked_substitution() {
    let symbols = |text: &str| text.split(' ').map(|s| s.parse().unwrap()).collect();
    let config = TaskConfig {
        skeletons: vec!["C7".into()],
        elements: symbols("Si Sn Br I"),
        process: ProcessName::Substitution,
        start_crystal: StartCrystal::Named(NamedStart::Material),
        start_site: Some(3),
        ..TaskConfig::default()
    };
    let task = Task::new(&config).unwrap();
    let mut state = task.initial_state(&mut Pcg64::seed_from_u64(0));
    assert_eq!(*state.node_types, [1, 3, 3, 3, 3]);
    for (focus, action) in [(3, 2), (0, 0), (1, 3), (2, 3), (4, 2)] {
        assert_eq!(task.observe(&state).focus, focus);
        assert!(!task.is_terminal(&state));
        task.apply(&mut state, action).unwrap();
    }
    assert!(task.is_terminal(&state));
    let crystal = task.crystal(0, &state.node_types).unwrap();
    assert_eq!(crystal.formula(), "SiI2Br2");
    // The start may be given site by site, and is the same for every episode.
    let given = TaskConfig {
        start_crystal: StartCrystal::Elements(symbols("Sn I I I I")),
        ..config
    };
    let given = Task::new(&given).unwrap();
    for seed in 0..5 {
        let start = given.initial_state(&mut Pcg64::seed_from_u64(seed));
        assert_eq!(*start.node_types, [1, 3, 3, 3, 3]);
    }
}

#[test]
fn an_action_outside_of_the_set_changes_nothing() {
    for process in [ProcessName::Filling, ProcessName::Substitution] {
        let task = task("C2", process);
        let mut state = task.initial_state(&mut Pcg64::seed_from_u64(0));
        let before = state.clone();
        for action in [18, -1, i64::MAX] {
            let error = task.apply(&mut state, action).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("action {action} at step 0: expected 0 to 17")
            );
        }
        assert_eq!(state, before);
    }
}

/// Oracle: the counts of a multinomial; five standard errors. Only allowed elements are drawn.
#[test]
fn random_starts_are_uniform_over_what_is_allowed() {
    let allowed: Vec<Element> = ["F", "Cl"].map(|s| s.parse().unwrap()).to_vec();
    let config = TaskConfig {
        process: ProcessName::Substitution,
        allowed: [("1".to_owned(), allowed)].into(),
        ..TaskConfig::default()
    };
    let task = Task::new(&config).unwrap();
    let mut rng = Pcg64::seed_from_u64(3);
    let mut counts = [[0_u32; 18]; 5];
    for _ in 0..18_000 {
        let start = task.initial_state(&mut rng);
        for (count, &node_type) in counts.iter_mut().zip(&start.node_types) {
            count[usize::from(node_type)] += 1;
        }
    }
    for (site, counts) in counts.iter().enumerate() {
        for (node_type, &count) in counts.iter().enumerate() {
            let expected = match (site, node_type) {
                (1, 15 | 16) => 9000.0,
                (1, _) => 0.0,
                _ => 1000.0,
            };
            let error = f64::from(count) - expected;
            assert!(
                error.abs() <= 5.0 * f64::sqrt(expected),
                "{site} {counts:?}"
            );
        }
    }
}

#[test]
fn impossible_starts_are_named() {
    let symbols = |text: &str| text.split(' ').map(|s| s.parse().unwrap()).collect();
    let error = |config: TaskConfig| Task::new(&config).unwrap_err().to_string();
    let substitution = TaskConfig {
        process: ProcessName::Substitution,
        ..TaskConfig::default()
    };
    let material = StartCrystal::Named(NamedStart::Material);
    let of_filling = TaskConfig {
        start_crystal: material.clone(),
        ..TaskConfig::default()
    };
    assert!(error(of_filling).contains("start_crystal is for process = \"substitution\""));
    let steps = |process, steps| TaskConfig {
        process,
        steps: Some(steps),
        ..TaskConfig::default()
    };
    assert!(error(steps(ProcessName::Filling, 3)).contains("steps is for process = "));
    assert!(error(steps(ProcessName::Improvement, 0)).contains("steps is 0, expected 1 to 10000"));
    let difference = TaskConfig {
        reward_form: RewardForm::Difference,
        ..TaskConfig::default()
    };
    assert!(error(difference).contains("reward_form = \"difference\" is for process = "));
    let lists = TaskConfig {
        start_crystal: StartCrystal::EachSkeleton(vec![symbols("Na Cl"); 2]),
        ..substitution.clone()
    };
    assert!(error(lists).contains("has 2 lists, expected 1, one for each skeleton"));
    let stored = TaskConfig {
        start_crystal: StartCrystal::Named(NamedStart::Stored),
        ..substitution.clone()
    };
    assert!(error(stored).contains("is \"stored\", which nobody has looked up"));
    let vanadium = TaskConfig {
        skeletons: vec!["C1".into()],
        start_crystal: material,
        ..substitution.clone()
    };
    assert!(
        error(vanadium).contains("puts V on site 1 of C1, which is not in the action set small")
    );
    let short = TaskConfig {
        start_crystal: StartCrystal::Elements(symbols("Na Cl")),
        ..substitution.clone()
    };
    assert!(error(short).contains("has 2 elements, expected 5, the sites of C2"));
    let forbidden = TaskConfig {
        start_crystal: StartCrystal::Elements(symbols("Na Na F F F")),
        allowed: [("0".to_owned(), symbols("K Rb"))].into(),
        ..substitution
    };
    assert!(error(forbidden).contains("puts Na on site 0 of C2, where the task does not allow it"));
}

proptest! {
    /// Substitution in a part of a pass, or in more than one: sites have their turns in the order of
    /// the traversal again and again, and a history is there exactly if what it does not reach stays.
    #[test]
    fn passes_are_cut_and_repeated(
        steps in 1..20usize,
        seed in any::<u64>(),
        wanted in prop::collection::vec(0u8..18, 5),
        same in any::<bool>(),
    ) {
        let task = Task::new(&TaskConfig {
            process: ProcessName::Substitution,
            steps: Some(steps),
            ..TaskConfig::default()
        });
        let task = task.unwrap();
        let start = task.initial_state(&mut Pcg64::seed_from_u64(seed));
        let order = task.board().traversal(0, start.start.into());
        let mut filling = wanted;
        if same {
            for &site in order.iter().skip(steps) {
                filling[usize::from(site)] = start.node_types[usize::from(site)];
            }
        }
        let mut unreached = order.iter().skip(steps).map(|&site| usize::from(site));
        let reachable = unreached.all(|site| filling[site] == start.node_types[site]);
        let history = task.process().history(task.board(), &start, &filling);
        prop_assert_eq!(history.is_some(), reachable);
        prop_assert!(reachable || !same);
        let mut state = start.clone();
        for step in 0..steps {
            prop_assert!(!task.is_terminal(&state) && task.can_hold(&state));
            prop_assert_eq!(task.observe(&state).focus, usize::from(order[step % 5]));
            task.apply(&mut state, (step % 18) as i64).unwrap();
        }
        prop_assert!(task.is_terminal(&state) && task.can_hold(&state));
        if let Some(actions) = history {
            let episode = Episode { start, actions };
            prop_assert!(episode.belongs_to(&task));
            prop_assert_eq!(&*episode.last_state(&task).unwrap().node_types, &*filling);
        }
    }

    /// What is seen of a state is of that state alone; and without its traversal, all starts from which
    /// an episode can come to look so are found, and one is named only where the others would go on
    /// in the same order. Oracle: all episodes with the same actions from other start sites.
    #[test]
    fn an_observation_says_what_is_to_come(
        label in 1..=7usize,
        process in 0..3usize,
        steps in 1..12usize,
        fixed in any::<bool>(),
        seed in any::<u64>(),
        actions in prop::collection::vec(0u8..18, 12),
    ) {
        let process = [ProcessName::Filling, ProcessName::Substitution, ProcessName::Improvement][process];
        let task = Task::new(&TaskConfig {
            skeletons: vec![format!("C{label}")],
            process,
            steps: (process != ProcessName::Filling).then_some(steps),
            start_site: fixed.then_some(1),
            ..TaskConfig::default()
        });
        let task = task.unwrap();
        let mut state = task.initial_state(&mut Pcg64::seed_from_u64(seed));
        for (step, action) in actions.into_iter().enumerate() {
            let seen = task.observe(&state);
            prop_assert_eq!(seen.state(), Some(state.clone()));
            prop_assert!(task.can_have_started(&seen, state.start.into()));
            let order = |start: usize| task.board().traversal(0, start);
            let true_order = order(state.start.into());
            let untold = Observation { traversal: None, ..seen };
            prop_assert!(untold.state().is_none());
            let is_filled = |site: &u16| {
                usize::from(seen.node_types[usize::from(*site)]) < seen.elements.len()
            };
            for start in 0..seen.node_types.len() {
                let order = order(start);
                let expected = match process {
                    ProcessName::Filling => {
                        usize::from(order[step]) == seen.focus && order[..step].iter().all(is_filled)
                    }
                    ProcessName::Substitution => usize::from(order[step % order.len()]) == seen.focus,
                    ProcessName::Improvement => true,
                };
                prop_assert_eq!(task.can_have_started(&untold, start), expected);
            }
            match task.only_start(&untold) {
                Some(start) if process != ProcessName::Improvement => {
                    prop_assert_eq!(order(start), true_order);
                }
                Some(_) => {}
                None => prop_assert!(step > 0 && !fixed && process != ProcessName::Improvement),
            }
            task.apply(&mut state, action.into()).unwrap();
            if task.is_terminal(&state) {
                prop_assert!(!task.can_have_started(&task.observe(&state), state.start.into()));
                break;
            }
        }
    }

    /// Every site has its turn exactly once, the record gives every state back, and its end can be
    /// reached from any other start site with the same result.
    #[test]
    fn episodes_visit_every_site_once(
        label in 1..=7usize,
        substitution in any::<bool>(),
        seed in any::<u64>(),
        actions in prop::collection::vec(0u8..18, 8),
    ) {
        let process = match substitution {
            true => ProcessName::Substitution,
            false => ProcessName::Filling,
        };
        let task = task(&format!("C{label}"), process);
        let mut state = task.initial_state(&mut Pcg64::seed_from_u64(seed));
        let mut episode = Episode::starting_from(state.clone(), task.length(&state));
        let mut seen = vec![state.clone()];
        let mut visited = HashSet::new();
        for &action in &actions[..state.node_types.len()] {
            let focus = task.observe(&state).focus;
            prop_assert!(visited.insert(focus));
            prop_assert!(task.can_hold(&state));
            task.apply(&mut state, action.into()).unwrap();
            prop_assert_eq!(state.node_types[focus], action);
            episode.actions.push(action.into());
            seen.push(state.clone());
        }
        prop_assert!(task.is_terminal(&state) && task.can_hold(&state));
        prop_assert_eq!(episode.states(&task).unwrap(), seen);
        prop_assert!(episode.belongs_to(&task));
        for start in 0..state.node_types.len() as u16 {
            let start = State { start, ..episode.start.clone() };
            let history = task.process().history(task.board(), &start, &state.node_types);
            let other = Episode { start, actions: history.unwrap() };
            prop_assert_eq!(&other.last_state(&task).unwrap().node_types, &state.node_types);
        }
    }
}
