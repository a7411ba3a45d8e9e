//! The network itself.

use std::sync::Arc;

use crystalgym_crystal::Skeleton;
use crystalgym_environment::Observation;
use pulp::Arch;
use rand_pcg::Pcg64;

use super::{
    config::{InputStyle, MegnetConfig},
    layout::{self, Layout},
    soft::{Shown, SoftCrystal, check_crystals},
    template::GraphTemplate,
    workspace::{Shard, Workspace},
};
use crate::{
    Gradients, GraphNetwork, NetworkError, Parameters,
    check::{Frame, check_states},
    layers::Weights,
};

/// A graph network with edge, node and state features that update each other in blocks, and
/// Set2Set readouts.
///
/// Activation s(x) = ln(1+eˣ) − ln 2; per block, on features after a small perceptron each (none
/// in the first block), with means over incoming edges and over graphs:
/// `e' = φ_e(v_source, v_target, e, u)`, `v' = φ_v(v, mean e', u)`, `u' = φ_u(u, mean e',
/// mean v')`, each added to the features before the block. The readout is a perceptron on
/// Set2Set over nodes, Set2Set over edges and u. Layers and names are those of matgl's MEGNet.
#[derive(Debug, Clone)]
pub struct Megnet {
    config: MegnetConfig,
    layout: Arc<Layout>,
    templates: Arc<[GraphTemplate]>,
    parameters: Parameters,
    arch: Arch,
}

impl Megnet {
    /// A network with PyTorch's default initialisation: affine layers uniform within
    /// 1/√(inputs), LSTM within 1/√(hidden), embeddings standard normal.
    ///
    /// The templates must have been made with the same configuration.
    ///
    /// # Errors
    /// [`NetworkError::Config`] for a configuration that no network can have or templates of
    /// another one.
    pub fn new(
        config: MegnetConfig,
        templates: Arc<[GraphTemplate]>,
        rng: &mut Pcg64,
    ) -> Result<Self, NetworkError> {
        config.check()?;
        check_templates(&config, &templates)?;
        let (layout, entries) = Layout::new(&config);
        let parameters = Parameters::random(Arc::from(entries), rng)?;
        Ok(Self {
            config,
            layout: Arc::new(layout),
            templates,
            parameters,
            arch: Arch::new(),
        })
    }

    /// The same network for other skeletons, such as held-out ones.
    ///
    /// # Errors
    /// [`NetworkError::Config`] if the templates were made with another configuration.
    pub fn with_templates(&self, templates: Arc<[GraphTemplate]>) -> Result<Self, NetworkError> {
        check_templates(&self.config, &templates)?;
        Ok(Self {
            templates,
            ..self.clone()
        })
    }

    /// Shape and inputs.
    pub fn config(&self) -> &MegnetConfig {
        &self.config
    }

    /// Outputs for crystals whose sites hold elements in parts, `crystals × n_outputs` row by row.
    ///
    /// A node's embedding is `Σ_a p_a E_a`, so that a crystal with one share of 1 on each site is
    /// that crystal, as a network sees it without a site in focus and without a target. The network
    /// must have [`InputStyle::Corrected`].
    ///
    /// # Errors
    /// [`NetworkError::Config`] for other inputs, [`NetworkError::State`] for a crystal that does
    /// not fit its skeleton.
    pub fn forward_soft<'w>(
        &self,
        crystals: &[SoftCrystal<'_>],
        workspace: &'w mut Workspace,
    ) -> Result<&'w [f32], NetworkError> {
        let config = &self.config;
        check_crystals(config, &self.templates, crystals)?;
        let weights = Weights {
            arch: self.arch,
            values: self.parameters.values(),
        };
        let run = |shard: &mut Shard, crystals: &[SoftCrystal<'_>], outputs: &mut [f32]| {
            let (layout, templates) = (&self.layout, &self.templates);
            let activations = &mut shard.activations;
            let shown = Shown::Soft(crystals);
            activations.forward(config, layout, weights, templates, shown, outputs);
        };
        Ok(workspace.0.forward(crystals, config.n_outputs, run))
    }

    /// *Adds* the gradient with respect to the parameters to `gradients`, as
    /// [`backward`](GraphNetwork::backward) after a [`Self::forward_soft`], and writes that with
    /// respect to the shares: `∂L/∂p_a = E_a · ∂L/∂(Σ_b p_b E_b)`, crystal by crystal, `sites ×
    /// n_actions` each.
    ///
    /// # Errors
    /// [`NetworkError::Length`] if a gradient has another length.
    pub fn backward_soft(
        &self,
        grad_outputs: &[f32],
        workspace: &mut Workspace,
        gradients: &mut Gradients,
        grad_shares: &mut Vec<f32>,
    ) -> Result<(), NetworkError> {
        self.backward(grad_outputs, workspace, gradients)?;
        grad_shares.clear();
        for part in workspace.0.parts() {
            grad_shares.extend_from_slice(&part.scratch.shares);
        }
        Ok(())
    }

    /// The skeletons that states refer to by index.
    pub fn templates(&self) -> &Arc<[GraphTemplate]> {
        &self.templates
    }
}

fn check_templates(config: &MegnetConfig, templates: &[GraphTemplate]) -> Result<(), NetworkError> {
    for template in templates {
        let error = |field, found: String, expected: String| {
            Err(NetworkError::Config {
                field,
                found,
                expected,
            })
        };
        if template.sites == 0 {
            let found = format!("template {} without sites", template.label);
            return error("templates", found, "at least one site".to_owned());
        }
        if template.basis.len() != template.sources.len() * config.gaussian_centres {
            let found = format!(
                "template {} with {} basis values for {} bonds",
                template.label,
                template.basis.len(),
                template.sources.len()
            );
            return error(
                "gaussian_centres",
                found,
                config.gaussian_centres.to_string(),
            );
        }
        let lattice_inputs = config.state_inputs()
            - match config.inputs {
                InputStyle::Published => 1,
                InputStyle::Corrected => 2,
            };
        if template.lattice_inputs.len() != lattice_inputs {
            let found = format!("template {} of another input style", template.label);
            return error("inputs", found, format!("{:?}", config.inputs));
        }
    }
    Ok(())
}

