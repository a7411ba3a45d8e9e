//! Tests of the replay against transitions written out by hand.

use std::sync::Arc;

use crystalgym_environment::{Appraisal, Episode, TaskConfig};
use crystalgym_evaluation::{Evaluation, Outcome, Source, Values};
use rand::SeedableRng;

use super::*;

/// An episode on C6 (four sites) with actions 3, 1, 4, 1 and reward 0.8.
fn episode() -> (Task, FinishedEpisode, Vec<State>) {
    let task = Task::new(&TaskConfig {
        skeletons: vec!["C6".into()],
        ..TaskConfig::default()
    })
    .unwrap();
    let mut states = vec![task.initial_state(&mut Pcg64::seed_from_u64(4))];
    for action in [3, 1, 4, 1] {
        let mut state = states.last().unwrap().clone();
        task.apply(&mut state, action).unwrap();
        states.push(state);
    }
    let state = states.last().unwrap().clone();
    assert!(task.is_terminal(&state));
    let crystal = task.crystal(0, &state.node_types).unwrap();
    let outcome = Outcome::Success(Values {
        value: 3.0,
        ..Values::default()
    });
    assert_eq!(task.objective().reward().of_outcome(3.0, &outcome), 1.0);
    let episode = FinishedEpisode {
        number: 1,
        environment: 0,
        task: Arc::new(task.clone()),
        episode: Episode {
            start: states[0].clone(),
            actions: vec![3, 1, 4, 1].into(),
        },
        state,
        crystal,
        target: 3.0,
        reward: 0.8,
        crystal_reward: 0.8,
        start_appraisal: None,
        appraisal: Appraisal::Computed(Box::new(Evaluation {
            outcome,
            source: Source::Computed,
            store_error: None,
        })),
    };
    (task, episode, states)
}

/// Oracle: the transitions of the episode, written out by hand, γ = ½.
#[test]
fn n_step_transitions_carry_the_discounted_return() {
    let (task, episode, states) = episode();
    let expected = |n_step: usize| -> Vec<(f64, Option<usize>, f64)> {
        match n_step {
            1 => vec![
                (0.0, Some(1), 0.5),
                (0.0, Some(2), 0.5),
                (0.0, Some(3), 0.5),
                (0.8, None, 0.5),
            ],
            2 => vec![
                (0.0, Some(2), 0.25),
                (0.0, Some(3), 0.25),
                (0.4, None, 0.25),
                (0.8, None, 0.5),
            ],
            _ => vec![
                (0.1, None, 0.0625),
                (0.2, None, 0.125),
                (0.4, None, 0.25),
                (0.8, None, 0.5),
            ],
        }
    };
    for n_step in [1, 2, 4, 9] {
        let transitions = episode_transitions(&task, &(&episode).into(), n_step, 0.5).unwrap();
        let found: Vec<_> = transitions
            .iter()
            .map(|t| {
                let next = t.next.as_ref();
                (
                    t.reward,
                    next.map(|next| states.iter().position(|s| s == next).unwrap()),
                    t.discount,
                )
            })
            .collect();
        assert_eq!(found, expected(n_step), "n = {n_step}");
        let actions: Vec<Action> = transitions.iter().map(|t| t.action).collect();
        assert_eq!(actions, [3, 1, 4, 1]);
        assert!(
            transitions
                .iter()
                .zip(&states)
                .all(|(t, state)| t.state == *state)
        );
    }
}

/// Oracle: by hand, γ = ½. What the start earns is taken off with the first step and no other.
#[test]
fn a_difference_begins_with_the_first_step() {
    let (task, episode, _) = episode();
    let experience = Experience {
        first_reward: Some(-0.3),
        ..Experience::from(&episode)
    };
    for (n_step, expected) in [
        (1, [-0.3, 0.0, 0.0, 0.8]),
        (2, [-0.3, 0.0, 0.4, 0.8]),
        (4, [-0.2, 0.2, 0.4, 0.8]),
    ] {
        let transitions = episode_transitions(&task, &experience, n_step, 0.5).unwrap();
        for (transition, expected) in transitions.iter().zip(expected) {
            let error = (transition.reward - expected).abs();
            assert!(error < 1e-15, "{n_step}: {}", transition.reward);
        }
    }
}

#[test]
fn the_oldest_transition_makes_room() {
    let (task, episode, _) = episode();
    let transition = &episode_transitions(&task, &(&episode).into(), 1, 1.0).unwrap()[0];
    let mut buffer = ReplayBuffer::new(3);
    assert!(
        buffer
            .sample(4, 1.0, &mut Pcg64::seed_from_u64(1))
            .transitions
            .is_empty()
    );
    for reward in 0..5 {
        buffer.push(Transition {
            reward: f64::from(reward),
            ..transition.clone()
        });
    }
    let mut held: Vec<f64> = buffer.transitions().iter().map(|t| t.reward).collect();
    held.sort_by(f64::total_cmp);
    assert_eq!(held, [2.0, 3.0, 4.0]);
    assert_eq!(buffer.check(&task, &ReplayBuffer::new(3)), Ok(()));
}

