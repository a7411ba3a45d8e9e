//! The model as a policy.

use std::sync::Arc;

use crystalgym_environment::{Action, Observation};
use crystalgym_language::Trainable;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use rayon::ThreadPool;

use super::decoder::{Decoder, Seen};
use crate::{AgentError, MaskedCategorical, Policy, PolicyMode};

/// Chooses elements with a copy of what was trained.
pub(super) struct LanguagePolicy {
    pub(super) decoder: Decoder,
    pub(super) trainable: Trainable,
    pub(super) pool: Arc<ThreadPool>,
    pub(super) top_k: Option<usize>,
    pub(super) rng: Option<Pcg64>,
}

impl LanguagePolicy {
    /// How it draws, if it does.
    pub(super) fn rng(mode: PolicyMode) -> Option<Pcg64> {
        match mode {
            PolicyMode::Greedy => None,
            PolicyMode::Sampled { seed } => Some(Pcg64::seed_from_u64(seed)),
        }
    }
}

impl Policy for LanguagePolicy {
    fn act(&mut self, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let episodes = seen.iter().map(Seen::new).collect::<Result<Vec<_>, _>>()?;
        let (decoder, trainable) = (&mut self.decoder, &self.trainable);
        let policies = self
            .pool
            .install(|| decoder.distributions(trainable, &episodes))?;
        policies
            .into_iter()
            .map(|policy| {
                let policy = policy.ok_or(AgentError::no_logit(0))?;
                Ok(match &mut self.rng {
                    None => policy.mode(),
                    Some(rng) => among_likeliest(&policy, self.top_k, rng),
                } as Action)
            })
            .collect()
    }
}

/// An action drawn among the `k` most probable ones.
pub(super) fn among_likeliest(
    policy: &MaskedCategorical,
    k: Option<usize>,
    rng: &mut Pcg64,
) -> usize {
    let logs = policy.log_probabilities();
    let Some(k) = k.filter(|k| *k < logs.len()) else {
        return policy.sample(rng);
    };
    let mut order: Vec<usize> = (0..logs.len()).collect();
    order.sort_by(|&a, &b| logs[b].total_cmp(&logs[a]).then(a.cmp(&b)));
    let mut allowed = vec![false; logs.len()];
    for &action in order
        .iter()
        .take(k)
        .filter(|action| logs[**action].is_finite())
    {
        allowed[action] = true;
    }
    MaskedCategorical::from_values(logs, &allowed).map_or(order[0], |few| few.sample(rng))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_among_the_likeliest() {
        let logits = [0.0, 3.0, 2.9, 5.0, 1.0];
        let policy = MaskedCategorical::new(&logits, &[true, true, true, false, true]).unwrap();
        let mut rng = Pcg64::seed_from_u64(1);
        let mut seen = [0; 5];
        for _ in 0..400 {
            seen[among_likeliest(&policy, Some(2), &mut rng)] += 1;
        }
        assert!(
            seen[1] > 150 && seen[2] > 150 && seen[1] + seen[2] == 400,
            "{seen:?}"
        );
        for _ in 0..20 {
            assert_eq!(among_likeliest(&policy, Some(1), &mut rng), 1);
        }
    }
}
