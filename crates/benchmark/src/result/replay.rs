//! Training a job again from what its file says of crystals, to see that its agent made them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use crystalgym_agents::{Agent, Evaluator, Observer, PolicyMode, Progress, evaluate_policy};
use crystalgym_crystal::{Crystal, Element};
use crystalgym_environment::{FinishedEpisode, Task};
use crystalgym_evaluation::{
    Calculator, CancelToken, Failure, FailureCode, Fingerprint, Outcome, Property, Values,
};
use crystalgym_training::{EVALUATION_SEED_OFFSET, TrainingError};

use super::{
    compositions::{Composition, Compositions, symbols},
    consistency::{expected_job, training_config},
    file::{ResultEpisode, ResultJob},
};
use crate::runner::ROLLOUTS;

/// Trains the agent of a job again with values from the file, and compares every episode and
/// rollout; no property is computed. `None` if cancelled, else the first difference, if there is one.
///
/// # Errors
/// [`TrainingError`] if the agent cannot be made or trained.
pub(super) fn replay(
    job: &ResultJob,
    cancel: &CancelToken,
) -> Result<Option<Result<(), String>>, TrainingError> {
    let config = match expected_job(job).and_then(|expected| training_config(job, &expected)) {
        Ok(config) => config,
        Err(message) => return Ok(Some(Err(message))),
    };
    let calculator = Arc::new(ClaimedOutcomes::of(job));
    let evaluator = Evaluator {
        calculator: Arc::clone(&calculator) as Arc<dyn Calculator>,
        store: None,
        workers: 1,
        screening: None,
    };
    let task = Arc::new(Task::new(&config.task)?);
    let mut agent = Agent::new(&config.agent(), Arc::clone(&task), &evaluator)?;
    let mut episodes = Compared {
        rows: &job.episodes,
        next: 0,
        difference: None,
    };
    while agent.step(&mut episodes)? == Progress::Continue && episodes.difference.is_none() {
        if cancel.is_cancelled() {
            return Ok(None);
        }
    }
    if let Some(difference) = episodes.difference {
        return Ok(Some(Err(difference)));
    }
    if episodes.next != job.episodes.len() {
        let message = format!(
            "the training ends after {} episodes, the file has {}",
            episodes.next,
            job.episodes.len()
        );
        return Ok(Some(Err(message)));
    }
    let mut rows = job.rollouts.iter().enumerate();
    let mut kinds = vec![Vec::new()];
    if !job.held_out.is_empty() {
        kinds.push(job.held_out.clone());
    }
    let seed = job.seed.wrapping_add(EVALUATION_SEED_OFFSET);
    let modes = [
        ("greedy", PolicyMode::Greedy),
        ("sampled", PolicyMode::Sampled { seed }),
    ];
    for (mode, of_policy) in modes {
        for skeletons in &kinds {
            let mut other = config.task.clone();
            if !skeletons.is_empty() {
                other.skeletons.clone_from(skeletons);
                other.start_site = None;
                other.allowed.clear();
            }
            let task = Arc::new(Task::new(&other)?);
            let mut policy = agent.policy(&task, of_policy)?;
            for rollout in evaluate_policy(policy.as_mut(), &task, &evaluator, ROLLOUTS, seed)? {
                let found = format!("{mode} {}", described(&rollout.crystal));
                let Some((number, row)) = rows.next() else {
                    return Ok(Some(Err("rollouts are missing".to_owned())));
                };
                let expected = format!("{} {} on {}", row.mode, row.elements, row.skeleton);
                if found != expected {
                    let message = format!(
                        "rollouts[{number}] is {expected}, the trained agent makes {found}"
                    );
                    return Ok(Some(Err(message)));
                }
            }
        }
    }
    Ok(Some(Ok(())))
}

fn described(crystal: &Crystal) -> String {
    format!("{} on {}", symbols(crystal), crystal.skeleton().label)
}

/// Holds each episode against the file's.
struct Compared<'a> {
    rows: &'a [ResultEpisode],
    next: usize,
    difference: Option<String>,
}

impl Observer for Compared<'_> {
    fn episode_finished(&mut self, step: u64, episode: &FinishedEpisode) {
        if self.difference.is_some() {
            return;
        }
        let found = format!("{} at step {step}", described(&episode.crystal));
        let number = self.next;
        self.difference = match self.rows.get(number) {
            None => Some(format!(
                "the training makes more than the {number} episodes of the file"
            )),
            Some(row) => {
                let expected = format!("{} on {} at step {}", row.elements, row.skeleton, row.step);
                (found != expected)
                    .then(|| format!("episodes[{number}] is {expected}, the agent makes {found}"))
            }
        };
        self.next += 1;
    }

    fn interrupted(&self) -> bool {
        self.difference.is_some()
    }
}

/// Answers with what the file says, in the order in which it says it: of a crystal whose failure
/// depended on the moment it may say several things.
struct ClaimedOutcomes {
    fingerprint: String,
    outcomes: Mutex<HashMap<Composition, VecDeque<Outcome>>>,
}

impl ClaimedOutcomes {
    fn of(job: &ResultJob) -> Self {
        let mut compositions = Compositions::default();
        let mut outcomes: HashMap<Composition, VecDeque<Outcome>> = HashMap::new();
        let mut add = |skeleton: &str, elements: &str, value, failure: Option<FailureCode>| {
            let Ok(crystal) = compositions.of(skeleton, elements) else {
                return;
            };
            let outcome = match (value, failure) {
                (Some(value), _) => Outcome::Success(Values {
                    value,
                    ..Values::default()
                }),
                (None, code) => {
                    Outcome::Failure(Failure::new(code.unwrap_or(FailureCode::Internal), ""))
                }
            };
            outcomes.entry(crystal).or_default().push_back(outcome);
        };
        for row in &job.episodes {
            add(&row.skeleton, &row.elements, row.value, row.failure);
        }
        for row in &job.rollouts {
            add(&row.skeleton, &row.elements, row.value, row.failure);
        }
        Self {
            fingerprint: job.fingerprint.clone(),
            outcomes: Mutex::new(outcomes),
        }
    }
}

impl Calculator for ClaimedOutcomes {
    fn name(&self) -> &'static str {
        "claimed"
    }

    fn fingerprint(&self, _elements: &[Element], _property: Property) -> Fingerprint {
        Fingerprint(self.fingerprint.clone())
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn evaluate(&self, crystal: &Crystal, _property: Property, _cancel: &CancelToken) -> Outcome {
        let canonical = crystal.canonical();
        let key = Composition {
            skeleton: canonical.skeleton().label.clone(),
            elements: symbols(&canonical),
        };
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        match outcomes.get_mut(&key) {
            Some(known) if known.len() > 1 => known.pop_front(),
            Some(known) => known.front().cloned(),
            None => None,
        }
        .unwrap_or_else(|| {
            Outcome::Failure(Failure::new(
                FailureCode::Internal,
                "the file says nothing of this crystal",
            ))
        })
    }
}
