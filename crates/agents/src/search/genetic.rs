//! Genetic search.

use std::collections::BTreeMap;

use crystalgym_environment::{
    FinishedEpisode, Task,
    random::{uniform_below, uniform_unit},
};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{
    Filling, Proposer, RandomSearchConfig, Search,
    known::{Known, fits},
    random_action, random_filling,
};
use crate::{AgentConfig, AgentError, CollectConfig, check};

/// A genetic algorithm over fillings: tournament selection, uniform crossover and mutation site by
/// site (Eiben and Smith, Introduction to Evolutionary Computing, 2015).
pub type GeneticSearch = Search<GeneticProposer>;

/// Settings of [`GeneticSearch`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeneticConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing.
    pub in_flight: usize,
    /// Fillings of each skeleton that are kept to breed from; the first ones are random.
    pub population: usize,
    /// Fillings among which the better one becomes a parent.
    pub tournament: usize,
    /// Chance that a child has two parents, site by site from either.
    pub crossover_probability: f64,
    /// Chance that a site of a child gets an element at random; at least one site of a child of
    /// one parent does.
    pub mutation_probability: f64,
}

impl Default for GeneticConfig {
    fn default() -> Self {
        let RandomSearchConfig {
            total_steps,
            seed,
            environments,
            in_flight,
        } = RandomSearchConfig::default();
        Self {
            total_steps,
            seed,
            environments,
            in_flight,
            population: 30,
            tournament: 3,
            crossover_probability: 0.7,
            mutation_probability: 0.2,
        }
    }
}

/// A steady-state genetic algorithm: each result may replace the worst of the population, so that
/// nothing waits for a generation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GeneticProposer {
    config: GeneticConfig,
    /// Best first, by skeleton.
    populations: BTreeMap<u16, Vec<(f64, Filling)>>,
    known: Known,
}

impl GeneticProposer {
    fn child(
        config: &GeneticConfig,
        task: &Task,
        population: &[(f64, Filling)],
        rng: &mut Pcg64,
    ) -> Filling {
        let mut parent = || {
            // The population is sorted: the smallest of the drawn ranks is the best.
            let ranks = (0..config.tournament).map(|_| uniform_below(rng, population.len()));
            &population[ranks.min().unwrap_or(0)].1
        };
        let (mother, father) = (parent(), parent());
        let mut child = mother.clone();
        let crossed = uniform_unit(rng) < config.crossover_probability;
        for (site, action) in child.iter_mut().enumerate() {
            if crossed && uniform_unit(rng) < 0.5 {
                *action = father[site];
            }
            if uniform_unit(rng) < config.mutation_probability {
                *action = random_action(task.allowed_at(site), rng);
            }
        }
        if !crossed {
            let site = uniform_below(rng, child.len());
            child[site] = random_action(task.allowed_at(site), rng);
        }
        child
    }
}

impl Proposer for GeneticProposer {
    type Config = GeneticConfig;

    const NAME: &'static str = "genetic";

    fn check(config: &GeneticConfig) -> Result<(), AgentError> {
        check::counts(&[
            ("population", (config.population as u64, 1..=1_000_000)),
            ("tournament", (config.tournament as u64, check::REPEATS)),
        ])?;
        check::fractions(&[
            ("crossover_probability", config.crossover_probability),
            ("mutation_probability", config.mutation_probability),
        ])
    }

    fn settings(config: &GeneticConfig) -> AgentConfig {
        AgentConfig::Genetic(config.clone())
    }

    fn new(config: &GeneticConfig) -> Self {
        Self {
            config: config.clone(),
            populations: BTreeMap::new(),
            known: Known::default(),
        }
    }

    fn collect_config(config: &GeneticConfig) -> CollectConfig {
        CollectConfig {
            total_steps: config.total_steps,
            seed: config.seed,
            environments: config.environments,
            in_flight: config.in_flight,
        }
    }

    fn propose(&mut self, task: &Task, skeleton: u16, rng: &mut Pcg64) -> Filling {
        let population = self.populations.entry(skeleton).or_default();
        let config = &self.config;
        self.known.first_new(task, skeleton, rng, |rng| {
            if population.len() < config.population {
                random_filling(task, skeleton, rng)
            } else {
                Self::child(config, task, population, rng)
            }
        })
    }

    fn learn(&mut self, _task: &Task, episode: &FinishedEpisode) {
        let population = self.populations.entry(episode.state.skeleton).or_default();
        let place = population.partition_point(|(reward, _)| *reward >= episode.reward);
        let filling = episode.state.node_types.clone();
        population.insert(place, (episode.reward, filling));
        population.truncate(self.config.population);
    }

    fn best(&self, skeleton: u16) -> Option<&Filling> {
        Some(&self.populations.get(&skeleton)?.first()?.1)
    }

    fn fits(&self, config: &GeneticConfig, task: &Task) -> bool {
        let mut all = self.populations.iter();
        self.config == *config
            && self.known.belongs_to(task)
            && all.all(|(skeleton, population)| {
                population.len() <= config.population
                    && population.is_sorted_by(|a, b| a.0 >= b.0)
                    && population.iter().all(|(reward, filling)| {
                        reward.is_finite() && fits(task, *skeleton, filling)
                    })
            })
    }
}
