//! Gradient steps of PPO.

use crystalgym_environment::{Action, Observation, State, Task};
use crystalgym_networks::{Adam, AdamConfig, Gradients, GraphNetwork};

use super::{
    PpoConfig,
    loss::{clipped_policy_loss, entropy_bonus, normalize, value_loss},
    sample::Sample,
};
use crate::{
    AgentError, MaskedCategorical, Transition, batch::StateBatch, categorical_policy::policies,
    finds::Finds,
};

/// Actor, critic and their optimisers.
pub(super) struct ActorCritic<N: GraphNetwork> {
    pub(super) actor: N,
    pub(super) critic: N,
    pub(super) actor_adam: Adam,
    pub(super) critic_adam: Adam,
    /// Each network's forward pass has to last until its backward pass.
    actor_workspace: N::Workspace,
    critic_workspace: N::Workspace,
    actor_gradients: Gradients,
    critic_gradients: Gradients,
}

impl<N: GraphNetwork> ActorCritic<N> {
    pub(super) fn new(actor: N, critic: N, config: &PpoConfig) -> Result<Self, AgentError> {
        let adam = AdamConfig {
            epsilon: config.adam_epsilon,
            ..AdamConfig::default()
        };
        Ok(Self {
            actor_adam: Adam::new(adam, actor.parameters()),
            critic_adam: Adam::new(adam, critic.parameters()),
            actor_workspace: actor.workspace(config.threads)?,
            critic_workspace: critic.workspace(config.threads)?,
            actor_gradients: actor.parameters().zeros_like(),
            critic_gradients: critic.parameters().zeros_like(),
            actor,
            critic,
        })
    }

