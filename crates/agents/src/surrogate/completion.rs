//! The best crystal to come to, under what is known and what is believed.

use std::sync::Arc;

use crystalgym_environment::{Action, Observation, SkeletonIdentity, State, Task};
use crystalgym_surrogate::{Filling, Fillings, canonical};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::{
    acquisition::standard_normal,
    belief::Knowledge,
    pool::MOST_FILLINGS,
    reach::{random_end, reachable_image},
    results::reward_of,
    sight::Sight,
};
use crate::{
    AgentError, ChemistryRule, Policy, PolicyMode,
    policy::state_of,
    search::{PlansUnderWay, random_filling},
};

/// Fillings that are looked at closely, and that are kept.
const LOOKED_AT: usize = 2048;
const KEPT: usize = 256;
/// Starts of a climb where not all fillings can be written down.
const CLIMBS: usize = 24;
/// Random ends of an episode that are looked at if none of the best can be reached.
const RANDOM_ENDS: usize = 500;
/// Of a sampled policy, the best among which values are drawn.
const SAMPLED: usize = 32;

/// Acts towards the crystal with the highest reward: the true one where it is known, the expected
/// one otherwise.
pub(super) struct CompletionPolicy {
    trained: Arc<Task>,
    task: Arc<Task>,
    known: Knowledge,
    sight: Sight,
    rule: ChemistryRule,
    mode: PolicyMode,
    rng: Pcg64,
    plans: PlansUnderWay,
    /// Best first, by skeleton and target.
    ranked: Vec<(usize, f64, Vec<Scored>)>,
}

/// A canonical filling with the mean and the spread of its reward.
#[derive(Clone)]
struct Scored {
    reward: f64,
    spread: f64,
    filling: Filling,
}

impl CompletionPolicy {
    pub(super) fn new(
        trained: Arc<Task>,
        task: Arc<Task>,
        known: Knowledge,
        sight: &Sight,
        rule: ChemistryRule,
        mode: PolicyMode,
    ) -> Self {
        let seed = match mode {
            PolicyMode::Greedy => 0,
            PolicyMode::Sampled { seed } => seed,
        };
        Self {
            sight: sight.of_other(&task, rule),
            trained,
            task,
            known,
            rule,
            mode,
            rng: Pcg64::seed_from_u64(seed),
            plans: PlansUnderWay::default(),
            ranked: Vec::new(),
        }
    }

    fn plan(&mut self, seen: &Observation<'_>) -> Result<Filling, AgentError> {
        let state = state_of(seen)?;
        let known = self.ranked.iter();
        let known = known
            .into_iter()
            .position(|(skeleton, target, _)| (*skeleton, *target) == (seen.skeleton, seen.target));
        let place = known.unwrap_or_else(|| {
            let ranked = self.rank(seen.skeleton, seen.target);
            self.ranked.push((seen.skeleton, seen.target, ranked));
            self.ranked.len() - 1
        });
        let mut order: Vec<Scored> = self.ranked[place].2.clone();
        if matches!(self.mode, PolicyMode::Sampled { .. }) {
            order.truncate(SAMPLED);
            for scored in &mut order {
                scored.reward += scored.spread * standard_normal(&mut self.rng);
            }
            order.sort_by(|a, b| b.reward.total_cmp(&a.reward));
        }
        let mut images = order.iter();
        Ok(images
            .find_map(|scored| reachable_image(&self.task, &state, &scored.filling))
            .unwrap_or_else(|| self.best_random_end(&state, seen.target)))
    }

    fn best_random_end(&mut self, state: &State, target: f64) -> Filling {
        let trained = self.trained_skeleton(state.skeleton.into());
        let mut rng = Pcg64::seed_from_u64(0);
        let mut best: Option<(f64, Filling)> = None;
        for _ in 0..RANDOM_ENDS {
            let end = random_end(&self.task, state, &mut rng);
            let reward = self
                .score(state.skeleton.into(), trained, target, &end)
                .reward;
            if best.as_ref().is_none_or(|(best, _)| reward > *best) {
                best = Some((reward, end));
            }
        }
        best.map_or_else(|| state.node_types.clone(), |(_, end)| end)
    }

    /// The skeleton of the training that this one is, if its results are of these elements.
    fn trained_skeleton(&self, skeleton: usize) -> Option<u16> {
        if self.trained.elements() != self.task.elements() {
            return None;
        }
        let wanted = SkeletonIdentity::of(&self.task.skeletons()[skeleton]);
        let known = self.trained.skeletons().iter();
        known
            .map(|skeleton| SkeletonIdentity::of(skeleton))
            .position(|known| known.label == wanted.label && known.check(&wanted).is_ok())
            .map(|index| index as u16)
    }

