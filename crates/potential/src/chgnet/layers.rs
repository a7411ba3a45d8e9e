//! The three layers of CHGNet, forward and back: atoms hear of their neighbours, bonds of their
//! angles, angles of their bonds.

use crystalgym_kernels::{Buffer, Gather, Start, Strided};
use pulp::Arch;

use super::{
    dense::{Dense, Rows},
    gated::{Block, Gated, Kept},
    graph::Graph,
    row_kernels::{PAIR, WIDTH, gather_product, scatter_product},
    weights::Weights,
};
use crate::PotentialError;

/// Memory that all layers share.
#[derive(Debug, Default)]
pub(super) struct LayerScratch {
    block: Block,
    /// Products of the first layer's parts with the features of atoms and bonds, or their gradients.
    tables: [Buffer; 3],
    /// Sums over rows, or their gradients.
    sums: Buffer,
}

/// Features, or gradients of features.
#[derive(Debug, Default)]
pub(super) struct Features {
    pub(super) atoms: Buffer,
    pub(super) bonds: Buffer,
    pub(super) angles: Buffer,
    /// Weights of the bonds in messages to atoms and between bonds.
    pub(super) atom_weights: Buffer,
    pub(super) bond_weights: Buffer,
}

/// `x_i ← x_i + W Σ_j G([x_i, b_ij, x_j]) w_ij`
#[derive(Debug)]
pub(super) struct AtomConvolution {
    gated: Gated,
    output: Dense,
}

/// `b_e ← b_e + W Σ_f G([b_e, b_f, a_ef, x]) w_e w_f`
#[derive(Debug)]
pub(super) struct BondConvolution {
    gated: Gated,
    output: Dense,
}

/// `a_ef ← a_ef + G([b_e, b_f, a_ef, x])`
#[derive(Debug)]
pub(super) struct AngleUpdate {
    gated: Gated,
}

impl AtomConvolution {
    pub(super) fn new(weights: &Weights, layer: usize) -> Result<Self, PotentialError> {
        let name = format!("atom_conv_layers.{layer}");
        Ok(Self {
            gated: Gated::new(
                weights,
                &format!("{name}.twoBody_atom"),
                &[0, 1, 2],
                0,
                true,
            )?,
            output: output(weights, &name)?,
        })
    }

    pub(super) fn forward(
        &self,
        arch: Arch,
        graph: &Graph,
        features: &mut Features,
        kept: Option<&mut Kept>,
        scratch: &mut LayerScratch,
    ) {
        let (atoms, bonds) = (graph.atoms, graph.bonds.len());
        let inputs = [
            (&*features.atoms, atoms),
            (&features.bonds, bonds),
            (&features.atoms, atoms),
        ];
        products(arch, &self.gated, inputs, &mut scratch.tables);
        let index = graph.atom_rows();
        let sums = scratch.sums.reset(atoms * WIDTH);
        let weights = &features.atom_weights;
        self.gated.forward(
            arch,
            graph.centres.len(),
            gathers(&scratch.tables, index),
            &mut [],
            kept,
            &mut scratch.block,
            |rows, gated, _| {
                let weight = Gather {
                    table: weights,
                    index: &graph.directed_bonds[rows.clone()],
                };
                scatter_product(arch, gated, [weight], &graph.centres[rows], sums);
            },
        );
        self.output
            .add(arch, atoms, &scratch.sums, &mut features.atoms);
    }

    pub(super) fn backward(
        &self,
        arch: Arch,
        graph: &Graph,
        features: &Features,
        kept: &Kept,
        grads: &mut Features,
        scratch: &mut LayerScratch,
    ) {
        let (atoms, bonds) = (graph.atoms, graph.bonds.len());
        let sums = scratch.sums.resize(atoms * WIDTH);
        self.output
            .add_transposed(arch, atoms, &grads.atoms, Start::Zero, sums);
        let sums = &*sums;
        let [by_centre, by_bond, by_neighbour] = &mut scratch.tables;
        let table_grads = [
            by_centre.reset(atoms * PAIR),
            by_bond.reset(bonds * PAIR),
            by_neighbour.reset(atoms * PAIR),
        ];
        let grad_weights = &mut *grads.atom_weights;
        let of_centre = |rows| Gather {
            table: sums,
            index: &graph.centres[rows],
        };
        self.gated.backward(
            arch,
            graph.centres.len(),
            graph.atom_rows(),
            kept,
            &mut scratch.block,
            |rows, _, grad| {
                let weight = Gather {
                    table: &features.atom_weights,
                    index: &graph.directed_bonds[rows.clone()],
                };
                gather_product(arch, [of_centre(rows), weight], grad);
            },
            |rows, gated| {
                let target = &graph.directed_bonds[rows.clone()];
                scatter_product(arch, gated, [of_centre(rows)], target, grad_weights);
            },
            table_grads,
            &mut [],
        );
        let [centre, bond, neighbour] = &scratch.tables;
        let inputs = &self.gated.inputs;
        inputs[0].add_transposed(arch, atoms, centre, Start::Output, &mut grads.atoms);
        inputs[1].add_transposed(arch, bonds, bond, Start::Output, &mut grads.bonds);
        inputs[2].add_transposed(arch, atoms, neighbour, Start::Output, &mut grads.atoms);
    }
}

