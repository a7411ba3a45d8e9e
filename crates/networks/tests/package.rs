//! Networks on CHGNet against the published package's own layers.
//!
//! Skipped without a Python that has `chgnet` and `torch`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{process::Command, sync::Arc};

use common::chgnet;
use crystalgym_crystal::{Crystal, Element, Skeleton, StructureFormat};
use crystalgym_networks::{
    Blanks, ChgnetFeatures, ChgnetHead, ChgnetTrunk, LayerOrder, PartialCrystal, Trunk,
};
use crystalgym_potential::{InteratomicPotential, Request};

/// Oracle: the package's own layers, run in the order of the published agents by a script of a few lines;
/// and the potential's site features, summed, for CHGNet's own order.
#[test]
fn features_are_those_of_the_package_in_either_order() {
    let Some(python) = crystalgym_testing::optional_python_with(&["chgnet.model", "torch"]) else {
        return;
    };
    let chgnet = chgnet().unwrap();
    let skeletons = ["C1", "C3", "C6"].map(|label| Skeleton::builtin(label).unwrap());
    let symbols = ["Cs", "Pb", "I", "O", "Na", "F", "Ti", "Br"];
    let elements: Vec<Element> = symbols.iter().map(|s| s.parse().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut script = SCRIPT.to_owned();
    let mut expected = Vec::new();
    for (n, skeleton) in skeletons.iter().enumerate() {
        let filling = elements[..skeleton.sites()].to_vec();
        let crystal = Crystal::new(Arc::clone(skeleton), filling).unwrap();
        let path = folder.path().join(format!("{n}.vasp"));
        let structure = crystal.structure();
        structure
            .to_file_as(&path, StructureFormat::Poscar)
            .unwrap();
        script += &format!("show({:?})\n", path.display().to_string());
        let found = chgnet.evaluate(&structure, Request::Energy).unwrap();
        expected.push(sum(&found.features.unwrap().after_readout));
    }
    let output = Command::new(python)
        .args(["-W", "ignore", "-c", &script])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<Vec<f32>> = said
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| {
            line[1..]
                .split_whitespace()
                .map(|x| x.parse().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(
        rows.len(),
        skeletons.len(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let features = Arc::new(ChgnetFeatures::new(chgnet));
    for order in [LayerOrder::Corrected, LayerOrder::Published] {
        let trunk = ChgnetTrunk::new(
            Arc::clone(&features),
            ChgnetHead::Published,
            order,
            Blanks::Material,
            &skeletons,
            &elements,
        )
        .unwrap();
        for (n, skeleton) in skeletons.iter().enumerate() {
            let node_types: Vec<u8> = (0..skeleton.sites() as u8).collect();
            let mut found = vec![0.0; 64];
            let seen = PartialCrystal {
                skeleton: n,
                node_types: &node_types,
                focus: 0,
            };
            trunk.features(seen, &mut found);
            let oracle = match order {
                LayerOrder::Corrected => &expected[n],
                LayerOrder::Published => &rows[n],
            };
            let largest = found.iter().zip(oracle).map(|(a, b)| (a - b).abs());
            let largest = largest.fold(0.0, f32::max);
            // Summed over up to eight sites with features of order one, in f32 on either side.
            assert!(largest < 5e-4, "{order:?} {}: {largest}", skeleton.label);
        }
    }
}

fn sum(rows: &[f32]) -> Vec<f32> {
    (0..64)
        .map(|k| rows.iter().skip(k).step_by(64).sum())
        .collect()
}

/// The published agents' forward pass: the last convolution and the norm inside the loop.
const SCRIPT: &str = r#"
import torch, warnings
from chgnet.model.model import CHGNet, BatchedGraph
from pymatgen.core import Structure
m = CHGNet.load(verbose=False, use_device="cpu")
def show(path):
    s = Structure.from_file(path)
    g = BatchedGraph.from_graphs([m.graph_converter(s)], bond_basis_expansion=m.bond_basis_expansion,
        angle_basis_expansion=m.angle_basis_expansion, compute_stress=False)
    x = m.atom_embedding(g.atomic_numbers - 1)
    b = m.bond_embedding(g.bond_bases_ag)
    wa, wb = m.bond_weights_ag(g.bond_bases_ag), m.bond_weights_bg(g.bond_bases_bg)
    angles = len(g.angle_bases) != 0
    if angles:
        a = m.angle_embedding(g.angle_bases)
    def conv(layer, x):
        return layer(atom_feas=x, bond_feas=b, bond_weights=wa, atom_graph=g.batched_atom_graph,
            directed2undirected=g.directed2undirected)
    for atom, bond, angle in zip(m.atom_conv_layers[:-1], m.bond_conv_layers, m.angle_layers):
        x = conv(atom, x)
        if angles:
            b = bond(atom_feas=x, bond_feas=b, bond_weights=wb, angle_feas=a, bond_graph=g.batched_bond_graph)
            a = angle(atom_feas=x, bond_feas=b, angle_feas=a, bond_graph=g.batched_bond_graph)
        x = m.readout_norm(conv(m.atom_conv_layers[-1], x))
    print("|" + " ".join(repr(float(v)) for v in x.sum(0)))
"#;
