//! The backward pass of MEGNet.

use crystalgym_kernels::{self as kernels, Buffer, Gather, Start};

use super::config::MegnetConfig;
use super::{
    forward::{Activations, edge_items, node_items},
    layout::{Block, FOCUS_EMBEDDING, Layout, NODE_EMBEDDING},
    soft,
};
use crate::layers::{BackwardWeights, Flow, Mlp};

/// Gradients on their way back.
#[derive(Debug, Default)]
pub(super) struct BackwardScratch {
    /// Gradients of the features between blocks.
    edges: Buffer,
    nodes: Buffer,
    states: Buffer,
    /// Gradients of the encoders' rows.
    edge_kinds: Buffer,
    node_kinds: Buffer,
    /// Gradients inside one block.
    flow: Flow,
    edge_update: Buffer,
    node_update: Buffer,
    edge_dense: Buffer,
    node_dense: Buffer,
    state_dense: Buffer,
    messages: Buffer,
    edge_mean: Buffer,
    node_mean: Buffer,
    by_node: Buffer,
    by_state: Buffer,
    by_kind: Buffer,
    node_output: [Buffer; 2],
    edge_output: [Buffer; 2],
    inputs: Buffer,
    /// Gradient of the elements' shares on each node, where sites hold elements in parts.
    pub(super) shares: Buffer,
}

impl BackwardScratch {
    /// Adds the gradient of the batch in `activations` to `gradients`.
    pub(super) fn backward(
        &mut self,
        config: &MegnetConfig,
        layout: &Layout,
        weights: BackwardWeights<'_>,
        activations: &mut Activations,
        grad_outputs: &[f32],
        gradients: &mut [f32],
    ) {
        self.read_out(
            config,
            layout,
            weights,
            activations,
            grad_outputs,
            gradients,
        );
        for (k, block) in layout.blocks.iter().enumerate().rev() {
            self.block(k, block, weights, activations, config.hidden, gradients);
        }
        self.encoders(config, layout, weights, activations, gradients);
    }

    fn read_out(
        &mut self,
        config: &MegnetConfig,
        layout: &Layout,
        weights: BackwardWeights<'_>,
        activations: &mut Activations,
        grad_outputs: &[f32],
        gradients: &mut [f32],
    ) {
        let n = config.hidden;
        let graphs = activations.index.graphs;
        let flow = &mut self.flow;
        flow.grad
            .resize(grad_outputs.len())
            .copy_from_slice(grad_outputs);
        let output = &layout.output;
        output.backward(
            weights,
            &activations.features,
            &activations.output,
            flow,
            gradients,
        );
        let features = self.inputs.resize(graphs * 5 * n);
        let first = &output.layers[0];
        first.backward_part(weights, 0, 5 * n, &flow.grad, Start::Zero, features);

        self.states.resize(graphs * n);
        for part in self.node_output.iter_mut().chain(&mut self.edge_output) {
            part.resize(graphs * n);
        }
        let [node_hidden, node_readout] = &mut self.node_output;
        let [edge_hidden, edge_readout] = &mut self.edge_output;
        for (graph, row) in features.chunks_exact(5 * n).enumerate() {
            let places = [
                &mut *node_hidden,
                &mut *node_readout,
                &mut *edge_hidden,
                &mut *edge_readout,
                &mut self.states,
            ];
            for (place, part) in places.into_iter().zip(row.chunks_exact(n)) {
                place[graph * n..(graph + 1) * n].copy_from_slice(part);
            }
        }

        let Some(last) = activations.blocks.last() else {
            return;
        };
        let index = &activations.index;
        layout.edge_readout.backward(
            weights,
            edge_items(index, last),
            (edge_hidden, edge_readout),
            &mut activations.edge_readout,
            self.edges.reset(index.edges() * n),
            gradients,
        );
        layout.node_readout.backward(
            weights,
            node_items(index, last),
            (node_hidden, node_readout),
            &mut activations.node_readout,
            self.nodes.reset(index.nodes() * n),
            gradients,
        );
    }

