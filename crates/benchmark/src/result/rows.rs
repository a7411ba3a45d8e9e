use std::path::Path;

use crystalgym_training::{EpisodeRow, RunFolder};

use crate::{
    BenchmarkError, EvaluationRow, JobManifest, JobMeasure, TrainingMeasure,
    reader::read_table,
    runner::{EVALUATION_FILE, RUN_FOLDER},
};

/// Episodes and rollouts of a job that [`read_jobs`](crate::read_jobs) has found in order.
pub(crate) fn read_rows(
    job: &Path,
) -> Result<(Vec<EpisodeRow>, Vec<EvaluationRow>), BenchmarkError> {
    let episodes = RunFolder::at(job.join(RUN_FOLDER)).read_episodes()?;
    let rollouts = read_table(job, EVALUATION_FILE)
        .map_err(|error| BenchmarkError::folder(job.join(EVALUATION_FILE), error))?;
    Ok((episodes, rollouts))
}

/// What the rows of a job, which must not be empty, amount to.
///
/// # Errors
/// The first episode whose crystal is none.
pub(super) fn measure(
    manifest: JobManifest,
    episodes: &[EpisodeRow],
    rollouts: &[EvaluationRow],
) -> Result<JobMeasure, String> {
    let training = TrainingMeasure::of(manifest.property, episodes)?;
    Ok(JobMeasure::of(manifest, training, rollouts))
}
