//! Crystals whose sites hold elements in parts: outputs and gradients against a second f64
//! implementation and its finite differences.

// Helpers outside of #[test] functions unwrap too.
#![allow(clippy::unwrap_used)]

mod common;

use common::{OwnedState, graphs, loss_weights, network, reference};
use crystalgym_networks::{GraphNetwork, Megnet, MegnetConfig, NetworkError, SoftCrystal};

/// Shares that add up to one on each site, from plain arithmetic.
fn shares(sites: usize, elements: usize, seed: usize) -> Vec<f32> {
    let mut shares = Vec::new();
    for site in 0..sites {
        let raw: Vec<f32> = (0..elements)
            .map(|a| 0.1 + ((a * 7 + site * 3 + seed) % 5) as f32)
            .collect();
        let sum: f32 = raw.iter().sum();
        shares.extend(raw.iter().map(|x| x / sum));
    }
    shares
}

/// The reference's output for a crystal in parts: each site has an embedding of its own, a further
/// row of the table of node types.
fn exact(network: &Megnet, skeleton: usize, shares: &[f64]) -> Vec<f64> {
    let config = network.config();
    let graph = &graphs()[skeleton];
    let mut tensors = reference::tensors(network.parameters());
    let table = tensors
        .get_mut("embedding.layer_node_embedding.weight")
        .unwrap();
    let mut rows: Vec<f64> = Vec::new();
    for shares in shares.chunks_exact(config.n_actions) {
        for k in 0..16 {
            let sum = shares.iter().enumerate();
            rows.push(sum.map(|(a, p)| p * table[a * 16 + k]).sum());
        }
    }
    let first = table.len() / 16;
    table.extend(rows);
    let state = OwnedState {
        skeleton,
        node_types: (first..first + graph.graph.sites)
            .map(|row| row as u8)
            .collect(),
        // No site is in focus.
        focus: usize::MAX,
        step: graph.graph.sites,
        target: 0.0,
    };
    // Every row counts as filled.
    let all_filled = MegnetConfig {
        n_actions: 254,
        ..config.clone()
    };
    reference::forward(&tensors, &all_filled, graph, &state)
}

/// Oracle: the f64 implementation in `common::reference`, on four graphs in one batch.
#[test]
fn outputs_agree_with_the_reference_in_f64() {
    let config = MegnetConfig::corrected(7, 2);
    let network = network(&config, &graphs(), 3);
    let all: Vec<Vec<f32>> = (0..12)
        .map(|i| shares(graphs()[i % 4].graph.sites, 7, i))
        .collect();
    let crystals: Vec<SoftCrystal<'_>> = (0..12)
        .map(|i| SoftCrystal {
            skeleton: i % 4,
            shares: &all[i],
        })
        .collect();
    let mut workspace = network.workspace(1).unwrap();
    let outputs = network.forward_soft(&crystals, &mut workspace).unwrap();
    for (crystal, row) in crystals.iter().zip(outputs.chunks_exact(2)) {
        let shares: Vec<f64> = crystal.shares.iter().map(|&p| f64::from(p)).collect();
        for (&x, exact) in row.iter().zip(exact(&network, crystal.skeleton, &shares)) {
            assert!((f64::from(x) - exact).abs() < 3e-6 * exact.abs().max(1.0));
        }
    }
}

