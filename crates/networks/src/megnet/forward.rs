//! The forward pass of MEGNet.

use crystalgym_kernels::{self as kernels, Buffer, Gather, Start};

use super::{
    config::{InputStyle, MegnetConfig},
    template::GraphTemplate,
};
use super::{
    index::BatchIndex,
    layout::{Block, FOCUS_EMBEDDING, Layout, NODE_EMBEDDING},
    set2set::{Items, Set2SetCache},
    soft::Shown,
};
use crate::layers::{Linear, MlpCache, Weights};

/// Everything that one forward pass computes and the backward pass reads.
#[derive(Debug, Default)]
pub(super) struct Activations {
    pub(super) index: BatchIndex,
    pub(super) node_inputs: Buffer,
    /// The table of node types, where sites hold elements in parts.
    pub(super) embedding: Buffer,
    pub(super) state_inputs: Buffer,
    pub(super) edge_encoder: MlpCache,
    pub(super) node_encoder: MlpCache,
    pub(super) state_encoder: MlpCache,
    /// Encoded nodes, one row a node.
    pub(super) nodes: Buffer,
    pub(super) blocks: Vec<BlockActivations>,
    pub(super) edge_readout: Set2SetCache,
    pub(super) node_readout: Set2SetCache,
    pub(super) features: Buffer,
    pub(super) output: MlpCache,
    projections: Projections,
}

/// What one block computes.
#[derive(Debug, Default)]
pub(super) struct BlockActivations {
    pub(super) edge_dense: MlpCache,
    pub(super) node_dense: MlpCache,
    pub(super) state_dense: MlpCache,
    pub(super) edge_update: MlpCache,
    pub(super) node_update: MlpCache,
    pub(super) state_update: MlpCache,
    /// Mean over the edges into each node.
    pub(super) messages: Buffer,
    pub(super) edge_mean: Buffer,
    pub(super) node_mean: Buffer,
    /// Features after the block.
    pub(super) edges: Buffer,
    pub(super) nodes: Buffer,
    pub(super) states: Buffer,
}

/// First layers of the updates, computed per node, graph or kind before they are spread.
#[derive(Debug, Default)]
struct Projections {
    source: Buffer,
    target: Buffer,
    state: Buffer,
    kind: Buffer,
}

impl Activations {
    /// Features of nodes and states before block `k`.
    pub(super) fn inputs_of_block(&self, k: usize) -> (&[f32], &[f32]) {
        if k == 0 {
            (&self.nodes, self.state_encoder.output())
        } else {
            (&self.blocks[k - 1].nodes, &self.blocks[k - 1].states)
        }
    }

    pub(super) fn forward(
        &mut self,
        config: &MegnetConfig,
        layout: &Layout,
        weights: Weights<'_>,
        templates: &[GraphTemplate],
        shown: Shown<'_, '_>,
        outputs: &mut [f32],
    ) {
        match shown {
            Shown::States(states) => self.index.build(config, templates, states),
            Shown::Soft(crystals) => self.index.build_soft(config, templates, crystals),
        }
        self.encode(config, layout, weights, templates, shown);
        self.blocks
            .resize_with(layout.blocks.len(), BlockActivations::default);
        for (k, block) in layout.blocks.iter().enumerate() {
            self.block(k, block, weights, config.hidden);
        }
        self.read_out(config, layout, weights);
        layout
            .output
            .forward(weights, &self.features, self.index.graphs, &mut self.output);
        outputs.copy_from_slice(self.output.output());
    }

