//! One network of a model, with its optimiser and the weight of its conservative part.

use std::sync::Arc;

use crystalgym_networks::{
    Adam, AdamConfig, Gradients, GraphNetwork, GraphTemplate, Megnet, MegnetConfig, SoftCrystal,
    Workspace,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{
    Ascent, Attack, Conservative, Example, Losses, Objective, ObjectiveModelConfig,
    ObjectiveModelError, Truth, conservative_loss,
};

/// Crystals that are predicted together.
const PREDICTED_TOGETHER: usize = 64;

/// One network of a model.
pub(crate) struct Member {
    pub(crate) network: Megnet,
    pub(crate) adam: Adam,
    pub(crate) conservative: Conservative,
    /// Elements that an ascent may choose among.
    choice: usize,
    /// Its own draws: the order of examples.
    pub(crate) rng: Pcg64,
    workspace: Workspace,
    gradients: Gradients,
}

impl Member {
    pub(crate) fn new(
        config: &ObjectiveModelConfig,
        (choice, elements): (usize, usize),
        templates: Arc<[GraphTemplate]>,
        seed: u64,
    ) -> Result<Self, ObjectiveModelError> {
        let mut rng = Pcg64::seed_from_u64(seed);
        let network = Megnet::new(shape(config, elements), templates, &mut rng)?;
        Ok(Self {
            adam: Adam::new(AdamConfig::default(), network.parameters()),
            conservative: Conservative::new(config.weighting, config.weight),
            choice,
            workspace: network.workspace(config.threads)?,
            gradients: network.parameters().zeros_like(),
            network,
            rng,
        })
    }

    /// One gradient step on a batch.
    pub(crate) fn step(
        &mut self,
        batch: &[&Example],
        objective: &Objective,
        config: &ObjectiveModelConfig,
    ) -> Result<Losses, ObjectiveModelError> {
        let with_value = |(index, example): (usize, &&Example)| {
            matches!(example.truth, Truth::Value(_)).then_some(index)
        };
        let attacks: Vec<usize> = match config.ascent_steps {
            0 => Vec::new(),
            _ => batch.iter().enumerate().filter_map(with_value).collect(),
        };
        let starts: Vec<Attack<'_>> = attacks.iter().map(|&i| attack(batch[i])).collect();
        let ascent = Ascent {
            steps: config.ascent_steps,
            rate: config.ascent_rate,
            clip: config.ascent_clip,
            elements: self.choice,
        };
        let ends = self.climb(&ascent, objective, &starts)?;

        let known = batch.iter().map(|example| attack(example));
        let attacked = starts.iter().zip(&ends).map(|(start, end)| Attack {
            node_types: end,
            ..*start
        });
        let all: Vec<Attack<'_>> = known.chain(attacked).collect();
        let shares = one_hot(&all, self.network.config().n_actions);
        let crystals = soft(&all, &shares);
        let outputs = self.network.forward_soft(&crystals, &mut self.workspace)?;
        let width = self.network.n_outputs();
        let (of_known, of_attacked) = outputs.split_at(batch.len() * width);
        let truths: Vec<Truth> = batch.iter().map(|example| example.truth).collect();
        let (losses, mut grad, grad_attacked) = conservative_loss(
            width,
            of_known,
            &truths,
            of_attacked,
            &attacks,
            objective,
            &self.conservative,
        );
        if !losses.total.is_finite() {
            return Err(ObjectiveModelError::Diverged {
                what: "the loss",
                found: losses.total,
            });
        }
        grad.extend(grad_attacked);
        self.gradients.clear();
        self.network.backward_soft(
            &grad,
            &mut self.workspace,
            &mut self.gradients,
            &mut Vec::new(),
        )?;
        let parameters = self.network.parameters_mut();
        self.adam
            .step(config.learning_rate, &self.gradients, parameters)?;
        if !attacks.is_empty() {
            self.conservative
                .learn(losses.gap, config.threshold, config.weight_rate);
        }
        Ok(losses)
    }

    /// What an ascent makes of each of these crystals.
    pub(crate) fn climb(
        &mut self,
        ascent: &Ascent,
        objective: &Objective,
        starts: &[Attack<'_>],
    ) -> Result<Vec<Box<[u8]>>, ObjectiveModelError> {
        let memory = (&mut self.workspace, &mut self.gradients);
        Ok(ascent.climb(&self.network, objective, starts, memory.0, memory.1)?)
    }

    /// The network's outputs for each crystal.
    pub(crate) fn outputs(
        &mut self,
        crystals: &[Attack<'_>],
    ) -> Result<Vec<f32>, ObjectiveModelError> {
        let elements = self.network.config().n_actions;
        let mut outputs = Vec::new();
        for part in crystals.chunks(PREDICTED_TOGETHER) {
            let shares = one_hot(part, elements);
            let crystals = soft(part, &shares);
            outputs.extend(self.network.forward_soft(&crystals, &mut self.workspace)?);
        }
        Ok(outputs)
    }
}

/// A network's shape for these settings.
fn shape(config: &ObjectiveModelConfig, elements: usize) -> MegnetConfig {
    MegnetConfig {
        hidden: config.hidden,
        blocks: config.blocks,
        ..MegnetConfig::corrected(elements, 1 + usize::from(config.predicts_failures))
    }
}

/// The template of a skeleton for networks of these settings.
pub(crate) fn template(
    config: &ObjectiveModelConfig,
    elements: usize,
    skeleton: &crystalgym_crystal::Skeleton,
) -> GraphTemplate {
    GraphTemplate::new(skeleton, &shape(config, elements))
}

pub(crate) fn attack(example: &Example) -> Attack<'_> {
    Attack {
        skeleton: example.skeleton,
        node_types: &example.node_types,
    }
}

/// One share of 1 on each site of each crystal.
fn one_hot(crystals: &[Attack<'_>], elements: usize) -> Vec<f32> {
    let sites = crystals.iter().flat_map(|crystal| crystal.node_types);
    let shares = sites.flat_map(|&node_type| {
        (0..elements).map(move |a| f32::from(u8::from(a == usize::from(node_type))))
    });
    shares.collect()
}

fn soft<'s>(crystals: &[Attack<'_>], mut shares: &'s [f32]) -> Vec<SoftCrystal<'s>> {
    let sites: usize = crystals
        .iter()
        .map(|crystal| crystal.node_types.len())
        .sum();
    let elements = shares.len().checked_div(sites).unwrap_or(0);
    let each = crystals.iter().map(|crystal| {
        let (of_it, after) = shares.split_at(crystal.node_types.len() * elements);
        shares = after;
        SoftCrystal {
            skeleton: crystal.skeleton,
            shares: of_it,
        }
    });
    each.collect()
}