impl GraphNetwork for Megnet {
    type Workspace = Workspace;

    fn workspace(&self, threads: usize) -> Result<Workspace, NetworkError> {
        Workspace::new(threads)
    }

    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        let template = |skeleton: &Arc<Skeleton>| GraphTemplate::new(skeleton, &self.config);
        self.with_templates(skeletons.iter().map(template).collect())
    }

    fn last_layers(&self) -> &'static str {
        layout::LAST_LAYERS
    }

    /// Features of edges and nodes in all blocks.
    fn features_per_state(&self) -> usize {
        let templates = self.templates.iter();
        let largest = templates
            .map(|template| template.bonds + template.sites)
            .max();
        largest.unwrap_or(1) * self.config.hidden * self.config.blocks
    }

    fn n_outputs(&self) -> usize {
        self.config.n_outputs
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn forward<'w>(
        &self,
        states: &[Observation<'_>],
        workspace: &'w mut Workspace,
    ) -> Result<&'w [f32], NetworkError> {
        let config = &self.config;
        check_states(states, self.templates.len(), config.n_actions, |skeleton| {
            let template = &self.templates[skeleton];
            // The published table of focus indices has one row per action.
            let focus_limit = match config.inputs {
                InputStyle::Published => template.sites.min(config.n_actions),
                InputStyle::Corrected => template.sites,
            };
            Frame {
                label: &template.label,
                sites: template.sites,
                focus_limit,
            }
        })?;
        let weights = Weights {
            arch: self.arch,
            values: self.parameters.values(),
        };
        let run = |shard: &mut Shard, states: &[Observation<'_>], outputs: &mut [f32]| {
            let (layout, templates) = (&self.layout, &self.templates);
            let activations = &mut shard.activations;
            let shown = Shown::States(states);
            activations.forward(config, layout, weights, templates, shown, outputs);
        };
        Ok(workspace.0.forward(states, config.n_outputs, run))
    }

    fn backward(
        &self,
        grad_outputs: &[f32],
        workspace: &mut Workspace,
        gradients: &mut Gradients,
    ) -> Result<(), NetworkError> {
        workspace.0.backward(
            self.arch,
            &self.parameters,
            grad_outputs,
            gradients,
            |shard, weights, grad_outputs, gradients| {
                shard.scratch.backward(
                    &self.config,
                    &self.layout,
                    weights,
                    &mut shard.activations,
                    grad_outputs,
                    gradients,
                );
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crystalgym_kernels::all_architectures;

    /// Identity: all vector units give the same bits, since every sum has the same order and
    /// every product is fused; plain code rounds products and gives nearly the same.
    #[test]
    fn vector_units_give_the_same_bits() {
        let config = MegnetConfig::corrected(18, 18);
        let skeleton = Skeleton::builtin("C3").unwrap();
        let templates: Arc<[_]> = [GraphTemplate::new(&skeleton, &config)].into();
        let mut network = Megnet::new(config, templates, &mut Pcg64::seed_from_u64(9)).unwrap();
        let node_types = vec![5; skeleton.sites()];
        let state = |focus, target| Observation {
            skeleton: 0,
            node_types: &node_types,
            elements: &[],
            focus,
            traversal: None,
            step: 8,
            steps: 8,
            target,
            allowed: &[],
        };
        let states = [state(0, 1.0), state(2, 2.5), state(1, 4.0)];
        let run = |network: &Megnet| {
            let mut workspace = network.workspace(1).unwrap();
            let outputs = network.forward(&states, &mut workspace).unwrap().to_vec();
            let mut gradients = network.parameters().zeros_like();
            network
                .backward(&outputs, &mut workspace, &mut gradients)
                .unwrap();
            (outputs, gradients.values().to_vec())
        };
        let mut results = Vec::new();
        for arch in all_architectures() {
            network.arch = arch;
            results.push(run(&network));
        }
        for pair in results[1..].windows(2) {
            assert_eq!(pair[0], pair[1]);
        }
        let norm = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let (plain, best) = (&results[0], &results[results.len() - 1]);
        let difference = |a: &[f32], b: &[f32]| {
            let difference: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            norm(&difference) / norm(b)
        };
        assert!(difference(&plain.0, &best.0) < 2e-6);
        assert!(difference(&plain.1, &best.1) < 1e-5);
    }

    /// Oracle: bonds counted by hand. In the perovskites (C1, C2) site A has twelve bonds and B
    /// six, four and two to each X.
    #[test]
    fn benchmark_skeletons_have_few_distinct_bonds() {
        let config = MegnetConfig::default();
        for (label, bonds, distinct) in [("C1", 36, 12), ("C2", 36, 12)] {
            let skeleton = Skeleton::builtin(label).unwrap();
            assert_eq!(skeleton.graph.edges.len(), bonds, "{label}");
            let template = GraphTemplate::new(&skeleton, &config);
            assert_eq!(template.distinct_bonds(), distinct, "{label}");
        }
        for skeleton in Skeleton::builtins().unwrap() {
            let template = GraphTemplate::new(&skeleton, &config);
            let total: f32 = template.multiplicity.iter().sum();
            assert_eq!(total as usize, skeleton.graph.edges.len());
            let shares: f32 = template.weight_in_graph.iter().sum();
            assert!((shares - 1.0).abs() < 1e-6);
        }
    }
}
