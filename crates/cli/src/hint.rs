use crystalgym_crystal::CrystalError;
use crystalgym_training::TrainingError;

/// Status of a wrong command line or configuration, as `clap` uses it.
const USAGE: u8 = 2;

/// Marks an error as one of usage: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

pub(crate) fn exit_status(error: &anyhow::Error) -> u8 {
    let usage = error.chain().any(|cause| {
        cause.is::<UsageError>()
            || matches!(cause.downcast_ref(), Some(TrainingError::Configuration { .. }))
            || matches!(
                cause.downcast_ref(),
                Some(CrystalError::UnknownElement(_) | CrystalError::UnknownSkeleton(_))
            )
    });
    if usage { USAGE } else { 1 }
}

/// Advice for the next step, apart from the statement of what is wrong.
pub(crate) fn hint_for(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(CrystalError::UnknownSkeleton(_)) => {
            Some("`crystalgym list skeletons` shows the built-in ones")
        }
        _ => None,
    })
}
