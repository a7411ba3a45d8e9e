//! What a finished crystal is worth: computed by a calculator, or predicted by a model.

mod computed;
mod surrogate;

use std::time::Duration;

use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{Evaluation, Outcome, Property, Source, Ticket};
use serde::{Deserialize, Serialize};

pub use self::{
    computed::{InPlaceAppraiser, PoolAppraiser},
    surrogate::{Surrogate, SurrogateAppraiser},
};

/// What is known of a property of a crystal.
#[derive(Debug, Clone, PartialEq)]
pub enum Appraisal {
    /// A calculator computed it, now or earlier.
    Computed(Box<Evaluation>),
    /// A model guessed it. Never stored beside what was computed.
    Predicted(Box<Prediction>),
}

impl Appraisal {
    /// What was known without asking anybody.
    pub(crate) fn known(outcome: Outcome) -> Self {
        Self::Computed(Box::new(Evaluation {
            outcome,
            source: Source::Computed,
            store_error: None,
        }))
    }

    /// What a calculator said; `None` of a prediction.
    pub fn evaluation(&self) -> Option<&Evaluation> {
        match self {
            Self::Computed(evaluation) => Some(evaluation),
            Self::Predicted(_) => None,
        }
    }

    /// The same by itself.
    pub fn into_evaluation(self) -> Option<Evaluation> {
        match self {
            Self::Computed(evaluation) => Some(*evaluation),
            Self::Predicted(_) => None,
        }
    }
}

/// A guess with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Prediction {
    /// Expected value of the property if it can be computed, in its unit.
    pub value: f64,
    /// Standard deviation of that, in the same unit.
    pub spread: f64,
    /// Probability that the calculation fails, 0 to 1.
    pub failure_probability: f64,
    /// What is taken off the expected reward because the model may be wrong, in units of the reward.
    pub penalty: f64,
}

/// The answer to a request, or where to wait for it.
#[derive(Debug)]
pub enum Answer {
    /// It is there.
    Known(Appraisal),
    /// It comes later, under this number.
    Pending(Ticket),
}

/// Says what crystals are worth, at once or later.
pub trait Appraiser: Send + Sync {
    /// Asks for a property of a crystal; never waits for a calculation of another thread.
    fn submit(&mut self, crystal: &Crystal, property: Property) -> Answer;

    /// Waits for a pending answer, at most so long. `None` if the time ran out, or the ticket is
    /// unknown or already answered.
    fn wait(&mut self, ticket: Ticket, timeout: Duration) -> Option<Appraisal>;

    /// Waits for whichever pending answer comes first, at most so long.
    fn receive(&mut self, timeout: Duration) -> Option<(Ticket, Appraisal)>;

    /// Gives up a pending answer.
    fn cancel(&mut self, ticket: Ticket);
}