    fn block(
        &mut self,
        k: usize,
        block: &Block,
        weights: BackwardWeights<'_>,
        activations: &Activations,
        n: usize,
        gradients: &mut [f32],
    ) {
        let arch = weights.arch;
        let index = &activations.index;
        let now = &activations.blocks[k];
        let (nodes_in, states_in) = activations.inputs_of_block(k);
        let (nodes, states) = match block.dense {
            None => (nodes_in, states_in),
            Some(_) => (now.node_dense.output(), now.state_dense.output()),
        };
        let (edge_count, node_count, graphs) = (index.edges(), index.nodes(), index.graphs);
        let wide = block.edge.layers[0].outputs;
        let flow = &mut self.flow;

        // φ_u
        flow.grad.resize(graphs * n).copy_from_slice(&self.states);
        block
            .state
            .backward_to_first(weights, &now.state_update, flow, gradients);
        let first = &block.state.layers[0];
        let grad = &flow.grad;
        first.weight_gradient_part(arch, 0, n, states, grad, gradients);
        first.weight_gradient_part(arch, n, n, &now.edge_mean, grad, gradients);
        first.weight_gradient_part(arch, 2 * n, n, &now.node_mean, grad, gradients);
        let state_dense = self.state_dense.resize(graphs * n);
        let edge_mean = self.edge_mean.resize(graphs * n);
        let node_mean = self.node_mean.resize(graphs * n);
        first.backward_part(weights, 0, n, grad, Start::Zero, state_dense);
        first.backward_part(weights, n, n, grad, Start::Zero, edge_mean);
        first.backward_part(weights, 2 * n, n, grad, Start::Zero, node_mean);

        // φ_v
        let node_update = self.node_update.resize(node_count * n);
        node_update.copy_from_slice(&self.nodes);
        let of_graph = Gather {
            table: node_mean,
            index: &index.node_graph,
        };
        kernels::gather_add_scaled(arch, n, of_graph, &index.node_weight_in_graph, node_update);
        flow.grad
            .resize(node_count * n)
            .copy_from_slice(node_update);
        block
            .node
            .backward_to_first(weights, &now.node_update, flow, gradients);
        let first = &block.node.layers[0];
        let grad = &flow.grad;
        first.weight_gradient_part(arch, 0, n, nodes, grad, gradients);
        first.weight_gradient_part(arch, n, n, &now.messages, grad, gradients);
        let node_dense = self.node_dense.resize(node_count * n);
        let messages = self.messages.resize(node_count * n);
        first.backward_part(weights, 0, n, grad, Start::Zero, node_dense);
        first.backward_part(weights, n, n, grad, Start::Zero, messages);
        let by_state = self.by_state.reset(graphs * wide);
        kernels::scatter_add(arch, wide, grad, &index.node_graph, by_state);
        first.weight_gradient_part(arch, 2 * n, n, states, by_state, gradients);
        first.backward_part(weights, 2 * n, n, by_state, Start::Output, state_dense);

        // φ_e
        let edge_update = self.edge_update.resize(edge_count * n);
        edge_update.copy_from_slice(&self.edges);
        let of_graph = Gather {
            table: edge_mean,
            index: &index.edge_graph,
        };
        kernels::gather_add_scaled(arch, n, of_graph, &index.edge_weight_in_graph, edge_update);
        let of_target = Gather {
            table: messages,
            index: &index.edge_target,
        };
        kernels::gather_add_scaled(
            arch,
            n,
            of_target,
            &index.edge_weight_in_target,
            edge_update,
        );
        flow.grad
            .resize(edge_count * n)
            .copy_from_slice(edge_update);
        block
            .edge
            .backward_to_first(weights, &now.edge_update, flow, gradients);
        let first = &block.edge.layers[0];
        let grad = &flow.grad;
        for (position, ends) in [&index.edge_source, &index.edge_target]
            .into_iter()
            .enumerate()
        {
            let by_node = self.by_node.reset(node_count * wide);
            kernels::scatter_add(arch, wide, grad, ends, by_node);
            first.weight_gradient_part(arch, position * n, n, nodes, by_node, gradients);
            first.backward_part(weights, position * n, n, by_node, Start::Output, node_dense);
        }
        let by_state = self.by_state.reset(graphs * wide);
        kernels::scatter_add(arch, wide, grad, &index.edge_graph, by_state);
        first.weight_gradient_part(arch, 3 * n, n, states, by_state, gradients);
        first.backward_part(weights, 3 * n, n, by_state, Start::Output, state_dense);

        // The residual leaves the gradients of the features as they are and adds the branch's.
        let Some(dense) = &block.dense else {
            let by_kind = self.by_kind.reset(index.edge_kinds() * wide);
            kernels::scatter_add(arch, wide, grad, &index.edge_kind, by_kind);
            let encoded = activations.edge_encoder.output();
            first.weight_gradient_part(arch, 2 * n, n, encoded, by_kind, gradients);
            let kinds = self.edge_kinds.reset(index.edge_kinds() * n);
            kernels::scatter_add(arch, n, &self.edges, &index.edge_kind, kinds);
            first.backward_part(weights, 2 * n, n, by_kind, Start::Output, kinds);
            kernels::add_assign(arch, node_dense, &mut self.nodes);
            kernels::add_assign(arch, state_dense, &mut self.states);
            return;
        };
        let edges = now.edge_dense.output();
        first.weight_gradient_part(arch, 2 * n, n, edges, grad, gradients);
        let edge_dense = self.edge_dense.resize(edge_count * n);
        first.backward_part(weights, 2 * n, n, grad, Start::Zero, edge_dense);
        let mut through = |mlp: &Mlp, x: &[f32], cache, grad_out: &[f32], grad_in: &mut [f32]| {
            flow.grad.resize(grad_out.len()).copy_from_slice(grad_out);
            mlp.backward(weights, x, cache, flow, gradients);
            mlp.layers[0].backward_part(weights, 0, n, &flow.grad, Start::Output, grad_in);
        };
        let edges_in = &activations.blocks[k - 1].edges;
        through(
            &dense.edge,
            edges_in,
            &now.edge_dense,
            edge_dense,
            &mut self.edges,
        );
        through(
            &dense.node,
            nodes_in,
            &now.node_dense,
            node_dense,
            &mut self.nodes,
        );
        through(
            &dense.state,
            states_in,
            &now.state_dense,
            state_dense,
            &mut self.states,
        );
    }

