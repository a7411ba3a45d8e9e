//! The perceptron against a second f64 implementation, finite differences of it, and identities.

// Helpers outside of #[test] functions unwrap too.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{OwnedState, loss_weights, views};
use crystalgym_crystal::{Element, Skeleton};
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_networks::{
    Adam, AdamConfig, Checkpoint, GraphNetwork, NetworkConfig, NetworkError, NetworkShape, Outputs,
    Parameters, Perceptron, PerceptronShape, SiteDescriptors, Trunk,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

fn task() -> Task {
    Task::new(&TaskConfig {
        skeletons: vec!["C2".into(), "C6".into()],
        ..TaskConfig::default()
    })
    .unwrap()
}

fn shape() -> PerceptronShape {
    PerceptronShape {
        hidden: 11,
        layers: 2,
    }
}

fn network(n_outputs: usize, seed: u64) -> Perceptron {
    let mut rng = Pcg64::seed_from_u64(seed);
    shape().build(&task(), n_outputs, &mut rng).unwrap()
}

/// `count` states over both skeletons, every stage of filling, from plain arithmetic.
fn states(count: usize) -> Vec<OwnedState> {
    let task = task();
    let n_actions = task.n_actions();
    let state = |i: usize| {
        let skeleton = i % task.skeletons().len();
        let sites = task.skeletons()[skeleton].sites();
        let step = (i * 7) % (sites + 1);
        let node_type = |site: usize| match site < step {
            true => ((i * 31 + site * 17 + i * site) % n_actions) as u8,
            false => n_actions as u8,
        };
        OwnedState {
            skeleton,
            node_types: (0..sites).map(node_type).collect(),
            focus: step.min(sites - 1),
            step,
            target: 1.5 + i as f64 * 0.1,
        }
    };
    (0..count).map(state).collect()
}

fn outputs(network: &Perceptron, states: &[OwnedState], threads: usize) -> Vec<f32> {
    let mut workspace = network.workspace(threads).unwrap();
    let outputs = network.forward(&views(states), &mut workspace).unwrap();
    outputs.to_vec()
}

fn gradient(network: &Perceptron, states: &[OwnedState], threads: usize) -> Vec<f32> {
    let mut workspace = network.workspace(threads).unwrap();
    let outputs = network.forward(&views(states), &mut workspace).unwrap();
    let weights = loss_weights(outputs.len());
    let mut gradients = network.parameters().zeros_like();
    network
        .backward(&weights, &mut workspace, &mut gradients)
        .unwrap();
    gradients.values().to_vec()
}

type Tensors = BTreeMap<String, Vec<f64>>;

fn tensors(parameters: &Parameters) -> Tensors {
    let tensor = |name: &str| {
        let values = parameters.tensor(name).unwrap();
        values.into_iter().map(f64::from).collect()
    };
    let layout = parameters.layout().iter();
    layout
        .map(|info| (info.name.clone(), tensor(&info.name)))
        .collect()
}

/// The perceptron of `shape()` once more, in f64 and one sum at a time.
fn reference(tensors: &Tensors, network: &Perceptron, state: &OwnedState) -> Vec<f64> {
    let mut features = vec![0.0_f32; network.trunk().width()];
    network
        .trunk()
        .features((&state.state()).into(), &mut features);
    let mut x: Vec<f64> = features.into_iter().map(f64::from).collect();
    // The reward of a density is made for values of about 3 g/cm³.
    x.push(state.target / 3.0);
    x.push(state.step as f64 / state.node_types.len() as f64);
    for layer in [0, 2, 4] {
        let weight = &tensors[&format!("head.layers.{layer}.weight")];
        let bias = &tensors[&format!("head.layers.{layer}.bias")];
        let rows = weight.chunks_exact(x.len()).zip(bias);
        let affine = rows.map(|(row, b)| b + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>());
        x = affine
            .map(|y| match layer {
                4 => y,
                _ => y.exp().ln_1p() - 2.0_f64.ln(),
            })
            .collect();
    }
    x
}

/// Oracle: the f64 implementation above.
#[test]
fn outputs_agree_with_the_reference_in_f64() {
    let network = network(18, 3);
    let tensors = tensors(network.parameters());
    let states = states(40);
    let outputs = outputs(&network, &states, 1);
    for (state, row) in states.iter().zip(outputs.chunks_exact(18)) {
        for (&x, exact) in row.iter().zip(reference(&tensors, &network, state)) {
            let error = (f64::from(x) - exact).abs();
            assert!(error < 1e-6, "{x} and {exact}");
        }
    }
}

/// Oracle: central differences of the f64 implementation, for every parameter.
#[test]
fn gradients_agree_with_finite_differences() {
    let network = network(5, 5);
    let states = states(12);
    let weights = loss_weights(states.len() * 5);
    let loss = |tensors: &Tensors| -> f64 {
        let rows = states.iter().zip(weights.chunks_exact(5));
        rows.map(|(state, weights)| {
            let outputs = reference(tensors, &network, state);
            let terms = outputs.iter().zip(weights);
            terms.map(|(x, &w)| x * f64::from(w)).sum::<f64>()
        })
        .sum()
    };
    let gradient = gradient(&network, &states, 1);
    let mut tensors = tensors(network.parameters());
    let step = 1e-5;
    for info in network.parameters().layout() {
        for (i, &found) in info.to_torch_order(&gradient).iter().enumerate() {
            let mut at = |shift: f64| {
                let before = tensors[&info.name][i];
                tensors.get_mut(&info.name).unwrap()[i] = before + shift;
                let loss = loss(&tensors);
                tensors.get_mut(&info.name).unwrap()[i] = before;
                loss
            };
            let exact = (at(step) - at(-step)) / (2.0 * step);
            let error = (f64::from(found) - exact).abs();
            let name = &info.name;
            assert!(
                error < 1e-5 * exact.abs().max(1.0),
                "{name}[{i}]: {found}, {exact}"
            );
        }
    }
}

/// Identity: the same bits for any number of threads, in a workspace used before, and from the
/// same seed again.
#[test]
fn threads_reuse_and_seeds_do_not_change_a_bit() {
    let (first, again) = (network(18, 4), network(18, 4));
    let batch = states(75);
    let (expected, slope) = (outputs(&first, &batch, 1), gradient(&first, &batch, 1));
    for threads in [1, 2, 3] {
        assert_eq!(expected, outputs(&again, &batch, threads));
        assert_eq!(slope, gradient(&again, &batch, threads));
    }
    let mut workspace = first.workspace(2).unwrap();
    for count in [3, 90, 17] {
        first
            .forward(&views(&states(count)), &mut workspace)
            .unwrap();
    }
    let reused = first.forward(&views(&batch), &mut workspace).unwrap();
    assert_eq!(expected, reused);
    assert_ne!(expected, outputs(&network(18, 5), &batch, 1));
}

/// Identity: a network with another's tensors is that network, and holds its head alone.
#[test]
fn a_checkpoint_holds_the_head() {
    let mut trained = network(18, 1);
    let batch = states(20);
    let mut workspace = trained.workspace(1).unwrap();
    let mut adam = Adam::new(AdamConfig::default(), trained.parameters());
    for _ in 0..3 {
        let outputs = trained.forward(&views(&batch), &mut workspace).unwrap();
        let grad_outputs = outputs.to_vec();
        let mut gradients = trained.parameters().zeros_like();
        trained
            .backward(&grad_outputs, &mut workspace, &mut gradients)
            .unwrap();
        adam.step(1e-2, &gradients, trained.parameters_mut())
            .unwrap();
    }
    let mut checkpoint = Checkpoint::new();
    checkpoint.insert_parameters("online", trained.parameters());
    let read = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
    let names: Vec<&str> = read.names().collect();
    assert_eq!(names.len(), 6);
    let all_of_head = |name: &&str| name.starts_with(&format!("online.{}", trained.last_layers()));
    assert!(names.iter().all(all_of_head), "{names:?}");
    let mut restored = network(18, 2);
    read.restore_parameters("online", restored.parameters_mut())
        .unwrap();
    assert_eq!(outputs(&trained, &batch, 1), outputs(&restored, &batch, 1));
    let wider = NetworkConfig::Perceptron(PerceptronShape {
        hidden: 12,
        ..shape()
    });
    let mut wider = wider
        .build(
            &task(),
            Outputs {
                whole: 18,
                each_action: 0,
            },
            &mut Pcg64::seed_from_u64(1),
        )
        .unwrap();
    let error = read.restore_parameters("online", wider.parameters_mut());
    assert!(error.unwrap_err().to_string().contains("head.layers.0"));
}

/// Oracle: the perovskite C2, with numbers from its listed cell (a = 4.544346 Å, A in twelve bonds of
/// a/√2, B in six of a/2) and from the periodic table.
#[test]
fn descriptors_are_those_of_the_crystal() {
    let skeletons = [
        Skeleton::builtin("C2").unwrap(),
        Skeleton::builtin("C6").unwrap(),
    ];
    let elements: Vec<Element> = ["Na", "F"].map(|symbol| symbol.parse().unwrap()).into();
    let descriptors = SiteDescriptors::new(&skeletons, &elements);
    let most_sites = skeletons[0].sites().max(skeletons[1].sites());
    let mut out = vec![7.0; descriptors.width()];
    let state = OwnedState {
        skeleton: 0,
        node_types: vec![0, 2, 1, 2, 2],
        focus: 1,
        step: 2,
        target: 3.0,
    };
    descriptors.features((&state.state()).into(), &mut out);
    let (of_skeleton, of_sites) = out.split_at(7);
    let close = |found: &[f32], expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        let near = |(x, y): (&f32, &f64)| (f64::from(*x) - y).abs() < 1e-4;
        assert!(
            found.iter().zip(expected).all(near),
            "{found:?}, {expected:?}"
        );
    };
    let a = 4.544_346_f64;
    let volume = a.powi(3) / 5.0 / 20.0;
    close(
        of_skeleton,
        &[a / 10.0, a / 10.0, a / 10.0, 0.0, 0.0, 0.0, volume],
    );
    let sites: Vec<&[f32]> = of_sites.chunks_exact(10).collect();
    assert_eq!(sites.len(), most_sites);
    let (long, short) = (a / 2.0_f64.sqrt() / 3.0, a / 2.0 / 3.0);
    let sodium = [
        3.0 / 7.0,
        1.0 / 18.0,
        0.1,
        0.93 / 4.0,
        0.229_898,
        1.55 / 2.0,
    ];
    close(sites[0], &[&sodium[..], &[0.0, 0.0, 1.0, long]].concat());
    close(sites[1], &[&[0.0; 6][..], &[1.0, 1.0, 0.5, short]].concat());
    let fluorine = [
        2.0 / 7.0,
        17.0 / 18.0,
        0.7,
        3.98 / 4.0,
        0.189_984,
        0.64 / 2.0,
    ];
    close(&sites[2][..8], &[&fluorine[..], &[0.0, 0.0]].concat());
    let padding = &of_sites[5 * 10..];
    assert!(padding.iter().all(|&x| x == 0.0), "{padding:?}");
}

