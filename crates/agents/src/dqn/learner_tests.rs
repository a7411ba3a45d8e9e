//! Tests of the gradient steps against values worked out by hand.

use crystalgym_crystal::Element;
use crystalgym_environment::{State, TaskConfig};
use crystalgym_networks::{MegnetShape, Network, NetworkConfig};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::*;

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

fn learner(task: &Task, config: &DqnConfig, seed: u64) -> ValueNetworks<Network> {
    let outputs = Head::new(config, task).outputs();
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut network = || config.network.build(task, outputs, &mut rng).unwrap();
    let head = Head::new(config, task);
    let mut learner = ValueNetworks::new(Noisy::silent(network()), head, config).unwrap();
    // Online and target networks that differ.
    learner.online = Noisy::silent(network());
    learner
}

fn config() -> DqnConfig {
    DqnConfig {
        network: NetworkConfig::Megnet(MegnetShape {
            hidden: 8,
            blocks: 1,
            ..MegnetShape::default()
        }),
        max_gradient_norm: None,
        ..DqnConfig::standard()
    }
}

/// A transition in the middle of an episode and one at its end.
fn batch(task: &Task) -> Vec<Transition> {
    let mut state = task.initial_state(&mut Pcg64::seed_from_u64(1));
    let mut states: Vec<State> = vec![state.clone()];
    for action in [1_i64, 0, 2, 0] {
        task.apply(&mut state, action).unwrap();
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

fn q(network: &Noisy<Network>, task: &Task, state: &State) -> Vec<f32> {
    let mut workspace = network.workspace(1).unwrap();
    StateBatch::new(task, [(state, 3.0)])
        .forward(network, &mut workspace)
        .unwrap()
}

fn values(td_targets: Vec<TdTarget>) -> Vec<f64> {
    let value = |td_target| match td_target {
        TdTarget::Value(value) => value,
        TdTarget::Distribution(_) => f64::NAN,
    };
    td_targets.into_iter().map(value).collect()
}

fn plain_batch(transitions: &[Transition]) -> Batch<'_> {
    Batch {
        places: (0..transitions.len()).collect(),
        transitions: transitions.iter().collect(),
        weights: vec![1.0; transitions.len()],
    }
}

/// Oracle: the definition of the target, written out for one row, with the networks asked one
/// state at a time.
#[test]
fn targets_bootstrap_from_the_best_allowed_action() {
    let task = masked_task();
    let batch = batch(&task);
    let batch: Vec<&Transition> = batch.iter().collect();
    let next = batch[0].next.as_ref().unwrap();
    assert_eq!(task.allowed(next), [true, false, true]);
    let mut forbidden_was_best = false;
    let mut choices_differed = false;
    for seed in 0..20 {
        let mut learner = learner(&task, &config(), seed);
        let target = q(&learner.target, &task, next);
        let online = q(&learner.online, &task, next);
        forbidden_was_best |= target[1] > target[0].max(target[2]);

        let plain = values(
            learner
                .td_targets(&task, &batch, &Finds::default(), false)
                .unwrap(),
        );
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
        let double = values(
            learner
                .td_targets(&task, &batch, &Finds::default(), true)
                .unwrap(),
        );
        assert_eq!(double, [0.25 + 0.5 * f64::from(chosen), 0.75]);
    }
    // Otherwise the test would not see the mask, or not tell double from plain.
    assert!(forbidden_was_best && choices_differed);
}

/// The loss of transitions as defined, from single forward passes: the weighted mean of the squared
/// error, or of the cross-entropy.
fn loss(
    learner: &ValueNetworks<Network>,
    online: &Noisy<Network>,
    task: &Task,
    batch: &Batch<'_>,
    td_targets: &[TdTarget],
) -> f64 {
    let head = &learner.head;
    let terms = batch.transitions.iter().zip(td_targets).zip(&batch.weights);
    let sum: f64 = terms
        .map(|((t, td_target), weight)| {
            let outputs = head.combine(&q(online, task, &t.state));
            let action = usize::from(t.action) * head.width();
            let said = &outputs[action..action + head.width()];
            weight
                * match td_target {
                    TdTarget::Value(y) => (f64::from(said[0]) - y).powi(2),
                    TdTarget::Distribution(y) => {
                        let p = softmax(said);
                        -p.iter().zip(y).map(|(p, y)| y * p.ln()).sum::<f64>()
                    }
                }
        })
        .sum();
    sum / batch.transitions.len() as f64
}

/// Oracle: the loss as defined, and its finite difference along the gradient: a small step of plain
/// length moves the loss by −‖g‖ times the length. For values and distributions, with and without
/// a dueling head, with weights that differ.
#[test]
fn updates_descend_the_loss() {
    let task = masked_task();
    let transitions = batch(&task);
    let mut batch = plain_batch(&transitions);
    batch.weights = vec![1.0, 0.3];
    let options = [(1, false), (1, true), (11, false), (11, true)];
    for (atoms, dueling) in options {
        let config = DqnConfig {
            atoms,
            dueling,
            ..config()
        };
        let mut learner = learner(&task, &config, 3);
        let td_targets = learner
            .td_targets(&task, &batch.transitions, &Finds::default(), config.double)
            .unwrap();
        let before = learner.online.clone();
        let mut rng = Pcg64::seed_from_u64(1);
        let losses = learner
            .update(&task, &batch, &Finds::default(), &config, 1e-6, &mut rng)
            .unwrap();
        let expected = loss(&learner, &before, &task, &batch, &td_targets);
        assert!((losses.td_loss - expected).abs() < 1e-6 * expected.max(1.0));
        assert_eq!(losses.errors.len(), 2);

        // Adam's first step moves every parameter that has a gradient by the learning rate.
        let moved = learner.online.parameters().values().iter();
        let furthest = moved
            .zip(before.parameters().values())
            .map(|(new, old)| (new - old).abs())
            .fold(0.0, f32::max);
        assert!((furthest - 1e-6).abs() < 1e-7, "{furthest}");

        let norm = learner.gradients.norm();
        assert!((losses.gradient_norm - norm).abs() < 1e-12 * norm);
        let length = 1e-3;
        let moved = [1.0, -1.0].map(|sign| {
            let mut network = before.clone();
            let values = network.parameters_mut().values_mut();
            for (value, gradient) in values.iter_mut().zip(learner.gradients.values()) {
                *value += (sign * length * f64::from(*gradient) / norm) as f32;
            }
            network.remove_noise();
            loss(&learner, &network, &task, &batch, &td_targets)
        });
        let slope = (moved[0] - moved[1]) / (2.0 * length);
        assert!(
            (slope - norm).abs() < 1e-2 * norm,
            "{atoms} atoms, dueling {dueling}: slope {slope}, gradient {norm}"
        );
    }
}

/// Oracle: the distribution of the best allowed next action, projected as `Support` does, and the
/// certain return of the last transition.
#[test]
fn distributions_bootstrap_from_the_best_allowed_action() {
    let task = masked_task();
    let transitions = batch(&task);
    let config = DqnConfig {
        atoms: 21,
        ..config()
    };
    let mut learner = learner(&task, &config, 11);
    let batch = plain_batch(&transitions);
    let td_targets = learner
        .td_targets(&task, &batch.transitions, &Finds::default(), false)
        .unwrap();
    let support = learner.head.support().unwrap();
    let next = transitions[0].next.as_ref().unwrap();
    let outputs = q(&learner.target, &task, next);
    let distribution = |action: usize| softmax(&outputs[21 * action..21 * (action + 1)]);
    let best = [0, 2]
        .into_iter()
        .max_by(|a, b| {
            support
                .mean(&distribution(*a))
                .total_cmp(&support.mean(&distribution(*b)))
        })
        .unwrap();
    let expected = [
        support.project(&distribution(best), 0.25, 0.5),
        support.certain(0.75),
    ];
    for (td_target, expected) in td_targets.iter().zip(expected) {
        let TdTarget::Distribution(found) = td_target else {
            panic!("a number instead of a distribution");
        };
        let close = found
            .iter()
            .zip(&expected)
            .all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close, "{found:?} {expected:?}");
    }
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
    let ValueNetworks {
        mut online,
        mut workspace,
        head,
        ..
    } = learner(&task, &config(), 7);
    let state = task.initial_state(&mut Pcg64::seed_from_u64(1));
    online.parameters_mut().values_mut().fill(f32::NAN);
    online.remove_noise();
    let actions = greedy_actions(
        &online,
        &head,
        &mut workspace,
        &[task.observe_for(&state, 3.0)],
    )
    .unwrap();
    assert_eq!(actions, [None]);
}