    fn encoders(
        &mut self,
        config: &MegnetConfig,
        layout: &Layout,
        weights: BackwardWeights<'_>,
        activations: &Activations,
        gradients: &mut [f32],
    ) {
        let index = &activations.index;
        let n = config.hidden;
        let flow = &mut self.flow;

        flow.grad
            .resize(self.edge_kinds.len())
            .copy_from_slice(&self.edge_kinds);
        let cache = &activations.edge_encoder;
        layout
            .edge_encoder
            .backward(weights, &index.edge_basis, cache, flow, gradients);

        let kinds = self.node_kinds.reset(index.node_kinds() * n);
        kernels::scatter_add(weights.arch, n, &self.nodes, &index.node_kind, kinds);
        flow.grad.resize(kinds.len()).copy_from_slice(kinds);
        let (encoder, cache) = (&layout.node_encoder, &activations.node_encoder);
        encoder.backward(weights, &activations.node_inputs, cache, flow, gradients);
        let inputs = self.inputs.resize(index.node_kinds() * NODE_EMBEDDING);
        let first = &encoder.layers[0];
        first.backward_part(weights, 0, NODE_EMBEDDING, &flow.grad, Start::Zero, inputs);
        let table = &mut gradients[layout.node_embedding..];
        if index.shares.is_empty() {
            kernels::scatter_add(
                weights.arch,
                NODE_EMBEDDING,
                inputs,
                &index.kind_types,
                table,
            );
        } else {
            let shares = self.shares.resize(index.shares.len());
            let elements = config.n_actions;
            soft::through_shares(
                elements,
                inputs,
                &index.shares,
                &activations.embedding,
                table,
                shares,
            );
        }

        flow.grad
            .resize(self.states.len())
            .copy_from_slice(&self.states);
        let (encoder, cache) = (&layout.state_encoder, &activations.state_encoder);
        encoder.backward(weights, &activations.state_inputs, cache, flow, gradients);
        if let Some(table) = layout.focus_embedding {
            let inputs = self.inputs.resize(index.graphs * FOCUS_EMBEDDING);
            let first = &encoder.layers[0];
            let start = config.state_inputs();
            first.backward_part(
                weights,
                start,
                FOCUS_EMBEDDING,
                &flow.grad,
                Start::Zero,
                inputs,
            );
            let table = &mut gradients[table..];
            kernels::scatter_add(weights.arch, FOCUS_EMBEDDING, inputs, &index.focus, table);
        }
    }
}
