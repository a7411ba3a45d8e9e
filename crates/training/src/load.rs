use std::{path::Path, sync::Arc};

use crystalgym_agents::LoadedAgent;
use crystalgym_environment::Task;

use crate::{
    RunFolder, TrainingConfig, TrainingError,
    checkpoints::{Check, newest_whole, word_about},
    config_change::check_unchanged,
};

/// The agent of a run, to act with; the run itself is left alone.
pub struct TrainedAgent {
    /// The run's configuration.
    pub config: TrainingConfig,
    /// What it was trained on.
    pub task: Arc<Task>,
    /// As the newest whole checkpoint has it.
    pub agent: LoadedAgent,
    /// What the user should hear about it, such as a checkpoint that was passed over.
    pub notes: Vec<String>,
    pub(crate) folder: RunFolder,
}

impl TrainedAgent {
    /// Loads the newest whole checkpoint of the run in a folder. Neither the calculator nor the store of
    /// the run is needed, and a run that is going on is not disturbed.
    ///
    /// # Errors
    /// [`TrainingError`] if there is no run or no checkpoint.
    pub fn load(folder: &Path) -> Result<Self, TrainingError> {
        let folder = RunFolder::at(folder);
        let config = folder.config()?;
        let Some(found) = newest_whole(&folder, Check::Whole)? else {
            return Err(TrainingError::RunFolder {
                path: folder.path().to_owned(),
                message: "the run has no checkpoint yet".to_owned(),
            });
        };
        check_unchanged(&config, &found.state.config, folder.path())?;
        config.check()?;
        let task = Arc::new(Task::new(&config.task)?);
        let agent = LoadedAgent::read(&found.path, &task)?;
        Ok(Self {
            notes: word_about(&found.damaged, &found.path),
            config,
            task,
            agent,
            folder,
        })
    }
}
