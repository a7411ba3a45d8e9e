//! Exit status and advice for the errors that people meet.

use crystalgym_crystal::CrystalError;
use crystalgym_evaluation::CalculatorError;
use crystalgym_potential::PotentialError;
use crystalgym_search::SearchError;
use crystalgym_training::TrainingError;

/// Status of a wrong command line or configuration, as `clap` uses it.
pub(crate) const USAGE: u8 = 2;

/// Marks an error as one of usage: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

pub(crate) fn exit_status(error: &anyhow::Error) -> u8 {
    let usage = error.chain().any(|cause| {
        cause.is::<UsageError>()
            || cause.is::<CalculatorError>()
            || cause
                .downcast_ref::<TrainingError>()
                .is_some_and(TrainingError::is_usage)
            || matches!(
                cause.downcast_ref(),
                Some(SearchError::Invalid { .. } | SearchError::Crystal(_))
            )
            || matches!(
                cause.downcast_ref(),
                Some(PotentialError::UnknownModel { .. })
            )
            || matches!(
                cause.downcast_ref(),
                Some(
                    CrystalError::UnknownElement(_)
                        | CrystalError::UnknownSkeleton(_)
                        | CrystalError::NoSkeletonOrFile(_)
                        | CrystalError::UnknownSite { .. }
                        | CrystalError::SiteCount { .. }
                )
            )
    });
    if usage { USAGE } else { 1 }
}

/// Advice for the next step, apart from the statement of what is wrong.
pub(crate) fn hint_for(error: &anyhow::Error) -> Option<&'static str> {
    let text = format!("{error:#}");
    let hints = [
        (
            "it names what you have not given",
            "if the folder is your own, or you have looked at what it names: --trust",
        ),
        (
            "unknown skeleton",
            "`crystalgym list skeletons` shows the built-in ones",
        ),
        (
            "pw.x",
            "Debian: apt-get install quantum-espresso; elsewhere see quantum-espresso.org",
        ),
        (
            "pseudopotential",
            "`crystalgym pseudo install` fetches a family, `pseudo check` verifies one",
        ),
        (
            "Address already in use",
            "choose another port with --port, or --port 0 for any that is free",
        ),
        (
            "holds a run already",
            "go on with --resume FOLDER, or start another with --output FOLDER",
        ),
    ];
    hints
        .into_iter()
        .find(|(cause, _)| text.contains(cause))
        .map(|(_, hint)| hint)
}