    fn encode(
        &mut self,
        config: &MegnetConfig,
        layout: &Layout,
        weights: Weights<'_>,
        templates: &[GraphTemplate],
        shown: Shown<'_, '_>,
    ) {
        let index = &self.index;
        layout.edge_encoder.forward(
            weights,
            &index.edge_basis,
            index.edge_kinds(),
            &mut self.edge_encoder,
        );

        let width = layout.node_encoder.inputs();
        let kinds = index.node_kinds();
        let table = &weights.values[layout.node_embedding..];
        let table = &table[..(config.n_actions + 1) * NODE_EMBEDDING];
        index.node_inputs(table, width, self.node_inputs.resize(kinds * width));
        if !index.shares.is_empty() {
            self.embedding.resize(table.len()).copy_from_slice(table);
        }
        layout
            .node_encoder
            .forward(weights, &self.node_inputs, kinds, &mut self.node_encoder);
        let encoded = Gather {
            table: self.node_encoder.output(),
            index: &index.node_kind,
        };
        let hidden = config.hidden;
        let nodes = self.nodes.resize(index.nodes() * hidden);
        kernels::gather_sum(weights.arch, hidden, [encoded], nodes);

        let width = layout.state_encoder.inputs();
        let graphs = index.graphs;
        let inputs = self.state_inputs.resize(graphs * width);
        for (graph, row) in inputs.chunks_exact_mut(width).enumerate() {
            let template = &templates[shown.skeleton(graph)];
            let (lattice, rest) = row.split_at_mut(template.lattice_inputs.len());
            lattice.copy_from_slice(&template.lattice_inputs);
            let Shown::States(states) = shown else {
                // No target, and nothing is empty.
                rest.copy_from_slice(&[0.0, 1.0]);
                continue;
            };
            let state = &states[graph];
            match (config.inputs, layout.focus_embedding) {
                (InputStyle::Published, Some(table)) => {
                    rest[0] = state.target as f32;
                    let start = table + state.focus * FOCUS_EMBEDDING;
                    rest[1..].copy_from_slice(&weights.values[start..start + FOCUS_EMBEDDING]);
                }
                _ => {
                    rest[0] = state.target as f32 / config.target_scale as f32;
                    rest[1] = state.step as f32 / state.steps as f32;
                }
            }
        }
        layout
            .state_encoder
            .forward(weights, &self.state_inputs, graphs, &mut self.state_encoder);
    }

    fn block(&mut self, k: usize, block: &Block, weights: Weights<'_>, n: usize) {
        let arch = weights.arch;
        let index = &self.index;
        let (edge_count, node_count, graphs) = (index.edges(), index.nodes(), index.graphs);
        let (before, after) = self.blocks.split_at_mut(k);
        let now = &mut after[0];
        let (nodes_in, states_in): (&[f32], &[f32]) = match before.last() {
            None => (&self.nodes, self.state_encoder.output()),
            Some(previous) => (&previous.nodes, &previous.states),
        };
        if let (Some(dense), Some(previous)) = (&block.dense, before.last()) {
            dense
                .edge
                .forward(weights, &previous.edges, edge_count, &mut now.edge_dense);
            dense
                .node
                .forward(weights, nodes_in, node_count, &mut now.node_dense);
            dense
                .state
                .forward(weights, states_in, graphs, &mut now.state_dense);
        }
        let (nodes, states) = match block.dense {
            None => (nodes_in, states_in),
            Some(_) => (now.node_dense.output(), now.state_dense.output()),
        };

        // φ_e: of its first layer only the part that reads the edge itself runs over edges; in
        // the first block even that one runs over kinds of edges.
        let Projections {
            source,
            target,
            state,
            kind,
        } = &mut self.projections;
        let first = &block.edge.layers[0];
        let wide = first.outputs;
        let bias = Start::Row(first.bias(weights));
        let zero = Start::Zero;
        first.forward_part(weights, 0, n, nodes, zero, source.resize(node_count * wide));
        first.forward_part(weights, n, n, nodes, zero, target.resize(node_count * wide));
        first.forward_part(weights, 3 * n, n, states, bias, state.resize(graphs * wide));
        let of_source = Gather {
            table: source,
            index: &index.edge_source,
        };
        let of_target = Gather {
            table: target,
            index: &index.edge_target,
        };
        let of_graph = Gather {
            table: state,
            index: &index.edge_graph,
        };
        let out = now.edge_update.first(&block.edge, edge_count);
        if block.dense.is_some() {
            kernels::gather_sum(arch, wide, [of_source, of_target, of_graph], out);
            let edges = now.edge_dense.output();
            first.forward_part(weights, 2 * n, n, edges, Start::Output, out);
        } else {
            let kinds = self.edge_encoder.output();
            let projected = kind.resize(index.edge_kinds() * wide);
            first.forward_part(weights, 2 * n, n, kinds, zero, projected);
            let of_kind = Gather {
                table: kind,
                index: &index.edge_kind,
            };
            kernels::gather_sum(arch, wide, [of_source, of_target, of_graph, of_kind], out);
        }
        block
            .edge
            .forward_from_first(weights, edge_count, &mut now.edge_update);
        let new_edges = now.edge_update.output();

        // φ_v
        let messages = now.messages.reset(node_count * n);
        kernels::scatter_add_scaled(
            arch,
            n,
            new_edges,
            &index.edge_target,
            &index.edge_weight_in_target,
            messages,
        );
        let first = &block.node.layers[0];
        let bias = Start::Row(first.bias(weights));
        first.forward_part(weights, 2 * n, n, states, bias, state.resize(graphs * wide));
        let of_graph = Gather {
            table: state,
            index: &index.node_graph,
        };
        let out = now.node_update.first(&block.node, node_count);
        kernels::gather_sum(arch, wide, [of_graph], out);
        first.forward_part(weights, 0, n, nodes, Start::Output, out);
        first.forward_part(weights, n, n, messages, Start::Output, out);
        block
            .node
            .forward_from_first(weights, node_count, &mut now.node_update);
        let new_nodes = now.node_update.output();

        // φ_u
        let edge_mean = now.edge_mean.reset(graphs * n);
        kernels::scatter_add_scaled(
            arch,
            n,
            new_edges,
            &index.edge_graph,
            &index.edge_weight_in_graph,
            edge_mean,
        );
        let node_mean = now.node_mean.reset(graphs * n);
        kernels::scatter_add_scaled(
            arch,
            n,
            new_nodes,
            &index.node_graph,
            &index.node_weight_in_graph,
            node_mean,
        );
        let first: &Linear = &block.state.layers[0];
        let bias = Start::Row(first.bias(weights));
        let out = now.state_update.first(&block.state, graphs);
        first.forward_part(weights, 0, n, states, bias, out);
        first.forward_part(weights, n, n, edge_mean, Start::Output, out);
        first.forward_part(weights, 2 * n, n, node_mean, Start::Output, out);
        block
            .state
            .forward_from_first(weights, graphs, &mut now.state_update);

        // The residual is the value before the dense layers.
        let edges_out = now.edges.resize(edge_count * n);
        match before.last() {
            None => {
                let encoded = Gather {
                    table: self.edge_encoder.output(),
                    index: &index.edge_kind,
                };
                kernels::gather_sum(arch, n, [encoded], edges_out);
                kernels::add_assign(arch, new_edges, edges_out);
            }
            Some(previous) => kernels::add(arch, &previous.edges, new_edges, edges_out),
        }
        kernels::add(arch, nodes_in, new_nodes, now.nodes.resize(node_count * n));
        let new_states = now.state_update.output();
        kernels::add(arch, states_in, new_states, now.states.resize(graphs * n));
    }

