//! The network against PyTorch: `oracle/megnet_torch.py`, autograd in f64.
//!
//! The reference values are committed; with a Python that has PyTorch they are computed anew as
//! well. `CRYSTALGYM_UPDATE_ORACLE=1` writes them after a change of the initialisation.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{OwnedState, TestGraph, graphs, loss_weights, network, states, views};
use crystalgym_networks::{Checkpoint, GraphNetwork, Megnet, MegnetConfig};
use serde_json::{Value, json};

struct Case {
    name: &'static str,
    network: Megnet,
    graphs: Vec<TestGraph>,
    states: Vec<OwnedState>,
}

fn cases() -> Vec<Case> {
    // PyTorch's softmax over a graph without edges is not defined, so that one stays out.
    let graphs: Vec<_> = graphs()
        .into_iter()
        .filter(|g| !g.graph.edges.is_empty())
        .collect();
    let case = |name, config: MegnetConfig, seed| Case {
        name,
        network: network(&config, &graphs, seed),
        states: states(&graphs, config.n_actions, 20),
        graphs: graphs.clone(),
    };
    vec![
        case("published", MegnetConfig::published(18, 18), 11),
        case("corrected", MegnetConfig::corrected(30, 30), 12),
    ]
}

fn oracle_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

fn case_json(case: &Case) -> Value {
    let graphs: Vec<Value> = case
        .graphs
        .iter()
        .map(|graph| {
            let edges: Vec<_> = graph
                .graph
                .edges
                .iter()
                .map(|e| json!([e.source, e.target, e.distance]))
                .collect();
            json!({
                "lengths": graph.lattice.lengths(),
                "angles": graph.lattice.angles(),
                "volume": graph.lattice.volume(),
                "space_group_number": graph.space_group_number,
                "edges": edges,
            })
        })
        .collect();
    let states: Vec<Value> = case
        .states
        .iter()
        .map(|state| {
            json!({
                "skeleton": state.skeleton,
                "node_types": state.node_types,
                "focus": state.focus,
                "target": state.target,
            })
        })
        .collect();
    let len = case.states.len() * case.network.n_outputs();
    json!({
        "config": case.network.config(),
        "graphs": graphs,
        "states": states,
        "loss_weights": loss_weights(len),
    })
}

/// Runs PyTorch on the case.
fn run_oracle(python: &Path, case: &Case, out: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("case.json");
    let weights = folder.path().join("weights.safetensors");
    fs::write(&input, case_json(case).to_string()).unwrap();
    let mut checkpoint = Checkpoint::new();
    checkpoint.insert_parameters("", case.network.parameters());
    checkpoint.write(&weights).unwrap();
    let status = Command::new(python)
        .arg(oracle_folder().join("megnet_oracle.py"))
        .args([&input, &weights, out])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .unwrap();
    assert!(status.success(), "megnet_oracle.py failed on {}", case.name);
}

fn sum_of_squares(x: &[f32]) -> f64 {
    x.iter().map(|&x| f64::from(x).powi(2)).sum()
}

fn compare(case: &Case, path: &Path) {
    let reference: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut workspace = case.network.workspace(2).unwrap();
    let outputs = case
        .network
        .forward(&views(&case.states), &mut workspace)
        .unwrap()
        .to_vec();
    let expected = reference["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), expected.len());
    for (&x, expected) in outputs.iter().zip(expected) {
        let expected = expected.as_f64().unwrap();
        let error = (f64::from(x) - expected).abs();
        assert!(
            error < 3e-6 * expected.abs().max(1.0),
            "{}: {x} and {expected}",
            case.name
        );
    }
    let mut gradients = case.network.parameters().zeros_like();
    case.network
        .backward(&loss_weights(outputs.len()), &mut workspace, &mut gradients)
        .unwrap();
    let expected = reference["gradients"].as_object().unwrap();
    let layout = case.network.parameters().layout();
    assert_eq!(layout.len(), expected.len());
    // Some tensors' gradients are small differences of large terms, so f32 is held to the
    // tensor's own norm plus a hundredth of that of the whole gradient.
    let whole = gradients.norm();
    let mut largest = 0.0_f64;
    for info in layout {
        let gradient = info.to_torch_order(gradients.values());
        let sum = |f: &dyn Fn(f64) -> f64| -> f64 {
            gradient
                .iter()
                .enumerate()
                .map(|(i, &g)| f64::from(g) * f((i + 1) as f64))
                .sum()
        };
        let norm = sum_of_squares(&gradient).sqrt();
        let found = [norm, sum(&|i| (0.37 * i).cos()), sum(&|i| (0.37 * i).sin())];
        let expected: Vec<f64> = expected[&info.name]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_f64().unwrap())
            .collect();
        for (found, &exact) in found.iter().zip(&expected) {
            let error = (found - exact).abs() / (expected[0] + 0.01 * whole);
            assert!(
                error < 3e-6,
                "{} {}: {found} and {exact}",
                case.name,
                info.name
            );
            largest = largest.max(error);
        }
    }
    eprintln!(
        "{}: largest relative error of the gradients: {largest:.1e}",
        case.name
    );
}

/// Oracle: PyTorch, values committed in `oracle/megnet_*.json`.
#[test]
fn outputs_and_gradients_agree_with_the_committed_pytorch_values() {
    for case in cases() {
        compare(
            &case,
            &oracle_folder().join(format!("megnet_{}.json", case.name)),
        );
    }
}

/// Oracle: PyTorch, run now.
#[test]
fn outputs_and_gradients_agree_with_pytorch() {
    let Some(python) = crystalgym_testing::optional_python_with(&["torch"]) else {
        return;
    };
    let update = std::env::var_os("CRYSTALGYM_UPDATE_ORACLE").is_some_and(|v| v == "1");
    for case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.json");
        run_oracle(&python, &case, &out);
        if update {
            let committed = oracle_folder().join(format!("megnet_{}.json", case.name));
            fs::copy(&out, committed).unwrap();
        }
        compare(&case, &out);
    }
}
