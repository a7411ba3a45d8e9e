//! Deep Q-learning (Mnih et al., Nature 518, 529 (2015)) with masks and late rewards.

mod config;
mod learner;
mod saved;

use std::{path::Path, sync::Arc};

use crystalgym_environment::{
    FinishedEpisode, State, Task, VectorEnvironment,
    random::{uniform_below, uniform_unit},
};
use crystalgym_networks::Megnet;
use rand::SeedableRng;
use rand_pcg::Pcg64;

pub use self::config::DqnConfig;
use self::learner::Learner;
pub(crate) use self::learner::greedy_actions;
use crate::{
    Agent, AgentError, Evaluator, GreedyPolicy, Observer, Policy, Progress, ReplayBuffer, Update,
    agent_seed, episode_transitions, templates,
};

/// Deep Q-learning.
pub struct Dqn {
    config: DqnConfig,
    task: Arc<Task>,
    environment: VectorEnvironment,
    learner: Learner<Megnet>,
    replay: ReplayBuffer,
    rng: Pcg64,
    /// Environment step up to which learning is done.
    learned_until: u64,
    updates: u64,
}

impl Dqn {
    /// An agent at the start of its run.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] for settings that cannot be.
    pub fn new(
        config: DqnConfig,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        config.check()?;
        let mut rng = Pcg64::seed_from_u64(agent_seed(config.seed));
        let shape = config.network.megnet(&task, task.actions().len());
        let network = Megnet::new(shape.clone(), templates(&task, &shape), &mut rng)?;
        Ok(Self {
            environment: evaluator.environments(&task, config.environments, config.seed),
            learner: Learner::new(network, &config)?,
            replay: ReplayBuffer::new(config.replay_capacity),
            rng,
            learned_until: 0,
            updates: 0,
            config,
            task,
        })
    }

    /// The settings.
    pub fn config(&self) -> &DqnConfig {
        &self.config
    }

    /// The network that is trained.
    pub fn network(&self) -> &Megnet {
        &self.learner.online
    }

    /// What there is to learn from.
    pub fn replay(&self) -> &ReplayBuffer {
        &self.replay
    }

    /// Chooses at random with probability ε, otherwise the action of the highest value.
    fn act(&mut self) -> Result<Vec<u8>, AgentError> {
        let epsilon = self.config.epsilon().at(self.environment.steps());
        let states: Vec<&State> = (0..self.environment.len())
            .map(|index| self.environment.state(index))
            .collect();
        let random: Vec<Option<u8>> = states
            .iter()
            .map(|state| {
                let explores = uniform_unit(&mut self.rng) < epsilon;
                explores.then(|| random_action(state.action_mask(&self.task), &mut self.rng))
            })
            .collect();
        let exploiting: Vec<&State> = states
            .iter()
            .zip(&random)
            .filter_map(|(state, random)| random.is_none().then_some(*state))
            .collect();
        let Learner {
            online, workspace, ..
        } = &mut self.learner;
        let target = self.task.target();
        let mut greedy =
            greedy_actions(&self.task, online, workspace, &exploiting, target)?.into_iter();
        random
            .into_iter()
            .map(|random| random.or_else(|| greedy.next().flatten()))
            .map(|action| action.ok_or_else(|| self.diverged("the best action value", f64::NAN)))
            .collect()
    }

    fn remember(&mut self, episode: &FinishedEpisode) {
        let DqnConfig {
            n_step, discount, ..
        } = self.config;
        for transition in episode_transitions(&self.task, episode, n_step, discount) {
            self.replay.push(transition);
        }
    }

    fn learn(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let learning_rate = self.config.learning_rates().at(step);
        let batch = self.replay.sample(self.config.batch_size, &mut self.rng);
        if batch.is_empty() {
            return Ok(());
        }
        let losses = self
            .learner
            .update(&self.task, &batch, &self.config, learning_rate)?;
        self.updates += 1;
        if !(losses.td_loss.is_finite() && losses.gradient_norm.is_finite()) {
            return Err(self.diverged("the loss", losses.td_loss));
        }
        observer.updated(&Update {
            step,
            updates: self.updates,
            td_loss: losses.td_loss,
            q_values: losses.q_values,
            gradient_norm: losses.gradient_norm,
            learning_rate,
            epsilon: self.config.epsilon().at(step),
        });
        Ok(())
    }

    fn diverged(&self, what: &'static str, found: f64) -> AgentError {
        AgentError::Diverged {
            step: self.environment.steps(),
            what,
            found,
        }
    }
}

impl Agent for Dqn {
    fn name(&self) -> &'static str {
        "dqn"
    }

    fn step(&mut self, observer: &mut dyn Observer) -> Result<Progress, AgentError> {
        let steps = self.environment.steps();
        let acting = steps < self.config.total_steps;

        let in_flight = if acting { self.config.in_flight } else { 0 };
        loop {
            match self
                .environment
                .next_finished(in_flight, &|| observer.interrupted())
            {
                Ok(Some(episode)) => {
                    self.remember(&episode);
                    observer.episode_finished(steps, &episode);
                }
                Ok(None) => break,
                Err(_) => return Ok(Progress::Interrupted),
            }
        }

        while self.learned_until < steps {
            self.learned_until += 1;
            let step = self.learned_until;
            if step > self.config.learning_starts {
                if step.is_multiple_of(self.config.train_every) {
                    self.learn(step, observer)?;
                }
                if step.is_multiple_of(self.config.target_every) {
                    self.learner.update_target(self.config.target_rate)?;
                }
            }
        }

        if !acting {
            return Ok(Progress::Finished);
        }
        let actions = self.act()?;
        self.environment.step(&actions)?;
        Ok(Progress::Continue)
    }

    fn steps(&self) -> u64 {
        self.environment.steps()
    }

    fn total_steps(&self) -> u64 {
        self.config.total_steps
    }

    fn save(&self, folder: &Path) -> Result<(), AgentError> {
        self.save_to(folder)
    }

    fn policy(&self, task: &Arc<Task>) -> Result<Box<dyn Policy>, AgentError> {
        let network = &self.learner.online;
        let network = network.with_templates(templates(task, network.config()))?;
        Ok(Box::new(GreedyPolicy::new(
            Arc::clone(task),
            network,
            self.config.threads,
        )?))
    }
}

/// One of the allowed actions, all equally likely.
pub(crate) fn random_action(allowed: &[bool], rng: &mut Pcg64) -> u8 {
    let count = allowed.iter().filter(|allowed| **allowed).count();
    let choice = uniform_below(rng, count);
    let mut actions = allowed
        .iter()
        .enumerate()
        .filter_map(|(a, allowed)| allowed.then_some(a));
    actions.nth(choice).unwrap_or_default() as u8
}
