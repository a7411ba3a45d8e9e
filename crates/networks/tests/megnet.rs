//! The network against a second f64 implementation, finite differences of it, and identities.

// Helpers outside of #[test] functions unwrap too.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    OwnedState, TestGraph, body_centred, bonds, graphs, loss_weights, network, perovskite,
    reference, states, views,
};
use crystalgym_networks::{
    Adam, AdamConfig, Gradients, GraphNetwork, InputStyle, Megnet, MegnetConfig, NetworkError,
};

fn configs() -> Vec<MegnetConfig> {
    vec![
        MegnetConfig::published(18, 18),
        MegnetConfig::corrected(18, 18),
        MegnetConfig {
            target_scale: 3.0,
            ..MegnetConfig::corrected(30, 1)
        },
        MegnetConfig {
            hidden: 10,
            blocks: 1,
            set2set_iterations: 3,
            gaussian_centres: 5,
            ..MegnetConfig::corrected(7, 5)
        },
    ]
}

fn forward_once(network: &Megnet, states: &[OwnedState], threads: usize) -> Vec<f32> {
    let mut workspace = network.workspace(threads).unwrap();
    network
        .forward(&views(states), &mut workspace)
        .unwrap()
        .to_vec()
}

fn gradient_once(network: &Megnet, states: &[OwnedState], threads: usize) -> Gradients {
    let mut workspace = network.workspace(threads).unwrap();
    let len = network
        .forward(&views(states), &mut workspace)
        .unwrap()
        .len();
    let mut gradients = network.parameters().zeros_like();
    network
        .backward(&loss_weights(len), &mut workspace, &mut gradients)
        .unwrap();
    gradients
}

/// Oracle: the published numbers of parameters (upstream's networks counted by PyTorch).
#[test]
fn published_shapes_have_the_published_numbers_of_parameters() {
    for (actions, outputs, parameters) in [
        (18, 18, 183_330),
        (18, 1, 183_041),
        (30, 30, 183_822),
        (30, 1, 183_329),
        (50, 50, 184_642),
        (50, 1, 183_809),
    ] {
        let config = MegnetConfig::published(actions, outputs);
        assert_eq!(
            network(&config, &graphs(), 0).parameters().len(),
            parameters
        );
    }
}

/// Oracle: the f64 implementation in `common::reference`.
#[test]
fn outputs_agree_with_the_reference_in_f64() {
    let graphs = graphs();
    for config in configs() {
        let network = network(&config, &graphs, 3);
        let tensors = reference::tensors(network.parameters());
        let states = states(&graphs, config.n_actions, 40);
        let outputs = forward_once(&network, &states, 1);
        let mut largest = 0.0_f64;
        for (state, row) in states.iter().zip(outputs.chunks_exact(config.n_outputs)) {
            let exact = reference::forward(&tensors, &config, &graphs[state.skeleton], state);
            for (&x, exact) in row.iter().zip(exact) {
                largest = largest.max((f64::from(x) - exact).abs() / exact.abs().max(1.0));
            }
        }
        eprintln!("largest error of the outputs: {largest:.1e}");
        assert!(largest < 3e-6, "{config:?}: {largest}");
    }
}

/// Oracle: central differences of the f64 implementation, for entries of every tensor and along
/// one direction through all parameters.
#[test]
fn gradients_agree_with_finite_differences() {
    let graphs = graphs();
    for config in configs() {
        let network = network(&config, &graphs, 5);
        let states = states(&graphs, config.n_actions, 4);
        let weights = loss_weights(states.len() * config.n_outputs);
        let gradients = gradient_once(&network, &states, 1);
        let loss = |tensors: &reference::Tensors| -> f64 {
            states
                .iter()
                .zip(weights.chunks_exact(config.n_outputs))
                .map(|(state, weights)| {
                    let graph = &graphs[state.skeleton];
                    reference::forward(tensors, &config, graph, state)
                        .iter()
                        .zip(weights)
                        .map(|(x, &w)| x * f64::from(w))
                        .sum::<f64>()
                })
                .sum()
        };
        let mut tensors = reference::tensors(network.parameters());
        let step = 1e-5;
        let scale = gradients.norm() / (gradients.values().len() as f64).sqrt();
        for info in network.parameters().layout() {
            let gradient = info.to_torch_order(gradients.values());
            for sample in 0..3 {
                let i = (sample * 7919 + 13) % info.len();
                let mut at = |shift: f64| {
                    let entry = &mut tensors.get_mut(&info.name).unwrap()[i];
                    let before = *entry;
                    *entry += shift;
                    let loss = loss(&tensors);
                    tensors.get_mut(&info.name).unwrap()[i] = before;
                    loss
                };
                let exact = (at(step) - at(-step)) / (2.0 * step);
                let error = (f64::from(gradient[i]) - exact).abs();
                assert!(
                    error < 1e-4 * exact.abs().max(scale),
                    "{}[{i}]: {} and {exact}",
                    info.name,
                    gradient[i]
                );
            }
        }
        let direction = |i: usize| ((i as f64 + 0.5) * 1.3).cos();
        let (mut expected, mut shifted) = (0.0, [tensors.clone(), tensors]);
        for info in network.parameters().layout() {
            let gradient = info.to_torch_order(gradients.values());
            for (i, &g) in gradient.iter().enumerate() {
                expected += f64::from(g) * direction(i);
                shifted[0].get_mut(&info.name).unwrap()[i] += step * direction(i);
                shifted[1].get_mut(&info.name).unwrap()[i] -= step * direction(i);
            }
        }
        let exact = (loss(&shifted[0]) - loss(&shifted[1])) / (2.0 * step);
        let error = (expected - exact).abs() / exact.abs();
        assert!(error < 1e-4, "along all parameters: {expected} and {exact}");
    }
}