    /// What a filling earns: truly, if that is known.
    fn score(&self, skeleton: usize, trained: Option<u16>, target: f64, filling: &[u8]) -> Scored {
        let reward = self.task.objective().reward();
        let filling = canonical(&self.task, skeleton, filling);
        let known = trained.and_then(|trained| self.known.results.known(trained, &filling));
        let (mean, spread) = match known {
            Some(known) => (reward_of(reward, target, known), 0.0),
            None if !self.rule.allows(&self.task, skeleton, &filling) => (reward.of_failure(), 0.0),
            None => {
                let features = self.sight.features(&self.task, skeleton, &filling);
                let cheap =
                    trained.and_then(|trained| self.known.screened.known(trained, &filling));
                let forecast = self.known.belief.forecast(&features, cheap);
                let mean = forecast.reward(reward, target);
                // Of what lies between the worst and the best with this mean, the widest.
                let (low, high) = (reward.of_failure(), reward.best());
                (mean, 0.5 * ((mean - low) * (high - mean)).max(0.0).sqrt())
            }
        };
        Scored {
            reward: mean,
            spread,
            filling,
        }
    }

    /// The best fillings of a skeleton, the best first.
    fn rank(&mut self, skeleton: usize, target: f64) -> Vec<Scored> {
        let trained = self.trained_skeleton(skeleton);
        let reward = self.task.objective().reward();
        let known: Vec<Filling> = match trained {
            Some(trained) => {
                let ranked = self.known.results.ranked(trained, reward, target);
                ranked
                    .into_iter()
                    .map(|(_, filling)| filling.clone())
                    .collect()
            }
            None => Vec::new(),
        };
        let mut scored: Vec<Scored> = known
            .iter()
            .map(|filling| self.score(skeleton, trained, target, filling))
            .collect();
        match Fillings::all(&self.task, skeleton, MOST_FILLINGS) {
            Some(all) => {
                for filling in self.most_promising(&all, skeleton, trained, target) {
                    scored.push(self.score(skeleton, trained, target, &filling));
                }
            }
            None => {
                let mut starts: Vec<Filling> = known.into_iter().take(CLIMBS / 3).collect();
                let mut rng = Pcg64::seed_from_u64(0);
                while starts.len() < CLIMBS {
                    starts.push(random_filling(&self.task, skeleton as u16, &mut rng));
                }
                for start in starts {
                    scored.push(self.climb(skeleton, trained, target, &start));
                }
            }
        }
        scored.sort_by(|a, b| {
            let by_reward = b.reward.total_cmp(&a.reward);
            by_reward.then_with(|| a.filling.cmp(&b.filling))
        });
        scored.dedup_by(|a, b| a.filling == b.filling);
        scored.truncate(KEPT);
        scored
    }

    /// Those of all fillings that are worth a closer look: without their uncertainties, which take
    /// the longest.
    fn most_promising(
        &self,
        all: &Fillings,
        skeleton: usize,
        trained: Option<u16>,
        target: f64,
    ) -> Vec<Filling> {
        if all.len() <= LOOKED_AT {
            return all.iter().map(Filling::from).collect();
        }
        let reward = self.task.objective().reward();
        let mut rough: Vec<(f64, usize)> = all
            .iter()
            .enumerate()
            .filter(|(_, filling)| self.rule.allows(&self.task, skeleton, filling))
            .map(|(place, filling)| {
                let features = self.sight.features(&self.task, skeleton, filling);
                let cheap =
                    trained.and_then(|trained| self.known.screened.known(trained, &filling.into()));
                let forecast = self.known.belief.forecast_roughly(&features, cheap);
                (forecast.reward(reward, target), place)
            })
            .collect();
        rough.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        rough.truncate(LOOKED_AT);
        rough
            .into_iter()
            .map(|(_, place)| all.get(place).into())
            .collect()
    }

    /// Site by site to the best element there, until nothing is better.
    fn climb(&self, skeleton: usize, trained: Option<u16>, target: f64, start: &[u8]) -> Scored {
        let mut here: Filling = start.into();
        let mut best = self.score(skeleton, trained, target, &here);
        loop {
            let before = best.reward;
            for site in 0..here.len() {
                for element in 0..self.task.elements().len() {
                    if !self.task.board().allowed_at(skeleton, site)[element] {
                        continue;
                    }
                    let mut there = here.clone();
                    there[site] = element as u8;
                    let scored = self.score(skeleton, trained, target, &there);
                    if scored.reward > best.reward {
                        (best, here) = (scored, there);
                    }
                }
            }
            if best.reward <= before {
                return best;
            }
        }
    }
}

impl Policy for CompletionPolicy {
    fn act(&mut self, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let mut plans = std::mem::take(&mut self.plans);
        let task = Arc::clone(&self.task);
        let actions = plans.act(&task, seen, |seen| self.plan(seen));
        self.plans = plans;
        actions
    }
}
