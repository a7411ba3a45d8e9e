//! Appraisal by a learned model in the place of a calculation.

use std::{sync::Arc, time::Duration};

use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{Property, Ticket};

use super::{Answer, Appraisal, Appraiser, Prediction};

/// A model of a property that may change while it learns: not a
/// [`Calculator`](crystalgym_evaluation::Calculator), whose outcome is the same for ever.
pub trait Surrogate: Send + Sync {
    /// What the model expects of a crystal.
    fn predict(&self, crystal: &Crystal, property: Property) -> Prediction;
}

/// Answers at once with what a model expects.
pub struct SurrogateAppraiser {
    surrogate: Arc<dyn Surrogate>,
}

impl SurrogateAppraiser {
    /// An appraiser that asks this model as it is at the time.
    pub fn new(surrogate: Arc<dyn Surrogate>) -> Self {
        Self { surrogate }
    }
}

impl Appraiser for SurrogateAppraiser {
    fn submit(&mut self, crystal: &Crystal, property: Property) -> Answer {
        let prediction = self.surrogate.predict(crystal, property);
        Answer::Known(Appraisal::Predicted(Box::new(prediction)))
    }

    fn wait(&mut self, _ticket: Ticket, _timeout: Duration) -> Option<Appraisal> {
        None
    }

    fn receive(&mut self, _timeout: Duration) -> Option<(Ticket, Appraisal)> {
        None
    }

    fn cancel(&mut self, _ticket: Ticket) {}
}
