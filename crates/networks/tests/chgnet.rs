//! Networks on CHGNet: the trunk is shared and not trained, symmetric crystals are one, heads learn.
//!
//! Skipped where the Python package `chgnet`, which brings the weights, is not at hand.
// Helpers outside of #[test] functions unwrap too.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{OwnedState, chgnet, views};
use crystalgym_crystal::{Element, Skeleton};
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_networks::{
    Blanks, ChgnetFeatures, ChgnetHead, ChgnetNetwork, ChgnetShape, ChgnetTrunk, GraphNetwork,
    LayerOrder, NetworkConfig, PartialCrystal, Trunk,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

fn task(skeleton: &str) -> Task {
    Task::new(&TaskConfig {
        skeletons: vec![skeleton.to_owned()],
        ..TaskConfig::default()
    })
    .unwrap()
}

fn build(
    shape: &ChgnetShape,
    features: &Arc<ChgnetFeatures>,
    task: &Task,
    n_outputs: usize,
    seed: u64,
) -> ChgnetNetwork {
    let mut rng = Pcg64::seed_from_u64(seed);
    shape
        .build_on(Arc::clone(features), task, n_outputs, &mut rng)
        .unwrap()
}

fn state(node_types: &[u8], focus: usize) -> OwnedState {
    OwnedState {
        skeleton: 0,
        node_types: node_types.to_vec(),
        focus,
        step: 1,
        target: 3.0,
    }
}

fn outputs(network: &ChgnetNetwork, states: &[OwnedState]) -> Vec<f32> {
    let mut workspace = network.workspace(1).unwrap();
    network
        .forward(&views(states), &mut workspace)
        .unwrap()
        .to_vec()
}

/// Identities: all networks on one model compute a crystal once, equivalent fillings are one crystal and
/// have permuted site features, and copies of a network share its trunk.
#[test]
fn a_crystal_is_computed_once_for_all_networks() {
    let Some(chgnet) = chgnet() else { return };
    let task = task("C2");
    let features = Arc::new(ChgnetFeatures::new(chgnet));
    let shape = ChgnetShape::default();
    let (actor, critic) = (
        build(&shape, &features, &task, 18, 1),
        build(&shape, &features, &task, 1, 2),
    );
    let target = actor.clone();
    assert!(Arc::ptr_eq(actor.trunk(), target.trunk()));
    let before = features.computed();
    let skeleton = &task.skeletons()[0];
    // A perovskite: two sites alone, and three that are equivalent. H, H and F on these.
    let of_three = (0..5).map(|site| orbit(skeleton, site));
    let of_three = of_three.max_by_key(Vec::len).unwrap();
    assert_eq!(of_three.len(), 3);
    let filling = |place: usize| {
        let mut types: Vec<u8> = vec![3, 5, 3, 5, 3];
        of_three.iter().for_each(|&site| types[site] = 8);
        types[of_three[place]] = 15;
        state(&types, of_three[place])
    };
    let first = filling(0);
    for network in [&actor, &target] {
        outputs(network, std::slice::from_ref(&first));
    }
    outputs(&critic, std::slice::from_ref(&first));
    assert_eq!(features.computed(), before + 1);
    // Another of the three sites: the same crystal, seen from the same atom.
    let second = filling(2);
    assert_eq!(
        outputs(&actor, std::slice::from_ref(&second)),
        outputs(&actor, std::slice::from_ref(&first))
    );
    assert_eq!(features.computed(), before + 1);
    let elsewhere = OwnedState {
        focus: of_three[1],
        ..first.clone()
    };
    assert_ne!(outputs(&actor, &[elsewhere]), outputs(&actor, &[first]));
    assert_eq!(features.computed(), before + 1);
}

/// Sites that symmetry turns into this one.
fn orbit(skeleton: &Skeleton, site: usize) -> Vec<usize> {
    let permutations = skeleton.symmetry.site_permutations.iter();
    let mut orbit: Vec<usize> = permutations.map(|moved| moved[site]).collect();
    orbit.sort_unstable();
    orbit.dedup();
    orbit
}

/// Oracle: the published sizes (13 650 numbers for 18 actions, 12 545 for a value), and central
/// differences of the outputs by the head's numbers.
#[test]
fn the_published_head_has_its_size_and_its_gradient() {
    let Some(chgnet) = chgnet() else { return };
    let task = task("C6");
    let features = Arc::new(ChgnetFeatures::new(chgnet));
    let published = ChgnetShape::published();
    let mut network = build(&published, &features, &task, 18, 3);
    assert_eq!(network.parameters().len(), 13_650);
    assert_eq!(
        build(&published, &features, &task, 1, 3).parameters().len(),
        12_545
    );
    let states = [state(&[0, 8, 15, 11], 1), state(&[18, 18, 3, 18], 2)];
    // Neither target, focus nor step is seen.
    let blind = OwnedState {
        focus: 0,
        step: 3,
        target: 9.0,
        ..states[0].clone()
    };
    assert_eq!(outputs(&network, &states[..1]), outputs(&network, &[blind]));

    let weights: Vec<f32> = (0..36)
        .map(|i| ((i * 7) % 11) as f32 / 11.0 - 0.4)
        .collect();
    let loss = |network: &ChgnetNetwork| -> f64 {
        let values = outputs(network, &states);
        values
            .iter()
            .zip(&weights)
            .map(|(y, w)| f64::from(y * w))
            .sum()
    };
    let mut workspace = network.workspace(1).unwrap();
    network.forward(&views(&states), &mut workspace).unwrap();
    let mut gradients = network.parameters().zeros_like();
    network
        .backward(&weights, &mut workspace, &mut gradients)
        .unwrap();
    let largest = gradients
        .values()
        .iter()
        .fold(0.0f32, |most, g| most.max(g.abs()));
    for k in (0..13_650).step_by(331) {
        let step = 2e-3;
        let old = network.parameters().values()[k];
        let mut at = |x: f32| {
            network.parameters_mut().values_mut()[k] = x;
            loss(&network)
        };
        let difference = (at(old + step) - at(old - step)) / (2.0 * f64::from(step));
        at(old);
        let gradient = f64::from(gradients.values()[k]);
        let tolerance = 2e-3 * f64::from(largest);
        assert!(
            (difference - gradient).abs() < tolerance,
            "{k}: {difference} {gradient}"
        );
    }
}

/// What stands in for empty sites is seen as such: the share of filled sites differs from that of the
/// complete material, whose features are the same.
#[test]
fn empty_sites_have_a_stand_in_by_name() {
    let Some(chgnet) = chgnet() else { return };
    let skeletons = [Skeleton::builtin("C2").unwrap()];
    let symbols = ["Rb", "Ca", "H"];
    let elements: Vec<Element> = symbols.iter().map(|s| s.parse().unwrap()).collect();
    let features = Arc::new(ChgnetFeatures::new(chgnet));
    let of = |blanks: Blanks, node_types: &[u8]| {
        let head = ChgnetHead::Standard;
        let order = LayerOrder::Corrected;
        let shared = Arc::clone(&features);
        let trunk = ChgnetTrunk::new(shared, head, order, blanks, &skeletons, &elements).unwrap();
        let mut found = vec![0.0; trunk.width()];
        let seen = PartialCrystal {
            skeleton: 0,
            node_types,
            focus: 1,
        };
        trunk.features(seen, &mut found);
        found
    };
    let material = skeletons[0].source.elements.as_ref().unwrap();
    let index = |element: &Element| elements.iter().position(|e| e == element).unwrap() as u8;
    let complete: Vec<u8> = material.iter().map(index).collect();
    let whole = of(Blanks::Material, &complete);
    let empty = of(Blanks::Material, &[3; 5]);
    assert_eq!(whole[..64], empty[..64]);
    assert_eq!((whole[192], empty[192]), (1.0, 0.0));
    assert!(empty[64..128].iter().all(|x| *x == 0.0));
    let helium = of("He".parse().unwrap(), &[3; 5]);
    assert_ne!(helium[..64], empty[..64]);
    let error = "blank".parse::<Blanks>().unwrap_err().to_string();
    assert!(
        error.starts_with("blanks is 'blank', expected material"),
        "{error}"
    );
}

/// A configuration names the kind, and is read back to itself.
#[test]
fn a_configuration_names_its_parts() {
    let text =
        r#"{"architecture": "chgnet", "head": "published", "order": "published", "blanks": "He"}"#;
    let config: NetworkConfig = serde_json::from_str(text).unwrap();
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(
        (&written["blanks"], &written["layers"]),
        (&"He".into(), &2.into())
    );
    assert_eq!(
        serde_json::from_value::<NetworkConfig>(written).unwrap(),
        config
    );
    let error =
        serde_json::from_str::<NetworkConfig>(r#"{"architecture": "chgnet", "blanks": "?"}"#);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("expected material or")
    );
}
