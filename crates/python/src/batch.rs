//! Steps at once, results when they are there: who waits for what. The process itself is that of
//! [`VectorEnvironment`]; no Python in here.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crystalgym_environment::{
    EnvironmentError, FinishedEpisode, State, Stepped, Task, VectorEnvironment, VectorSnapshot,
};

/// Environments of which each has at most one step whose result has not been taken.
pub(crate) struct Batch {
    environment: VectorEnvironment,
    /// By environment.
    under_way: Vec<bool>,
    results: Vec<StepResult>,
    /// Environments whose results can be taken, in the order in which they came.
    ready: VecDeque<usize>,
}

/// What a step brought, kept until it is taken.
#[derive(Default)]
pub(crate) struct StepResult {
    pub(crate) reward: f64,
    pub(crate) terminated: bool,
    pub(crate) finished: Option<Box<FinishedEpisode>>,
}

impl Batch {
    pub(crate) fn new(environment: VectorEnvironment) -> Self {
        let count = environment.len();
        Self {
            environment,
            under_way: vec![false; count],
            results: (0..count).map(|_| StepResult::default()).collect(),
            ready: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.environment.len()
    }

    pub(crate) fn task(&self, environment: usize) -> &Task {
        self.environment.task(environment)
    }

    pub(crate) fn state(&self, environment: usize) -> &State {
        self.environment.state(environment)
    }

    pub(crate) fn set_task(&mut self, environment: usize, task: Arc<Task>) {
        self.environment.set_task(environment, task);
    }

    /// Starts the next episode; a seed starts the random numbers anew, a skeleton takes the place of
    /// one that is drawn. A step under way is given up.
    pub(crate) fn reset(&mut self, environment: usize, seed: Option<u64>, skeleton: Option<usize>) {
        self.environment.reset(environment, seed, skeleton);
        self.ready.retain(|ready| *ready != environment);
        self.under_way[environment] = false;
    }

    /// Whether all these steps could be taken; nothing moves.
    pub(crate) fn check_all(&self, steps: &[(usize, i64)]) -> Result<(), EnvironmentError> {
        let mut taken = self.under_way.clone();
        for &(environment, action) in steps {
            match taken.get_mut(environment) {
                Some(true) => return Err(EnvironmentError::StepUnderWay { environment }),
                Some(taken) => *taken = true,
                None => {}
            }
            self.environment.check(environment, action)?;
        }
        Ok(())
    }

    /// Takes a step that [`Self::check_all`] has found possible.
    pub(crate) fn send(&mut self, environment: usize, action: i64) -> Result<(), EnvironmentError> {
        self.results[environment] = StepResult::default();
        let stepped = self.environment.step_one(environment, action)?;
        self.under_way[environment] = true;
        match stepped {
            Stepped::Moved | Stepped::Reset => self.ready.push_back(environment),
            // What was computed in place is there already.
            Stepped::Ended(_) => while self.take_finished(Duration::ZERO) {},
        }
        Ok(())
    }

    /// Steps whose results can be taken.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Steps sent whose results are not there yet.
    pub(crate) fn pending(&self) -> usize {
        self.environment.open_episodes()
    }

    /// Waits for the next finished episode, at most `timeout`; whether there was one.
    pub(crate) fn take_finished(&mut self, timeout: Duration) -> bool {
        let Some(episode) = self.environment.next_ready(timeout) else {
            return false;
        };
        let environment = episode.environment;
        self.results[environment] = StepResult {
            reward: episode.reward,
            terminated: true,
            finished: Some(Box::new(episode)),
        };
        self.ready.push_back(environment);
        true
    }

    /// The environment whose result has been there for longest.
    pub(crate) fn take_ready(&mut self) -> Option<usize> {
        let environment = self.ready.pop_front()?;
        self.under_way[environment] = false;
        Some(environment)
    }

    /// What the last step of an environment brought; it can be taken once.
    pub(crate) fn take_result(&mut self, environment: usize) -> StepResult {
        std::mem::take(&mut self.results[environment])
    }

    /// All that is needed to go on later, as JSON; `None` while a step is under way.
    pub(crate) fn snapshot(&self) -> Option<String> {
        if self.under_way.contains(&true) {
            return None;
        }
        serde_json::to_string(&self.environment.snapshot()).ok()
    }

    /// Goes on from a snapshot.
    pub(crate) fn restore(&mut self, snapshot: &str) -> Result<(), EnvironmentError> {
        let read: VectorSnapshot = serde_json::from_str(snapshot)
            .map_err(|error| EnvironmentError::Snapshot(error.to_string()))?;
        self.environment.restore(read)?;
        self.ready.clear();
        self.under_way.fill(false);
        Ok(())
    }
}
