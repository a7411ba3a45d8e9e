//! Networks asked site by site, against the same network asked by hand, and finite differences.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::loss_weights;
use crystalgym_crystal::Skeleton;
use crystalgym_environment::{Observation, ProcessName, State, Task, TaskConfig};
use crystalgym_networks::{
    GraphNetwork, MegnetShape, Network, NetworkConfig, NetworkError, Outputs, PerceptronShape,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

const OUTPUTS: Outputs = Outputs {
    whole: 2,
    each_action: 3,
};
const ELEMENTS: usize = 4;
/// Sites of the larger skeleton.
const SITES: usize = 5;

fn task(process: ProcessName) -> Task {
    Task::new(&TaskConfig {
        skeletons: vec!["C2".into(), "C6".into()],
        elements: ["Li", "Na", "K", "Rb"].map(|s| s.parse().unwrap()).to_vec(),
        process,
        steps: (process == ProcessName::Improvement).then_some(7),
        ..TaskConfig::default()
    })
    .unwrap()
}

fn shapes() -> [NetworkConfig; 2] {
    [
        NetworkConfig::Megnet(MegnetShape {
            hidden: 6,
            blocks: 1,
            ..MegnetShape::default()
        }),
        NetworkConfig::Perceptron(PerceptronShape {
            hidden: 7,
            layers: 1,
        }),
    ]
}

fn network(shape: &NetworkConfig, process: ProcessName) -> Network {
    let mut rng = Pcg64::seed_from_u64(3);
    shape.build(&task(process), OUTPUTS, &mut rng).unwrap()
}

fn states(task: &Task) -> Vec<State> {
    let mut rng = Pcg64::seed_from_u64(6);
    let states: Vec<State> = (0..5).map(|_| task.initial_state(&mut rng)).collect();
    let mut sizes: Vec<usize> = states.iter().map(|s| s.node_types.len()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    assert_eq!(sizes, [4, SITES]);
    states
}

fn outputs(network: &Network, seen: &[Observation<'_>]) -> Vec<f32> {
    let mut workspace = network.workspace(1).unwrap();
    network.forward(seen, &mut workspace).unwrap().to_vec()
}

/// Oracle: the network of a process with a site in focus, which has the same parameters, asked about
/// each site alone.
#[test]
fn each_site_is_answered_for_at_its_place() {
    let task = task(ProcessName::Improvement);
    let states = states(&task);
    let seen: Vec<_> = states.iter().map(|state| task.observe(state)).collect();
    for shape in shapes() {
        let network = network(&shape, ProcessName::Improvement);
        let plain = self::network(&shape, ProcessName::Filling);
        assert_eq!(network.parameters().values(), plain.parameters().values());
        let (each_site, row) = (3 * ELEMENTS, OUTPUTS.total(task.n_actions()));
        assert_eq!(
            (network.n_outputs(), plain.n_outputs()),
            (row, 2 + each_site)
        );
        let outputs = outputs(&network, &seen);
        for (seen, row) in seen.iter().zip(outputs.chunks_exact(row)) {
            let sites = seen.node_types.len();
            let mut whole = [0.0_f64; 2];
            for focus in 0..sites {
                let answer = self::outputs(&plain, &[Observation { focus, ..*seen }]);
                let place = 2 + focus * each_site;
                assert_eq!(row[place..place + each_site], answer[2..]);
                for (sum, value) in whole.iter_mut().zip(&answer) {
                    *sum += f64::from(*value) / sites as f64;
                }
            }
            assert!(row[2 + sites * each_site..].iter().all(|x| *x == 0.0));
            for (found, expected) in row.iter().zip(whole) {
                assert!((f64::from(*found) - expected).abs() < 1e-6);
            }
        }
    }
}

/// Oracle: central differences in parameters all over the network.
#[test]
fn gradients_are_those_of_finite_differences() {
    let task = task(ProcessName::Improvement);
    let states = states(&task);
    let seen: Vec<_> = states.iter().map(|state| task.observe(state)).collect();
    for shape in shapes() {
        let mut network = network(&shape, ProcessName::Improvement);
        let mut workspace = network.workspace(1).unwrap();
        let count = network.forward(&seen, &mut workspace).unwrap().len();
        let weights = loss_weights(count);
        let mut gradients = network.parameters().zeros_like();
        network
            .backward(&weights, &mut workspace, &mut gradients)
            .unwrap();
        let norm = gradients.norm();
        let all = network.parameters().len();
        let h = 4e-3_f32;
        for place in (0..all).step_by(all / 150 + 1) {
            let mut slope = 0.0;
            for sign in [1.0, -1.0] {
                network.parameters_mut().values_mut()[place] += sign * h;
                let terms = outputs(&network, &seen).into_iter().zip(&weights);
                let loss: f64 = terms.map(|(y, w)| f64::from(y) * f64::from(*w)).sum();
                slope += f64::from(sign) * loss / f64::from(2.0 * h);
                network.parameters_mut().values_mut()[place] -= sign * h;
            }
            let found = f64::from(gradients.values()[place]);
            let error = (slope - found).abs();
            assert!(error < 1e-3 * norm, "{place}: {found}, {slope} of {norm}");
        }
        let short = network.backward(&weights[1..], &mut workspace, &mut gradients);
        assert!(matches!(short, Err(NetworkError::Length { .. })));
    }
}

/// Identity: with other skeletons the actions are those of the largest of them.
#[test]
fn other_skeletons_have_other_numbers_of_sites() {
    let [megnet, _] = shapes();
    let network = network(&megnet, ProcessName::Improvement);
    let larger = Task::new(&TaskConfig {
        skeletons: vec!["C3".into()],
        elements: task(ProcessName::Filling).elements().elements().to_vec(),
        process: ProcessName::Improvement,
        ..TaskConfig::default()
    });
    let larger = larger.unwrap();
    let sites = Skeleton::builtin("C3").unwrap().sites();
    assert!(sites > SITES);
    let network = network.for_skeletons(larger.skeletons()).unwrap();
    assert_eq!(network.n_outputs(), 2 + sites * ELEMENTS * 3);
    let state = larger.initial_state(&mut Pcg64::seed_from_u64(1));
    let outputs = outputs(&network, &[larger.observe(&state)]);
    assert!(outputs.iter().all(|x| x.is_finite() && *x != 0.0));

    let nothing = Observation {
        node_types: &[],
        ..larger.observe(&state)
    };
    let mut workspace = network.workspace(1).unwrap();
    let error = network.forward(&[nothing], &mut workspace).unwrap_err();
    assert!(matches!(error, NetworkError::State { .. }), "{error}");
}
