//! The policy of actor–critic agents.

use crystalgym_environment::{Action, Observation};
use crystalgym_networks::GraphNetwork;
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{AgentError, MaskedCategorical, Policy, PolicyMode, batch::StateBatch};

/// The policy whose logits a network gives for each observation; `None` where they are no numbers.
pub(crate) fn policies<N: GraphNetwork>(
    network: &N,
    workspace: &mut N::Workspace,
    seen: &[Observation<'_>],
) -> Result<Vec<Option<MaskedCategorical>>, AgentError> {
    let logits = StateBatch::of_observations(seen).forward(network, workspace)?;
    let rows = logits.chunks_exact(network.n_outputs()).zip(seen);
    Ok(rows
        .map(|(logits, seen)| MaskedCategorical::new(logits, seen.allowed))
        .collect())
}

/// Takes the most probable action, or draws one.
pub(crate) struct CategoricalPolicy<N: GraphNetwork> {
    network: N,
    workspace: N::Workspace,
    /// None: the most probable action.
    rng: Option<Pcg64>,
}

impl<N: GraphNetwork> CategoricalPolicy<N> {
    pub(crate) fn new(network: N, mode: PolicyMode, threads: usize) -> Result<Self, AgentError> {
        Ok(Self {
            workspace: network.workspace(threads)?,
            network,
            rng: match mode {
                PolicyMode::Greedy => None,
                PolicyMode::Sampled { seed } => Some(Pcg64::seed_from_u64(seed)),
            },
        })
    }
}

impl<N: GraphNetwork> Policy for CategoricalPolicy<N> {
    fn act(&mut self, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let policies = policies(&self.network, &mut self.workspace, seen)?;
        let actions = policies.into_iter().map(|policy| {
            let policy = policy.ok_or(AgentError::Diverged {
                step: 0,
                what: "a logit of the policy",
                found: f64::NAN,
            })?;
            Ok(match &mut self.rng {
                None => policy.mode(),
                Some(rng) => policy.sample(rng),
            } as Action)
        });
        actions.collect()
    }
}
