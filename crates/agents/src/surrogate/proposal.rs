//! Which crystal the agent calculates next.

use std::{collections::BTreeSet, sync::Arc};

use crystalgym_environment::{Observation, State, random::uniform_unit};
use crystalgym_surrogate::{Filling, Forecast, canonical};

use super::{
    acquisition::{Acquisition, Aim, standard_normal},
    belief::Belief,
    learner::{Pending, SurrogateAgent, hit_tolerance},
    reach::{random_end, reachable_image},
};
use crate::{AgentError, ChemistryRule, policy::state_of, search::random_filling};

/// Random crystals that are drawn to find one that the rule of chemistry prefers.
pub(super) const DRAWS: usize = 20_000;
/// Of the best candidates, so many are tried for one that the episode can come to.
const TRIED: usize = 300;
/// Random ends of an episode that are looked at if there is none.
const RANDOM_ENDS: usize = 400;
/// What the probability of a hit is multiplied with where the rule of chemistry doubts it.
const DOUBT: f64 = 0.2;
/// Times that crystals are looked at cheaply before each calculation, at most.
const SCREENINGS: usize = 2;
/// Candidates whose values are drawn together.
const DRAWN: usize = 128;

/// A crystal that could be calculated, in canonical form.
struct Candidate {
    score: f64,
    filling: Filling,
    forecast: Forecast,
}

impl SurrogateAgent {
    /// A filling for an episode that begins, and what is expected of it.
    pub(super) fn propose(
        &mut self,
        seen: &Observation<'_>,
    ) -> Result<(Filling, Option<Forecast>), AgentError> {
        let state = state_of(seen)?;
        self.screen_to_begin_with(&state);
        let progress = &self.progress;
        let begun = progress.results.iter().len() + progress.pending.len();
        if self.screening.is_none() && begun < self.config.initial {
            return Ok((self.random(&state), None));
        }
        Ok(match self.best_candidate(&state, seen.target) {
            Some((filling, forecast)) => (filling, Some(forecast)),
            None => (self.random(&state), None),
        })
    }

    /// What is believed now: the results, and what is being calculated as if its expected value had
    /// come.
    fn believe_now(&mut self) -> Belief {
        let known = self.belief.take();
        known.unwrap_or_else(|| {
            let mut belief = self.belief_of_results();
            for Pending {
                skeleton, filling, ..
            } in self.progress.pending.iter()
            {
                let features = self.sight.features(&self.task, (*skeleton).into(), filling);
                belief.believe(&features);
            }
            belief
        })
    }

    /// Whether nothing is known of a canonical filling, nor being calculated, and the rule of
    /// chemistry lets it pass.
    fn is_new(&self, skeleton: u16, filling: &Filling) -> bool {
        let pending =
            |pending: &Pending| (pending.skeleton, &pending.filling) == (skeleton, filling);
        !self.progress.results.contains(skeleton, filling)
            && !self.progress.pending.iter().any(pending)
            && self
                .config
                .rule
                .allows(&self.task, skeleton.into(), filling)
    }

    /// A new random filling that the rule of chemistry prefers, if there is one.
    fn random(&mut self, state: &State) -> Filling {
        let (task, rule) = (Arc::clone(&self.task), self.config.rule);
        let mut best: (u8, Option<Filling>) = (0, None);
        for _ in 0..DRAWS {
            let drawn = random_filling(&task, state.skeleton, &mut self.progress.rng);
            let preference = rule.preference(&task, state.skeleton.into(), &drawn);
            if preference <= best.0 {
                continue;
            }
            let filling = canonical(&task, state.skeleton.into(), &drawn);
            if !self.is_new(state.skeleton, &filling) {
                continue;
            }
            if let Some(image) = reachable_image(&task, state, &filling) {
                best = (preference, Some(image));
                if preference == ChemistryRule::BEST {
                    break;
                }
            }
        }
        let end = || random_end(&task, state, &mut self.progress.rng);
        best.1.unwrap_or_else(end)
    }

