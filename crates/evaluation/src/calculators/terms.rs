//! The properties of one objective, each by its own calculator and stored by itself.

use std::{collections::BTreeMap, sync::Arc};

use crystalgym_crystal::{Crystal, Element, Skeleton, Structure};

use crate::{
    CalculationSettings, Calculator, CalculatorError, CancelToken, Evaluation, Failure,
    FailureCode, Fingerprint, Outcome, Property, Source, TermOutcome, Values,
};

/// Whether the values that are known decide what a crystal earns.
pub type Decides = dyn Fn(&[TermOutcome]) -> bool + Send + Sync;

/// A property of an objective and what computes it.
#[derive(Clone)]
pub struct Term {
    /// The property.
    pub property: Property,
    /// Its calculator.
    pub calculator: Arc<dyn Calculator>,
}

/// Computes the properties of an objective one after the other, the cheap ones first.
///
/// The outcome of the first property, as the objective has them, is the outcome of all of them, with
/// a [`TermOutcome`] each in the order of computation. The first failure ends it: what is left is not computed.
/// Where the values so far decide, it ends as well, with [`FailureCode::Skipped`] and these
/// values. Each result is stored under the fingerprint of the calculator that computed it, and the
/// whole is not: there is nothing in it that would have to be computed again.
///
/// Any other property is computed by its own calculator alone.
pub struct TermsCalculator {
    name: String,
    first: Property,
    /// In the order of computation.
    terms: Vec<Term>,
    decides: Option<Box<Decides>>,
}

impl TermsCalculator {
    /// A calculator of these properties, each given once; `None` if there is none.
    pub fn new(terms: Vec<Term>, decides: Option<Box<Decides>>) -> Option<Self> {
        let first = terms.first()?.property;
        let mut names: Vec<&str> = Vec::new();
        for term in &terms {
            if !names.contains(&term.calculator.name()) {
                names.push(term.calculator.name());
            }
        }
        let name = names.join("+");
        let mut terms = terms;
        // Stable: what costs the same is computed in the order of the objective.
        let cost = |term: &Term| term.calculator.core_seconds(term.property);
        terms.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
        Some(Self {
            name,
            first,
            terms,
            decides,
        })
    }

    /// The properties and their calculators, in the order of computation.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    fn of(&self, property: Property) -> &dyn Calculator {
        let term = self.terms.iter().find(|term| term.property == property);
        // There is a first one, as `new` saw to it; it says what it does not know.
        term.unwrap_or(&self.terms[0]).calculator.as_ref()
    }
}

/// What is known so far.
#[derive(Default)]
struct Found {
    terms: Vec<TermOutcome>,
    values: BTreeMap<Property, Values>,
    /// Of what takes time.
    source: Option<Source>,
    instant_source: Option<Source>,
    store_error: Option<String>,
    scf_iterations: u32,
    seconds: f64,
}

impl Found {
    /// Takes the evaluation of a term; its failure if it is one.
    fn take(&mut self, term: &Term, evaluation: Evaluation) -> Option<Failure> {
        let Evaluation {
            outcome,
            source,
            store_error,
        } = evaluation;
        self.store_error = self.store_error.take().or(store_error);
        let of_kind = match term.calculator.is_instant() {
            true => &mut self.instant_source,
            false => &mut self.source,
        };
        *of_kind = Some(match *of_kind {
            Some(before) => costlier(before, source),
            None => source,
        });
        self.seconds += outcome.seconds();
        self.terms.push(TermOutcome {
            property: term.property,
            calculator: term.calculator.name().to_owned(),
            value: outcome.value(),
            failure: outcome.failure().map(|failure| failure.code),
        });
        match outcome {
            Outcome::Success(values) => {
                self.scf_iterations += values.scf_iterations;
                self.values.insert(term.property, values);
                None
            }
            Outcome::Failure(failure) => {
                self.scf_iterations += failure.scf_iterations;
                Some(failure)
            }
        }
    }

