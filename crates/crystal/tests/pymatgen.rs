//! Oracle: pymatgen 2025.1.9 on the benchmark crystals and on 50 random structures. The committed
//! values come from `oracle/pymatgen_oracle.py`, which is run again where pymatgen is installed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeMap, process::Command};

use crystalgym_crystal::{
    CrystalGraph, Lattice, SYMMETRY_TOLERANCE_ANG, Skeleton, automatic_density, niggli_reduce,
    space_group,
};
use serde::Deserialize;

const COMMITTED: &str = include_str!("oracle/pymatgen.json");

#[derive(Debug, Deserialize)]
struct Case {
    label: String,
    lengths: [f64; 3],
    angles: [f64; 3],
    sites: Vec<[f64; 3]>,
    niggli: [f64; 6],
    edges: Vec<(usize, usize, [i32; 3])>,
    space_group: u16,
    kpoints: BTreeMap<String, [u32; 3]>,
}

fn cases() -> Vec<(Case, Lattice)> {
    let cases: Vec<Case> = serde_json::from_str(COMMITTED).unwrap();
    assert_eq!(cases.len(), 57);
    cases
        .into_iter()
        .map(|case| {
            let lattice = Lattice::from_parameters(case.lengths, case.angles).unwrap();
            (case, lattice)
        })
        .collect()
}

/// Bonds as pymatgen lists them: lower site, higher site, image of the higher one; sorted.
fn bonds(graph: &CrystalGraph) -> Vec<(usize, usize, [i32; 3])> {
    let mut bonds: Vec<_> = graph
        .edges
        .iter()
        .step_by(2)
        .map(|edge| (edge.target, edge.source, edge.image))
        .collect();
    bonds.sort_unstable();
    bonds
}

#[test]
fn niggli_cells() {
    for (case, lattice) in cases() {
        let (reduced, _) = niggli_reduce(&lattice).unwrap();
        let found = [reduced.lengths(), reduced.angles()].concat();
        for (x, y) in found.iter().zip(case.niggli) {
            // pymatgen finds the cell through a search with a tolerance of its own.
            assert!(
                (x - y).abs() < 1e-6,
                "{}: {found:?} {:?}",
                case.label,
                case.niggli
            );
        }
    }
}

#[test]
fn crystal_nn_graphs() {
    for (case, lattice) in cases() {
        let graph = CrystalGraph::crystal_nn(&lattice, &case.sites).unwrap();
        assert_eq!(bonds(&graph), case.edges, "{}", case.label);
    }
}

/// Snapping the positions changes no bond of a benchmark skeleton.
#[test]
fn exact_skeletons_have_the_published_graph() {
    for (case, _) in cases().into_iter().take(7) {
        let skeleton = Skeleton::builtin(&case.label).unwrap();
        assert_eq!(bonds(&skeleton.graph), case.edges, "{}", case.label);
    }
}

#[test]
fn space_groups() {
    for (case, lattice) in cases() {
        let kinds = vec![1; case.sites.len()];
        let (number, _) =
            space_group(&lattice, &case.sites, &kinds, SYMMETRY_TOLERANCE_ANG).unwrap();
        assert_eq!(number, case.space_group, "{}", case.label);
    }
}

#[test]
fn k_meshes() {
    for (case, lattice) in cases() {
        for (kppa, mesh) in case.kpoints {
            let found = automatic_density(&lattice, case.sites.len(), kppa.parse().unwrap());
            assert_eq!(found, mesh, "{} at {kppa}", case.label);
        }
    }
}

#[test]
fn committed_values_are_what_pymatgen_says() {
    let Some(python) = crystalgym_testing::python_with(&["pymatgen.core"]) else {
        return;
    };
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/oracle/pymatgen_oracle.py"
    );
    let output = Command::new(python).arg(script).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let live: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let committed: serde_json::Value = serde_json::from_str(COMMITTED).unwrap();
    assert_eq!(live, committed);
}
