//! Environments side by side: steps at once, results when they are there. No Python in here.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crystalgym_crystal::Crystal;
use crystalgym_environment::{
    EnvironmentError, State, Task, initial_state, is_terminal, reward, site_for, transition,
};
use crystalgym_evaluation::{
    Calculator, CancelToken, Evaluation, EvaluationPool, Failure, FailureCode, Outcome, Property,
    ResultStore, Source, Ticket, evaluate,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// When an environment whose episode has ended starts the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Autoreset {
    /// With the step after the last one, whose action is not looked at.
    NextStep,
    /// Within the last step.
    SameStep,
    /// When the caller says so.
    Disabled,
}

/// One environment.
pub(crate) struct Slot {
    pub(crate) task: Arc<Task>,
    rng: Pcg64,
    pub(crate) state: State,
    /// The last step ended the episode and nothing has started the next one.
    ended: bool,
    /// A step has been sent and its result not been taken.
    under_way: bool,
    result: StepResult,
}

/// What a step brought, kept until it is taken.
#[derive(Default)]
pub(crate) struct StepResult {
    pub(crate) reward: f64,
    pub(crate) terminated: bool,
    pub(crate) finished: Option<Box<FinishedCrystal>>,
}

/// The crystal behind a last step.
pub(crate) struct FinishedCrystal {
    /// The last state, in which every site is filled.
    pub(crate) state: State,
    pub(crate) crystal: Crystal,
    pub(crate) property: Property,
    pub(crate) target: f64,
    pub(crate) evaluation: Evaluation,
}

/// A finished crystal whose evaluation runs elsewhere.
struct Open {
    environment: usize,
    crystal: Crystal,
    state: State,
}

/// Where rewards come from.
pub(crate) enum Evaluator {
    /// Here and now.
    InPlace {
        calculator: Arc<dyn Calculator>,
        store: Option<Arc<ResultStore>>,
        /// Makes a token for one evaluation.
        token: Box<dyn Fn() -> CancelToken + Send + Sync>,
    },
    /// On other threads.
    Pool(EvaluationPool),
}

pub(crate) struct Batch {
    slots: Vec<Slot>,
    evaluator: Evaluator,
    autoreset: Autoreset,
    open: HashMap<Ticket, Open>,
    ready: VecDeque<usize>,
}

/// What a slot needs to go on where it was.
#[derive(Serialize, Deserialize)]
struct SlotSnapshot {
    rng: Pcg64,
    state: State,
    ended: bool,
}

