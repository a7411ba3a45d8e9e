//! Genetic search.

use std::collections::BTreeMap;

use crystalgym_environment::{
    FinishedEpisode, Task,
    random::{uniform_below, uniform_unit},
};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    config::GeneticConfig,
    filling::{Filling, allowed_filling, fits, preferred_filling, random_element},
    knowledge::{read, written},
    known::Known,
    proposer::Proposer,
};
use crate::{AgentConfig, AgentError};

/// A steady-state genetic algorithm: each result may replace the worst of the population, so that
/// nothing waits for a generation.
#[derive(Debug, Clone)]
pub struct GeneticProposer {
    config: GeneticConfig,
    progress: Evolution,
}

/// What a genetic search has learned.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Evolution {
    /// Best first, by skeleton.
    populations: BTreeMap<u16, Vec<(f64, Filling)>>,
    known: Known,
}

impl GeneticProposer {
    /// A proposer that knows nothing yet.
    pub fn new(config: GeneticConfig) -> Self {
        Self {
            config,
            progress: Evolution::default(),
        }
    }

    fn child(
        config: &GeneticConfig,
        (task, skeleton): (&Task, u16),
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
                *action = random_element(task, skeleton, site, rng);
            }
        }
        if !crossed {
            let site = uniform_below(rng, child.len());
            child[site] = random_element(task, skeleton, site, rng);
        }
        child
    }
}

impl Proposer for GeneticProposer {
    fn settings(&self) -> AgentConfig {
        AgentConfig::Genetic(self.config.clone())
    }

    fn propose(
        &mut self,
        task: &Task,
        skeleton: u16,
        rng: &mut Pcg64,
    ) -> Result<Filling, AgentError> {
        let Evolution { populations, known } = &mut self.progress;
        let population = populations.entry(skeleton).or_default();
        let config = &self.config;
        Ok(known.first_new((task, skeleton), config.rule, rng, |rng| {
            if population.len() < config.population {
                preferred_filling(config.rule, task, skeleton, rng)
            } else {
                allowed_filling(config.rule, (task, skeleton), rng, |rng| {
                    Self::child(config, (task, skeleton), population, rng)
                })
            }
        }))
    }

    fn learn(&mut self, _task: &Task, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let populations = &mut self.progress.populations;
        let population = populations.entry(episode.state.skeleton).or_default();
        let place = population.partition_point(|(reward, _)| *reward >= episode.crystal_reward);
        let filling = episode.state.node_types.clone();
        population.insert(place, (episode.crystal_reward, filling));
        population.truncate(self.config.population);
        Ok(())
    }

    fn best(&self, skeleton: u16) -> Option<&Filling> {
        Some(&self.progress.populations.get(&skeleton)?.first()?.1)
    }

    fn knowledge(&self) -> Result<Value, AgentError> {
        written(&self.progress)
    }

    fn restore(&mut self, knowledge: Value, task: &Task) -> Result<(), String> {
        let most = self.config.population;
        self.progress = read(knowledge, |progress: &Evolution| {
            let mut all = progress.populations.iter();
            progress.known.belongs_to(task)
                && all.all(|(skeleton, population)| {
                    population.len() <= most
                        && population.is_sorted_by(|a, b| a.0 >= b.0)
                        && population.iter().all(|(reward, filling)| {
                            reward.is_finite() && fits(task, *skeleton, filling)
                        })
                })
        })?;
        Ok(())
    }

    fn copy(&self) -> Box<dyn Proposer> {
        Box::new(self.clone())
    }
}
