//! Looking at crystals cheaply: dear calculations are saved, and a run stays a run to the last bit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use common::{Record, drive, finish, rigid, task};
use crystalgym_agents::{
    Agent, AgentConfig, Evaluator, LoadedAgent, Observer, PolicyMode, SurrogateConfig,
    evaluate_policy,
};
use crystalgym_crystal::{Crystal, Element};
use crystalgym_environment::{FinishedEpisode, Task, TaskConfig};
use crystalgym_evaluation::{
    Calculator, CancelToken, Failure, FailureCode, Fingerprint, Outcome, Property, RigidCalculator,
};

/// Density that is off by something that depends on the elements in no smooth way; every eleventh sum of
/// protons fails.
struct Dear {
    asked: AtomicUsize,
}

fn protons(crystal: &Crystal) -> u32 {
    let protons = crystal
        .elements()
        .iter()
        .map(|e| u32::from(e.atomic_number()));
    protons.sum()
}

impl Calculator for Dear {
    fn name(&self) -> &str {
        "dear"
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        RigidCalculator.fingerprint(elements, property)
    }

    fn keeps_the_cell(&self) -> bool {
        true
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let protons = protons(crystal);
        if protons.is_multiple_of(11) {
            let code = FailureCode::ScfNotConverged;
            return Outcome::Failure(Failure::new(code, "to be met"));
        }
        let mut outcome = RigidCalculator.evaluate(crystal, property, cancel);
        if let Outcome::Success(values) = &mut outcome {
            values.value *= 1.08 + 0.02 * f64::from(protons * 7919 % 5);
        }
        outcome
    }
}

/// Something that has nothing to do with the density.
struct Misleading;

impl Calculator for Misleading {
    fn name(&self) -> &str {
        "misleading"
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        RigidCalculator.fingerprint(elements, property)
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        let mut outcome = RigidCalculator.evaluate(crystal, property, cancel);
        if let Outcome::Success(values) = &mut outcome {
            values.value = f64::from(protons(crystal) * 7919 % 97) / 10.0;
        }
        outcome
    }
}

fn evaluator(workers: usize, screened: bool) -> (Arc<Dear>, Evaluator) {
    let dear = Arc::new(Dear {
        asked: AtomicUsize::new(0),
    });
    let evaluator = Evaluator {
        calculator: Arc::clone(&dear) as Arc<dyn Calculator>,
        screening: screened.then(|| rigid().calculator),
        workers,
        ..rigid()
    };
    (dear, evaluator)
}

fn with_target(target: f64) -> Arc<Task> {
    task(TaskConfig {
        skeletons: vec!["C4".into()],
        target,
        ..TaskConfig::default()
    })
}

fn played() -> Arc<Task> {
    with_target(5.0)
}

fn config(calculations: u64) -> AgentConfig {
    AgentConfig::Surrogate(SurrogateConfig {
        total_steps: 4 * calculations,
        candidates: 256,
        screened_first: 20,
        screened_at_once: 4,
        ..SurrogateConfig::default()
    })
}

/// Rewards in order, and what the log says of screening.
#[derive(Default)]
struct Found {
    rewards: Vec<f64>,
    screened: f64,
}

impl Observer for Found {
    fn episode_finished(&mut self, _step: u64, episode: &FinishedEpisode) {
        self.rewards.push(episode.reward);
    }

    fn updated(&mut self, update: &crystalgym_agents::Update) {
        let screened = update.scalars.iter();
        let screened = screened.filter(|(name, _)| *name == "surrogate/screened");
        self.screened = screened
            .map(|(_, value)| *value)
            .fold(self.screened, f64::max);
    }
}

fn found(seed: u64, screened: bool) -> Found {
    let (dear, evaluator) = evaluator(1, screened);
    found_with(seed, 12, &dear, &evaluator)
}

fn found_with(seed: u64, calculations: u64, dear: &Dear, evaluator: &Evaluator) -> Found {
    let config = config(calculations).with_seed(seed);
    let mut agent = Agent::new(&config, played(), evaluator).unwrap();
    let mut found = Found::default();
    finish(&mut agent, &mut found);
    // Each calculation is an episode: cheap results are looked at elsewhere.
    assert_eq!(dear.asked.load(Ordering::Relaxed), found.rewards.len());
    assert_eq!(found.rewards.len() as u64, calculations);
    found
}

/// Oracle: the same agent without, five seeds each.
#[test]
fn cheap_looks_save_calculations() {
    let mean = |found: &Found| found.rewards.iter().sum::<f64>() / found.rewards.len() as f64;
    let (mut with, mut without) = (0.0, 0.0);
    for seed in 1..=5 {
        let screened = found(seed, true);
        assert!(screened.screened >= 20.0 && screened.screened <= 20.0 + 12.0 * 8.0);
        assert!(screened.rewards.iter().copied().fold(-1.0, f64::max) > 0.99);
        with += mean(&screened) / 5.0;
        let plain = found(seed, false);
        assert_eq!(plain.screened, 0.0);
        without += mean(&plain) / 5.0;
    }
    assert!(with > without + 0.2, "{with} {without}");
}