/// Oracle: counts of a multinomial distribution, within five standard errors; with replacement, a
/// batch larger than the buffer is possible.
#[test]
fn samples_are_uniform_and_with_replacement() {
    let (task, episode, _) = episode();
    let mut buffer = ReplayBuffer::new(4);
    for (index, transition) in episode_transitions(&task, &(&episode).into(), 1, 1.0)
        .unwrap()
        .into_iter()
        .enumerate()
    {
        buffer.push(Transition {
            reward: index as f64,
            ..transition
        });
    }
    let mut counts = [0_u32; 4];
    for transition in buffer
        .sample(40_000, 1.0, &mut Pcg64::seed_from_u64(1))
        .transitions
    {
        counts[transition.reward as usize] += 1;
    }
    let five_errors = 5.0 * (40_000.0_f64 * 0.25 * 0.75).sqrt();
    assert!(
        counts
            .iter()
            .all(|&n| (f64::from(n) - 10_000.0).abs() < five_errors),
        "{counts:?}"
    );
}

#[test]
fn a_buffer_of_another_task_is_noticed() {
    let (task, episode, _) = episode();
    let mut buffer = ReplayBuffer::new(4);
    for transition in episode_transitions(&task, &(&episode).into(), 1, 1.0).unwrap() {
        buffer.push(transition);
    }
    let other = Task::new(&TaskConfig {
        skeletons: vec!["C2".into()],
        ..TaskConfig::default()
    })
    .unwrap();
    let empty = ReplayBuffer::new(4);
    let message = buffer.check(&other, &empty).unwrap_err();
    assert!(message.contains("transition 0"), "{message}");
    let text = serde_json::to_string(&buffer).unwrap();
    assert_eq!(serde_json::from_str::<ReplayBuffer>(&text).unwrap(), buffer);
    let broken: ReplayBuffer =
        serde_json::from_str(&text.replace("\"next\":0", "\"next\":9")).unwrap();
    let message = broken.check(&task, &empty).unwrap_err();
    assert!(message.contains("the next at 9"), "{message}");
}

/// Each number of a saved buffer that decides where something is read or written, changed.
#[test]
fn an_edited_buffer_is_refused_and_takes_no_memory() {
    let (task, episode, _) = episode();
    let mut buffer = ReplayBuffer::prioritized(8, 0.5);
    for transition in episode_transitions(&task, &(&episode).into(), 1, 1.0).unwrap() {
        buffer.push(transition);
    }
    let empty = ReplayBuffer::prioritized(8, 0.5);
    assert_eq!(buffer.check(&task, &empty), Ok(()));
    assert!(
        buffer
            .check(&task, &ReplayBuffer::prioritized(16, 0.5))
            .is_err()
    );
    assert!(
        buffer
            .check(&task, &ReplayBuffer::prioritized(8, 0.6))
            .is_err()
    );
    assert!(buffer.check(&task, &ReplayBuffer::new(8)).is_err());
    let saved = serde_json::to_value(&buffer).unwrap();
    for (pointer, value) in [
        ("/capacity", serde_json::json!(9)),
        ("/next", serde_json::json!(0)),
        ("/priorities", serde_json::json!(null)),
        ("/priorities/exponent", serde_json::json!(1.0)),
        ("/priorities/largest", serde_json::json!(0.0)),
        ("/priorities/tree/width", serde_json::json!(1_u64 << 60)),
        ("/priorities/tree/width", serde_json::json!(16)),
        ("/priorities/tree/width", serde_json::json!(7)),
        ("/priorities/tree/weights", serde_json::json!([1.0])),
        ("/priorities/tree/weights/0", serde_json::json!(-1.0)),
        ("/transitions/0/reward", serde_json::json!(1e300)),
        ("/transitions/0/discount", serde_json::json!(2.0)),
        ("/transitions/0/action", serde_json::json!(99)),
        ("/transitions/0/state/step", serde_json::json!(3)),
    ] {
        let mut edited = saved.clone();
        *edited.pointer_mut(pointer).unwrap() = value;
        let refused = match serde_json::from_value::<ReplayBuffer>(edited) {
            Err(_) => true,
            Ok(edited) => edited.check(&task, &empty).is_err(),
        };
        assert!(refused, "{pointer}");
    }
}
