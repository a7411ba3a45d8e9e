use std::sync::Arc;

use crystalgym_crystal::Element;
use crystalgym_environment::{State, TaskConfig, initial_state, transition};
use crystalgym_networks::Megnet;
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::*;
use crate::{NetworkConfig, templates};

fn elements(symbols: &[&str]) -> Vec<Element> {
    symbols
        .iter()
        .map(|symbol| symbol.parse().unwrap())
        .collect()
}

/// C6 has four sites; site 1 allows two of the three elements only.
fn masked_task() -> Task {
    Task::new(&TaskConfig {
        skeletons: vec!["C6".into()],
        elements: elements(&["Li", "Na", "K"]),
        start_site: Some(0),
        allowed: (1..4)
            .map(|site| (site.to_string(), elements(&["Li", "K"])))
            .collect(),
        ..TaskConfig::default()
    })
    .unwrap()
}

fn learner(task: &Task, config: &DqnConfig, seed: u64) -> Learner<Megnet> {
    let shape = config.network.megnet(task, task.actions().len());
    let mut rng = Pcg64::seed_from_u64(seed);
    let network = Megnet::new(shape.clone(), templates(task, &shape), &mut rng).unwrap();
    let mut learner = Learner::new(network, config).unwrap();
    // Online and target networks that differ.
    learner.online = Megnet::new(shape.clone(), templates(task, &shape), &mut rng).unwrap();
    learner
}

fn config() -> DqnConfig {
    DqnConfig {
        network: NetworkConfig {
            hidden: 8,
            blocks: 1,
            ..NetworkConfig::default()
        },
        max_gradient_norm: None,
        ..DqnConfig::standard()
    }
}

/// A transition in the middle of an episode and one at its end.
fn batch(task: &Task) -> Vec<Transition> {
    let mut state = initial_state(task, &mut Pcg64::seed_from_u64(1));
    let mut states: Vec<State> = vec![state.clone()];
    for action in [1, 0, 2, 0] {
        transition(task, &mut state, action).unwrap();
        states.push(state.clone());
    }
    let between = Transition {
        state: states[0].clone(),
        action: 1,
        reward: 0.25,
        next: Some(states[1].clone()),
        discount: 0.5,
        target: 3.0,
    };
    let last = Transition {
        state: states[3].clone(),
        action: 0,
        reward: 0.75,
        next: None,
        ..between.clone()
    };
    vec![between, last]
}

fn q(network: &Megnet, task: &Task, state: &State) -> Vec<f32> {
    let mut workspace = network.workspace(1).unwrap();
    network
        .forward(&[graph_state(task, state, 3.0)], &mut workspace)
        .unwrap()
        .to_vec()
}

/// Oracle: the definition of the target, written out for one row, with the networks asked one
/// state at a time.
#[test]
fn targets_bootstrap_from_the_best_allowed_action() {
    let task = masked_task();
    let batch = batch(&task);
    let batch: Vec<&Transition> = batch.iter().collect();
    let next = batch[0].next.as_ref().unwrap();
    assert_eq!(next.action_mask(&task), [true, false, true]);
    let mut forbidden_was_best = false;
    let mut choices_differed = false;
    for seed in 0..20 {
        let mut learner = learner(&task, &config(), seed);
        let target = q(&learner.target, &task, next);
        let online = q(&learner.online, &task, next);
        forbidden_was_best |= target[1] > target[0].max(target[2]);

        let plain = learner.td_targets(&task, &batch, false).unwrap();
        assert_eq!(
            plain,
            [0.25 + 0.5 * f64::from(target[0].max(target[2])), 0.75]
        );

        let chosen = if online[0] >= online[2] {
            target[0]
        } else {
            target[2]
        };
        choices_differed |= chosen < target[0].max(target[2]);
        let double = learner.td_targets(&task, &batch, true).unwrap();
        assert_eq!(double, [0.25 + 0.5 * f64::from(chosen), 0.75]);
    }
    // Otherwise the test would not see the mask, or not tell double from plain.
    assert!(forbidden_was_best && choices_differed);
}

/// Oracle: the loss as defined, from single forward passes, and its finite difference along the
/// gradient: a small step of plain length moves the loss by −‖g‖ times the length.
#[test]
fn updates_descend_the_mean_squared_error() {
    let task = masked_task();
    let batch = batch(&task);
    let batch: Vec<&Transition> = batch.iter().collect();
    let config = DqnConfig {
        learning_rate: 1e-6,
        ..config()
    };
    let mut learner = learner(&task, &config, 3);
    let y = learner.td_targets(&task, &batch, config.double).unwrap();
    let loss = |network: &Megnet| {
        let errors = batch.iter().zip(&y).map(|(t, y)| {
            (f64::from(q(network, &task, &t.state)[usize::from(t.action)]) - y).powi(2)
        });
        errors.sum::<f64>() / 2.0
    };
    let before = learner.online.clone();
    let losses = learner.update(&task, &batch, &config, 1e-6).unwrap();
    assert!((losses.td_loss - loss(&before)).abs() < 1e-6 * loss(&before).max(1.0));

    // Adam's first step moves every parameter that has a gradient by the learning rate.
    let moved = learner
        .online
        .parameters()
        .values()
        .iter()
        .zip(before.parameters().values());
    let furthest = moved
        .map(|(new, old)| (new - old).abs())
        .fold(0.0, f32::max);
    assert!((furthest - 1e-6).abs() < 1e-7, "{furthest}");

    let norm = learner.gradients.norm();
    assert!((losses.gradient_norm - norm).abs() < 1e-12 * norm);
    let length = 1e-3;
    let mut moved = [before.clone(), before];
    for (network, sign) in moved.iter_mut().zip([1.0, -1.0]) {
        let values = network.parameters_mut().values_mut();
        for (value, gradient) in values.iter_mut().zip(learner.gradients.values()) {
            *value += (sign * length * f64::from(*gradient) / norm) as f32;
        }
    }
    let slope = (loss(&moved[0]) - loss(&moved[1])) / (2.0 * length);
    assert!(
        (slope - norm).abs() < 5e-3 * norm,
        "slope {slope}, gradient {norm}"
    );
}

#[test]
fn target_updates_copy_or_blend() {
    let task = masked_task();
    let mut learner = learner(&task, &config(), 5);
    let (old, online) = (
        learner.target.parameters().values().to_vec(),
        learner.online.parameters().values().to_vec(),
    );
    assert_ne!(old, online);
    learner.update_target(0.25).unwrap();
    for ((new, old), online) in learner
        .target
        .parameters()
        .values()
        .iter()
        .zip(&old)
        .zip(&online)
    {
        assert!((new - (0.75 * old + 0.25 * online)).abs() < 1e-6);
    }
    learner.update_target(1.0).unwrap();
    assert_eq!(learner.target.parameters().values(), online);
}

#[test]
fn a_network_whose_values_are_no_numbers_chooses_nothing() {
    let task = masked_task();
    let Learner {
        mut online,
        mut workspace,
        ..
    } = learner(&task, &config(), 7);
    let state = initial_state(&task, &mut Pcg64::seed_from_u64(1));
    online.parameters_mut().values_mut().fill(f32::NAN);
    let actions = greedy_actions(&task, &online, &mut workspace, &[&state], 3.0).unwrap();
    assert_eq!(actions, [None]);
    let mut policy = crate::GreedyPolicy::new(Arc::new(task), online, 1).unwrap();
    assert!(crate::Policy::act(&mut policy, &[&state], 3.0).is_err());
}
