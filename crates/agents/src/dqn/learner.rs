//! Gradient steps of DQN and Rainbow.

use crystalgym_environment::{Action, Observation, State, Task};
use crystalgym_networks::{Adam, AdamConfig, Gradients, GraphNetwork, Noisy};
use rand_pcg::Pcg64;

use super::head::{Head, softmax};
use crate::{
    AgentError, Batch, DqnConfig, Support, Transition, batch::StateBatch,
    categorical::masked_argmax, finds::Finds,
};

/// What a gradient step came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Losses {
    /// Weighted mean over the batch.
    pub(crate) td_loss: f64,
    pub(crate) q_values: f64,
    pub(crate) gradient_norm: f64,
    /// How wrong each transition was, for its priority.
    pub(crate) errors: Vec<f64>,
}

/// What the outputs of a transition's action are to become.
enum TdTarget {
    Value(f64),
    Distribution(Vec<f64>),
}

/// The two networks and the optimiser.
pub(crate) struct ValueNetworks<N: GraphNetwork> {
    pub(crate) online: Noisy<N>,
    pub(crate) target: Noisy<N>,
    pub(crate) head: Head,
    pub(crate) adam: Adam,
    pub(crate) workspace: N::Workspace,
    gradients: Gradients,
}

impl<N: GraphNetwork> ValueNetworks<N> {
    pub(crate) fn new(
        online: Noisy<N>,
        head: Head,
        config: &DqnConfig,
    ) -> Result<Self, AgentError> {
        let adam = AdamConfig {
            epsilon: config.adam_epsilon,
            ..AdamConfig::default()
        };
        Ok(Self {
            adam: Adam::new(adam, online.parameters()),
            gradients: online.parameters().zeros_like(),
            workspace: online.workspace(config.threads)?,
            target: online.clone(),
            head,
            online,
        })
    }

