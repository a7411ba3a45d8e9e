//! What calculations have said, one result for each crystal.

use std::collections::BTreeMap;

use crystalgym_environment::{Appraisal, Reward, Task};
use crystalgym_surrogate::{Filling, Known, canonical};
use serde::{Deserialize, Serialize};

use crate::search::fits;

/// What a calculation said of a crystal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Finding {
    pub(super) skeleton: u16,
    /// In canonical form.
    pub(super) filling: Filling,
    /// `None` if it failed for a reason of the moment, which says nothing of the crystal.
    pub(super) known: Option<Known>,
}

/// All results in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Results {
    all: Vec<Finding>,
    #[serde(skip)]
    places: BTreeMap<(u16, Filling), usize>,
}

impl Results {
    /// Takes what was said of a filling; false if that is nothing new.
    pub(super) fn take(
        &mut self,
        task: &Task,
        skeleton: u16,
        filling: &[u8],
        appraisal: &Appraisal,
    ) -> bool {
        let filling = canonical(task, skeleton.into(), filling);
        let known = match appraisal {
            Appraisal::Computed(evaluation) => Known::of(&evaluation.outcome),
            // What another model guessed is no result.
            Appraisal::Predicted(_) => None,
        };
        self.note(skeleton, filling, known)
    }

    /// Takes what was found out of a canonical filling; false if that is nothing new.
    pub(super) fn note(&mut self, skeleton: u16, filling: Filling, known: Option<Known>) -> bool {
        if let Some(&place) = self.places.get(&(skeleton, filling.clone())) {
            let result = &mut self.all[place];
            let is_news = result.known.is_none() && known.is_some();
            result.known = result.known.or(known);
            return is_news;
        }
        self.places
            .insert((skeleton, filling.clone()), self.all.len());
        self.all.push(Finding {
            skeleton,
            filling,
            known,
        });
        known.is_some()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Finding> {
        self.all.iter()
    }

    /// Whether a canonical filling was calculated, whatever came of it.
    pub(super) fn contains(&self, skeleton: u16, filling: &Filling) -> bool {
        self.places.contains_key(&(skeleton, filling.clone()))
    }

    /// What is known of a canonical filling.
    pub(super) fn known(&self, skeleton: u16, filling: &Filling) -> Option<Known> {
        let place = self.places.get(&(skeleton, filling.clone()))?;
        self.all[*place].known
    }

    /// Fillings of a skeleton with their rewards, the best first, the first of equals before.
    pub(super) fn ranked(
        &self,
        skeleton: u16,
        reward: &Reward,
        target: f64,
    ) -> Vec<(f64, &Filling)> {
        let on_it = self.all.iter().filter(|result| result.skeleton == skeleton);
        let mut ranked: Vec<(f64, &Filling)> = on_it
            .filter_map(|result| Some((reward_of(reward, target, result.known?), &result.filling)))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked
    }

    /// Makes what was read usable; false if it cannot be of this task.
    pub(super) fn restored(&mut self, task: &Task) -> bool {
        for (place, result) in self.all.iter().enumerate() {
            let Finding {
                skeleton,
                filling,
                known,
            } = result;
            let is_number = !matches!(known, Some(Known::Value(value)) if !value.is_finite());
            if !is_number
                || !fits(task, *skeleton, filling)
                || canonical(task, (*skeleton).into(), filling) != *filling
                || self
                    .places
                    .insert((*skeleton, filling.clone()), place)
                    .is_some()
            {
                return false;
            }
        }
        true
    }
}

/// The reward of what is known.
pub(super) fn reward_of(reward: &Reward, target: f64, known: Known) -> f64 {
    match known {
        Known::Value(value) => reward.of_value(target, value),
        Known::Failure(_) => reward.of_failure(),
    }
}
