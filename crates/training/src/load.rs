use std::{path::Path, sync::Arc};

use crystalgym_agents::{Agent, Evaluator, load_agent};
use crystalgym_environment::Task;
use crystalgym_evaluation::RigidCalculator;

use crate::{
    TrainingConfig, TrainingError,
    checkpoints::latest,
    run::{CHECKPOINTS, CONFIG_FILE},
};

/// The agent of a run, to act with; the run itself is left alone.
pub struct TrainedAgent {
    /// The run's configuration.
    pub config: TrainingConfig,
    /// What it was trained on.
    pub task: Arc<Task>,
    /// As the latest checkpoint has it.
    pub agent: Box<dyn Agent>,
}

impl TrainedAgent {
    /// Loads the latest checkpoint of the run in a folder. Neither the calculator nor the store of
    /// the run is needed, and a run that is going on is not disturbed.
    ///
    /// # Errors
    /// [`TrainingError`] if there is no run or no checkpoint.
    pub fn load(folder: &Path) -> Result<Self, TrainingError> {
        let config = TrainingConfig::read(&folder.join(CONFIG_FILE))?;
        let task = Arc::new(Task::new(&config.task)?);
        let Some((checkpoint, _)) = latest(&folder.join(CHECKPOINTS))? else {
            return Err(TrainingError::RunFolder {
                path: folder.to_owned(),
                message: "the run has no checkpoint yet".to_owned(),
            });
        };
        // Episodes that were under way when it was saved are evaluated by something that costs
        // nothing; their rewards reach nobody.
        let evaluator = Evaluator {
            calculator: Arc::new(RigidCalculator),
            store: None,
            workers: 1,
        };
        let agent = load_agent(&checkpoint, Arc::clone(&task), &evaluator)?;
        Ok(Self {
            config,
            task,
            agent,
        })
    }
}
