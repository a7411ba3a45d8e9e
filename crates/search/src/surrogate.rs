//! A search by a model of the property: a Gaussian process says where a value near the goal is likely.

use std::collections::HashSet;

use crystalgym_environment::random::{uniform_below, uniform_unit};
use crystalgym_evaluation::Outcome;
use crystalgym_surrogate::{
    FeatureMap, Known, ModelHyperparameters, NEXT_FIT, PropertyModel, Standardiser,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{Genes, Goal, SearchError, SearchProblem, strategy::Strategy};

/// Random fillings before there is a model.
const FIRST: usize = 8;
/// Fillings up to which the model looks at all of them.
const LOOKED_AT: usize = 4000;
/// Share of the others that are children of the best known.
const BRED: f64 = 0.4;
const PARENTS: usize = 8;
/// Fillings from which features get their scale.
const TYPICAL: usize = 500;

/// Computes a few random fillings, then always the one whose value is most likely near the goal, given
/// all values and failures so far (docs/agents.md). What is under way counts as believed.
pub(crate) struct Surrogate {
    goal: Goal,
    rng: Pcg64,
    map: FeatureMap,
    /// All fillings with their features, where they can be listed.
    all: Option<Vec<(Genes, Box<[f64]>)>>,
    standardiser: Standardiser,
    results: Vec<(Genes, Box<[f64]>, Known)>,
    proposed: HashSet<Genes>,
    hyperparameters: ModelHyperparameters,
    fitted_at: usize,
    /// With what is under way; `None` when a result has come.
    model: Option<PropertyModel>,
}

impl Surrogate {
    /// # Errors
    /// As [`SearchProblem::fillings`].
    pub(crate) fn new(problem: &SearchProblem, goal: Goal, seed: u64) -> Result<Self, SearchError> {
        let map = FeatureMap::new(problem.skeleton(), true);
        let mut rng = Pcg64::seed_from_u64(seed);
        let features = |genes: &Genes| map.of(&problem.filling(genes));
        let listed = problem.fillings()?;
        let listed = listed.filter(|fillings| fillings.len() <= LOOKED_AT);
        let typical: Vec<Vec<f64>> = match &listed {
            Some(fillings) => fillings.iter().map(features).collect(),
            None => (0..TYPICAL)
                .map(|_| features(&any(problem, &mut rng)))
                .collect(),
        };
        let standardiser = Standardiser::of(&typical);
        let all = listed.map(|fillings| {
            let seen = typical
                .into_iter()
                .map(|one| standardiser.standardised(one));
            fillings.into_iter().zip(seen).collect()
        });
        Ok(Self {
            goal,
            rng,
            map,
            all,
            standardiser,
            results: Vec::new(),
            proposed: HashSet::new(),
            hyperparameters: ModelHyperparameters::default(),
            fitted_at: 0,
            model: None,
        })
    }

    fn features(&self, problem: &SearchProblem, genes: &Genes) -> Box<[f64]> {
        let features = self.map.of(&problem.filling(genes));
        self.standardiser.standardised(features)
    }

    /// A filling drawn at random that is accepted and new, if one is found.
    fn random(&mut self, problem: &SearchProblem) -> Option<Genes> {
        if let Some(all) = &self.all {
            let genes = all.iter().map(|(genes, _)| genes);
            let new: Vec<&Genes> = genes
                .filter(|genes| !self.proposed.contains(*genes))
                .collect();
            let place = uniform_below(&mut self.rng, new.len());
            return new.get(place).map(|&genes| genes.clone());
        }
        (0..10 * LOOKED_AT)
            .map(|_| any(problem, &mut self.rng))
            .find(|genes| problem.accepts(genes) && !self.proposed.contains(genes))
    }

    /// New fillings to choose from: all, or random ones and children of the best known.
    fn candidates(&mut self, problem: &SearchProblem) -> Vec<(Genes, Box<[f64]>)> {
        if let Some(all) = &self.all {
            let new = all
                .iter()
                .filter(|(genes, _)| !self.proposed.contains(genes));
            return new.cloned().collect();
        }
        let mut best: Vec<(f64, &Genes)> = self
            .results
            .iter()
            .filter_map(|(genes, _, known)| match known {
                Known::Value(value) => Some((self.goal.distance(*value), genes)),
                Known::Failure(_) => None,
            })
            .collect();
        best.sort_by(|a, b| a.0.total_cmp(&b.0));
        let parents: Vec<Genes> = best
            .into_iter()
            .take(PARENTS)
            .map(|(_, genes)| genes.clone())
            .collect();
        let mut new = HashSet::new();
        for _ in 0..LOOKED_AT {
            let mut genes = any(problem, &mut self.rng);
            if !parents.is_empty() && uniform_unit(&mut self.rng) < BRED {
                let parent = &parents[uniform_below(&mut self.rng, parents.len())];
                // Half the choices of a random filling change one or a few of a parent's.
                let share = 1.5 / genes.len() as f64;
                for (gene, of_parent) in genes.iter_mut().zip(parent) {
                    if uniform_unit(&mut self.rng) >= share {
                        *gene = *of_parent;
                    }
                }
            }
            if problem.accepts(&genes) && !self.proposed.contains(&genes) {
                new.insert(genes);
            }
        }
        let mut new: Vec<Genes> = new.into_iter().collect();
        new.sort_unstable();
        new.into_iter()
            .map(|genes| {
                let features = self.features(problem, &genes);
                (genes, features)
            })
            .collect()
    }

    /// The model of all results.
    fn model(&mut self) -> PropertyModel {
        let data: Vec<(&[f64], Known)> = self
            .results
            .iter()
            .map(|(_, features, known)| (&**features, *known))
            .collect();
        let property = self.goal.property;
        if data.len() as f64 >= NEXT_FIT * self.fitted_at as f64 {
            self.hyperparameters = ModelHyperparameters::fitted(property, &data);
            self.fitted_at = data.len();
        }
        PropertyModel::new(property, &data, &self.hyperparameters)
    }

    /// The probability of a value within reach of the goal; of equals the nearer one is better.
    fn score(&self, model: &PropertyModel, features: &[f64]) -> f64 {
        let middle = 0.5 * (self.goal.low + self.goal.high);
        let reach = self.goal.property.hit_tolerance(middle);
        let forecast = model.forecast(features);
        let typical = self.goal.property.facts().typical_value;
        let distance = self.goal.distance(forecast.value.mean) / typical;
        let hit = forecast.hit(middle, reach.max(self.goal.high - middle));
        hit + 1e-6 * forecast.value_probability / (1.0 + distance)
    }
}

/// Random choices.
fn any(problem: &SearchProblem, rng: &mut Pcg64) -> Genes {
    let variables = problem.variables().iter();
    variables
        .map(|variable| uniform_below(rng, variable.options.len()) as u8)
        .collect()
}

impl Strategy for Surrogate {
    fn propose(&mut self, problem: &SearchProblem) -> Option<Genes> {
        let genes = if self.results.len() < FIRST {
            self.random(problem)?
        } else {
            let mut model = match self.model.take() {
                Some(model) => model,
                None => self.model(),
            };
            let candidates = self.candidates(problem);
            let scores = candidates
                .iter()
                .map(|(_, features)| self.score(&model, features));
            // The first of equals, so that a seed decides.
            let best = scores
                .enumerate()
                .reduce(|best, next| match next.1 > best.1 {
                    true => next,
                    false => best,
                });
            let (place, _) = best?;
            let (genes, features) = &candidates[place];
            model.believe(features);
            self.model = Some(model);
            genes.clone()
        };
        self.proposed.insert(genes.clone());
        Some(genes)
    }

    fn learn(&mut self, problem: &SearchProblem, genes: &Genes, outcome: &Outcome) {
        let Some(known) = Known::of(outcome) else {
            return;
        };
        let features = self.features(problem, genes);
        self.results.push((genes.clone(), features, known));
        self.model = None;
    }

    fn round(&self) -> usize {
        4
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_evaluation::{Property, Values};

    use super::*;
    use crate::problem::tests::double_perovskite;

    /// What a made-up crystal is worth: a smooth function of its elements.
    fn value(problem: &SearchProblem, genes: &Genes) -> f64 {
        let pull = |e: &crystalgym_crystal::Element| e.data().electronegativity_pauling.unwrap();
        let elements = problem.filling(genes);
        let anions: f64 = elements[4..].iter().map(pull).sum();
        let cations = pull(&elements[2]) * pull(&elements[3]);
        anions - 0.75 * cations - 2.0 * pull(&elements[0]) - 2.0 * pull(&elements[1])
    }

    /// Oracle: the list of all values. Random trials need (n + 1)/(hits + 1) fillings on average to meet
    /// the first of the hits; the model less than a third, whether it sees a list or has to draw.
    #[test]
    fn a_hit_is_met_early() {
        let choices = [
            "A=Cs,Rb,K",
            "B=Li,Na,K,Ag,Cu",
            "B2=Al,Ga,In,Sb,Bi",
            "X=F,Cl,Br,I",
        ];
        let choices: Vec<_> = choices.iter().map(|c| c.parse().unwrap()).collect();
        let ties = ["X".to_owned()];
        let problem = SearchProblem::new(double_perovskite(), &choices, &ties, false).unwrap();
        let all = problem.fillings().unwrap().unwrap();
        let mut values: Vec<f64> = all.iter().map(|genes| value(&problem, genes)).collect();
        values.sort_by(f64::total_cmp);
        let target = values[values.len() / 3];
        let is_hit = |value: f64| (value - target).abs() < 0.002;
        let hits = values.iter().filter(|value| is_hit(**value)).count();
        let of_random = (all.len() + 1) / (hits + 1);
        assert!(of_random > 100, "{of_random} {hits}");
        let goal = Goal::new(Property::BandGap, target, target).unwrap();
        for is_listed in [true, false] {
            let mut met: Vec<usize> = (0..5)
                .map(|seed| {
                    let mut search = Surrogate::new(&problem, goal, seed).unwrap();
                    if !is_listed {
                        search.all = None;
                    }
                    let meets = |_: &usize| {
                        let genes = search.propose(&problem).unwrap();
                        let value = value(&problem, &genes);
                        let values = Values {
                            value,
                            ..Values::default()
                        };
                        search.learn(&problem, &genes, &Outcome::Success(values));
                        is_hit(value)
                    };
                    (1..=of_random).find(meets).unwrap_or(of_random)
                })
                .collect();
            met.sort_unstable();
            assert!(3 * met[2] < of_random, "{met:?} {of_random}");
        }
    }
}
