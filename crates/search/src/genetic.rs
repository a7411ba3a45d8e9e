//! A genetic search, and random trials, over the choices of a problem.

use crystalgym_environment::random::{uniform_below, uniform_unit};
use crystalgym_evaluation::Outcome;
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{Genes, Goal, SearchProblem, strategy::Strategy};

const POPULATION: usize = 24;
const TOURNAMENT: usize = 3;
const CROSSOVER_PROBABILITY: f64 = 0.7;
/// Draws for one proposal before the search counts as exhausted.
const MOST_DRAWS: usize = 10_000;

/// A steady-state genetic algorithm: each result may replace the worst of the population. Parents are
/// the nearest to the goal of three that are drawn; a child takes each choice from either, or, in three
/// of ten cases, is its mother with one choice changed; each choice mutates with probability 1/n.
pub(crate) struct Genetic {
    goal: Goal,
    rng: Pcg64,
    /// Nearest first; failures last.
    population: Vec<(f64, Genes)>,
    size: usize,
}

impl Genetic {
    pub(crate) fn new(goal: Goal, seed: u64) -> Self {
        Self {
            goal,
            rng: Pcg64::seed_from_u64(seed),
            population: Vec::new(),
            size: POPULATION,
        }
    }

    /// One that never has parents: random trials.
    pub(crate) fn random(goal: Goal, seed: u64) -> Self {
        Self {
            size: usize::MAX,
            ..Self::new(goal, seed)
        }
    }

    fn any(&mut self, problem: &SearchProblem) -> Genes {
        let variables = problem.variables().iter();
        variables
            .map(|variable| uniform_below(&mut self.rng, variable.options.len()) as u8)
            .collect()
    }

    fn parent(&mut self) -> Genes {
        let ranks = (0..TOURNAMENT).map(|_| uniform_below(&mut self.rng, self.population.len()));
        self.population[ranks.min().unwrap_or(0)].1.clone()
    }

    fn child(&mut self, problem: &SearchProblem) -> Genes {
        let (mut child, father) = (self.parent(), self.parent());
        let variables = problem.variables();
        let crossed = uniform_unit(&mut self.rng) < CROSSOVER_PROBABILITY;
        for (index, gene) in child.iter_mut().enumerate() {
            if crossed && uniform_unit(&mut self.rng) < 0.5 {
                *gene = father[index];
            }
            if uniform_unit(&mut self.rng) < 1.0 / variables.len() as f64 {
                *gene = uniform_below(&mut self.rng, variables[index].options.len()) as u8;
            }
        }
        if !crossed {
            let index = uniform_below(&mut self.rng, child.len());
            child[index] = uniform_below(&mut self.rng, variables[index].options.len()) as u8;
        }
        child
    }
}

impl Strategy for Genetic {
    fn propose(&mut self, problem: &SearchProblem) -> Option<Genes> {
        (0..MOST_DRAWS)
            .map(|_| match self.population.len() < self.size {
                true => self.any(problem),
                false => self.child(problem),
            })
            .find(|genes| problem.accepts(genes))
    }

    fn learn(&mut self, _problem: &SearchProblem, genes: &Genes, outcome: &Outcome) {
        let distance = outcome.value().map(|value| self.goal.distance(value));
        let distance = distance.unwrap_or(f64::INFINITY);
        let place = self
            .population
            .partition_point(|(other, _)| *other <= distance);
        self.population.insert(place, (distance, genes.clone()));
        self.population.truncate(self.size);
    }
}