/// Identity: outputs depend on neither the order of the sites nor that of the bonds.
#[test]
fn order_of_sites_and_bonds_leaves_outputs_unchanged() {
    let config = MegnetConfig::corrected(18, 18);
    let permutation = [3, 0, 4, 2, 1];
    let original = perovskite(4.1);
    let mut moved = original.clone();
    for edge in &mut moved.graph.edges {
        edge.source = permutation[edge.source];
        edge.target = permutation[edge.target];
    }
    moved.graph.edges.reverse();
    let network = network(&config, &[original, moved], 1);
    let state = OwnedState {
        skeleton: 0,
        node_types: vec![3, 18, 7, 7, 18],
        focus: 1,
        step: 3,
        target: 2.0,
    };
    let mut node_types = vec![0; 5];
    for (site, &to) in permutation.iter().enumerate() {
        node_types[to] = state.node_types[site];
    }
    let other = OwnedState {
        skeleton: 1,
        node_types,
        focus: permutation[1],
        step: 3,
        target: 2.0,
    };
    let (a, b) = (
        forward_once(&network, &[state], 1),
        forward_once(&network, &[other], 1),
    );
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() < 2e-6 * a.abs().max(1.0), "{a} and {b}");
    }
}

/// Identity: with corrected inputs two blank sites that differ in environment are told apart by
/// the focus flag, and the published inputs see the focus only as an index.
#[test]
fn the_focus_changes_the_outputs() {
    for config in [
        MegnetConfig::corrected(18, 18),
        MegnetConfig::published(18, 18),
    ] {
        let network = network(&config, &[perovskite(4.1)], 1);
        let at = |focus| {
            let state = OwnedState {
                skeleton: 0,
                node_types: vec![18; 5],
                focus,
                step: 0,
                target: 2.0,
            };
            forward_once(&network, &[state], 1)
        };
        assert_ne!(at(0), at(1));
        if config.inputs == InputStyle::Corrected {
            // Sites 2 and 3 are equivalent.
            let (a, b) = (at(2), at(3));
            assert!(
                a.iter()
                    .zip(&b)
                    .all(|(a, b)| (a - b).abs() < 2e-6 * a.abs().max(1.0))
            );
        }
    }
}

/// Identity: a state's outputs do not depend on what else is in the batch.
#[test]
fn a_batch_gives_what_single_states_give() {
    let graphs = graphs();
    let config = MegnetConfig::corrected(18, 18);
    let network = network(&config, &graphs, 2);
    let states = states(&graphs, 18, 70);
    let all = forward_once(&network, &states, 1);
    let mut workspace = network.workspace(1).unwrap();
    for (state, row) in states.iter().zip(all.chunks_exact(18)) {
        let single = network.forward(&[state.state()], &mut workspace).unwrap();
        for (a, b) in single.iter().zip(row) {
            assert!((a - b).abs() < 1e-6 * a.abs().max(1.0), "{a} and {b}");
        }
    }
}

/// Identity: the same bits for any number of threads, and in a workspace used before.
#[test]
fn threads_and_reuse_do_not_change_a_bit() {
    let graphs = graphs();
    let config = MegnetConfig::corrected(18, 18);
    let network = network(&config, &graphs, 4);
    let batch = states(&graphs, 18, 75);
    let (outputs, gradients) = (
        forward_once(&network, &batch, 1),
        gradient_once(&network, &batch, 1),
    );
    for threads in [2, 3] {
        assert_eq!(outputs, forward_once(&network, &batch, threads));
        assert_eq!(
            gradients.values(),
            gradient_once(&network, &batch, threads).values()
        );
    }
    let mut workspace = network.workspace(2).unwrap();
    for count in [3, 90, 17] {
        network
            .forward(&views(&states(&graphs, 18, count)), &mut workspace)
            .unwrap();
    }
    assert_eq!(
        outputs,
        network.forward(&views(&batch), &mut workspace).unwrap()
    );
    let mut again = network.parameters().zeros_like();
    network
        .backward(&loss_weights(outputs.len()), &mut workspace, &mut again)
        .unwrap();
    assert_eq!(gradients.values(), again.values());
}