#[test]
fn skeletons_with_more_sites_are_refused_by_name() {
    let small = Task::new(&TaskConfig::default()).unwrap();
    let mut rng = Pcg64::seed_from_u64(1);
    let network = shape().build(&small, 18, &mut rng).unwrap();
    let all = Skeleton::builtins().unwrap();
    let large = all.iter().find(|skeleton| skeleton.sites() > 5).unwrap();
    let error = network
        .for_skeletons(std::slice::from_ref(large))
        .unwrap_err();
    let text = error.to_string();
    let found = format!("{} with {} sites", large.label, large.sites());
    assert!(
        text.contains(&found) && text.contains("at most 5"),
        "{text}"
    );

    let other = Skeleton::builtin("C1").unwrap();
    assert_eq!(other.sites(), 5);
    let moved = network.for_skeletons(&[other]).unwrap();
    assert_eq!(moved.parameters().values(), network.parameters().values());
    let on_c2 = [OwnedState {
        skeleton: 0,
        node_types: vec![18; 5],
        focus: 0,
        step: 0,
        target: 3.0,
    }];
    assert_ne!(outputs(&moved, &on_c2, 1), outputs(&network, &on_c2, 1));
}

#[test]
fn states_of_another_skeleton_are_refused() {
    let network = network(18, 1);
    let mut workspace = network.workspace(1).unwrap();
    let mut state = states(1).remove(0);
    state.node_types.push(18);
    let error = network.forward(&[state.state()], &mut workspace);
    assert!(matches!(
        error,
        Err(NetworkError::State {
            state: 0,
            field: "number of node types",
            ..
        })
    ));
}

#[test]
fn configurations_say_which_network() {
    let read = |text: &str| serde_json::from_str::<NetworkConfig>(text);
    let config = read(r#"{"architecture": "perceptron", "hidden": 24}"#).unwrap();
    let expected = NetworkConfig::Perceptron(PerceptronShape {
        hidden: 24,
        ..PerceptronShape::default()
    });
    assert_eq!(config, expected);
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(read(&text).unwrap(), config);
    let refused = |text: &str, words: &[&str]| {
        let error = read(text).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(
        r#"{"architecture": "perceptron", "blocks": 2}"#,
        &["`blocks`", "`hidden`", "`layers`"],
    );
    refused(
        r#"{"architecture": "transformer"}"#,
        &["transformer", "megnet or perceptron"],
    );
    let flat = PerceptronShape {
        layers: 0,
        ..shape()
    };
    let error = NetworkConfig::Perceptron(flat).check().unwrap_err();
    assert!(error.to_string().contains("layers is 0, expected 1 to 32"));
}
