//! Searches without a network: what learning has to beat, with the same environments, the same
//! logging and the same budget of calculations.

mod genetic;
mod known;
mod local;
mod random;

use std::{path::Path, sync::Arc};

use crystalgym_environment::{
    FinishedEpisode, SkeletonIdentity, State, Task, VectorSnapshot, random::uniform_below,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use self::{
    genetic::{GeneticConfig, GeneticProposer, GeneticSearch},
    local::{LocalProposer, LocalSearch, LocalSearchConfig},
    random::{RandomProposer, RandomSearch, RandomSearchConfig},
};

use crate::{
    Agent, AgentConfig, AgentError, CollectConfig, Evaluator, Observer, Policy, PolicyMode,
    Progress, agent_seed,
    checkpoint::{TaskIdentity, invalid, read_checkpoint, write_checkpoint},
    collect::{self, Collector, Cycle},
};

use self::known::fits;

/// A complete filling of a skeleton: one action a site.
pub type Filling = Box<[u8]>;

/// Proposes fillings and hears what they were worth.
pub trait Proposer: Send + Clone + Serialize + DeserializeOwned {
    /// Settings, those of [`CollectConfig`] among them.
    type Config: Clone + Serialize + DeserializeOwned;

    /// The name used in configurations and files.
    const NAME: &'static str;

    /// Whether settings can be.
    ///
    /// # Errors
    /// [`AgentError::Config`] names the first that cannot.
    fn check(config: &Self::Config) -> Result<(), AgentError>;

    /// The algorithm with these settings.
    fn settings(config: &Self::Config) -> AgentConfig;

    /// A proposer that knows nothing yet.
    fn new(config: &Self::Config) -> Self;

    /// The settings of the environments.
    fn collect_config(config: &Self::Config) -> CollectConfig;

    /// A filling of a skeleton to be tried next.
    fn propose(&mut self, task: &Task, skeleton: u16, rng: &mut Pcg64) -> Filling;

    /// What a filling was worth.
    fn learn(&mut self, task: &Task, episode: &FinishedEpisode);

    /// The best filling known of a skeleton.
    fn best(&self, skeleton: u16) -> Option<&Filling>;

    /// Whether what is saved can be of a search with these settings in this task.
    fn fits(&self, config: &Self::Config, task: &Task) -> bool;
}

/// A search that plays each proposal as an episode.
pub struct Search<P: Proposer> {
    config: P::Config,
    task: Arc<Task>,
    collector: Collector,
    proposer: P,
    rng: Pcg64,
    /// What each environment is being filled with; none at the start of an episode.
    plans: Vec<Option<Filling>>,
}

#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Saved<P: Proposer> {
    config: P::Config,
    task: TaskIdentity,
    proposer: P,
    rng: Pcg64,
    plans: Vec<Option<Filling>>,
    environment: VectorSnapshot,
}

impl<P: Proposer> Search<P> {
    /// A search at its start.
    ///
    /// # Errors
    /// [`AgentError::Config`] for settings that cannot be.
    pub fn new(
        config: P::Config,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        P::check(&config)?;
        let collect = P::collect_config(&config);
        collect.check()?;
        Ok(Self {
            collector: Collector::new(collect, &task, evaluator),
            proposer: P::new(&config),
            rng: Pcg64::seed_from_u64(agent_seed(collect.seed)),
            plans: vec![None; collect.environments],
            config,
            task,
        })
    }

    /// A search that goes on where the saved one was, with the saved settings.
    ///
    /// # Errors
    /// [`AgentError::Io`] or [`AgentError::Checkpoint`] if the folder holds no whole checkpoint of
    /// this search in this task.
    pub fn load(folder: &Path, task: Arc<Task>, evaluator: &Evaluator) -> Result<Self, AgentError> {
        let (saved, _) = read_checkpoint::<Saved<P>>(folder, P::NAME)?;
        saved.task.check(&TaskIdentity::new(&task), folder)?;
        let mut search = Self::new(saved.config, task, evaluator)?;
        search.collector.restore(saved.environment)?;
        let states = search.collector.states();
        let plans_fit = saved.plans.len() == states.len()
            && saved.plans.iter().zip(states).all(|(plan, state)| {
                let plan = plan.as_ref();
                plan.is_none_or(|plan| fits(&search.task, state.skeleton, plan) || state.step == 0)
                    && (plan.is_some() || state.step == 0)
            });
        if !plans_fit || !saved.proposer.fits(&search.config, &search.task) {
            return Err(invalid(folder, "its fillings do not belong to this task"));
        }
        search.proposer = saved.proposer;
        search.rng = saved.rng;
        search.plans = saved.plans;
        Ok(search)
    }
}

impl<P: Proposer> Cycle for Search<P> {
    fn collector(&mut self) -> &mut Collector {
        &mut self.collector
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        self.proposer.learn(&self.task, episode);
        Ok(())
    }