    fn complete(mut self, first: Property) -> Evaluation {
        let values = self.values.remove(&first).unwrap_or_default();
        let outcome = Outcome::Success(Values {
            scf_iterations: self.scf_iterations,
            seconds: self.seconds,
            terms: std::mem::take(&mut self.terms),
            ..values
        });
        self.evaluation(outcome)
    }

    fn skipped(self, property: Property) -> Evaluation {
        let known = self.terms.iter().map(|term| term.property.name());
        let known: Vec<&str> = known.collect();
        let message = format!(
            "{property} is not computed: {} decides",
            known.join(" and ")
        );
        self.failed(property, Failure::new(FailureCode::Skipped, message))
    }

    fn failed(mut self, property: Property, failure: Failure) -> Evaluation {
        let message = match failure.code {
            FailureCode::Skipped => failure.message,
            _ => format!("{property}: {}", failure.message),
        };
        let outcome = Outcome::Failure(Failure {
            message,
            scf_iterations: self.scf_iterations,
            seconds: self.seconds,
            terms: std::mem::take(&mut self.terms),
            ..failure
        });
        self.evaluation(outcome)
    }

    fn evaluation(self, outcome: Outcome) -> Evaluation {
        Evaluation {
            outcome,
            source: self
                .source
                .or(self.instant_source)
                .unwrap_or(Source::Computed),
            store_error: self.store_error,
        }
    }
}

/// Of two sources the one that stands for more work.
fn costlier(one: Source, other: Source) -> Source {
    match (one, other) {
        (Source::Computed, _) | (_, Source::Computed) => Source::Computed,
        (Source::Coalesced, _) | (_, Source::Coalesced) => Source::Coalesced,
        (Source::Store, Source::Store) => Source::Store,
    }
}

impl Calculator for TermsCalculator {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate_parts(
        &self,
        property: Property,
        each: &mut dyn FnMut(&dyn Calculator, Property) -> Evaluation,
    ) -> Option<Evaluation> {
        if property != self.first {
            return Some(each(self.of(property), property));
        }
        let mut found = Found::default();
        for term in &self.terms {
            let is_decided = |decides: &Decides| decides(&found.terms);
            if !found.terms.is_empty() && self.decides.as_deref().is_some_and(is_decided) {
                return Some(found.skipped(term.property));
            }
            let evaluation = each(term.calculator.as_ref(), term.property);
            if let Some(failure) = found.take(term, evaluation) {
                return Some(found.failed(term.property, failure));
            }
        }
        Some(found.complete(self.first))
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        self.of(property).fingerprint(elements, property)
    }

    fn calculation_settings(&self, structure: &Structure) -> Option<CalculationSettings> {
        self.of(self.first).calculation_settings(structure)
    }

    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        if property != self.first {
            return self.of(property).check(elements, property);
        }
        let mut terms = self.terms.iter();
        terms.try_for_each(|term| term.calculator.check(elements, term.property))
    }

    fn check_skeleton(&self, skeleton: &Skeleton) -> Result<(), CalculatorError> {
        let mut terms = self.terms.iter();
        terms.try_for_each(|term| term.calculator.check_skeleton(skeleton))
    }

    fn looks_up(&self) -> bool {
        self.terms.iter().all(|term| term.calculator.looks_up())
    }

    fn is_instant(&self) -> bool {
        self.terms.iter().all(|term| term.calculator.is_instant())
    }

    fn core_seconds(&self, property: Property) -> f64 {
        self.of(property).core_seconds(property)
    }

    fn relax(&self, crystal: &Crystal, cancel: &CancelToken) -> Result<Structure, Failure> {
        self.of(self.first).relax(crystal, cancel)
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        let mut each = |calculator: &dyn Calculator, property| Evaluation {
            outcome: calculator.evaluate(crystal, property, cancel),
            source: Source::Computed,
            store_error: None,
        };
        match self.evaluate_parts(property, &mut each) {
            Some(evaluation) => evaluation.outcome,
            None => each(self.of(property), property).outcome,
        }
    }
}
