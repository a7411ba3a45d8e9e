//! What all agents do with their networks.

use crystalgym_environment::Task;
use crystalgym_networks::{GraphNetwork, NetworkError, Outputs, Parameters};
use rand_pcg::Pcg64;

use crate::{AgentError, check};

/// Features in all layers for all states of a batch: some gigabytes with what a gradient needs
/// beside them.
const MOST_FEATURES: usize = 1 << 26;

/// Makes the networks of a learner, given what each is to return.
pub(crate) type BuildNetwork<'a, N> =
    &'a mut dyn FnMut(Outputs, &mut Pcg64) -> Result<N, NetworkError>;

/// Whether a network can see so many states at once.
///
/// # Errors
/// [`AgentError::Config`] names the field with the number of states.
pub(crate) fn check_batches<N: GraphNetwork>(
    network: &N,
    fields: &[(&'static str, usize)],
) -> Result<(), AgentError> {
    let most = MOST_FEATURES / network.features_per_state().max(1);
    match fields.iter().find(|(_, states)| *states > most) {
        None => Ok(()),
        Some((field, states)) => {
            let expected = format!("at most {most} with this network and these skeletons");
            Err(check::bad(field, states, expected))
        }
    }
}

/// A trained network for another task with the same elements.
///
/// # Errors
/// [`AgentError::Config`] if the elements are others.
pub(crate) fn for_task<N: GraphNetwork>(
    network: &N,
    task: &Task,
    trained: &Task,
) -> Result<N, AgentError> {
    let symbols = |task: &Task| {
        let elements = task.elements().elements().iter();
        elements.map(|e| e.symbol()).collect::<Vec<_>>().join(" ")
    };
    if trained.elements().elements() != task.elements().elements() {
        let expected = format!(
            "those that the network was trained with: {}",
            symbols(trained)
        );
        return Err(check::bad("elements", symbols(task), expected));
    }
    Ok(network.for_skeletons(task.skeletons())?)
}

/// Moves a target network's parameters towards those it follows; all the way with rate 1.
pub(crate) fn polyak_update(
    target: &mut Parameters,
    online: &Parameters,
    rate: f64,
) -> Result<(), AgentError> {
    if rate < 1.0 {
        target.blend_from(online, rate as f32)?;
    } else {
        target.copy_from(online)?;
    }
    Ok(())
}
