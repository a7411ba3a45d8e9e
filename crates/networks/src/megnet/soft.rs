//! Crystals whose sites hold elements in parts, for gradients with respect to what stands on a site.

use crystalgym_environment::Observation;

use super::{
    config::{InputStyle, MegnetConfig},
    layout::NODE_EMBEDDING,
    template::GraphTemplate,
};
use crate::NetworkError;

/// A crystal whose sites hold elements in parts: a relaxation of one element on each site.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoftCrystal<'a> {
    /// Index of the skeleton among the network's.
    pub skeleton: usize,
    /// Share of each element on each site, `sites × n_actions`; on a site they should add up to 1.
    pub shares: &'a [f32],
}

/// What a network is shown.
#[derive(Clone, Copy)]
pub(super) enum Shown<'s, 'a> {
    /// States of episodes.
    States(&'s [Observation<'a>]),
    /// Crystals whose sites hold elements in parts.
    Soft(&'s [SoftCrystal<'a>]),
}

impl Shown<'_, '_> {
    /// The skeleton of one of them.
    pub(super) fn skeleton(self, index: usize) -> usize {
        match self {
            Self::States(states) => states[index].skeleton,
            Self::Soft(crystals) => crystals[index].skeleton,
        }
    }
}

/// Whether a network can read all of these crystals.
pub(super) fn check_crystals(
    config: &MegnetConfig,
    templates: &[GraphTemplate],
    crystals: &[SoftCrystal<'_>],
) -> Result<(), NetworkError> {
    if config.inputs != InputStyle::Corrected {
        return Err(NetworkError::Config {
            field: "inputs",
            found: "published".to_owned(),
            expected: "corrected, for crystals without a site in focus".to_owned(),
        });
    }
    for (state, crystal) in crystals.iter().enumerate() {
        let bad = |field, found: String, expected: String| {
            Err(NetworkError::State {
                state,
                field,
                found,
                expected,
            })
        };
        let Some(template) = templates.get(crystal.skeleton) else {
            let expected = format!("below {}", templates.len());
            return bad("skeleton", crystal.skeleton.to_string(), expected);
        };
        let (found, expected) = (crystal.shares.len(), template.sites * config.n_actions);
        if found != expected {
            let expected = format!("{expected}, elements on the sites of {}", template.label);
            return bad("number of shares", found.to_string(), expected);
        }
        if let Some(share) = crystal.shares.iter().find(|share| !share.is_finite()) {
            return bad("share", share.to_string(), "a finite number".to_owned());
        }
    }
    Ok(())
}

/// Takes the gradient of the nodes' embeddings `Σ_a p_a E_a` on: adds that of E to `table` and writes
/// that of p into `grad_shares`.
pub(super) fn through_shares(
    elements: usize,
    grad_inputs: &[f32],
    shares: &[f32],
    embedding: &[f32],
    table: &mut [f32],
    grad_shares: &mut [f32],
) {
    let nodes = grad_inputs.chunks_exact(NODE_EMBEDDING).zip(
        shares
            .chunks_exact(elements)
            .zip(grad_shares.chunks_exact_mut(elements)),
    );
    for (grad, (shares, grad_shares)) in nodes {
        let rows = embedding.chunks_exact(NODE_EMBEDDING);
        let rows = rows.zip(table.chunks_exact_mut(NODE_EMBEDDING));
        for ((share, grad_share), (embedded, row)) in
            shares.iter().zip(grad_shares.iter_mut()).zip(rows)
        {
            *grad_share = grad.iter().zip(embedded).map(|(g, e)| g * e).sum();
            for (x, g) in row.iter_mut().zip(grad) {
                *x += share * g;
            }
        }
    }
}
