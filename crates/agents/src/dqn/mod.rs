//! Deep Q-learning with the options of Rainbow.

mod config;
mod head;
mod learner;
mod saved;

use std::sync::Arc;

use crystalgym_environment::{
    Action, FinishedEpisode, Observation, State, Task,
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
    categorical::masked_argmax,
    checkpoint::{CheckpointFile, Memory},
    finds::{Finds, masks, with_masks},
    networks::{self, BuildNetwork},
};

/// Deep Q-learning (Mnih et al. 2015) with the options of Rainbow (Hessel et al. 2018).
pub struct Dqn<N: GraphNetwork = Network> {
    name: &'static str,
    config: DqnConfig,
    task: Arc<Task>,
    networks: ValueNetworks<N>,
    replay: ReplayBuffer,
    finds: Finds,
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
        config.relabel.check_for(task.property())?;
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
            finds: Finds::new(&config.finds),
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

    /// A gradient step, or one more that has the policy make the best crystals, which goes `astray` in
    /// these states.
    fn update(
        &mut self,
        step: u64,
        rehearsed: Option<&[(State, f64)]>,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        let config = &self.config;
        let beta = config.importance().at(step);
        let (size, finds, rng) = (config.batch_size, &self.finds, &mut self.rng);
        let (batch, learning_rate) = match rehearsed {
            None => (
                finds.batch(&self.replay, size, beta, rng),
                config.learning_rates().at(step),
            ),
            Some(astray) => (
                finds.rehearsed(&self.replay, size, beta, astray, rng),
                config.learning_rate,
            ),
        };
        let (task, networks) = (&self.task, &mut self.networks);
        let losses = networks.update(task, &batch, finds, config, learning_rate, rng)?;
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

    /// Learns on until the policy makes the best crystals.
    fn rehearse(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let ended_after = (step >= self.config.total_steps).then_some(step);
        if step <= self.config.learning_starts {
            return Ok(());
        }
        for _ in 0..self.finds.rehearsals(ended_after) {
            let (task, networks) = (&self.task, &mut self.networks);
            let act = |seen: &[Observation<'_>]| networks.greedy_actions(seen);
            let astray = self.finds.astray(task, act)?;
            if astray.is_empty() {
                break;
            }
            self.update(step, Some(&astray), observer)?;
        }
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
        let (task, config) = (&self.task, &self.config);
        self.finds.remember(task, episode, config.returns())?;
        self.replay.remember(
            task,
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
                    self.update(step, None, observer)?;
                }
            }
            if step.is_multiple_of(self.config.target_every) {
                self.networks.update_target(self.config.target_rate)?;
            }
        }
        self.rehearse(until, observer)
    }

    /// Chooses at random with probability ε, otherwise the action of the highest value.
    fn act(&mut self, step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let epsilon = self.config.epsilon().at(step);
        self.networks.online.resample(&mut self.rng);
        let (task, finds) = (Arc::clone(&self.task), &mut self.finds);
        let mut actions = explore(seen, epsilon, &mut self.rng, |seen, rng| {
            let action = random_choice(&finds.explored(&task, seen), rng) as Action;
            finds.acted(&task, seen, action);
            action
        });
        let exploiting: Vec<Observation<'_>> = left_open(seen, &actions);
        let values = self.networks.action_values(&exploiting)?;
        let rows = values.chunks_exact(self.task.n_actions()).zip(&exploiting);
        // One after the other, so that no two make the same crystal.
        let best = rows.map(|(values, seen)| {
            let mask = finds.explored(&task, seen);
            let action = masked_argmax(values, &mask)? as Action;
            finds.acted(&task, seen, action);
            Some(action)
        });
        fill(&mut actions, best);
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
            parity_mask: (self.config.finds.parity_mask).then(|| Arc::clone(task)),
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
    /// The task whose crystals need an even number of electrons.
    parity_mask: Option<Arc<Task>>,
}

impl<N: GraphNetwork> Policy for ValuePolicy<N> {
    fn act(&mut self, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let masks = masks(self.parity_mask.as_deref(), seen);
        let seen = with_masks(seen, &masks);
        let mut actions = explore(&seen, self.epsilon, &mut self.rng, |seen, rng| {
            random_choice(seen.allowed, rng) as Action
        });
        let exploiting = left_open(&seen, &actions);
        let workspace = &mut self.workspace;
        let best = learner::greedy_actions(&self.network, &self.head, workspace, &exploiting)?;
        fill(&mut actions, best.into_iter());
        chosen(actions, 0)
    }
}

/// What `draw` says with probability ε, and nothing otherwise.
fn explore(
    seen: &[Observation<'_>],
    epsilon: f64,
    rng: &mut Pcg64,
    mut draw: impl FnMut(&Observation<'_>, &mut Pcg64) -> Action,
) -> Vec<Option<Action>> {
    let explored = seen.iter().map(|seen| {
        let explores = uniform_unit(rng) < epsilon;
        explores.then(|| draw(seen, rng))
    });
    explored.collect()
}

/// Of what is seen, that for which no action was chosen.
fn left_open<'a>(seen: &[Observation<'a>], actions: &[Option<Action>]) -> Vec<Observation<'a>> {
    let pairs = seen.iter().zip(actions);
    pairs
        .filter_map(|(seen, action)| action.is_none().then_some(*seen))
        .collect()
}

/// Puts the next of other actions where none was chosen.
fn fill(actions: &mut [Option<Action>], mut others: impl Iterator<Item = Option<Action>>) {
    for action in actions.iter_mut().filter(|action| action.is_none()) {
        *action = others.next().flatten();
    }
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
