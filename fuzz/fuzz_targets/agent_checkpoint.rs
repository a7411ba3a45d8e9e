//! `agent.json` of a checkpoint, without its networks: settings, task, episodes under way, what a
//! search knows.
#![no_main]

use std::sync::{Arc, OnceLock};

use crystalgym_agents::{Agent, Evaluator, LoadedAgent};
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_evaluation::RigidCalculator;
use libfuzzer_sys::fuzz_target;

fn task() -> Option<Arc<Task>> {
    static TASK: OnceLock<Option<Arc<Task>>> = OnceLock::new();
    TASK.get_or_init(|| Task::new(&TaskConfig::default()).ok().map(Arc::new))
        .clone()
}

fuzz_target!(|data: &[u8]| {
    let (Some(task), Ok(folder)) = (task(), tempfile::tempdir()) else {
        return;
    };
    if std::fs::write(folder.path().join("agent.json"), data).is_err() {
        return;
    }
    let _ = LoadedAgent::read(folder.path(), &task);
    let evaluator = Evaluator {
        calculator: Arc::new(RigidCalculator),
        store: None,
        workers: 1,
    };
    if let Ok(mut agent) = Agent::load(folder.path(), task, &evaluator) {
        // What is accepted can go on, for a while.
        for _ in 0..8 {
            if agent.step(&mut ()).is_err() {
                return;
            }
        }
    }
});