    /// Nothing: what there is to learn was taken from each episode.
    fn learn(&mut self, _observer: &mut dyn Observer) -> Result<(), AgentError> {
        Ok(())
    }

    /// The next action of each environment's plan; a new plan where an episode begins.
    fn act(&mut self) -> Result<Vec<u8>, AgentError> {
        let states = self.collector.states();
        let plans = states.into_iter().zip(&mut self.plans);
        let actions = plans.map(|(state, plan)| {
            if state.step == 0 {
                *plan = None;
            }
            let filling = plan.get_or_insert_with(|| {
                self.proposer
                    .propose(&self.task, state.skeleton, &mut self.rng)
            });
            planned_action(&self.task, state, filling)
        });
        Ok(actions.collect())
    }
}

impl<P: Proposer + 'static> Agent for Search<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn settings(&self) -> AgentConfig {
        P::settings(&self.config)
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
        let saved = Saved {
            config: self.config.clone(),
            task: TaskIdentity::new(&self.task),
            proposer: self.proposer.clone(),
            rng: self.rng.clone(),
            plans: self.plans.clone(),
            environment: self.collector.snapshot(),
        };
        write_checkpoint(folder, P::NAME, self.steps(), None, &saved)
    }

    /// Greedy: the best filling known of the task's skeletons; random on
    /// skeletons that were never tried. Sampled: the next proposals.
    fn policy(&self, task: &Arc<Task>, mode: PolicyMode) -> Result<Box<dyn Policy>, AgentError> {
        let seed = match mode {
            PolicyMode::Greedy => 0,
            PolicyMode::Sampled { seed } => seed,
        };
        Ok(Box::new(SearchPolicy {
            searched: Arc::clone(&self.task),
            task: Arc::clone(task),
            proposer: self.proposer.clone(),
            greedy: mode == PolicyMode::Greedy,
            rng: Pcg64::seed_from_u64(seed),
            plans: Vec::new(),
        }))
    }
}

struct SearchPolicy<P> {
    searched: Arc<Task>,
    task: Arc<Task>,
    proposer: P,
    greedy: bool,
    rng: Pcg64,
    /// Plans of the episodes under way, which are known by what has been filled so far.
    plans: Vec<(State, Filling)>,
}

impl<P: Proposer> SearchPolicy<P> {
    fn plan(&mut self, state: &State) -> Filling {
        let wanted = SkeletonIdentity::of(&self.task.skeletons()[usize::from(state.skeleton)]);
        let known = self.searched.skeletons().iter();
        let skeleton = known
            .map(|skeleton| SkeletonIdentity::of(skeleton))
            .position(|known| known.label == wanted.label && known.check(&wanted).is_ok())
            .map(|index| index as u16);
        let same_actions = self.searched.actions() == self.task.actions();
        let Some(skeleton) = skeleton.filter(|_| same_actions) else {
            return random_filling(&self.task, state.skeleton, &mut self.rng);
        };
        let best = self.proposer.best(skeleton).filter(|_| self.greedy);
        match best {
            Some(best) => best.clone(),
            None => self
                .proposer
                .propose(&self.searched, skeleton, &mut self.rng),
        }
    }
}

impl<P: Proposer> Policy for SearchPolicy<P> {
    fn act(&mut self, states: &[&State], _target: f64) -> Result<Vec<u8>, AgentError> {
        let mut under_way = std::mem::take(&mut self.plans);
        let mut actions = Vec::with_capacity(states.len());
        for state in states {
            let known = under_way
                .iter()
                .position(|(expected, _)| expected == *state);
            let plan = match known {
                Some(index) if state.step > 0 => under_way.swap_remove(index).1,
                _ => self.plan(state),
            };
            let action = planned_action(&self.task, state, &plan);
            let mut next = (*state).clone();
            crystalgym_environment::transition(&self.task, &mut next, action)?;
            self.plans.push((next, plan));
            actions.push(action);
        }
        Ok(actions)
    }
}

/// What the plan says for the site in focus; if the task forbids that there, the first action
/// that it allows.
fn planned_action(task: &Task, state: &State, plan: &Filling) -> u8 {
    let site = task.traversal(state.skeleton.into(), state.start.into())[usize::from(state.step)];
    let allowed = state.action_mask(task);
    let planned = plan.get(usize::from(site)).copied();
    planned
        .filter(|&action| allowed.get(usize::from(action)) == Some(&true))
        .or_else(|| Some(allowed.iter().position(|allowed| *allowed)? as u8))
        .unwrap_or_default()
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

/// An allowed action for every site, drawn.
fn random_filling(task: &Task, skeleton: u16, rng: &mut Pcg64) -> Filling {
    (0..task.skeletons()[usize::from(skeleton)].sites())
        .map(|site| random_action(task.allowed_at(site), rng))
        .collect()
}
