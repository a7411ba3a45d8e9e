//! The policy of actor–critic agents.

use std::sync::Arc;

use crystalgym_environment::{State, Task};
use crystalgym_networks::{GraphNetwork, Megnet};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{AgentError, MaskedCategorical, Policy, PolicyMode, batch::StateBatch, network_config};

/// The policy whose logits a network gives, in each state; `None` where they are no numbers.
pub(crate) fn policies<N: GraphNetwork>(
    task: &Task,
    network: &N,
    workspace: &mut N::Workspace,
    states: &[&State],
    target: f64,
) -> Result<Vec<Option<MaskedCategorical>>, AgentError> {
    let batch = StateBatch::new(task, states.iter().map(|state| (*state, target)));
    let logits = batch.forward(network, workspace)?;
    let rows = logits.chunks_exact(network.n_outputs()).zip(states);
    Ok(rows
        .map(|(logits, state)| MaskedCategorical::new(logits, state.action_mask(task)))
        .collect())
}

/// Takes the most probable action, or draws one.
pub(crate) struct CategoricalPolicy {
    task: Arc<Task>,
    network: Megnet,
    workspace: <Megnet as GraphNetwork>::Workspace,
    /// None: the most probable action.
    rng: Option<Pcg64>,
}

impl CategoricalPolicy {
    pub(crate) fn new(
        actor: &Megnet,
        trained: &Task,
        task: &Arc<Task>,
        mode: PolicyMode,
        threads: usize,
    ) -> Result<Self, AgentError> {
        let network = network_config::for_task(actor, task, trained)?;
        Ok(Self {
            task: Arc::clone(task),
            workspace: network.workspace(threads)?,
            network,
            rng: match mode {
                PolicyMode::Greedy => None,
                PolicyMode::Sampled { seed } => Some(Pcg64::seed_from_u64(seed)),
            },
        })
    }
}

impl Policy for CategoricalPolicy {
    fn act(&mut self, states: &[&State], target: f64) -> Result<Vec<u8>, AgentError> {
        let workspace = &mut self.workspace;
        let policies = policies(&self.task, &self.network, workspace, states, target)?;
        let actions = policies.into_iter().map(|policy| {
            let policy = policy.ok_or(AgentError::Diverged {
                step: 0,
                what: "a logit of the policy",
                found: f64::NAN,
            })?;
            Ok(match &mut self.rng {
                None => policy.mode(),
                Some(rng) => policy.sample(rng),
            } as u8)
        });
        actions.collect()
    }
}