    fn best_candidate(&mut self, state: &State, target: f64) -> Option<(Filling, Forecast)> {
        let task = Arc::clone(&self.task);
        let (skeleton, most) = (state.skeleton, self.config.candidates);
        let reward = task.objective().reward();
        let progress = &mut self.progress;
        let best = progress.results.ranked(skeleton, reward, target);
        let aim = Aim {
            objective: task.objective(),
            target,
            tolerance: hit_tolerance(&self.config, &task, target),
            best: best.first().map_or(reward.of_failure(), |(best, _)| *best),
        };
        let parents: Vec<&Filling> = best.iter().take(30).map(|(_, filling)| *filling).collect();
        let pools = progress.pools.to_mut();
        let pool = pools.candidates(&task, skeleton, most, &parents, &mut progress.rng);
        let mut ranked = self.scored(&aim, skeleton, pool.iter());
        for _ in 0..SCREENINGS {
            let is_screened = |best: &Candidate| self.is_screened(skeleton, &best.filling);
            if ranked.first().is_none_or(is_screened) {
                break;
            }
            let promising = ranked.iter().map(|candidate| &candidate.filling);
            let promising = promising.filter(|filling| !self.is_screened(skeleton, filling));
            let promising: Vec<Filling> = promising
                .take(self.config.screened_at_once)
                .cloned()
                .collect();
            self.screen(skeleton, &promising);
            ranked = self.scored(&aim, skeleton, pool.iter());
        }
        // What was looked at goes before what was not, however promising that may be.
        ranked.sort_by_key(|candidate| !self.is_screened(skeleton, &candidate.filling));
        self.progress
            .pools
            .to_mut()
            .keep(skeleton, ranked.iter().map(|candidate| &candidate.filling));
        let reached = |ranked: Vec<Candidate>| {
            ranked.into_iter().take(TRIED).find_map(|candidate| {
                let filling = reachable_image(&task, state, &candidate.filling)?;
                Some(Candidate {
                    filling,
                    ..candidate
                })
            })
        };
        let found = match reached(ranked) {
            Some(found) => Some(found),
            None => {
                let ends: BTreeSet<Filling> = (0..RANDOM_ENDS)
                    .map(|_| {
                        let end = random_end(&task, state, &mut self.progress.rng);
                        canonical(&task, skeleton.into(), &end)
                    })
                    .collect();
                reached(self.scored(&aim, skeleton, ends.iter()))
            }
        };
        let found = found?;
        self.progress.acquisition = found.score;
        Some((found.filling, found.forecast))
    }

    /// Whether the rule of chemistry says that a hit is less likely than the model believes, which knows
    /// next to nothing at first: of what is no salt, most are metals or do not converge. What was looked at
    /// cheaply speaks for itself.
    fn is_doubted(&self, skeleton: u16, filling: &Filling) -> bool {
        let rule = self.config.rule;
        self.config.acquisition == Acquisition::Hit
            && self.cheap(skeleton, filling).is_none()
            && rule.preference(&self.task, skeleton.into(), filling) < ChemistryRule::BEST
    }

    /// New ones among canonical fillings with their scores, the best first.
    fn scored<'a>(
        &mut self,
        aim: &Aim<'_>,
        skeleton: u16,
        fillings: impl Iterator<Item = &'a Filling>,
    ) -> Vec<Candidate> {
        let belief = self.believe_now();
        let mut candidates = Vec::new();
        for filling in fillings {
            if self.is_new(skeleton, filling) {
                let features = self.sight.features(&self.task, skeleton.into(), filling);
                let forecast = belief.forecast(&features, self.cheap(skeleton, filling));
                let score = self.config.acquisition.score(aim, &forecast);
                let doubt = match self.is_doubted(skeleton, filling) {
                    true => DOUBT,
                    false => 1.0,
                };
                candidates.push(Candidate {
                    score: score * doubt,
                    filling: filling.clone(),
                    forecast,
                });
            }
        }
        // The order of the fillings decides between equals.
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        if self.config.acquisition == Acquisition::Thompson {
            self.draw(&belief, aim, skeleton, &mut candidates);
        }
        self.belief = Some(belief);
        candidates
    }

    /// Gives the best of the candidates the rewards of one function drawn from what is believed.
    fn draw(
        &mut self,
        belief: &Belief,
        aim: &Aim<'_>,
        skeleton: u16,
        candidates: &mut [Candidate],
    ) {
        let count = candidates.len().min(DRAWN);
        let drawn = &mut candidates[..count];
        let features: Vec<Box<[f64]>> = drawn
            .iter()
            .map(|candidate| {
                self.sight
                    .features(&self.task, skeleton.into(), &candidate.filling)
            })
            .collect();
        let features: Vec<&[f64]> = features.iter().map(|features| &**features).collect();
        let rng = &mut self.progress.rng;
        let normals: Vec<f64> = (0..count).map(|_| standard_normal(rng)).collect();
        let forecasts: Vec<&Forecast> = drawn.iter().map(|candidate| &candidate.forecast).collect();
        let values = belief.draw(&features, &forecasts, &normals);
        for (candidate, value) in drawn.iter_mut().zip(values) {
            candidate.score = aim.drawn_reward(&candidate.forecast, value, uniform_unit(rng));
        }
        drawn.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
}
