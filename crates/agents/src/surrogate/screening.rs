//! Looking at crystals cheaply, to choose by that what to calculate.

use std::sync::Arc;

use crystalgym_environment::State;
use crystalgym_surrogate::{Filling, Known, canonical};

use super::{learner::SurrogateAgent, proposal::DRAWS};
use crate::{ChemistryRule, search::random_filling};

impl SurrogateAgent {
    /// What was found out cheaply of a canonical filling.
    pub(super) fn cheap(&self, skeleton: u16, filling: &Filling) -> Option<Known> {
        self.progress.screened.known(skeleton, filling)
    }

    /// Whether a canonical filling need not be looked at cheaply: it was, or nobody can, or that is not
    /// believed any more.
    pub(super) fn is_screened(&self, skeleton: u16, filling: &Filling) -> bool {
        let is_asked = self.screening.is_some() && self.goes_by_cheap_results();
        !is_asked || self.progress.screened.contains(skeleton, filling)
    }

    /// Looks at canonical fillings cheaply.
    pub(super) fn screen(&mut self, skeleton: u16, fillings: &[Filling]) {
        let Some(screening) = &self.screening else {
            return;
        };
        let outcomes = screening.evaluate(&self.task, skeleton, fillings);
        for (filling, outcome) in fillings.iter().zip(&outcomes) {
            let known = Known::of(outcome);
            self.progress.screening_seconds += outcome.seconds();
            let screened = self.progress.screened.to_mut();
            screened.note(skeleton, filling.clone(), known);
            let features = self.sight.features(&self.task, skeleton.into(), filling);
            self.screened_features.push(features);
        }
        self.belief = None;
    }

    /// Looks at all that was calculated, so that both can be compared, and at the first random crystals.
    pub(super) fn screen_to_begin_with(&mut self, state: &State) {
        if self.screening.is_none() || !self.goes_by_cheap_results() {
            return;
        }
        let calculated = self.progress.results.iter();
        let missing: Vec<(u16, Filling)> = calculated
            .filter(|result| !self.is_screened(result.skeleton, &result.filling))
            .map(|result| (result.skeleton, result.filling.clone()))
            .collect();
        for (skeleton, filling) in missing {
            self.screen(skeleton, &[filling]);
        }
        let skeleton = state.skeleton;
        if !self.progress.screened_skeletons.insert(skeleton) {
            return;
        }
        let wanted = self.config.screened_first;
        let mut first: Vec<Filling> = Vec::new();
        let (task, rule) = (Arc::clone(&self.task), self.config.rule);
        for draw in 0..DRAWS {
            if first.len() >= wanted {
                break;
            }
            let drawn = random_filling(&task, skeleton, &mut self.progress.rng);
            // Equal numbers of draws for the best, and for less and less where there are too few.
            let least = (draw * usize::from(ChemistryRule::BEST) / DRAWS) as u8;
            let is_wanted =
                rule.preference(&task, skeleton.into(), &drawn) >= ChemistryRule::BEST - least;
            let filling = canonical(&task, skeleton.into(), &drawn);
            if is_wanted && !first.contains(&filling) && !self.is_screened(skeleton, &filling) {
                first.push(filling);
            }
        }
        self.screen(skeleton, &first);
    }
}