    fn read_out(&mut self, config: &MegnetConfig, layout: &Layout, weights: Weights<'_>) {
        let iterations = config.set2set_iterations;
        let Some(last) = self.blocks.last() else {
            return;
        };
        layout.edge_readout.forward(
            weights,
            iterations,
            edge_items(&self.index, last),
            &mut self.edge_readout,
        );
        layout.node_readout.forward(
            weights,
            iterations,
            node_items(&self.index, last),
            &mut self.node_readout,
        );
        let n = config.hidden;
        let features = self.features.resize(self.index.graphs * 5 * n);
        let (node_hidden, node_readout) = self.node_readout.output();
        let (edge_hidden, edge_readout) = self.edge_readout.output();
        for (graph, row) in features.chunks_exact_mut(5 * n).enumerate() {
            let parts = [
                node_hidden,
                node_readout,
                edge_hidden,
                edge_readout,
                &*last.states,
            ];
            for (place, part) in row.chunks_exact_mut(n).zip(parts) {
                place.copy_from_slice(&part[graph * n..(graph + 1) * n]);
            }
        }
    }
}

/// The edges after the last block, for the readout.
pub(super) fn edge_items<'a>(index: &'a BatchIndex, last: &'a BlockActivations) -> Items<'a> {
    Items {
        rows: &last.edges,
        starts: &index.edge_starts,
        multiplicity: &index.edge_multiplicity,
    }
}

/// The nodes after the last block, for the readout.
pub(super) fn node_items<'a>(index: &'a BatchIndex, last: &'a BlockActivations) -> Items<'a> {
    Items {
        rows: &last.nodes,
        starts: &index.node_starts,
        multiplicity: &index.node_multiplicity,
    }
}
