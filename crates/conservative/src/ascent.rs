//! Gradient ascent over relaxed one-hot elements, and the crystal that it ends in.
//!
//! The elements of a site are `softmax(l)` of logits l that start at `clip · one-hot`. Adam climbs on
//! `J(f(softmax(l)))`, logits stay within ±clip, and the element with the highest logit is taken in the
//! end (Reddy et al. 2024).

use crystalgym_networks::{Gradients, GraphNetwork, Megnet, NetworkError, SoftCrystal, Workspace};

use crate::Objective;

/// How an ascent is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ascent {
    /// Steps.
    pub steps: usize,
    /// Step of Adam.
    pub rate: f64,
    /// Largest logit, and that of the element that a site starts with.
    pub clip: f64,
    /// Elements that it may choose among, the first so many of the network's; what a site starts with
    /// may be another.
    pub elements: usize,
}

/// A crystal that an ascent starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attack<'a> {
    /// Skeleton among the network's.
    pub skeleton: usize,
    /// Element of each site.
    pub node_types: &'a [u8],
}

/// Adam's decays of the mean of the gradient and of its square.
const DECAYS: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

impl Ascent {
    /// What the ascent makes of each of these crystals, in their order.
    ///
    /// `gradients` is memory of the network's shape, whose contents are lost.
    ///
    /// # Errors
    /// [`NetworkError`] for a crystal that does not fit its skeleton.
    pub fn climb(
        &self,
        network: &Megnet,
        objective: &Objective,
        starts: &[Attack<'_>],
        workspace: &mut Workspace,
        gradients: &mut Gradients,
    ) -> Result<Vec<Box<[u8]>>, NetworkError> {
        let elements = network.config().n_actions;
        let clip = self.clip as f32;
        let mut logits = Vec::new();
        for start in starts {
            for &node_type in start.node_types {
                let one_hot = (0..elements).map(|a| match a == usize::from(node_type) {
                    true => clip,
                    false => 0.0,
                });
                logits.extend(one_hot);
            }
        }
        let mut shares = vec![0.0_f32; logits.len()];
        let (mut means, mut squares) = (shares.clone(), shares.clone());
        let mut grad_shares = Vec::new();
        for step in 1..=self.steps {
            for (shares, logits) in rows(&mut shares, elements).zip(logits.chunks_exact(elements)) {
                softmax(logits, shares);
            }
            self.slopes(
                network,
                objective,
                starts,
                &shares,
                workspace,
                gradients,
                &mut grad_shares,
            )?;
            let correction = |decay: f32| 1.0 - decay.powi(step as i32);
            let (first, second) = (correction(DECAYS.0), correction(DECAYS.1));
            let sites = shares.chunks_exact(elements);
            for (site, (shares, slopes)) in
                sites.zip(grad_shares.chunks_exact(elements)).enumerate()
            {
                let slopes = logit_slopes(shares, slopes).enumerate();
                for (a, gradient) in slopes.take(self.elements) {
                    let i = site * elements + a;
                    means[i] = DECAYS.0 * means[i] + (1.0 - DECAYS.0) * gradient;
                    squares[i] = DECAYS.1 * squares[i] + (1.0 - DECAYS.1) * gradient * gradient;
                    let root = (squares[i] / second).sqrt() + EPSILON;
                    let moved = logits[i] + self.rate as f32 * means[i] / first / root;
                    logits[i] = moved.clamp(-clip, clip);
                }
            }
        }
        let mut sites = logits.chunks_exact(elements);
        let ends = starts.iter().map(|start| {
            let of_crystal = sites.by_ref().take(start.node_types.len());
            of_crystal.map(highest).collect()
        });
        Ok(ends.collect())
    }

    /// `∂J/∂p` for the shares p of all crystals.
    #[expect(clippy::too_many_arguments, reason = "memory that is used again")]
    fn slopes(
        &self,
        network: &Megnet,
        objective: &Objective,
        starts: &[Attack<'_>],
        shares: &[f32],
        workspace: &mut Workspace,
        gradients: &mut Gradients,
        grad_shares: &mut Vec<f32>,
    ) -> Result<(), NetworkError> {
        let elements = network.config().n_actions;
        let mut rest = shares;
        let crystals: Vec<SoftCrystal<'_>> = starts
            .iter()
            .map(|start| {
                let (shares, after) = rest.split_at(start.node_types.len() * elements);
                rest = after;
                SoftCrystal {
                    skeleton: start.skeleton,
                    shares,
                }
            })
            .collect();
        let width = network.n_outputs();
        let outputs = network.forward_soft(&crystals, workspace)?;
        let mut grad_outputs = vec![0.0; outputs.len()];
        for (grad, row) in rows(&mut grad_outputs, width).zip(outputs.chunks_exact(width)) {
            grad[0] = objective.at(row[0].into()).1 as f32;
        }
        network.backward_soft(&grad_outputs, workspace, gradients, grad_shares)
    }
}

fn rows(all: &mut [f32], width: usize) -> impl Iterator<Item = &mut [f32]> {
    all.chunks_exact_mut(width)
}

/// `e^l / Σ e^l`.
fn softmax(logits: &[f32], shares: &mut [f32]) {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (share, logit) in shares.iter_mut().zip(logits) {
        *share = (logit - highest).exp();
        sum += *share;
    }
    for share in shares {
        *share /= sum;
    }
}

/// `∂J/∂l_a = p_a (∂J/∂p_a − Σ_b p_b ∂J/∂p_b)` for the shares p = softmax(l) of a site.
fn logit_slopes(shares: &[f32], slopes: &[f32]) -> impl Iterator<Item = f32> {
    let mean: f32 = shares.iter().zip(slopes).map(|(p, g)| p * g).sum();
    let pairs = shares.iter().zip(slopes);
    pairs.map(move |(share, slope)| share * (slope - mean))
}

/// The element with the highest logit, the first of equals.
fn highest(logits: &[f32]) -> u8 {
    let mut best = 0;
    for (a, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = a;
        }
    }
    best as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: central differences of J = Σ c_a p_a², in f64 arithmetic of its own.
    #[test]
    fn slopes_of_logits_are_those_of_finite_differences() {
        let logits = [2.7_f64, 0.0, -1.3, 0.4];
        let weights = [0.3, -1.1, 0.8, 2.0];
        let height = |logits: &[f64; 4]| -> f64 {
            let sum: f64 = logits.iter().map(|l| l.exp()).sum();
            let terms = logits.iter().zip(weights);
            terms.map(|(l, c)| c * (l.exp() / sum).powi(2)).sum()
        };
        let mut shares = [0.0_f32; 4];
        softmax(&logits.map(|l| l as f32), &mut shares);
        let slopes: Vec<f32> = (shares.iter().zip(weights))
            .map(|(p, c)| 2.0 * c as f32 * p)
            .collect();
        for (a, found) in logit_slopes(&shares, &slopes).enumerate() {
            let (mut above, mut below) = (logits, logits);
            above[a] += 1e-5;
            below[a] -= 1e-5;
            let exact = (height(&above) - height(&below)) / 2e-5;
            assert!(
                (f64::from(found) - exact).abs() < 1e-6,
                "{a}: {found} and {exact}"
            );
        }
    }
}
