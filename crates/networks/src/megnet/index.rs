//! Which rows of a batch belong together.

use crystalgym_environment::Observation;
use crystalgym_kernels::Buffer;

use super::layout::NODE_EMBEDDING;
use super::{
    config::{InputStyle, MegnetConfig},
    soft::SoftCrystal,
    template::GraphTemplate,
};

/// How the rows of edges, nodes and graphs of a batch hang together.
///
/// Only what differs is computed: one encoder row per kind of node and one per bond of each
/// skeleton that occurs, however many graphs share it.
#[derive(Debug, Default)]
pub(super) struct BatchIndex {
    pub(super) graphs: usize,
    /// First node of each graph, then the number of nodes.
    pub(super) node_starts: Vec<u32>,
    pub(super) node_graph: Vec<u32>,
    /// Row of the node encoder that each node takes.
    pub(super) node_kind: Vec<u32>,
    /// One over the number of nodes of the node's graph.
    pub(super) node_weight_in_graph: Vec<f32>,
    pub(super) node_multiplicity: Vec<f32>,
    /// First edge of each graph, then the number of edges.
    pub(super) edge_starts: Vec<u32>,
    pub(super) edge_source: Vec<u32>,
    pub(super) edge_target: Vec<u32>,
    pub(super) edge_graph: Vec<u32>,
    /// Row of the edge encoder that each edge takes.
    pub(super) edge_kind: Vec<u32>,
    pub(super) edge_multiplicity: Vec<f32>,
    pub(super) edge_weight_in_target: Vec<f32>,
    pub(super) edge_weight_in_graph: Vec<f32>,
    /// Node type of each row of the node encoder.
    pub(super) kind_types: Vec<u32>,
    /// Focus of each graph.
    pub(super) focus: Vec<u32>,
    /// Input rows of the edge encoder.
    pub(super) edge_basis: Buffer,
    /// Shares of the elements on each node, `nodes × elements`; empty where nodes have a type.
    pub(super) shares: Buffer,
    edge_basis_rows: usize,
    /// Whether each row of the node encoder has the focus flag.
    kind_focus: Vec<bool>,
    kind_of_type: Vec<u32>,
    first_edge_kind: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;

impl BatchIndex {
    pub(super) fn nodes(&self) -> usize {
        self.node_graph.len()
    }

    pub(super) fn edges(&self) -> usize {
        self.edge_graph.len()
    }

    /// Rows of the edge encoder.
    pub(super) fn edge_kinds(&self) -> usize {
        self.edge_basis_rows
    }

    /// Rows of the node encoder.
    pub(super) fn node_kinds(&self) -> usize {
        match self.shares.is_empty() {
            true => self.kind_types.len(),
            false => self.nodes(),
        }
    }