    /// The values of all actions, row by row, with the present noise.
    pub(crate) fn action_values(
        &mut self,
        seen: &[Observation<'_>],
    ) -> Result<Vec<f32>, AgentError> {
        action_values(&self.online, &self.head, &mut self.workspace, seen)
    }

    /// The allowed action of the highest value for each observation, with the present noise.
    pub(crate) fn greedy_actions(
        &mut self,
        seen: &[Observation<'_>],
    ) -> Result<Vec<Option<Action>>, AgentError> {
        greedy_actions(&self.online, &self.head, &mut self.workspace, seen)
    }

    /// One step down the gradient of the weighted mean of `(Q(s, a) − y)²` with
    /// `y = r + γⁿ max_a Q_target(s', a)` over the actions allowed in `s'` (Mnih et al. 2015), or
    /// of the cross-entropy with the projected distribution (Bellemare et al. 2017).
    pub(crate) fn update(
        &mut self,
        task: &Task,
        batch: &Batch<'_>,
        finds: &Finds,
        config: &DqnConfig,
        learning_rate: f64,
        rng: &mut Pcg64,
    ) -> Result<Losses, AgentError> {
        self.online.resample(rng);
        self.target.resample(rng);
        let td_targets = self.td_targets(task, &batch.transitions, finds, config.double)?;
        let states = batch.transitions.iter().map(|t| (&t.state, t.target));
        let states = StateBatch::new(task, states);
        let outputs = states.forward(&self.online, &mut self.workspace)?;
        let combined = self.head.combine(&outputs);

        let mut grad = vec![0.0_f32; combined.len()];
        let mut losses = Losses {
            td_loss: 0.0,
            q_values: 0.0,
            gradient_norm: 0.0,
            errors: Vec::with_capacity(td_targets.len()),
        };
        let (row, width) = (self.head.row(), self.head.width());
        for (index, (transition, td_target)) in batch.transitions.iter().zip(td_targets).enumerate()
        {
            let start = index * row + usize::from(transition.action) * width;
            let (said, grad) = (
                &combined[start..start + width],
                &mut grad[start..start + width],
            );
            let scale = batch.weights[index] / batch.weights.len() as f64;
            let (value, loss, error) = match td_target {
                TdTarget::Value(y) => squared_error(said[0], y, scale, &mut grad[0]),
                TdTarget::Distribution(y) => cross_entropy(&self.head, said, &y, scale, grad),
            };
            losses.td_loss += scale * loss;
            losses.q_values += value / batch.weights.len() as f64;
            losses.errors.push(error);
        }
        let values = self.head.values(&combined);
        for (index, transition) in batch.transitions.iter().enumerate() {
            let Some((weight, ways)) = finds.ways(&transition.state, transition.target) else {
                continue;
            };
            let allowed = finds.allowed(task, &task.observe(&transition.state));
            let actions = self.head.actions();
            let values = &values[index * actions..(index + 1) * actions];
            let lead = |action: usize| ways.contains(&(action as Action));
            let (way, other) = best_two(values, &allowed, lead);
            let (Some(way), Some(other)) = (way, other) else {
                continue;
            };
            let short = config.margin(task) - f64::from(values[way] - values[other]);
            if short > 0.0 {
                let scale = weight / batch.weights.len() as f64;
                losses.td_loss += scale * short;
                for (action, slope) in [(way, -scale), (other, scale)] {
                    let start = index * row + action * width;
                    let place = start..start + width;
                    self.head
                        .add_value_gradient(&combined[place.clone()], slope, &mut grad[place]);
                }
            }
        }

        self.gradients.clear();
        let grad_outputs = self.head.backward(&grad);
        states.backward(
            &self.online,
            &mut self.workspace,
            &grad_outputs,
            &mut self.gradients,
        )?;
        losses.gradient_norm = match config.max_gradient_norm {
            Some(norm) => self.gradients.clip_norm(norm),
            None => self.gradients.norm(),
        };
        self.adam
            .step(learning_rate, &self.gradients, self.online.parameters_mut())?;
        self.online.remove_noise();
        Ok(losses)
    }

    /// Moves the target network towards the online one; all the way with rate 1.
    pub(crate) fn update_target(&mut self, rate: f64) -> Result<(), AgentError> {
        crate::networks::polyak_update(
            self.target.parameters_mut(),
            self.online.parameters(),
            rate,
        )?;
        self.target.remove_noise();
        Ok(())
    }

    /// `r + γⁿ Q_target(s', a')` with the best allowed a', as a number or a distribution; `r` alone
    /// where the episode ended.
    fn td_targets(
        &mut self,
        task: &Task,
        transitions: &[&Transition],
        finds: &Finds,
        double: bool,
    ) -> Result<Vec<TdTarget>, AgentError> {
        let next: Vec<(&State, f64)> = transitions
            .iter()
            .filter_map(|t| Some((t.next.as_ref()?, t.target)))
            .collect();
        let states = StateBatch::new(task, next.iter().copied());
        let chooser = if double {
            let outputs = states.forward(&self.online, &mut self.workspace)?;
            Some(self.head.values(&self.head.combine(&outputs)))
        } else {
            None
        };
        let outputs = states.forward(&self.target, &mut self.workspace)?;
        let combined = self.head.combine(&outputs);
        let chooser = chooser.unwrap_or_else(|| self.head.values(&combined));

        let actions = self.head.actions();
        let (row, width) = (self.head.row(), self.head.width());
        let mut best = next.iter().enumerate().map(|(index, (state, _))| {
            let values = &chooser[index * actions..(index + 1) * actions];
            let allowed = finds.allowed(task, &task.observe(state));
            masked_argmax(values, &allowed).map(|action| {
                let start = index * row + action * width;
                &combined[start..start + width]
            })
        });
        let support = self.head.support();
        let td_targets = transitions.iter().map(|t| {
            let next = t.next.as_ref().and_then(|_| best.next().flatten());
            let bound = finds.value_bound(t);
            match (support, &t.next) {
                (None, None) => TdTarget::Value(at_least(t.reward, bound)),
                (None, Some(_)) => {
                    let value = next.map_or(f64::NAN, |next| next[0].into());
                    TdTarget::Value(at_least(t.reward + t.discount * value, bound))
                }
                (Some(support), None) => {
                    TdTarget::Distribution(support.certain(at_least(t.reward, bound)))
                }
                (Some(support), Some(_)) => {
                    let next = next.map_or_else(Vec::new, softmax);
                    let projected = support.project(&next, t.reward, t.discount);
                    // Nothing is left to chance, so that what is known is certain.
                    match bound.filter(|bound| *bound > support.mean(&projected)) {
                        Some(bound) => TdTarget::Distribution(support.certain(bound)),
                        None => TdTarget::Distribution(projected),
                    }
                }
            }
        });
        Ok(td_targets.collect())
    }
}

/// The allowed actions of the highest values: of those that lead somewhere, and of the others.
fn best_two(
    values: &[f32],
    allowed: &[bool],
    leads: impl Fn(usize) -> bool,
) -> (Option<usize>, Option<usize>) {
    let best = |wanted: bool| {
        let mask: Vec<bool> = allowed
            .iter()
            .enumerate()
            .map(|(action, allowed)| *allowed && leads(action) == wanted)
            .collect();
        masked_argmax(values, &mask)
    };
    (best(true), best(false))
}

fn at_least(value: f64, bound: Option<f64>) -> f64 {
    match bound {
        Some(bound) if bound > value => bound,
        _ => value,
    }
}

/// Value, `(Q − y)²` and `|Q − y|`; adds the gradient.
fn squared_error(said: f32, y: f64, scale: f64, grad: &mut f32) -> (f64, f64, f64) {
    let value = f64::from(said);
    *grad += (2.0 * scale * (value - y)) as f32;
    (value, (value - y).powi(2), (value - y).abs())
}

/// Mean, cross-entropy `−Σ y ln p` and the divergence `Σ y ln (y/p)`, which is the priority in
/// Rainbow (Hessel et al. 2018, section 3); adds the gradient `p − y`.
fn cross_entropy(
    head: &Head,
    said: &[f32],
    y: &[f64],
    scale: f64,
    grad: &mut [f32],
) -> (f64, f64, f64) {
    let p = softmax(said);
    let value = head
        .support()
        .map_or(f64::NAN, |support: Support| support.mean(&p));
    let (mut loss, mut divergence) = (0.0, 0.0);
    for ((p, y), grad) in p.iter().zip(y).zip(grad) {
        *grad += (scale * (p - y)) as f32;
        if *y > 0.0 {
            let log = p.max(f64::MIN_POSITIVE).ln();
            loss -= y * log;
            divergence += y * (y.ln() - log);
        }
    }
    (value, loss, divergence)
}

/// The values of all actions, row by row.
pub(crate) fn action_values<N: GraphNetwork>(
    network: &N,
    head: &Head,
    workspace: &mut N::Workspace,
    seen: &[Observation<'_>],
) -> Result<Vec<f32>, AgentError> {
    let outputs = StateBatch::of_observations(seen).forward(network, workspace)?;
    Ok(head.values(&head.combine(&outputs)))
}

/// The allowed action of the highest value for each observation.
pub(crate) fn greedy_actions<N: GraphNetwork>(
    network: &N,
    head: &Head,
    workspace: &mut N::Workspace,
    seen: &[Observation<'_>],
) -> Result<Vec<Option<Action>>, AgentError> {
    let values = action_values(network, head, workspace, seen)?;
    let actions = values.chunks_exact(head.actions()).zip(seen);
    Ok(actions
        .map(|(values, seen)| masked_argmax(values, seen.allowed).map(|action| action as Action))
        .collect())
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
