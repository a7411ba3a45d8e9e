//! Gradient steps of discrete SAC.

use crystalgym_environment::{Action, Observation, State, Task};
use crystalgym_networks::GraphNetwork;

use super::{
    SacConfig,
    loss::{actor_loss, combine, critic_loss, soft_value},
};
use crate::{
    AgentError, MaskedCategorical, Transition, batch::StateBatch, finds::Finds,
    networks::polyak_update, trained::Trained,
};

/// The numbers of one update that change during the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    pub(super) actor: f64,
    pub(super) critic: f64,
    pub(super) temperature: f64,
    /// As a share of the largest.
    pub(super) target_entropy: f64,
}

/// What a gradient step came to, as means over the batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Losses {
    pub(super) critic_loss: f64,
    pub(super) q_values: f64,
    pub(super) actor_loss: f64,
    pub(super) entropy: f64,
    /// `H_target`, as far as the masks allow entropy at all.
    pub(super) target_entropy: f64,
    pub(super) gradient_norm: f64,
}

/// A batch as the actor sees it.
struct Seen<'a> {
    transitions: &'a [&'a Transition],
    states: &'a StateBatch<'a>,
    /// Which actions are taken into account in each state.
    masks: &'a [Vec<bool>],
}

/// Actor, two critics and their targets.
pub(super) struct SoftActorCritic<N: GraphNetwork> {
    pub(super) actor: Trained<N>,
    pub(super) critics: [Trained<N>; 2],
    pub(super) targets: [N; 2],
}

impl<N: GraphNetwork> SoftActorCritic<N> {
    pub(super) fn new(actor: N, critics: [N; 2], config: &SacConfig) -> Result<Self, AgentError> {
        let targets = critics.clone();
        let [first, second] = critics;
        let trained = |network| Trained::new(network, config.adam_epsilon, config.threads);
        Ok(Self {
            actor: trained(actor)?,
            critics: [trained(first)?, trained(second)?],
            targets,
        })
    }