/// Identity: equal bonds that a template merges count like bonds that it cannot merge.
#[test]
fn merged_bonds_count_with_their_multiplicity() {
    let config = MegnetConfig::corrected(18, 18);
    let merged = perovskite(4.0);
    let mut spread = merged.clone();
    for (i, edge) in spread.graph.edges.iter_mut().enumerate() {
        edge.distance += 1e-5 * i as f64;
    }
    assert_eq!(merged.template(&config).distinct_bonds(), 12);
    assert_eq!(spread.template(&config).distinct_bonds(), 36);
    let network = network(&config, &[merged, spread], 4);
    let mut batch = states(&[perovskite(4.0)], 18, 6);
    let one = gradient_once(&network, &batch, 1);
    let outputs = forward_once(&network, &batch, 1);
    batch.iter_mut().for_each(|state| state.skeleton = 1);
    let other = gradient_once(&network, &batch, 1);
    for (a, b) in outputs.iter().zip(forward_once(&network, &batch, 1)) {
        assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{a} and {b}");
    }
    let difference: f64 = one
        .values()
        .iter()
        .zip(other.values())
        .map(|(a, b)| f64::from(a - b).powi(2))
        .sum::<f64>()
        .sqrt();
    assert!(difference < 1e-3 * one.norm());
}

/// Oracle: a loss that the network can reach, fitted.
#[test]
fn adam_fits_a_batch() {
    let graphs = graphs();
    let config = MegnetConfig::corrected(18, 4);
    let mut network = network(&config, &graphs, 6);
    let batch = states(&graphs, 18, 24);
    let targets = loss_weights(batch.len() * 4);
    let mut workspace = network.workspace(1).unwrap();
    let mut gradients = network.parameters().zeros_like();
    let mut adam = Adam::new(AdamConfig::default(), network.parameters());
    let mut losses = Vec::new();
    for _ in 0..1500 {
        let outputs = network.forward(&views(&batch), &mut workspace).unwrap();
        let errors: Vec<f32> = outputs.iter().zip(&targets).map(|(x, y)| x - y).collect();
        losses.push(errors.iter().map(|e| e * e).sum::<f32>() / errors.len() as f32);
        gradients.clear();
        network
            .backward(&errors, &mut workspace, &mut gradients)
            .unwrap();
        gradients.clip_norm(10.0);
        adam.step(1e-3, &gradients, network.parameters_mut())
            .unwrap();
    }
    assert!(
        losses[1499] < 1e-3 * losses[0],
        "{} to {}",
        losses[0],
        losses[1499]
    );
}

#[test]
fn wrong_states_are_named() {
    let graphs = graphs();
    let network = network(&MegnetConfig::corrected(18, 18), &graphs, 0);
    let good = OwnedState {
        skeleton: 0,
        node_types: vec![18; 5],
        focus: 0,
        step: 0,
        target: 1.0,
    };
    let cases = [
        (
            OwnedState {
                skeleton: 9,
                ..good.clone()
            },
            "skeleton is 9, expected below 4",
        ),
        (
            OwnedState {
                node_types: vec![0; 4],
                ..good.clone()
            },
            "number of node types is 4",
        ),
        (
            OwnedState {
                node_types: vec![19; 5],
                ..good.clone()
            },
            "node type is 19",
        ),
        (
            OwnedState {
                focus: 5,
                ..good.clone()
            },
            "focus is 5, expected below 5",
        ),
        (
            OwnedState {
                target: f64::NAN,
                ..good.clone()
            },
            "target is NaN",
        ),
    ];
    let mut workspace = network.workspace(1).unwrap();
    for (bad, message) in cases {
        let error = network
            .forward(&views(&[good.clone(), bad]), &mut workspace)
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(message) && text.contains("state 1 of the batch"),
            "{text}"
        );
    }
    let graph = TestGraph {
        graph: bonds(4, &[]),
        ..body_centred()
    };
    let other = graph.template(&MegnetConfig::published(18, 18));
    let error = network.with_templates([other].into()).unwrap_err();
    assert!(matches!(error, NetworkError::Config { .. }), "{error}");
}

/// Identity: an empty batch has no outputs and no gradient, before or after others.
#[test]
fn an_empty_batch_is_nothing() {
    let network = network(&MegnetConfig::corrected(18, 18), &graphs(), 0);
    let mut gradients = network.parameters().zeros_like();
    for threads in [1, 2] {
        let mut workspace = network.workspace(threads).unwrap();
        network
            .backward(&[], &mut workspace, &mut gradients)
            .unwrap();
        assert!(network.forward(&[], &mut workspace).unwrap().is_empty());
        network
            .backward(&[], &mut workspace, &mut gradients)
            .unwrap();
    }
    assert_eq!(gradients.norm(), 0.0);
    let mut workspace = network.workspace(1).unwrap();
    let error = network
        .backward(&[1.0], &mut workspace, &mut gradients)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "gradient of the outputs has 1 numbers, expected 0"
    );
    assert!(network.workspace(0).is_err());
}
