//! Deep Q-learning with the options of Rainbow.

mod config;
mod head;
mod learner;
mod saved;

use std::sync::Arc;

use crystalgym_environment::{
    Action, FinishedEpisode, Observation, Task,
    random::{random_choice, uniform_unit},
};
use crystalgym_networks::{GraphNetwork, Network, Noisy};
use rand::SeedableRng;
use rand_pcg::Pcg64;

pub use self::config::{AdvantageMean, DqnConfig};

use self::{head::Head, learner::ValueNetworks};
use crate::{
    AgentConfig, AgentError, Learner, Observer, Policy, PolicyMode, ReplayBuffer, Update,
    agent_seed,
    checkpoint::{CheckpointFile, Memory},
    networks::{self, BuildNetwork},
};

/// Deep Q-learning (Mnih et al. 2015) with the options of Rainbow (Hessel et al. 2018).
pub struct Dqn<N: GraphNetwork = Network> {
    name: &'static str,
    config: DqnConfig,
    task: Arc<Task>,
    networks: ValueNetworks<N>,
    replay: ReplayBuffer,
    rng: Pcg64,
    /// Environment step up to which learning is done.
    learned_until: u64,
    updates: u64,
}

impl Dqn {
    /// A learner that knows nothing yet.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] for settings that cannot be.
    pub fn new(config: DqnConfig, task: Arc<Task>) -> Result<Self, AgentError> {
        Self::named("dqn", config, task)
    }

    /// The same under the name `rainbow`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn rainbow(config: DqnConfig, task: Arc<Task>) -> Result<Self, AgentError> {
        Self::named("rainbow", config, task)
    }

    fn named(name: &'static str, config: DqnConfig, task: Arc<Task>) -> Result<Self, AgentError> {
        let (shape, on) = (config.network.clone(), Arc::clone(&task));
        Self::with_networks(name, config, task, &mut |outputs, rng| {
            shape.build(&on, outputs, rng)
        })
    }
}

