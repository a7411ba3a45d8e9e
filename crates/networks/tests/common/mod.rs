//! Graphs to test on, and MEGNet once more as a plain f64 loop over one graph.

// Each test binary uses its own part of these.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod reference;

use std::sync::Arc;

use crystalgym_crystal::{CrystalGraph, DirectedEdge, Lattice};
use crystalgym_environment::Observation;
use crystalgym_networks::{GraphTemplate, Megnet, MegnetConfig};
use crystalgym_potential::{Chgnet, model};
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// A crystal's graph before it becomes a template.
#[derive(Clone)]
pub struct TestGraph {
    pub lattice: Lattice,
    pub space_group_number: u16,
    pub graph: CrystalGraph,
}

impl TestGraph {
    pub fn template(&self, config: &MegnetConfig) -> GraphTemplate {
        GraphTemplate::from_graph(
            "test",
            &self.lattice,
            self.space_group_number,
            &self.graph,
            config,
        )
    }
}

/// Both directions of each listed bond (i, j, distance).
pub fn bonds(sites: usize, list: &[(usize, usize, f64)]) -> CrystalGraph {
    let edges = list
        .iter()
        .flat_map(|&(i, j, distance)| {
            [(j, i), (i, j)].map(|(source, target)| DirectedEdge {
                source,
                target,
                image: [0; 3],
                distance,
            })
        })
        .collect();
    CrystalGraph { sites, edges }
}

/// The perovskite net: site 0 to sites 2–4 in twelve bonds, site 1 to them in six.
pub fn perovskite(a: f64) -> TestGraph {
    let mut list = Vec::new();
    for x in 2..5 {
        list.extend([(0, x, a / 2.0_f64.sqrt()); 4]);
        list.extend([(1, x, a / 2.0); 2]);
    }
    TestGraph {
        lattice: Lattice::from_parameters([a; 3], [90.0; 3]).unwrap(),
        space_group_number: 221,
        graph: bonds(5, &list),
    }
}

/// Four sites in a body-centred cell with self bonds of both images, and two of equal ends but
/// different length.
pub fn body_centred() -> TestGraph {
    let list = [
        (0, 1, 2.98),
        (0, 1, 2.98),
        (0, 2, 2.98),
        (0, 3, 2.98),
        (0, 3, 3.4),
        (1, 1, 3.1),
        (2, 3, 2.5),
        (1, 3, 2.5),
    ];
    TestGraph {
        lattice: Lattice::from_parameters([5.169; 3], [109.471_22; 3]).unwrap(),
        space_group_number: 229,
        graph: bonds(4, &list),
    }
}

/// A star of five sites and one site without bonds.
pub fn star() -> TestGraph {
    let list: Vec<_> = (1..5).map(|arm| (0, arm, 2.7089)).collect();
    TestGraph {
        lattice: Lattice::from_parameters([6.688; 3], [90.0; 3]).unwrap(),
        space_group_number: 215,
        graph: bonds(6, &list),
    }
}

/// Two sites without any bond.
pub fn unbonded() -> TestGraph {
    TestGraph {
        lattice: Lattice::from_parameters([4.0, 5.0, 6.0], [90.0, 95.0, 100.0]).unwrap(),
        space_group_number: 1,
        graph: bonds(2, &[]),
    }
}

pub fn graphs() -> Vec<TestGraph> {
    vec![perovskite(4.2748), body_centred(), star(), unbonded()]
}

pub fn network(config: &MegnetConfig, graphs: &[TestGraph], seed: u64) -> Megnet {
    let templates: Arc<[GraphTemplate]> = graphs.iter().map(|g| g.template(config)).collect();
    Megnet::new(config.clone(), templates, &mut Pcg64::seed_from_u64(seed)).unwrap()
}

/// A state that owns its node types.
#[derive(Clone)]
pub struct OwnedState {
    pub skeleton: usize,
    pub node_types: Vec<u8>,
    pub focus: usize,
    pub step: usize,
    pub target: f64,
}

impl OwnedState {
    pub fn state(&self) -> Observation<'_> {
        Observation {
            skeleton: self.skeleton,
            node_types: &self.node_types,
            elements: &[],
            focus: self.focus,
            traversal: None,
            step: self.step,
            steps: self.node_types.len(),
            target: self.target,
            allowed: &[],
        }
    }
}

/// `count` states over all graphs, every stage of filling, from plain arithmetic.
pub fn states(graphs: &[TestGraph], n_actions: usize, count: usize) -> Vec<OwnedState> {
    (0..count)
        .map(|i| {
            let skeleton = i % graphs.len();
            let sites = graphs[skeleton].graph.sites;
            let node_types: Vec<u8> = (0..sites)
                .map(|site| {
                    let blank = (site + i / graphs.len()) % sites >= (i * 7) % (sites + 1);
                    let action = (i * 31 + site * 17 + i * site) % n_actions;
                    if blank { n_actions as u8 } else { action as u8 }
                })
                .collect();
            let filled = node_types.iter().filter(|&&t| usize::from(t) < n_actions);
            OwnedState {
                skeleton,
                focus: (i * 3) % sites,
                step: filled.count(),
                node_types,
                target: f64::from(1.5 + i as f32 * 0.1),
            }
        })
        .collect()
}

pub fn views(states: &[OwnedState]) -> Vec<Observation<'_>> {
    states.iter().map(OwnedState::state).collect()
}

/// Fixed weights of a test loss: Σ weight · output.
pub fn loss_weights(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i as f32 + 1.0) * 0.7).sin()).collect()
}

/// CHGNet, if a Python has the package `chgnet`, which brings the weights.
pub fn chgnet() -> Option<Chgnet> {
    let package = crystalgym_testing::python_package("chgnet")?;
    let folder = tempfile::tempdir().unwrap();
    model::install_chgnet(Some(&package), folder.path()).unwrap();
    Some(Chgnet::new(&model::load_chgnet(folder.path()).unwrap()).unwrap())
}