    /// The policy for each observation; `None` where the logits are no numbers.
    pub(super) fn policies(
        &mut self,
        seen: &[Observation<'_>],
    ) -> Result<Vec<Option<MaskedCategorical>>, AgentError> {
        self.actor.policies(seen)
    }

    /// A step of the critics, then one of the actor.
    pub(super) fn update(
        &mut self,
        task: &Task,
        transitions: &[&Transition],
        finds: &Finds,
        config: &SacConfig,
        rates: Rates,
    ) -> Result<Losses, AgentError> {
        let y = self.td_targets(task, transitions, finds, config, rates.temperature)?;
        let states = transitions.iter().map(|t| (&t.state, t.target));
        let states = StateBatch::new(task, states);
        let mut losses = Losses::default();
        self.update_critics(transitions, &states, &y, config, rates.critic, &mut losses)?;
        let allowed = |state: &State| finds.allowed(task, &task.observe(state)).into_owned();
        let masks: Vec<Vec<bool>> = transitions.iter().map(|t| allowed(&t.state)).collect();
        let seen = Seen {
            transitions,
            states: &states,
            masks: &masks,
        };
        self.update_actor(&seen, finds, config, rates, &mut losses)?;
        Ok(losses)
    }

    /// Moves the target critics towards the critics; all the way with rate 1.
    pub(super) fn update_targets(&mut self, rate: f64) -> Result<(), AgentError> {
        for (target, critic) in self.targets.iter_mut().zip(&self.critics) {
            polyak_update(target.parameters_mut(), critic.network.parameters(), rate)?;
        }
        Ok(())
    }

    /// `y = r + γⁿ Σ_a π(a|s') (Q̄(s', a) − α ln π(a|s'))` over the actions allowed in `s'`, with α = 0
    /// for an entropy-free critic; `r` alone where the episode ended.
    fn td_targets(
        &mut self,
        task: &Task,
        transitions: &[&Transition],
        finds: &Finds,
        config: &SacConfig,
        temperature: f64,
    ) -> Result<Vec<f64>, AgentError> {
        let next: Vec<(&State, f64)> = transitions
            .iter()
            .filter_map(|t| Some((t.next.as_ref()?, t.target)))
            .collect();
        let states = StateBatch::new(task, next.iter().copied());
        let logits = self.actor.forward(&states)?;
        let workspace = &mut self.critics[0].workspace;
        let [first, second] = &self.targets;
        let first = states.forward(first, workspace)?;
        let second = states.forward(second, workspace)?;
        let q = combine(config.critics, &first, &second);
        let temperature = if config.critic_entropy {
            temperature
        } else {
            0.0
        };
        let actions = task.n_actions();
        let mut values = next.iter().enumerate().map(|(row, (state, _))| {
            let row = row * actions..(row + 1) * actions;
            let allowed = finds.allowed(task, &task.observe(state));
            MaskedCategorical::new(&logits[row.clone()], &allowed)
                .map_or(f64::NAN, |policy| soft_value(&policy, &q[row], temperature))
        });
        let y = transitions.iter().map(|t| {
            let y = match t.next {
                Some(_) => t.reward + t.discount * values.next().unwrap_or(f64::NAN),
                None => t.reward,
            };
            match finds.value_bound(t) {
                Some(bound) if bound > y => bound,
                _ => y,
            }
        });
        Ok(y.collect())
    }

    fn update_critics(
        &mut self,
        transitions: &[&Transition],
        states: &StateBatch<'_>,
        y: &[f64],
        config: &SacConfig,
        learning_rate: f64,
        losses: &mut Losses,
    ) -> Result<(), AgentError> {
        let scale = 1.0 / transitions.len() as f64;
        for (critic, target) in self.critics.iter_mut().zip(&self.targets) {
            let q_target = match config.q_clip {
                Some(_) => states.forward(target, &mut critic.workspace)?,
                None => Vec::new(),
            };
            let q = critic.forward(states)?;
            let actions = q.len() / transitions.len();
            let mut grad = vec![0.0_f32; q.len()];
            for (row, (transition, y)) in transitions.iter().zip(y).enumerate() {
                let place = row * actions + usize::from(transition.action);
                let value = f64::from(q[place]);
                let anchor = q_target.get(place).map_or(value, |q| f64::from(*q));
                let (loss, slope) = critic_loss(value, anchor, *y, config.q_clip);
                grad[place] = (scale * slope) as f32;
                losses.critic_loss += 0.5 * scale * loss;
                losses.q_values += 0.5 * scale * value;
            }
            let norm = critic.descend(states, &grad, learning_rate, config.max_gradient_norm)?;
            losses.gradient_norm = losses.gradient_norm.max(norm);
        }
        Ok(())
    }

    fn update_actor(
        &mut self,
        seen: &Seen<'_>,
        finds: &Finds,
        config: &SacConfig,
        rates: Rates,
        losses: &mut Losses,
    ) -> Result<(), AgentError> {
        let Seen {
            transitions,
            states,
            masks,
        } = *seen;
        let [first, second] = &mut self.critics;
        let q = combine(
            config.critics,
            &first.forward(states)?,
            &second.forward(states)?,
        );
        let logits = self.actor.forward(states)?;
        let actions = masks.first().map_or(1, Vec::len);
        let mean = 1.0 / transitions.len() as f64;
        let scale = if config.divide_by_actions {
            mean / actions as f64
        } else {
            mean
        };
        let mut grad = vec![0.0_f32; logits.len()];
        for (row, (transition, mask)) in transitions.iter().zip(masks).enumerate() {
            let row = row * actions..(row + 1) * actions;
            let Some(policy) = MaskedCategorical::new(&logits[row.clone()], mask) else {
                losses.actor_loss = f64::NAN;
                return Ok(());
            };
            let (q, grad) = (&q[row.clone()], &mut grad[row]);
            losses.actor_loss += scale * actor_loss(&policy, q, rates.temperature, scale, grad);
            if let Some((weight, ways)) = finds.ways(&transition.state, transition.target) {
                let leads = |action: usize| ways.contains(&(action as Action));
                losses.actor_loss +=
                    scale * weight * policy.add_set_gradient(leads, scale * weight, grad);
            }
            losses.entropy += mean * policy.entropy();
            let allowed = mask.iter().filter(|allowed| **allowed).count() as f64;
            losses.target_entropy += mean * rates.target_entropy * allowed.ln();
        }
        let largest = config.max_gradient_norm;
        let norm = self.actor.descend(states, &grad, rates.actor, largest)?;
        losses.gradient_norm = losses.gradient_norm.max(norm);
        Ok(())
    }
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
