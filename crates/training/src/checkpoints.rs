use std::{
    fs,
    path::{Path, PathBuf},
};

use crystalgym_agents::Agent;
use crystalgym_crystal::write_atomically;
use serde::{Deserialize, Serialize};

use crate::{RunStatistics, TrainingError, run::CHECKPOINTS};

const RUN_FILE: &str = "run.json";
const PREFIX: &str = "step-";

/// What a run has to remember besides the agent: how far its tables had got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunState {
    pub(crate) statistics: RunStatistics,
    pub(crate) episodes_length: u64,
    pub(crate) events_file: String,
    pub(crate) events_length: u64,
}

/// Writes `checkpoints/step-000001000` whole or not at all, then removes the oldest ones.
pub(crate) fn write_checkpoint(
    folder: &Path,
    agent: &dyn Agent,
    state: &RunState,
    kept: usize,
) -> Result<(), TrainingError> {
    fs::create_dir_all(folder).map_err(TrainingError::io(folder))?;
    let target = folder.join(format!("{PREFIX}{:09}", agent.steps()));
    let staging = folder.join(".writing");
    remove_folder(&staging)?;
    agent.save(&staging)?;
    let text = serde_json::to_vec_pretty(state)
        .map_err(|error| TrainingError::io(&staging)(error.into()))?;
    let run_file = staging.join(RUN_FILE);
    write_atomically(&run_file, &text).map_err(TrainingError::io(&run_file))?;
    remove_folder(&target)?;
    fs::rename(&staging, &target).map_err(TrainingError::io(&target))?;
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(TrainingError::io(folder))?;
    let all = list(folder)?;
    for old in all.iter().rev().skip(kept) {
        remove_folder(old)?;
    }
    Ok(())
}

/// The latest checkpoint of a run, `None` if there is none.
pub(crate) fn latest(folder: &Path) -> Result<Option<(PathBuf, RunState)>, TrainingError> {
    let Some(path) = list(folder)?.pop() else {
        return Ok(None);
    };
    let run_file = path.join(RUN_FILE);
    let text = fs::read_to_string(&run_file).map_err(TrainingError::io(&run_file))?;
    let state = serde_json::from_str(&text).map_err(|error| TrainingError::RunFolder {
        path: run_file,
        message: format!("not the state of a run: {error}"),
    })?;
    Ok(Some((path, state)))
}

/// Episodes that the latest checkpoint of the run in a folder has counted; `None` without one. A
/// table of the run with fewer rows has lost some.
///
/// # Errors
/// [`TrainingError`] if the checkpoint cannot be read.
pub fn checkpointed_episodes(run: &Path) -> Result<Option<u64>, TrainingError> {
    let latest = latest(&run.join(CHECKPOINTS))?;
    Ok(latest.map(|(_, state)| state.statistics.episodes))
}

/// Complete checkpoints, the oldest first.
fn list(folder: &Path) -> Result<Vec<PathBuf>, TrainingError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(TrainingError::io(folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(TrainingError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(PREFIX) && path.join(RUN_FILE).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn remove_folder(folder: &Path) -> Result<(), TrainingError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TrainingError::io(folder)(error))
        }
        _ => Ok(()),
    }
}