/// Oracle: central differences of the f64 implementation, for every share of every site and for the
/// table of elements.
#[test]
fn gradients_agree_with_finite_differences() {
    let config = MegnetConfig::corrected(5, 2);
    let network = network(&config, &graphs(), 5);
    let all: Vec<Vec<f32>> = (0..4)
        .map(|i| shares(graphs()[i].graph.sites, 5, i))
        .collect();
    let crystals: Vec<SoftCrystal<'_>> = all
        .iter()
        .enumerate()
        .map(|(skeleton, shares)| SoftCrystal { skeleton, shares })
        .collect();
    let weights = loss_weights(2 * crystals.len());
    let mut workspace = network.workspace(1).unwrap();
    let mut gradients = network.parameters().zeros_like();
    let mut grad_shares = Vec::new();
    network.forward_soft(&crystals, &mut workspace).unwrap();
    network
        .backward_soft(&weights, &mut workspace, &mut gradients, &mut grad_shares)
        .unwrap();

    let step = 1e-5;
    let (mut rest, mut largest) = (grad_shares.as_slice(), 0.0_f64);
    for (crystal, weights) in crystals.iter().zip(weights.chunks_exact(2)) {
        let (found, after) = rest.split_at(crystal.shares.len());
        rest = after;
        let loss = |shares: &[f64]| -> f64 {
            let outputs = exact(&network, crystal.skeleton, shares);
            outputs
                .iter()
                .zip(weights)
                .map(|(x, &w)| x * f64::from(w))
                .sum()
        };
        let mut at: Vec<f64> = crystal.shares.iter().map(|&p| f64::from(p)).collect();
        let norm = found.iter().map(|g| g.abs()).fold(0.0, f32::max);
        for (i, &found) in found.iter().enumerate() {
            let before = at[i];
            at[i] = before + step;
            let above = loss(&at);
            at[i] = before - step;
            let exact = (above - loss(&at)) / (2.0 * step);
            at[i] = before;
            largest = largest.max((f64::from(found) - exact).abs() / f64::from(norm));
        }
    }
    assert!(rest.is_empty());
    assert!(largest < 1e-4, "{largest}");

    let info = &network.parameters().layout()[0];
    assert_eq!(info.name, "embedding.layer_node_embedding.weight");
    let table = info.to_torch_order(gradients.values());
    for entry in [0, 17, 40, 79] {
        let loss = |shift: f32| -> f64 {
            let mut network = network.clone();
            network.parameters_mut().values_mut()[info.offset + entry] += shift;
            let pairs = crystals.iter().zip(weights.chunks_exact(2));
            pairs
                .flat_map(|(crystal, weights)| {
                    let shares: Vec<f64> = crystal.shares.iter().map(|&p| p.into()).collect();
                    let outputs = exact(&network, crystal.skeleton, &shares);
                    outputs
                        .into_iter()
                        .zip(weights)
                        .map(|(x, &w)| x * f64::from(w))
                        .collect::<Vec<_>>()
                })
                .sum()
        };
        // The entry itself is f32: a step that it can take exactly enough.
        let exact = (loss(1e-2) - loss(-1e-2)) / 2e-2;
        let error = (f64::from(table[entry]) - exact).abs();
        assert!(error < 1e-3 * exact.abs().max(1e-2), "{entry}: {error}");
    }
}

/// Identity: the gradient does not depend on the number of threads, and a crystal alone or in a batch
/// has the same outputs.
#[test]
fn threads_and_batches_make_no_difference() {
    let network = network(&MegnetConfig::corrected(6, 2), &graphs(), 9);
    let all: Vec<Vec<f32>> = (0..21)
        .map(|i| shares(graphs()[i % 4].graph.sites, 6, i))
        .collect();
    let crystals: Vec<SoftCrystal<'_>> = (0..21)
        .map(|i| SoftCrystal {
            skeleton: i % 4,
            shares: &all[i],
        })
        .collect();
    let run = |threads| {
        let mut workspace = network.workspace(threads).unwrap();
        let mut gradients = network.parameters().zeros_like();
        let mut grad_shares = Vec::new();
        let outputs = network.forward_soft(&crystals, &mut workspace).unwrap();
        let outputs = outputs.to_vec();
        network
            .backward_soft(&outputs, &mut workspace, &mut gradients, &mut grad_shares)
            .unwrap();
        (outputs, gradients.values().to_vec(), grad_shares)
    };
    let one = run(1);
    assert_eq!(one, run(3));
    let mut workspace = network.workspace(1).unwrap();
    let alone = network
        .forward_soft(&crystals[5..6], &mut workspace)
        .unwrap();
    for (a, b) in alone.iter().zip(&one.0[10..12]) {
        assert!((a - b).abs() < 1e-5);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let network = network(&MegnetConfig::corrected(6, 1), &graphs(), 1);
    let mut workspace = network.workspace(1).unwrap();
    let mut error = |skeleton, shares: &[f32]| {
        let crystal = SoftCrystal { skeleton, shares };
        let failed = network.forward_soft(&[crystal], &mut workspace);
        failed.unwrap_err().to_string()
    };
    let message = error(9, &[0.0; 30]);
    assert!(
        message.contains("skeleton is 9") && message.contains("below 4"),
        "{message}"
    );
    let message = error(0, &[0.0; 29]);
    assert!(
        message.contains("number of shares is 29") && message.contains("30"),
        "{message}"
    );
    let message = error(0, &[f32::NAN; 30]);
    assert!(message.contains("share is NaN"), "{message}");
    let published = common::network(&MegnetConfig::published(6, 1), &graphs(), 1);
    let mut workspace = published.workspace(1).unwrap();
    let failed = published.forward_soft(&[], &mut workspace);
    assert!(matches!(
        failed,
        Err(NetworkError::Config {
            field: "inputs",
            ..
        })
    ));
}