impl<N: GraphNetwork> Dqn<N> {
    /// A learner on networks of any kind.
    ///
    /// # Errors
    /// As [`Dqn::new`].
    pub fn with_networks(
        name: &'static str,
        config: DqnConfig,
        task: Arc<Task>,
        build: BuildNetwork<'_, N>,
    ) -> Result<Self, AgentError> {
        config.check()?;
        let mut rng = Pcg64::seed_from_u64(agent_seed(config.seed));
        let head = Head::new(&config, &task);
        let network = build(head.outputs(), &mut rng)?;
        networks::check_batches(
            &network,
            &[
                ("batch_size", config.batch_size),
                ("environments", config.environments),
            ],
        )?;
        let network = if config.noisy {
            Noisy::new(network, config.noisy_sigma)
        } else {
            Noisy::silent(network)
        };
        Ok(Self {
            name,
            networks: ValueNetworks::new(network, head, &config)?,
            replay: if config.prioritized {
                ReplayBuffer::prioritized(config.replay_capacity, config.priority_exponent)
            } else {
                ReplayBuffer::new(config.replay_capacity)
            },
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

    /// The network that is trained, without noise.
    pub fn network(&self) -> &N {
        self.networks.online.network()
    }

    /// What there is to learn from.
    pub fn replay(&self) -> &ReplayBuffer {
        &self.replay
    }

    fn update(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let config = &self.config;
        let learning_rate = config.learning_rates().at(step);
        let beta = config.importance().at(step);
        let batch = self.replay.sample(config.batch_size, beta, &mut self.rng);
        let losses =
            self.networks
                .update(&self.task, &batch, config, learning_rate, &mut self.rng)?;
        let places = batch.places;
        self.replay.set_errors(&places, &losses.errors);
        self.updates += 1;
        if !(losses.td_loss.is_finite() && losses.gradient_norm.is_finite()) {
            return Err(AgentError::Diverged {
                step,
                what: "the loss",
                found: losses.td_loss,
            });
        }
        observer.updated(&Update {
            step,
            updates: self.updates,
            scalars: vec![
                ("losses/td_loss", losses.td_loss),
                ("losses/q_values", losses.q_values),
                ("losses/gradient_norm", losses.gradient_norm),
                ("charts/epsilon", config.epsilon().at(step)),
                ("charts/learning_rate", learning_rate),
            ],
        });
        Ok(())
    }
}

impl<N: GraphNetwork> Learner for Dqn<N> {
    fn settings(&self) -> AgentConfig {
        let config = self.config.clone();
        match self.name {
            "rainbow" => AgentConfig::Rainbow(config),
            _ => AgentConfig::Dqn(config),
        }
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let config = &self.config;
        self.replay.remember(
            &self.task,
            episode,
            &config.relabel,
            config.n_step,
            config.discount,
            &mut self.rng,
        )
    }

    /// Learns for every environment step since the last time.
    fn learn(&mut self, until: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        while self.learned_until < until {
            self.learned_until += 1;
            let step = self.learned_until;
            if step <= self.config.learning_starts || self.replay.is_empty() {
                continue;
            }
            if step.is_multiple_of(self.config.train_every) {
                for _ in 0..self.config.gradient_steps {
                    self.update(step, observer)?;
                }
            }
            if step.is_multiple_of(self.config.target_every) {
                self.networks.update_target(self.config.target_rate)?;
            }
        }
        Ok(())
    }

    /// Chooses at random with probability ε, otherwise the action of the highest value.
    fn act(&mut self, step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let epsilon = self.config.epsilon().at(step);
        self.networks.online.resample(&mut self.rng);
        let greedy = |seen: &[Observation<'_>]| self.networks.greedy_actions(seen);
        let actions = explore(seen, epsilon, &mut self.rng, greedy)?;
        self.networks.online.remove_noise();
        chosen(actions, step)
    }

    fn memory(&self) -> Result<Memory, AgentError> {
        self.saved()
    }

    fn restore(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        self.restore_from(file)
    }

    fn policy(
        &self,
        task: &Arc<Task>,
        mode: PolicyMode,
        step: u64,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let network = networks::for_task(self.network(), task, &self.task)?;
        let (epsilon, seed) = match mode {
            PolicyMode::Greedy => (0.0, 0),
            PolicyMode::Sampled { seed } => (self.config.epsilon().at(step), seed),
        };
        Ok(Box::new(ValuePolicy {
            workspace: network.workspace(self.config.threads)?,
            head: self.networks.head.for_task(task),
            network,
            epsilon,
            rng: Pcg64::seed_from_u64(seed),
        }))
    }
}

/// Takes the action of the highest value, or with probability ε a random one.
struct ValuePolicy<N: GraphNetwork> {
    network: N,
    workspace: N::Workspace,
    head: Head,
    epsilon: f64,
    rng: Pcg64,
}

impl<N: GraphNetwork> Policy for ValuePolicy<N> {
    fn act(&mut self, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let greedy = |seen: &[Observation<'_>]| {
            learner::greedy_actions(&self.network, &self.head, &mut self.workspace, seen)
        };
        chosen(explore(seen, self.epsilon, &mut self.rng, greedy)?, 0)
    }
}

/// An allowed action at random with probability ε, what `greedy` says otherwise.
fn explore(
    seen: &[Observation<'_>],
    epsilon: f64,
    rng: &mut Pcg64,
    greedy: impl FnOnce(&[Observation<'_>]) -> Result<Vec<Option<Action>>, AgentError>,
) -> Result<Vec<Option<Action>>, AgentError> {
    let random: Vec<Option<Action>> = seen
        .iter()
        .map(|seen| {
            let explores = uniform_unit(rng) < epsilon;
            explores.then(|| random_choice(seen.allowed, rng) as Action)
        })
        .collect();
    let exploiting: Vec<Observation<'_>> = seen
        .iter()
        .zip(&random)
        .filter_map(|(seen, random)| random.is_none().then_some(*seen))
        .collect();
    let mut best = greedy(&exploiting)?.into_iter();
    let actions = random.into_iter();
    Ok(actions
        .map(|random| random.or_else(|| best.next().flatten()))
        .collect())
}

/// All actions, unless the values of one are no numbers.
fn chosen(actions: Vec<Option<Action>>, step: u64) -> Result<Vec<Action>, AgentError> {
    let all: Option<Vec<Action>> = actions.into_iter().collect();
    all.ok_or(AgentError::Diverged {
        step,
        what: "the best action value",
        found: f64::NAN,
    })
}
