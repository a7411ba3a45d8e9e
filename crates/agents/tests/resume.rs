//! A seed gives the same run, whatever the number of threads, the speed of the calculator, and
//! however often the run is stopped and resumed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    cell::Cell,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use common::{Record, delayed, dqn, drive, finish, rigid, short_run, task};
use crystalgym_agents::{
    Agent, AgentConfig, AgentError, CheckpointInfo, Dqn, DqnConfig, Evaluator, Observer, Progress,
    RandomSearchConfig,
};
use crystalgym_crystal::{Crystal, Element};
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_evaluation::{
    Calculator, CancelToken, Fingerprint, Outcome, Property, RigidCalculator,
};
use crystalgym_networks::GraphNetwork;

fn mixed() -> TaskConfig {
    TaskConfig {
        skeletons: vec!["C2".into(), "C6".into()],
        ..TaskConfig::default()
    }
}

/// The parameters to the last bit.
fn bits(agent: &Agent<Dqn>) -> Vec<u32> {
    agent
        .learner()
        .network()
        .parameters()
        .values()
        .iter()
        .map(|value| value.to_bits())
        .collect()
}

fn load(folder: &Path, task: Arc<Task>, evaluator: &Evaluator) -> Result<Agent<Dqn>, AgentError> {
    let learner = Box::new(Dqn::new(short_run(), Arc::clone(&task)).unwrap());
    Agent::resume(learner, folder, task, evaluator)
}

fn whole_run(config: &DqnConfig, evaluator: &Evaluator) -> (Agent<Dqn>, Record) {
    let mut record = Record::default();
    let mut agent = dqn(config.clone(), task(mixed()), evaluator);
    finish(&mut agent, &mut record);
    (agent, record)
}

#[test]
fn a_seed_is_a_run() {
    let (first, first_record) = whole_run(&short_run(), &rigid());
    let threaded = DqnConfig {
        threads: 2,
        ..short_run()
    };
    let (second, second_record) = whole_run(&threaded, &rigid());
    assert_eq!(first_record, second_record);
    assert_eq!(bits(&first), bits(&second));
    assert!(first_record.updates.len() > 50 && first_record.episodes.len() > 80);

    let (other, _) = whole_run(
        &DqnConfig {
            seed: 2,
            ..short_run()
        },
        &rigid(),
    );
    assert_ne!(bits(&first), bits(&other));
}

#[test]
fn late_rewards_change_nothing() {
    let (instant, instant_record) = whole_run(&short_run(), &rigid());
    let (late, late_record) = whole_run(&short_run(), &delayed());
    assert_eq!(instant_record, late_record);
    assert_eq!(bits(&instant), bits(&late));
}

#[test]
fn resumed_equals_uninterrupted() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, whole_record) = whole_run(&short_run(), &delayed());

    let mut record = Record::default();
    let mut agent = dqn(short_run(), task(mixed()), &delayed());
    // Before the first update, in the middle of episodes, and after the buffer has overflowed.
    for stop in [30, 201, 333] {
        drive(&mut agent, &mut record, stop);
        agent.save(folder.path()).unwrap();
        agent = load(folder.path(), task(mixed()), &delayed()).unwrap();
    }
    finish(&mut agent, &mut record);
    assert_eq!(record, whole_record);
    assert_eq!(bits(&agent), bits(&whole));
    assert_eq!(agent.learner().replay(), whole.learner().replay());
    assert_eq!(agent.learner().replay().len(), short_run().replay_capacity);

    let info = CheckpointInfo::read(folder.path()).unwrap();
    assert_eq!((info.algorithm.as_str(), info.step), ("dqn", 333));
    // The JSON and the networks of the last checkpoint, nothing else.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn saving_does_not_disturb_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, whole_record) = whole_run(&short_run(), &rigid());
    let mut record = Record::default();
    let mut agent = dqn(short_run(), task(mixed()), &rigid());
    loop {
        if agent.steps().is_multiple_of(50) {
            agent.save(folder.path()).unwrap();
        }
        if agent.step(&mut record).unwrap() == Progress::Finished {
            break;
        }
    }
    assert_eq!(record, whole_record);
    assert_eq!(bits(&agent), bits(&whole));
}

/// A calculator that gives no answer until it is let go.
struct Stuck {
    go: AtomicBool,
}

impl Calculator for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        RigidCalculator.fingerprint(elements, property)
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        while !self.go.load(Ordering::Acquire) && !cancel.is_cancelled() {
            thread::sleep(Duration::from_millis(1));
        }
        RigidCalculator.evaluate(crystal, property, cancel)
    }
}

