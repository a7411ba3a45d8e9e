//! Settings of the searches.

use serde::{Deserialize, Serialize};

use crate::{AgentError, ChemistryRule, DqnConfig, check};

/// Settings of random search: every crystal drawn anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomSearchConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing.
    pub in_flight: usize,
    /// What it is told of chemistry: nothing, unless asked for.
    pub rule: ChemistryRule,
}

impl Default for RandomSearchConfig {
    fn default() -> Self {
        let DqnConfig {
            total_steps,
            seed,
            environments,
            in_flight,
            ..
        } = DqnConfig::standard();
        Self {
            total_steps,
            seed,
            environments,
            in_flight,
            rule: ChemistryRule::None,
        }
    }
}

impl RandomSearchConfig {
    /// # Errors
    /// None: all its settings are those of the environments.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        Ok(())
    }
}

/// Settings of local search: hill climbing with random restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalSearchConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing.
    pub in_flight: usize,
    /// What it is told of chemistry: nothing, unless asked for.
    pub rule: ChemistryRule,
    /// Neighbours without improvement after which the search starts anew from a random filling.
    pub patience: usize,
}

impl Default for LocalSearchConfig {
    fn default() -> Self {
        let RandomSearchConfig {
            total_steps,
            seed,
            environments,
            in_flight,
            rule,
        } = RandomSearchConfig::default();
        Self {
            total_steps,
            seed,
            environments,
            in_flight,
            rule,
            patience: 60,
        }
    }
}

impl LocalSearchConfig {
    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        check::counts(&[("patience", (self.patience as u64, check::STEPS))])
    }
}

/// Settings of genetic search: tournament selection, uniform crossover and mutation site by site
/// (Eiben and Smith, Introduction to Evolutionary Computing, 2015).
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
    /// What it is told of chemistry: nothing, unless asked for.
    pub rule: ChemistryRule,
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
            rule,
        } = RandomSearchConfig::default();
        Self {
            total_steps,
            seed,
            environments,
            in_flight,
            rule,
            population: 30,
            tournament: 3,
            crossover_probability: 0.7,
            mutation_probability: 0.2,
        }
    }
}

impl GeneticConfig {
    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        check::counts(&[
            ("population", (self.population as u64, 1..=1_000_000)),
            ("tournament", (self.tournament as u64, check::REPEATS)),
        ])?;
        check::fractions(&[
            ("crossover_probability", self.crossover_probability),
            ("mutation_probability", self.mutation_probability),
        ])
    }
}
