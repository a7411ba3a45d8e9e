//! What a search found, nearest to the goal first.

use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{CalculationSettings, Evaluation, Outcome, Values, Warning};

use crate::{Goal, SearchAlgorithm};

/// A filling and what came of it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The crystal in the cell in which it was computed.
    pub crystal: Crystal,
    /// Volume of that cell over that of the given structure.
    pub volume_ratio: f64,
    /// What the calculator said.
    pub evaluation: Evaluation,
    /// How far its value is from the goal, in the property's unit; `None` after a failure.
    pub distance: Option<f64>,
    /// What came of it at the accuracy of the confirmation.
    pub confirmed: Option<Evaluation>,
}

impl Finding {
    pub(crate) fn new(
        given_volume_ang3: f64,
        crystal: Crystal,
        evaluation: Evaluation,
        goal: &Goal,
    ) -> Self {
        Self {
            volume_ratio: crystal.skeleton().lattice.volume() / given_volume_ang3,
            distance: evaluation.outcome.value().map(|value| goal.distance(value)),
            crystal,
            evaluation,
            confirmed: None,
        }
    }

    /// The value of the confirmation, or else the first one.
    pub fn value(&self) -> Option<f64> {
        self.latest().outcome.value()
    }

    /// The confirmation, or else the first evaluation.
    pub fn latest(&self) -> &Evaluation {
        self.confirmed.as_ref().unwrap_or(&self.evaluation)
    }

    /// What is to be said against the value.
    pub fn warnings(&self) -> &[Warning] {
        self.values().map_or(&[], |values| &values.warnings)
    }

    /// What it was computed with.
    pub fn settings(&self) -> Option<&CalculationSettings> {
        self.values()?.settings.as_deref()
    }

    fn values(&self) -> Option<&Values> {
        match &self.latest().outcome {
            Outcome::Success(values) => Some(values),
            Outcome::Failure(_) => None,
        }
    }
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct SearchResult {
    /// What was wanted.
    pub goal: Goal,
    /// All fillings that were looked at: confirmed ones first, then nearest to the goal first, failures
    /// last.
    pub findings: Vec<Finding>,
    /// How many different fillings there are, if they can be listed.
    pub fillings: Option<usize>,
    /// The algorithm.
    pub algorithm: SearchAlgorithm,
    /// Whether it came to its end, or was stopped before.
    pub is_complete: bool,
}

impl SearchResult {
    pub(crate) fn sort(&mut self) {
        let goal = self.goal;
        self.findings.sort_by(|a, b| {
            let key = |finding: &Finding| {
                let distance = finding.value().map(|value| goal.distance(value));
                (
                    finding.confirmed.is_none() || distance.is_none(),
                    distance.unwrap_or(f64::INFINITY),
                )
            };
            let ((a_is_first, a_is_far), (b_is_first, b_is_far)) = (key(a), key(b));
            (a_is_first.cmp(&b_is_first))
                .then_with(|| a_is_far.total_cmp(&b_is_far))
                .then_with(|| a.crystal.elements().cmp(b.crystal.elements()))
        });
    }

    /// Fillings that have a value.
    pub fn successes(&self) -> usize {
        self.findings.iter().filter(|f| f.value().is_some()).count()
    }
}