    pub(super) fn build(
        &mut self,
        config: &MegnetConfig,
        templates: &[GraphTemplate],
        states: &[Observation<'_>],
    ) {
        self.clear(config, templates);
        self.shares.resize(0);
        self.graphs = states.len();
        for (graph, state) in states.iter().enumerate() {
            let template = &templates[state.skeleton];
            self.add_edges(graph as u32, state.skeleton, template);
            self.add_nodes(config, graph as u32, state, template);
            self.focus.push(state.focus as u32);
        }
        self.finish(config, templates);
    }

    /// The same for crystals whose sites hold elements in parts: every node is a kind of its own.
    pub(super) fn build_soft(
        &mut self,
        config: &MegnetConfig,
        templates: &[GraphTemplate],
        crystals: &[SoftCrystal<'_>],
    ) {
        self.clear(config, templates);
        self.graphs = crystals.len();
        for (graph, crystal) in crystals.iter().enumerate() {
            let template = &templates[crystal.skeleton];
            self.add_edges(graph as u32, crystal.skeleton, template);
            let first = self.node_graph.len() as u32;
            self.node_starts.push(first);
            self.node_kind.extend(first..first + template.sites as u32);
            self.add_node_weights(graph as u32, template.sites);
        }
        let shares = self.shares.resize(self.node_graph.len() * config.n_actions);
        let mut rest = &mut *shares;
        for crystal in crystals {
            let (part, after) = rest.split_at_mut(crystal.shares.len());
            part.copy_from_slice(crystal.shares);
            rest = after;
        }
        self.finish(config, templates);
    }

    fn finish(&mut self, config: &MegnetConfig, templates: &[GraphTemplate]) {
        self.node_starts.push(self.node_graph.len() as u32);
        self.edge_starts.push(self.edge_graph.len() as u32);
        self.gather_basis(config, templates);
    }

    fn clear(&mut self, config: &MegnetConfig, templates: &[GraphTemplate]) {
        for list in [
            &mut self.node_starts,
            &mut self.node_graph,
            &mut self.node_kind,
            &mut self.edge_starts,
            &mut self.edge_source,
            &mut self.edge_target,
            &mut self.edge_graph,
            &mut self.edge_kind,
            &mut self.kind_types,
            &mut self.focus,
            &mut self.kind_of_type,
            &mut self.first_edge_kind,
        ] {
            list.clear();
        }
        for list in [
            &mut self.node_weight_in_graph,
            &mut self.node_multiplicity,
            &mut self.edge_multiplicity,
            &mut self.edge_weight_in_target,
            &mut self.edge_weight_in_graph,
        ] {
            list.clear();
        }
        self.kind_focus.clear();
        self.edge_basis_rows = 0;
        self.kind_of_type.resize(2 * (config.n_actions + 1), ABSENT);
        self.first_edge_kind.resize(templates.len(), ABSENT);
    }

    fn add_edges(&mut self, graph: u32, skeleton: usize, template: &GraphTemplate) {
        let first_node = self.node_graph.len() as u32;
        let edges = template.sources.len();
        let first_kind = &mut self.first_edge_kind[skeleton];
        if *first_kind == ABSENT {
            *first_kind = self.edge_basis_rows as u32;
            self.edge_basis_rows += edges;
        }
        let first_kind = *first_kind;
        self.edge_starts.push(self.edge_graph.len() as u32);
        self.edge_source
            .extend(template.sources.iter().map(|&site| first_node + site));
        self.edge_target
            .extend(template.targets.iter().map(|&site| first_node + site));
        self.edge_graph.extend(std::iter::repeat_n(graph, edges));
        self.edge_kind.extend(first_kind..first_kind + edges as u32);
        self.edge_multiplicity
            .extend_from_slice(&template.multiplicity);
        self.edge_weight_in_target
            .extend_from_slice(&template.weight_in_target);
        self.edge_weight_in_graph
            .extend_from_slice(&template.weight_in_graph);
    }

    fn add_nodes(
        &mut self,
        config: &MegnetConfig,
        graph: u32,
        state: &Observation<'_>,
        template: &GraphTemplate,
    ) {
        self.node_starts.push(self.node_graph.len() as u32);
        for (site, &node_type) in state.node_types.iter().enumerate() {
            let focus = config.inputs == InputStyle::Corrected && site == state.focus;
            let kind = &mut self.kind_of_type[2 * usize::from(node_type) + usize::from(focus)];
            if *kind == ABSENT {
                *kind = self.kind_types.len() as u32;
                self.kind_types.push(u32::from(node_type));
                self.kind_focus.push(focus);
            }
            self.node_kind.push(*kind);
        }
        self.add_node_weights(graph, template.sites);
    }

    fn add_node_weights(&mut self, graph: u32, sites: usize) {
        self.node_graph.extend(std::iter::repeat_n(graph, sites));
        self.node_weight_in_graph
            .extend(std::iter::repeat_n(1.0 / sites as f32, sites));
        self.node_multiplicity
            .extend(std::iter::repeat_n(1.0, sites));
    }

    fn gather_basis(&mut self, config: &MegnetConfig, templates: &[GraphTemplate]) {
        let width = config.gaussian_centres;
        let basis = self.edge_basis.resize(self.edge_basis_rows * width);
        for (template, &first) in templates.iter().zip(&self.first_edge_kind) {
            if first != ABSENT {
                let start = first as usize * width;
                basis[start..start + template.basis.len()].copy_from_slice(&template.basis);
            }
        }
    }

    /// Input rows of the node encoder: the type's embedding and, if the style has it, the flag.
    ///
    /// Where a site holds elements in parts, Σ_a p_a E_a, without a flag.
    pub(super) fn node_inputs(&self, embedding: &[f32], width: usize, out: &mut [f32]) {
        let rows = out.chunks_exact_mut(width);
        if !self.shares.is_empty() {
            let elements = self.shares.len() / self.nodes();
            for (row, shares) in rows.zip(self.shares.chunks_exact(elements)) {
                row.fill(0.0);
                for (share, embedded) in shares.iter().zip(embedding.chunks_exact(NODE_EMBEDDING)) {
                    for (x, e) in row.iter_mut().zip(embedded) {
                        *x += share * e;
                    }
                }
            }
            return;
        }
        for ((row, &node_type), &focus) in rows.zip(&self.kind_types).zip(&self.kind_focus) {
            let start = node_type as usize * NODE_EMBEDDING;
            row[..NODE_EMBEDDING].copy_from_slice(&embedding[start..start + NODE_EMBEDDING]);
            row[NODE_EMBEDDING..].fill(if focus { 1.0 } else { 0.0 });
        }
    }
}
