//! Agents on the plain perceptron, and on networks that share one trunk.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use common::{dqn, finish, rigid, short_run, task};
use crystalgym_agents::{
    Agent, DqnConfig, PUBLISHED_ROLLOUTS, PolicyMode, Sac, SacConfig, evaluate_policy,
};
use crystalgym_crystal::Skeleton;
use crystalgym_environment::{ProcessName, Task, TaskConfig};
use crystalgym_networks::{
    Cached, NetworkConfig, NetworkError, PartialCrystal, PerceptronShape, SiteDescriptors, Trunk,
    TrunkNetwork,
};

fn config(seed: u64) -> DqnConfig {
    DqnConfig {
        seed,
        network: NetworkConfig::Perceptron(PerceptronShape::default()),
        ..DqnConfig::standard()
    }
}

fn greedy(config: DqnConfig, task: &Arc<Task>) -> f64 {
    let mut agent = dqn(config, Arc::clone(task), &rigid());
    finish(&mut agent, &mut ());
    let mut policy = agent.policy(task, PolicyMode::Greedy).unwrap();
    let rollouts = evaluate_policy(policy.as_mut(), task, &rigid(), PUBLISHED_ROLLOUTS, 1).unwrap();
    let total: f64 = rollouts.iter().map(|rollout| rollout.reward).sum();
    total / rollouts.len() as f64
}

/// Oracle: the best return of all fillings of C2 is 1.000000 for 5 g/cm³ (enumerated by
/// `crystalgym bench agents`); random fillings have half of it.
#[test]
fn dqn_on_the_perceptron_learns_a_density() {
    let task = task(TaskConfig {
        target: 5.0,
        ..TaskConfig::default()
    });
    for seed in 1..=3 {
        let mean = greedy(config(seed), &task);
        assert!(mean >= 0.9, "seed {seed}: {mean}");
    }
}

#[test]
fn substitution_runs_on_the_perceptron() {
    let task = task(TaskConfig {
        process: ProcessName::Substitution,
        ..TaskConfig::default()
    });
    let config = DqnConfig {
        network: config(1).network,
        ..short_run()
    };
    let mean = greedy(config, &task);
    assert!((0.0..=1.0).contains(&mean), "{mean}");
}

/// The descriptors of the perceptron, with a list of what they were asked for.
#[derive(Debug)]
struct Recording {
    descriptors: SiteDescriptors,
    asked: AtomicUsize,
    seen: Mutex<HashSet<(usize, usize, Vec<u8>)>>,
}

impl Trunk for Recording {
    fn width(&self) -> usize {
        self.descriptors.width()
    }

    fn features(&self, crystal: PartialCrystal<'_>, out: &mut [f32]) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let key = (crystal.skeleton, crystal.focus, crystal.node_types.to_vec());
        self.seen.lock().unwrap().insert(key);
        self.descriptors.features(crystal, out);
    }

    fn for_skeletons(&self, _: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        Err(NetworkError::Config {
            field: "skeletons",
            found: "others".into(),
            expected: "those of the test".into(),
        })
    }
}

/// Identity: the five networks of SAC on one cached trunk ask it once for each state of the run.
#[test]
fn the_networks_of_an_agent_share_one_trunk() {
    let task = task(TaskConfig::default());
    let descriptors = SiteDescriptors::new(task.skeletons(), task.elements().elements());
    let recording = Recording {
        descriptors,
        asked: AtomicUsize::new(0),
        seen: Mutex::default(),
    };
    let trunk = Arc::new(Cached::new(recording, 100_000));
    let config = SacConfig {
        total_steps: 300,
        learning_starts: 60,
        batch_size: 8,
        ..SacConfig::standard()
    };
    let learner = Sac::with_networks(config, Arc::clone(&task), &mut |outputs, rng| {
        let n_outputs = outputs.total(task.n_actions());
        TrunkNetwork::new(Arc::clone(&trunk), &[16], &task, n_outputs, rng)
    });
    let learner = learner.unwrap();
    assert_eq!(Arc::strong_count(&trunk), 1 + 5);
    let mut agent = Agent::with_learner(Box::new(learner), Arc::clone(&task), &rigid());
    finish(&mut agent, &mut ());
    let asked = trunk.trunk().asked.load(Ordering::Relaxed);
    let distinct = trunk.trunk().seen.lock().unwrap().len();
    assert!(distinct > 100, "{distinct}");
    assert_eq!(asked, distinct);
}