/// Asks to stop at the second look.
#[derive(Default)]
struct Impatient {
    record: Record,
    looks: Cell<u32>,
}

impl Observer for Impatient {
    fn episode_finished(&mut self, step: u64, episode: &crystalgym_environment::FinishedEpisode) {
        self.record.episode_finished(step, episode);
    }

    fn updated(&mut self, update: &crystalgym_agents::Update) {
        self.record.updated(update);
    }

    fn interrupted(&self) -> bool {
        self.looks.set(self.looks.get() + 1);
        self.looks.get() > 1
    }
}

#[test]
fn a_wait_can_be_interrupted_saved_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, whole_record) = whole_run(&short_run(), &rigid());

    let stuck = Evaluator {
        calculator: Arc::new(Stuck {
            go: AtomicBool::new(false),
        }),
        store: None,
        workers: 2,
        screening: None,
    };
    let mut observer = Impatient::default();
    let mut agent = dqn(short_run(), task(mixed()), &stuck);
    let progress = loop {
        match agent.step(&mut observer).unwrap() {
            Progress::Continue => {}
            progress => break progress,
        }
    };
    assert_eq!(progress, Progress::Interrupted);
    assert!(observer.record.episodes.is_empty());
    agent.save(folder.path()).unwrap();
    drop(agent);

    let mut agent = load(folder.path(), task(mixed()), &rigid()).unwrap();
    finish(&mut agent, &mut observer.record);
    assert_eq!(observer.record, whole_record);
    assert_eq!(bits(&agent), bits(&whole));
}

/// A save that is killed between its two files leaves networks that no state names.
#[test]
fn a_killed_save_leaves_the_checkpoint_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = dqn(short_run(), task(mixed()), &rigid());
    drive(&mut agent, &mut (), 100);
    agent.save(folder.path()).unwrap();
    let saved = bits(&agent);
    let stray = folder.path().join("networks-150-01234567.safetensors");
    fs::write(&stray, "half a fi").unwrap();
    let mut agent = load(folder.path(), task(mixed()), &rigid()).unwrap();
    assert_eq!(bits(&agent), saved);
    drive(&mut agent, &mut (), 150);
    agent.save(folder.path()).unwrap();
    assert!(!stray.exists());
}

#[test]
fn random_search_resumes_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = AgentConfig::RandomSearch(RandomSearchConfig {
        total_steps: 200,
        ..RandomSearchConfig::default()
    });
    let mut whole = Record::default();
    finish(
        &mut Agent::new(&config, task(mixed()), &rigid()).unwrap(),
        &mut whole,
    );

    let mut record = Record::default();
    let mut search = Agent::new(&config, task(mixed()), &rigid()).unwrap();
    drive(&mut search, &mut record, 101);
    search.save(folder.path()).unwrap();
    let mut search = Agent::load(folder.path(), task(mixed()), &rigid()).unwrap();
    finish(&mut search, &mut record);
    assert_eq!(record, whole);
}

#[test]
fn checkpoints_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = || {
        load(folder.path(), task(mixed()), &rigid())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(refusal().contains("agent.json"), "{}", refusal());

    let config = AgentConfig::RandomSearch(RandomSearchConfig::default());
    let search = Agent::new(&config, task(mixed()), &rigid()).unwrap();
    search.save(folder.path()).unwrap();
    assert!(
        refusal().contains("it is of random_search, expected dqn"),
        "{}",
        refusal()
    );

    let mut agent = dqn(short_run(), task(mixed()), &rigid());
    drive(&mut agent, &mut (), 100);
    agent.save(folder.path()).unwrap();
    let other_target = task(TaskConfig {
        target: 5.0,
        ..mixed()
    });
    let error = load(folder.path(), other_target, &rigid())
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("another task"), "{error}");

    let state = folder.path().join("agent.json");
    let text = fs::read_to_string(&state).unwrap();
    fs::write(&state, text.replace("\"version\":2", "\"version\":7")).unwrap();
    assert!(
        refusal().contains("version is 7, expected 2"),
        "{}",
        refusal()
    );
    fs::write(&state, &text[..text.len() / 2]).unwrap();
    assert!(refusal().contains("agent.json"), "{}", refusal());
    fs::write(&state, &text).unwrap();
    load(folder.path(), task(mixed()), &rigid()).unwrap();

    let networks = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "safetensors")
        })
        .unwrap();
    let mut bytes = fs::read(&networks).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&networks, bytes).unwrap();
    assert!(refusal().contains("SHA-256"), "{}", refusal());
}