    /// The policy for each observation; `None` where the logits are no numbers.
    pub(super) fn policies(
        &mut self,
        seen: &[Observation<'_>],
    ) -> Result<Vec<Option<MaskedCategorical>>, AgentError> {
        policies(&self.actor, &mut self.actor_workspace, seen)
    }

    /// `V` of each state.
    pub(super) fn values(
        &mut self,
        task: &Task,
        states: &[State],
        target: f64,
    ) -> Result<Vec<f64>, AgentError> {
        let batch = StateBatch::new(task, states.iter().map(|state| (state, target)));
        let values = batch.forward(&self.critic, &mut self.critic_workspace)?;
        Ok(values.into_iter().map(f64::from).collect())
    }

    /// One step down the gradient of the mean of
    /// `clipped policy loss − c_H H + c_V value loss` (Schulman et al. 2017, equation 9), with
    /// `rates` the learning rate and `c_H`. `stale` are other observations to show the networks in
    /// the place of those of the samples.
    pub(super) fn update(
        &mut self,
        task: &Task,
        minibatch: &[&Sample],
        stale: Option<&[(State, f64)]>,
        finds: &Finds,
        config: &PpoConfig,
        rates: (f64, f64),
    ) -> Result<Vec<(&'static str, f64)>, AgentError> {
        let (learning_rate, entropy_coefficient) = rates;
        let seen: Vec<(&State, f64)> = match stale {
            Some(stale) => stale
                .iter()
                .map(|(state, target)| (state, *target))
                .collect(),
            None => minibatch.iter().map(|s| (&s.state, s.target)).collect(),
        };
        let mut advantages: Vec<f64> = minibatch.iter().map(|s| s.advantage).collect();
        if config.normalize_advantages {
            normalize(&mut advantages);
        }
        let batch = StateBatch::new(task, seen.iter().copied());
        let logits = batch.forward(&self.actor, &mut self.actor_workspace)?;
        let values = batch.forward(&self.critic, &mut self.critic_workspace)?;

        let scale = 1.0 / minibatch.len() as f64;
        let actions = self.actor.n_outputs();
        let mut grad_logits = vec![0.0_f32; logits.len()];
        let mut grad_values = vec![0.0_f32; values.len()];
        let mut sums = Sums::default();
        for (row, (sample, advantage)) in minibatch.iter().zip(advantages).enumerate() {
            let place = row * actions..(row + 1) * actions;
            let (logits, grad) = (&logits[place.clone()], &mut grad_logits[place]);
            let action = usize::from(sample.action);
            // A stale observation may be of a site where the action is forbidden.
            let mask = finds.allowed(task, &task.observe(&sample.state));
            let Some(policy) = MaskedCategorical::new(logits, &mask) else {
                return Ok(vec![("a logit of the policy", f64::NAN)]);
            };
            let log_ratio = policy.log_probabilities()[action] - sample.log_probability;
            let (loss, slope) =
                clipped_policy_loss(log_ratio, advantage, config.clip, config.largest_ratio);
            policy.add_log_probability_gradient(action, scale * slope, grad);
            let entropy = entropy_bonus(&policy, scale * entropy_coefficient, grad);

            let value = f64::from(values[row]);
            let value_target = sample.value + sample.advantage;
            let clip = config.clip_value.then_some(config.clip);
            let (of_value, slope) = value_loss(value, sample.value, value_target, clip);
            grad_values[row] = (scale * config.value_coefficient * slope) as f32;

            sums.policy_loss += scale * loss;
            sums.value_loss += scale * of_value;
            sums.entropy += scale * entropy;
            // Schulman's estimator of the divergence, r − 1 − ln r.
            sums.approx_kl += scale * (log_ratio.exp() - 1.0 - log_ratio);
            let outside = (log_ratio.exp() - 1.0).abs() > config.clip;
            sums.clipfrac += scale * f64::from(u8::from(outside));
        }

        let norm = self.descend(&batch, &grad_logits, &grad_values, config, learning_rate)?;
        Ok(vec![
            ("losses/policy_loss", sums.policy_loss),
            ("losses/value_loss", sums.value_loss),
            ("losses/entropy", sums.entropy),
            ("losses/approx_kl", sums.approx_kl),
            ("losses/clipfrac", sums.clipfrac),
            ("losses/gradient_norm", norm),
            ("charts/learning_rate", learning_rate),
        ])
    }

    /// One step down the gradient of the mean of `(G − V)₊ (−ln π(a)) + c_V ½ (G − V)₊²` over actions
    /// with the returns `G` that followed them (self-imitation learning, Oh et al. 2018, equations 1
    /// to 3), and of `−w ln π(A)` where actions `A` lead to the best crystal; returns that mean.
    pub(super) fn imitate(
        &mut self,
        task: &Task,
        imitated: &[&Transition],
        finds: &Finds,
        config: &PpoConfig,
        learning_rate: f64,
    ) -> Result<f64, AgentError> {
        let batch = StateBatch::new(task, imitated.iter().map(|t| (&t.state, t.target)));
        let logits = batch.forward(&self.actor, &mut self.actor_workspace)?;
        let values = batch.forward(&self.critic, &mut self.critic_workspace)?;
        let scale = 1.0 / imitated.len() as f64;
        let actions = self.actor.n_outputs();
        let mut grad_logits = vec![0.0_f32; logits.len()];
        let mut grad_values = vec![0.0_f32; values.len()];
        let mut loss = 0.0;
        for (row, transition) in imitated.iter().enumerate() {
            let place = row * actions..(row + 1) * actions;
            let mask = finds.allowed(task, &task.observe(&transition.state));
            let Some(policy) = MaskedCategorical::new(&logits[place.clone()], &mask) else {
                return Ok(f64::NAN);
            };
            let gain = (transition.reward - f64::from(values[row])).max(0.0);
            let action = usize::from(transition.action);
            let grad = &mut grad_logits[place];
            policy.add_log_probability_gradient(action, -scale * gain, grad);
            if let Some((weight, ways)) = finds.ways(&transition.state, transition.target) {
                let leads = |action: usize| ways.contains(&(action as Action));
                loss += scale * weight * policy.add_set_gradient(leads, scale * weight, grad);
            }
            grad_values[row] = (-scale * config.value_coefficient * gain) as f32;
            let of_value = 0.5 * config.value_coefficient * gain * gain;
            loss += scale * (of_value - gain * policy.log_probabilities()[action]);
        }
        self.descend(&batch, &grad_logits, &grad_values, config, learning_rate)?;
        Ok(loss)
    }

    /// One step of both networks down the gradient of what they said of a batch; returns its norm.
    fn descend(
        &mut self,
        batch: &StateBatch<'_>,
        grad_logits: &[f32],
        grad_values: &[f32],
        config: &PpoConfig,
        learning_rate: f64,
    ) -> Result<f64, AgentError> {
        self.actor_gradients.clear();
        self.critic_gradients.clear();
        let (actor, critic) = (&mut self.actor_workspace, &mut self.critic_workspace);
        batch.backward(&self.actor, actor, grad_logits, &mut self.actor_gradients)?;
        batch.backward(
            &self.critic,
            critic,
            grad_values,
            &mut self.critic_gradients,
        )?;
        let gradients = [&mut self.actor_gradients, &mut self.critic_gradients];
        let norm = clip_together(gradients, config.max_gradient_norm);
        let (actor, critic) = (self.actor.parameters_mut(), self.critic.parameters_mut());
        self.actor_adam
            .step(learning_rate, &self.actor_gradients, actor)?;
        self.critic_adam
            .step(learning_rate, &self.critic_gradients, critic)?;
        Ok(norm)
    }
}

#[derive(Default)]
struct Sums {
    policy_loss: f64,
    value_loss: f64,
    entropy: f64,
    approx_kl: f64,
    clipfrac: f64,
}

/// Scales gradients so that their common norm is at most `largest`; returns the norm before.
fn clip_together(gradients: [&mut Gradients; 2], largest: Option<f64>) -> f64 {
    let norm = gradients
        .iter()
        .map(|g| g.norm().powi(2))
        .sum::<f64>()
        .sqrt();
    if let Some(largest) = largest {
        let factor = largest / (norm + 1e-6);
        if factor < 1.0 {
            for gradients in gradients {
                let values = gradients.values_mut().iter_mut();
                values.for_each(|value| *value *= factor as f32);
            }
        }
    }
    norm
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