/// Of what has nothing to do with the property the agent takes its leave: five seeds of twenty calculations
/// are as good as without, but for the first few.
#[test]
fn cheap_results_that_mislead_are_found_out() {
    let (mut with, mut without) = (0.0, 0.0);
    for seed in 1..=5 {
        let (dear, plain) = evaluator(1, false);
        let misled = Evaluator {
            screening: Some(Arc::new(Misleading)),
            ..plain.clone()
        };
        let late = |found: &Found| found.rewards[12..].iter().sum::<f64>() / 8.0;
        let found = found_with(seed, 20, &dear, &misled);
        with += late(&found) / 5.0;
        // The first twenty, and those before a handful of calculations.
        assert!(found.screened < 20.0 + 12.0 * 8.0, "{}", found.screened);
        dear.asked.store(0, Ordering::Relaxed);
        without += late(&found_with(seed, 20, &dear, &plain)) / 5.0;
    }
    assert!(with > without - 0.1, "{with} {without}");
}

/// Any number of workers, and any stop: the same episodes, the same policy, the same log but for how long
/// it took.
#[test]
fn a_run_is_the_same_in_any_number_of_parts() {
    let run = |workers: usize, stops: &[u64]| {
        let (_, evaluator) = evaluator(workers, true);
        let mut agent = Agent::new(&config(14), played(), &evaluator).unwrap();
        let mut record = Record::default();
        let folder = tempfile::tempdir().unwrap();
        for stop in stops {
            drive(&mut agent, &mut record, *stop);
            let saved = folder.path().join(stop.to_string());
            agent.save(&saved).unwrap();
            agent = Agent::load(&saved, played(), &evaluator).unwrap();
        }
        finish(&mut agent, &mut record);
        let mut policy = agent.policy(&played(), PolicyMode::Greedy).unwrap();
        let rollouts = evaluate_policy(policy.as_mut(), &played(), &evaluator, 3, 5).unwrap();
        for update in &mut record.updates {
            update
                .scalars
                .retain(|(name, _)| *name != "surrogate/screening_seconds");
        }
        let crystals: Vec<Vec<Element>> = rollouts
            .iter()
            .map(|rollout| rollout.crystal.elements().to_vec())
            .collect();
        (record, crystals)
    };
    let whole = run(1, &[]);
    assert!(whole == run(3, &[]));
    assert!(whole == run(2, &[6, 31]));
}

/// A saved agent acts without what looks at crystals: it knows what was seen.
#[test]
fn what_was_seen_is_known_without_the_calculators() {
    let (_, evaluator) = evaluator(1, true);
    let mut agent = Agent::new(&config(8), played(), &evaluator).unwrap();
    finish(&mut agent, &mut ());
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved");
    agent.save(&saved).unwrap();
    let loaded = LoadedAgent::read(&saved, &played()).unwrap();
    let other = with_target(3.0);
    let crystals = |policy: &mut dyn crystalgym_agents::Policy| {
        let rollouts = evaluate_policy(policy, &other, &rigid(), 4, 9).unwrap();
        let crystals = rollouts.iter().map(|r| r.crystal.elements().to_vec());
        crystals.collect::<Vec<_>>()
    };
    let mut before = agent.policy(&other, PolicyMode::Greedy).unwrap();
    let mut after = loaded.policy(&other, PolicyMode::Greedy).unwrap();
    assert_eq!(crystals(before.as_mut()), crystals(after.as_mut()));
}

/// A cheap result that fails for a reason of the moment is not asked for again and again.
#[test]
fn a_cheap_calculator_that_cannot_is_lived_with() {
    struct Absent(Mutex<Vec<Vec<Element>>>);
    impl Calculator for Absent {
        fn name(&self) -> &str {
            "absent"
        }
        fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
            RigidCalculator.fingerprint(elements, property)
        }
        fn evaluate(&self, crystal: &Crystal, _: Property, _: &CancelToken) -> Outcome {
            let asked = crystal.canonical().elements().to_vec();
            self.0.lock().unwrap().push(asked);
            Outcome::Failure(Failure::new(FailureCode::TimeLimit, "never"))
        }
    }
    let absent = Arc::new(Absent(Mutex::default()));
    let evaluator = Evaluator {
        screening: Some(Arc::clone(&absent) as Arc<dyn Calculator>),
        ..evaluator(1, false).1
    };
    let mut agent = Agent::new(&config(10), played(), &evaluator).unwrap();
    let mut found = Found::default();
    finish(&mut agent, &mut found);
    assert_eq!(found.rewards.len(), 10);
    let asked = absent.0.lock().unwrap();
    let different: std::collections::BTreeSet<_> = asked.iter().collect();
    assert_eq!(different.len(), asked.len());
}
