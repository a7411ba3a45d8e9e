//! From a job to its calculator and crystal, if they are what the job's key says.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crystalgym_crystal::{Crystal, Skeleton};

use super::difference::difference;
use crate::{
    Calculator, Property, StoreKey,
    identity::Identity,
    queue::{calculation::QueuedCalculation, jobs::TakenJob, makers::CalculatorMaker},
};

/// Frames of crystals that are kept.
const MOST_SKELETONS: usize = 256;

/// Makes jobs ready.
pub(super) struct Preparation<'a> {
    makers: &'a dyn CalculatorMaker,
    skeletons: Mutex<HashMap<String, Arc<Skeleton>>>,
}

/// A job that can be computed.
pub(super) struct Prepared {
    pub(super) calculator: Arc<dyn Calculator>,
    pub(super) property: Property,
    pub(super) crystal: Crystal,
    pub(super) identity: Identity,
    pub(super) key: StoreKey,
}

/// Why a job is not computed here.
pub(super) enum Unfit {
    /// Another worker may: hash of the settings, and the reason.
    Refused(String, String),
    /// Nobody can.
    Bad(String),
}

impl<'a> Preparation<'a> {
    pub(super) fn new(makers: &'a dyn CalculatorMaker) -> Self {
        Self {
            makers,
            skeletons: Mutex::default(),
        }
    }

    pub(super) fn prepare(&self, job: &TakenJob) -> Result<Prepared, Unfit> {
        let bad = |error: &dyn fmt::Display| Unfit::Bad(error.to_string());
        let calculation = QueuedCalculation::from_text(&job.payload).map_err(|e| bad(&e))?;
        let property = calculation.property;
        let refused = |reason: String| Unfit::Refused(calculation.profile(), reason);
        let calculator = self.makers.make(&calculation.calculator).map_err(refused)?;
        let skeleton = self.skeleton(&calculation)?;
        let crystal = calculation.to_crystal(&skeleton).map_err(|e| bad(&e))?;
        let own = calculator.fingerprint(crystal.elements(), property);
        if own != calculation.fingerprint {
            return Err(refused(difference(&own.0, &calculation.fingerprint.0)));
        }
        let identity = Identity::of(&crystal, calculator.as_ref());
        let key = StoreKey::of(&identity, property, calculator.as_ref());
        if key.hash() != job.key {
            let reason = "a calculation in the queue: its key is another calculation's";
            return Err(Unfit::Bad(reason.to_owned()));
        }
        Ok(Prepared {
            calculator,
            property,
            crystal,
            identity,
            key,
        })
    }

    fn skeleton(&self, calculation: &QueuedCalculation) -> Result<Arc<Skeleton>, Unfit> {
        let text = serde_json::to_string(&calculation.skeleton).unwrap_or_default();
        let lock = || {
            self.skeletons
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = lock().get(&text).map(Arc::clone);
        if let Some(skeleton) = known {
            return Ok(skeleton);
        }
        let skeleton = calculation.to_skeleton();
        let skeleton = skeleton.map_err(|error| Unfit::Bad(error.to_string()))?;
        let mut skeletons = lock();
        if skeletons.len() >= MOST_SKELETONS {
            skeletons.clear();
        }
        skeletons.insert(text, Arc::clone(&skeleton));
        Ok(skeleton)
    }
}