impl Batch {
    pub(crate) fn new(tasks: Vec<Arc<Task>>, evaluator: Evaluator, autoreset: Autoreset) -> Self {
        let slots = tasks
            .into_iter()
            .map(|task| {
                let mut rng = Pcg64::seed_from_u64(0);
                let state = initial_state(&task, &mut rng);
                Slot {
                    task,
                    rng,
                    state,
                    ended: false,
                    under_way: false,
                    result: StepResult::default(),
                }
            })
            .collect();
        Self {
            slots,
            evaluator,
            autoreset,
            open: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn slot(&self, environment: usize) -> &Slot {
        &self.slots[environment]
    }

    pub(crate) fn set_task(&mut self, environment: usize, task: Arc<Task>) {
        let slot = &mut self.slots[environment];
        slot.task = task;
        slot.state = initial_state(&slot.task, &mut slot.rng);
    }

    /// Starts the next episode; a seed starts the random numbers anew. A step under way is given
    /// up.
    pub(crate) fn reset(&mut self, environment: usize, seed: Option<u64>) {
        self.open.retain(|ticket, open| {
            let keep = open.environment != environment;
            if !keep && let Evaluator::Pool(pool) = &self.evaluator {
                pool.cancel(*ticket);
            }
            keep
        });
        self.ready.retain(|ready| *ready != environment);
        let slot = &mut self.slots[environment];
        if let Some(seed) = seed {
            slot.rng = Pcg64::seed_from_u64(seed);
        }
        slot.state = initial_state(&slot.task, &mut slot.rng);
        (slot.ended, slot.under_way) = (false, false);
    }

    /// Whether all these steps could be taken; nothing moves.
    pub(crate) fn check_all(&self, steps: &[(usize, i64)]) -> Result<(), EnvironmentError> {
        let mut taken = vec![false; self.slots.len()];
        for &(environment, action) in steps {
            self.check(environment, action)?;
            if std::mem::replace(&mut taken[environment], true) {
                return Err(EnvironmentError::StepUnderWay { environment });
            }
        }
        Ok(())
    }

    fn check(&self, environment: usize, action: i64) -> Result<(), EnvironmentError> {
        let last = self.slots.len() - 1;
        let slot = self
            .slots
            .get(environment)
            .ok_or(EnvironmentError::NoEnvironment {
                environment: environment as i64,
                last,
            })?;
        if slot.under_way {
            return Err(EnvironmentError::StepUnderWay { environment });
        }
        if slot.ended {
            return match self.autoreset {
                Autoreset::Disabled => Err(EnvironmentError::EpisodeEnded),
                _ => Ok(()),
            };
        }
        site_for(&slot.task, &slot.state, to_action(slot, action)?).map(drop)
    }

    /// Takes a step that [`Self::check_all`] has found possible.
    pub(crate) fn send(&mut self, environment: usize, action: i64) -> Result<(), EnvironmentError> {
        let slot = &mut self.slots[environment];
        slot.result = StepResult::default();
        if slot.ended {
            slot.state = initial_state(&slot.task, &mut slot.rng);
            slot.ended = false;
            slot.under_way = true;
            self.ready.push_back(environment);
            return Ok(());
        }
        let action = to_action(slot, action)?;
        transition(&slot.task, &mut slot.state, action)?;
        slot.under_way = true;
        if !is_terminal(&slot.state) {
            self.ready.push_back(environment);
            return Ok(());
        }
        let crystal = slot
            .task
            .crystal(slot.state.skeleton.into(), &slot.state.node_types)?;
        let property = slot.task.property();
        let open = Open {
            environment,
            crystal,
            state: slot.state.clone(),
        };
        if slot.task.odd_electrons_fail_at_once()
            && property == Property::BandGap
            && has_odd_electrons(&open.crystal)
        {
            let message = "an odd number of electrons cannot fill bands in pairs";
            self.finish(open, computed(FailureCode::OddElectronCount, message));
            return Ok(());
        }
        match &self.evaluator {
            Evaluator::Pool(pool) => {
                let ticket = pool.submit(&open.crystal, property);
                self.open.insert(ticket, open);
            }
            Evaluator::InPlace {
                calculator,
                store,
                token,
            } => {
                let evaluation = evaluate(
                    calculator.as_ref(),
                    store.as_deref(),
                    &open.crystal,
                    property,
                    &token(),
                );
                self.finish(open, evaluation);
            }
        }
        Ok(())
    }

    /// Steps whose results can be taken.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Steps sent whose results are not there yet.
    pub(crate) fn pending(&self) -> usize {
        self.open.len()
    }

    /// Waits for the next result of the pool, at most `timeout`; whether there was one.
    pub(crate) fn wait(&mut self, timeout: Duration) -> bool {
        let Evaluator::Pool(pool) = &self.evaluator else {
            return false;
        };
        let Some((ticket, evaluation)) = pool.receive(Some(timeout)) else {
            return false;
        };
        // The answer to a step that a reset has given up belongs to nobody.
        if let Some(open) = self.open.remove(&ticket) {
            self.finish(open, evaluation);
        }
        true
    }

    /// The environment whose result has been there for longest.
    pub(crate) fn take_ready(&mut self) -> Option<usize> {
        let environment = self.ready.pop_front()?;
        self.slots[environment].under_way = false;
        Some(environment)
    }

    /// What the last step of an environment brought; it can be taken once.
    pub(crate) fn take_result(&mut self, environment: usize) -> StepResult {
        std::mem::take(&mut self.slots[environment].result)
    }

    fn finish(&mut self, open: Open, evaluation: Evaluation) {
        let Open {
            environment,
            crystal,
            state,
        } = open;
        let slot = &mut self.slots[environment];
        let (property, target) = (slot.task.property(), slot.task.target());
        slot.result = StepResult {
            reward: reward(property, target, &evaluation.outcome),
            terminated: true,
            finished: Some(Box::new(FinishedCrystal {
                state,
                crystal,
                property,
                target,
                evaluation,
            })),
        };
        if self.autoreset == Autoreset::SameStep {
            slot.state = initial_state(&slot.task, &mut slot.rng);
        } else {
            slot.ended = true;
        }
        self.ready.push_back(environment);
    }

    /// All that is needed to go on later, as JSON; `None` while a step is under way.
    pub(crate) fn snapshot(&self) -> Option<String> {
        if self.slots.iter().any(|slot| slot.under_way) {
            return None;
        }
        let slots: Vec<SlotSnapshot> = self
            .slots
            .iter()
            .map(|slot| SlotSnapshot {
                rng: slot.rng.clone(),
                state: slot.state.clone(),
                ended: slot.ended,
            })
            .collect();
        serde_json::to_string(&slots).ok()
    }

    /// Goes on from a snapshot.
    pub(crate) fn restore(&mut self, snapshot: &str) -> Result<(), EnvironmentError> {
        let invalid = |message: String| EnvironmentError::Snapshot(message);
        let read: Vec<SlotSnapshot> =
            serde_json::from_str(snapshot).map_err(|error| invalid(error.to_string()))?;
        if read.len() != self.slots.len() {
            return Err(invalid(format!(
                "{} environments, expected {}",
                read.len(),
                self.slots.len()
            )));
        }
        for (number, (slot, saved)) in self.slots.iter().zip(&read).enumerate() {
            if !saved.state.belongs_to(&slot.task) {
                return Err(invalid(format!(
                    "the state of environment {number} does not belong to its task"
                )));
            }
        }
        for environment in 0..self.slots.len() {
            self.reset(environment, None);
        }
        for (slot, saved) in self.slots.iter_mut().zip(read) {
            (slot.rng, slot.state, slot.ended) = (saved.rng, saved.state, saved.ended);
        }
        Ok(())
    }
}

fn to_action(slot: &Slot, action: i64) -> Result<u8, EnvironmentError> {
    u8::try_from(action).map_err(|_| EnvironmentError::InvalidAction {
        action,
        step: slot.state.step.into(),
        last: slot.task.actions().len() - 1,
    })
}

fn has_odd_electrons(crystal: &Crystal) -> bool {
    let numbers = crystal.elements().iter();
    let electrons: u32 = numbers.map(|e| u32::from(e.atomic_number())).sum();
    electrons % 2 == 1
}

fn computed(code: FailureCode, message: &str) -> Evaluation {
    Evaluation {
        outcome: Outcome::Failure(Failure::new(code, message)),
        source: Source::Computed,
        store_error: None,
    }
}
