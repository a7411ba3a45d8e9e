//! Names and shapes of the parameters of MEGNet.

use super::config::{InputStyle, MegnetConfig};
use crate::{
    layers::{LayoutBuilder, Linear, Mlp},
    parameters::{Initial, ParameterInfo},
};

/// Width of a node type's embedding.
pub(super) const NODE_EMBEDDING: usize = 16;
/// Width of the embedding of the focus' site index ([`InputStyle::Published`]).
pub(super) const FOCUS_EMBEDDING: usize = 8;

/// Name of the perceptron behind the readouts.
const OUTPUT: &str = "output_proj";
/// What the names of its layers begin with.
pub(super) const LAST_LAYERS: &str = "output_proj.";

/// Where each layer's parameters lie; names as in matgl's MEGNet.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Table of node types.
    pub(super) node_embedding: usize,
    /// Table of focus indices, if the style has one.
    pub(super) focus_embedding: Option<usize>,
    pub(super) edge_encoder: Mlp,
    pub(super) node_encoder: Mlp,
    pub(super) state_encoder: Mlp,
    pub(super) blocks: Vec<Block>,
    pub(super) edge_readout: Set2Set,
    pub(super) node_readout: Set2Set,
    pub(super) output: Mlp,
}

/// Layers of one interaction block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Perceptrons before the update, absent in the first block.
    pub(super) dense: Option<Dense>,
    /// φ_e on (source, target, edge, state).
    pub(super) edge: Mlp,
    /// φ_v on (node, mean of incoming edges, state).
    pub(super) node: Mlp,
    /// φ_u on (state, mean of edges, mean of nodes).
    pub(super) state: Mlp,
}

#[derive(Debug, Clone)]
pub(super) struct Dense {
    pub(super) edge: Mlp,
    pub(super) node: Mlp,
    pub(super) state: Mlp,
}

/// LSTM of a Set2Set readout.
#[derive(Debug, Clone)]
pub(super) struct Set2Set {
    /// Weights of the previous (hidden state, readout).
    pub(super) input: Linear,
    /// Weights of the previous hidden state.
    pub(super) hidden: Linear,
    pub(super) width: usize,
}

impl Layout {
    pub(super) fn new(config: &MegnetConfig) -> (Self, Vec<ParameterInfo>) {
        let mut builder = LayoutBuilder::default();
        let hidden = config.hidden;
        let wide = 2 * hidden;
        let node_embedding = builder.tensor(
            "embedding.layer_node_embedding.weight".into(),
            vec![config.n_actions + 1, NODE_EMBEDDING],
            false,
            Initial::Normal,
        );
        let published = config.inputs == InputStyle::Published;
        let focus_embedding = published.then(|| {
            builder.tensor(
                "embedding.layer_state_embedding.weight".into(),
                vec![config.n_actions, FOCUS_EMBEDDING],
                false,
                Initial::Normal,
            )
        });
        let node_inputs = NODE_EMBEDDING + usize::from(!published);
        let state_inputs = config.state_inputs() + if published { FOCUS_EMBEDDING } else { 0 };
        let mut encoder = |name: &str, inputs| builder.mlp(name, &[inputs, wide, hidden], true);
        let edge_encoder = encoder("edge_encoder", config.gaussian_centres);
        let node_encoder = encoder("node_encoder", node_inputs);
        let state_encoder = encoder("state_encoder", state_inputs);
        let blocks = (0..config.blocks)
            .map(|k| {
                let dense = (k > 0).then(|| {
                    let mut dense = |part: &str| {
                        builder.mlp(
                            &format!("blocks.{k}.{part}_func"),
                            &[hidden, wide, hidden],
                            true,
                        )
                    };
                    Dense {
                        edge: dense("edge"),
                        node: dense("node"),
                        state: dense("state"),
                    }
                });
                let mut update = |part: &str, parts: usize| {
                    builder.mlp(
                        &format!("blocks.{k}.conv.{part}_func"),
                        &[parts * hidden, wide, wide, hidden],
                        true,
                    )
                };
                Block {
                    dense,
                    edge: update("edge", 4),
                    node: update("node", 3),
                    state: update("state", 3),
                }
            })
            .collect();
        let edge_readout = Set2Set::new(&mut builder, "edge_s2s", hidden);
        let node_readout = Set2Set::new(&mut builder, "node_s2s", hidden);
        let output = builder.mlp(
            OUTPUT,
            &[5 * hidden, hidden, hidden / 2, config.n_outputs],
            false,
        );
        let layout = Self {
            node_embedding,
            focus_embedding,
            edge_encoder,
            node_encoder,
            state_encoder,
            blocks,
            edge_readout,
            node_readout,
            output,
        };
        (layout, builder.finish())
    }
}

impl Set2Set {
    fn new(builder: &mut LayoutBuilder, name: &str, width: usize) -> Self {
        let initial = Initial::Uniform(1.0 / (width as f32).sqrt());
        let mut tensor = |part: &str, shape: Vec<usize>| {
            let matrix = shape.len() == 2;
            builder.tensor(format!("{name}.lstm.{part}_l0"), shape, matrix, initial)
        };
        let (gates, inputs) = (4 * width, 2 * width);
        let input_weight = tensor("weight_ih", vec![gates, inputs]);
        let hidden_weight = tensor("weight_hh", vec![gates, width]);
        let input_bias = tensor("bias_ih", vec![gates]);
        let hidden_bias = tensor("bias_hh", vec![gates]);
        Self {
            input: Linear {
                weight: input_weight,
                bias: input_bias,
                inputs,
                outputs: gates,
            },
            hidden: Linear {
                weight: hidden_weight,
                bias: hidden_bias,
                inputs: width,
                outputs: gates,
            },
            width,
        }
    }
}
