//! Deep Q-learning with the options of Rainbow.

mod config;
mod head;
mod learner;
mod saved;

use std::{path::Path, sync::Arc};

use crystalgym_environment::{FinishedEpisode, State, Task, random::uniform_unit};
use crystalgym_networks::{GraphNetwork, Megnet, Noisy};
use rand::SeedableRng;
use rand_pcg::Pcg64;

pub use self::config::{AdvantageMean, DqnConfig};

use self::{head::Head, learner::Learner};
use crate::{
    Agent, AgentConfig, AgentError, Evaluator, Observer, Policy, PolicyMode, Progress,
    ReplayBuffer, Update, agent_seed,
    collect::{self, Collector, Cycle},
    network_config,
    search::random_action,
};

/// Deep Q-learning (Mnih et al. 2015) with the options of Rainbow (Hessel et al. 2018).
pub struct Dqn {
    name: &'static str,
    config: DqnConfig,
    task: Arc<Task>,
    collector: Collector,
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
        Self::named("dqn", config, task, evaluator)
    }

    /// The same under the name `rainbow`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn rainbow(
        config: DqnConfig,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        Self::named("rainbow", config, task, evaluator)
    }

    fn named(
        name: &'static str,
        config: DqnConfig,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        config.check()?;
        for (field, states) in [
            ("batch_size", config.batch_size),
            ("environments", config.environments),
        ] {
            config.network.check_batch(&task, field, states)?;
        }
        let mut rng = Pcg64::seed_from_u64(agent_seed(config.seed));
        let head = Head::new(&config, &task);
        let network = config.network.build(&task, head.n_outputs(), &mut rng)?;
        let network = if config.noisy {
            Noisy::new(network, network_config::LAST_LAYERS, config.noisy_sigma)
        } else {
            Noisy::silent(network)
        };
        Ok(Self {
            name,
            collector: Collector::new(config.collect(), &task, evaluator),
            learner: Learner::new(network, head, &config)?,
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
    pub fn network(&self) -> &Megnet {
        self.learner.online.network()
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
            self.learner
                .update(&self.task, &batch, config, learning_rate, &mut self.rng)?;
        let places = batch.places;
        self.replay.set_errors(&places, &losses.errors);
        self.updates += 1;
        if !(losses.td_loss.is_finite() && losses.gradient_norm.is_finite()) {
            return Err(self.diverged("the loss", losses.td_loss));
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

    fn diverged(&self, what: &'static str, found: f64) -> AgentError {
        AgentError::Diverged {
            step: self.collector.steps(),
            what,
            found,
        }
    }
}

impl Cycle for Dqn {
    fn collector(&mut self) -> &mut Collector {
        &mut self.collector
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
        );
        Ok(())
    }

    /// Learns for every environment step since the last time.
    fn learn(&mut self, observer: &mut dyn Observer) -> Result<(), AgentError> {
        while self.learned_until < self.collector.steps() {
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
                self.learner.update_target(self.config.target_rate)?;
            }
        }
        Ok(())
    }

    /// Chooses at random with probability ε, otherwise the action of the highest value.
    fn act(&mut self) -> Result<Vec<u8>, AgentError> {
        let epsilon = self.config.epsilon().at(self.collector.steps());
        self.learner.online.resample(&mut self.rng);
        let states = self.collector.states();
        let target = self.task.target();
        let greedy = |states: &[&State]| self.learner.greedy_actions(&self.task, states, target);
        let actions = explore(&self.task, &states, epsilon, &mut self.rng, greedy)?;
        self.learner.online.remove_noise();
        actions
            .into_iter()
            .map(|action| action.ok_or_else(|| self.diverged("the best action value", f64::NAN)))
            .collect()
    }
}

impl Agent for Dqn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn settings(&self) -> AgentConfig {
        let config = self.config.clone();
        match self.name {
            "rainbow" => AgentConfig::Rainbow(config),
            _ => AgentConfig::Dqn(config),
        }
    }

    fn step(&mut self, observer: &mut dyn Observer) -> Result<Progress, AgentError> {
        collect::step(self, observer)
    }

    fn steps(&self) -> u64 {
        self.collector.steps()
    }

    fn total_steps(&self) -> u64 {
        self.collector.total_steps()
    }

    fn save(&self, folder: &Path) -> Result<(), AgentError> {
        self.save_to(folder)
    }

    fn policy(&self, task: &Arc<Task>, mode: PolicyMode) -> Result<Box<dyn Policy>, AgentError> {
        let network = network_config::for_task(self.network(), task, &self.task)?;
        let (epsilon, seed) = match mode {
            PolicyMode::Greedy => (0.0, 0),
            PolicyMode::Sampled { seed } => (self.config.epsilon().at(self.steps()), seed),
        };
        Ok(Box::new(ValuePolicy {
            task: Arc::clone(task),
            workspace: network.workspace(self.config.threads)?,
            head: self.learner.head,
            network,
            epsilon,
            rng: Pcg64::seed_from_u64(seed),
        }))
    }
}

/// Takes the action of the highest value, or with probability ε a random one.
struct ValuePolicy {
    task: Arc<Task>,
    network: Megnet,
    workspace: <Megnet as GraphNetwork>::Workspace,
    head: Head,
    epsilon: f64,
    rng: Pcg64,
}

impl Policy for ValuePolicy {
    fn act(&mut self, states: &[&State], target: f64) -> Result<Vec<u8>, AgentError> {
        let greedy = |states: &[&State]| {
            learner::greedy_actions(
                &self.task,
                &self.network,
                &self.head,
                &mut self.workspace,
                states,
                target,
            )
        };
        explore(&self.task, states, self.epsilon, &mut self.rng, greedy)?
            .into_iter()
            .map(|action| {
                action.ok_or(AgentError::Diverged {
                    step: 0,
                    what: "the best action value",
                    found: f64::NAN,
                })
            })
            .collect()
    }
}

/// An allowed action at random with probability ε, what `greedy` says otherwise.
fn explore(
    task: &Task,
    states: &[&State],
    epsilon: f64,
    rng: &mut Pcg64,
    greedy: impl FnOnce(&[&State]) -> Result<Vec<Option<u8>>, AgentError>,
) -> Result<Vec<Option<u8>>, AgentError> {
    let random: Vec<Option<u8>> = states
        .iter()
        .map(|state| {
            let explores = uniform_unit(rng) < epsilon;
            explores.then(|| random_action(state.action_mask(task), rng))
        })
        .collect();
    let exploiting: Vec<&State> = states
        .iter()
        .zip(&random)
        .filter_map(|(state, random)| random.is_none().then_some(*state))
        .collect();
    let mut chosen = greedy(&exploiting)?.into_iter();
    let actions = random.into_iter();
    Ok(actions
        .map(|random| random.or_else(|| chosen.next().flatten()))
        .collect())
}
