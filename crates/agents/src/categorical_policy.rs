//! The policy of agents whose network says how probable actions are.

use std::sync::Arc;

use crystalgym_environment::{Action, Observation, Task};
use crystalgym_networks::GraphNetwork;
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{
    AgentError, MaskedCategorical, Policy, PolicyMode,
    batch::StateBatch,
    finds::{masks, with_masks},
    networks,
};

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

/// The most probable action of each policy.
pub(crate) fn modes(
    policies: Vec<Option<MaskedCategorical>>,
) -> Result<Vec<Option<Action>>, AgentError> {
    let policies = policies.into_iter();
    Ok(policies
        .map(|policy| Some(policy?.mode() as Action))
        .collect())
}

/// Takes the most probable action, or draws one.
pub(crate) struct CategoricalPolicy<N: GraphNetwork> {
    network: N,
    workspace: N::Workspace,
    /// None: the most probable action.
    rng: Option<Pcg64>,
    /// The task whose crystals need an even number of electrons.
    parity_mask: Option<Arc<Task>>,
}

impl<N: GraphNetwork> CategoricalPolicy<N> {
    /// The policy of a trained network in another task with the same elements; with `parity_mask` it makes no
    /// crystal with an odd number of electrons where the property needs filled bands.
    pub(crate) fn of_trained(
        network: &N,
        trained: &Task,
        task: &Arc<Task>,
        mode: PolicyMode,
        threads: usize,
        parity_mask: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let network = networks::for_task(network, task, trained)?;
        Ok(Box::new(Self {
            parity_mask: parity_mask.then(|| Arc::clone(task)),
            workspace: network.workspace(threads)?,
            network,
            rng: match mode {
                PolicyMode::Greedy => None,
                PolicyMode::Sampled { seed } => Some(Pcg64::seed_from_u64(seed)),
            },
        }))
    }
}

impl<N: GraphNetwork> Policy for CategoricalPolicy<N> {
    fn act(&mut self, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let masks = masks(self.parity_mask.as_deref(), seen);
        let seen = with_masks(seen, &masks);
        let policies = policies(&self.network, &mut self.workspace, &seen)?;
        let actions = policies.into_iter().map(|policy| {
            let policy = policy.ok_or(AgentError::no_logit(0))?;
            Ok(match &mut self.rng {
                None => policy.mode(),
                Some(rng) => policy.sample(rng),
            } as Action)
        });
        actions.collect()
    }
}