impl BondConvolution {
    pub(super) fn new(weights: &Weights, layer: usize) -> Result<Self, PotentialError> {
        let name = format!("bond_conv_layers.{layer}");
        Ok(Self {
            gated: Gated::new(
                weights,
                &format!("{name}.twoBody_bond"),
                &[0, 1, 3, 2],
                0,
                true,
            )?,
            output: output(weights, &name)?,
        })
    }

    pub(super) fn forward(
        &self,
        arch: Arch,
        graph: &Graph,
        features: &mut Features,
        kept: Option<&mut Kept>,
        scratch: &mut LayerScratch,
    ) {
        let bonds = graph.short_bonds;
        bond_products(arch, &self.gated, graph, features, scratch);
        let sums = scratch.sums.reset(bonds * WIDTH);
        let weights = &features.bond_weights;
        self.gated.forward(
            arch,
            graph.row_firsts.len(),
            gathers(&scratch.tables, graph.bond_rows()),
            &mut features.angles,
            kept,
            &mut scratch.block,
            |rows, gated, _| {
                let first = &graph.row_firsts[rows.clone()];
                let pair = [first, &graph.row_seconds[rows]].map(|index| Gather {
                    table: weights,
                    index,
                });
                scatter_product(arch, gated, pair, first, sums);
            },
        );
        self.output
            .add(arch, bonds, &scratch.sums, &mut features.bonds);
    }

    pub(super) fn backward(
        &self,
        arch: Arch,
        graph: &Graph,
        features: &Features,
        kept: &Kept,
        grads: &mut Features,
        scratch: &mut LayerScratch,
    ) {
        let bonds = graph.short_bonds;
        let sums = scratch.sums.resize(bonds * WIDTH);
        self.output
            .add_transposed(arch, bonds, &grads.bonds, Start::Zero, sums);
        let sums = &*sums;
        let table_grads = reset_bond_tables(graph, &mut scratch.tables);
        let grad_weights = &mut *grads.bond_weights;
        let of = |table, index| Gather { table, index };
        self.gated.backward(
            arch,
            graph.row_firsts.len(),
            graph.bond_rows(),
            kept,
            &mut scratch.block,
            |rows, _, grad| {
                let first = &graph.row_firsts[rows.clone()];
                let second = &graph.row_seconds[rows];
                let weights = &*features.bond_weights;
                let factors = [of(sums, first), of(weights, first), of(weights, second)];
                gather_product(arch, factors, grad);
            },
            |rows, gated| {
                let first = &graph.row_firsts[rows.clone()];
                let second = &graph.row_seconds[rows];
                let weights = &*features.bond_weights;
                for (target, other) in [(first, second), (second, first)] {
                    let factors = [of(sums, first), of(weights, other)];
                    scatter_product(arch, gated, factors, target, grad_weights);
                }
            },
            table_grads,
            &mut grads.angles,
        );
        add_bond_table_grads(arch, &self.gated, graph, &scratch.tables, grads);
    }
}

impl AngleUpdate {
    pub(super) fn new(weights: &Weights, layer: usize) -> Result<Self, PotentialError> {
        let name = format!("angle_layers.{layer}.twoBody_bond");
        Ok(Self {
            gated: Gated::new(weights, &name, &[0, 1, 3, 2], 1, false)?,
        })
    }

    pub(super) fn forward(
        &self,
        arch: Arch,
        graph: &Graph,
        features: &mut Features,
        kept: Option<&mut Kept>,
        scratch: &mut LayerScratch,
    ) {
        bond_products(arch, &self.gated, graph, features, scratch);
        self.gated.forward(
            arch,
            graph.row_firsts.len(),
            gathers(&scratch.tables, graph.bond_rows()),
            &mut features.angles,
            kept,
            &mut scratch.block,
            |_, gated, angles| crystalgym_kernels::add_assign(arch, gated, angles),
        );
    }

