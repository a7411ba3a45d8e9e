//! What stands between environments and the calculator of a run with a learned reward.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crystalgym_crystal::Crystal;
use crystalgym_environment::{Answer, Appraisal, Appraiser, PoolAppraiser};
use crystalgym_evaluation::{Property, Ticket};

use super::LearnedReward;

/// A learned reward that environments and the driver share.
#[derive(Clone)]
pub(crate) struct SharedReward(Arc<Mutex<LearnedReward>>);

impl SharedReward {
    pub(crate) fn new(reward: LearnedReward) -> Self {
        Self(Arc::new(Mutex::new(reward)))
    }

    pub(crate) fn get(&self) -> MutexGuard<'_, LearnedReward> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Predicts, or hands on to the calculator what is to be calculated.
pub(crate) struct LearnedAppraiser {
    reward: SharedReward,
    calculator: PoolAppraiser,
}

impl LearnedAppraiser {
    pub(crate) fn new(reward: SharedReward, calculator: PoolAppraiser) -> Self {
        Self { reward, calculator }
    }
}

impl Appraiser for LearnedAppraiser {
    fn submit(&mut self, crystal: &Crystal, property: Property) -> Answer {
        let forecast = self.reward.get().decide(crystal);
        match forecast.is_calculated {
            false => Answer::Known(Appraisal::Predicted(Box::new(forecast.prediction))),
            true => self.calculator.submit(crystal, property),
        }
    }

    fn wait(&mut self, ticket: Ticket, timeout: Duration) -> Option<Appraisal> {
        self.calculator.wait(ticket, timeout)
    }

    fn receive(&mut self, timeout: Duration) -> Option<(Ticket, Appraisal)> {
        self.calculator.receive(timeout)
    }

    fn cancel(&mut self, ticket: Ticket) {
        self.calculator.cancel(ticket);
    }
}