    pub(super) fn backward(
        &self,
        arch: Arch,
        graph: &Graph,
        kept: &Kept,
        grads: &mut Features,
        scratch: &mut LayerScratch,
    ) {
        let table_grads = reset_bond_tables(graph, &mut scratch.tables);
        self.gated.backward(
            arch,
            graph.row_firsts.len(),
            graph.bond_rows(),
            kept,
            &mut scratch.block,
            |_, own, grad| grad.copy_from_slice(own),
            |_, _| {},
            table_grads,
            &mut grads.angles,
        );
        add_bond_table_grads(arch, &self.gated, graph, &scratch.tables, grads);
    }
}

impl Graph {
    /// Centre, bond and neighbour of each row of the atom graph.
    fn atom_rows(&self) -> [&[u32]; 3] {
        [&self.centres, &self.directed_bonds, &self.neighbours]
    }

    /// First bond, second bond and centre of each row of the bond graph.
    fn bond_rows(&self) -> [&[u32]; 3] {
        [&self.row_firsts, &self.row_seconds, &self.row_centres]
    }
}

impl Dense {
    /// `y ← y + x Wᵀ`, contiguous rows.
    fn add(&self, arch: Arch, rows: usize, x: &[f32], y: &mut [f32]) {
        let x = Strided {
            data: x,
            stride: WIDTH,
        };
        let y = Rows {
            data: y,
            stride: WIDTH,
        };
        self.forward(arch, rows, x, Start::Output, y);
    }

    /// `dx = start + dy W`, contiguous rows; `dx` is [`WIDTH`] wide.
    fn add_transposed(
        &self,
        arch: Arch,
        rows: usize,
        grad_y: &[f32],
        start: Start<'_>,
        grad_x: &mut [f32],
    ) {
        let grad_y = Strided {
            data: grad_y,
            stride: self.outputs(),
        };
        let grad_x = Rows {
            data: grad_x,
            stride: WIDTH,
        };
        self.backward(arch, rows, grad_y, start, grad_x);
    }
}

fn output(weights: &Weights, layer: &str) -> Result<Dense, PotentialError> {
    let matrix = weights.values(&format!("{layer}.mlp_out.layers.1.weight"))?;
    Ok(Dense::new(WIDTH, WIDTH, |o, i| matrix[o * WIDTH + i]))
}

/// The products of the first layer with features and their number of rows.
fn products(arch: Arch, gated: &Gated, inputs: [(&[f32], usize); 3], tables: &mut [Buffer; 3]) {
    for ((dense, (features, rows)), table) in gated.inputs.iter().zip(inputs).zip(tables) {
        let x = Strided {
            data: features,
            stride: WIDTH,
        };
        let y = Rows {
            data: table.resize(rows * PAIR),
            stride: PAIR,
        };
        dense.forward(arch, rows, x, Start::Zero, y);
    }
}

fn bond_products(
    arch: Arch,
    gated: &Gated,
    graph: &Graph,
    features: &Features,
    scratch: &mut LayerScratch,
) {
    let inputs = [
        (&*features.bonds, graph.short_bonds),
        (&features.bonds, graph.short_bonds),
        (&features.atoms, graph.atoms),
    ];
    products(arch, gated, inputs, &mut scratch.tables);
}

fn gathers<'a>(tables: &'a [Buffer; 3], index: [&'a [u32]; 3]) -> [Gather<'a>; 3] {
    std::array::from_fn(|t| Gather {
        table: &tables[t],
        index: index[t],
    })
}

fn reset_bond_tables<'a>(graph: &Graph, tables: &'a mut [Buffer; 3]) -> [&'a mut [f32]; 3] {
    let [first, second, centre] = tables;
    [
        first.reset(graph.short_bonds * PAIR),
        second.reset(graph.short_bonds * PAIR),
        centre.reset(graph.atoms * PAIR),
    ]
}

fn add_bond_table_grads(
    arch: Arch,
    gated: &Gated,
    graph: &Graph,
    tables: &[Buffer; 3],
    grads: &mut Features,
) {
    let [first, second, centre] = tables;
    let inputs = &gated.inputs;
    let short = graph.short_bonds;
    inputs[0].add_transposed(arch, short, first, Start::Output, &mut grads.bonds);
    inputs[1].add_transposed(arch, short, second, Start::Output, &mut grads.bonds);
    inputs[2].add_transposed(arch, graph.atoms, centre, Start::Output, &mut grads.atoms);
}
