//! What the tests of the agents share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "a test may panic and need not use everything"
)]

use std::{path::Path, sync::Arc, thread, time::Duration};

use crystalgym_agents::{Agent, Dqn, DqnConfig, Evaluator, Learner, Observer, Progress, Update};
use crystalgym_crystal::{Crystal, Element, Lattice, Structure};
use crystalgym_environment::{FinishedEpisode, Task, TaskConfig};
use crystalgym_evaluation::{
    Calculator, CancelToken, Fingerprint, Outcome, Property, RigidCalculator,
};
use crystalgym_networks::{MegnetShape, NetworkConfig};

/// Density by mass and volume, at once.
pub(crate) fn rigid() -> Evaluator {
    Evaluator {
        calculator: Arc::new(RigidCalculator),
        store: None,
        workers: 1,
        screening: None,
    }
}

/// The same numbers after a delay that differs from crystal to crystal, on several workers.
pub(crate) fn delayed() -> Evaluator {
    Evaluator {
        calculator: Arc::new(Delayed),
        store: None,
        workers: 3,
        screening: None,
    }
}

struct Delayed;

impl Calculator for Delayed {
    fn name(&self) -> &str {
        "delayed"
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        RigidCalculator.fingerprint(elements, property)
    }

    /// To give what the instant calculator gives, to the last bit.
    fn keeps_the_cell(&self) -> bool {
        true
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        let sum: u64 = crystal
            .elements()
            .iter()
            .map(|e| u64::from(e.atomic_number()))
            .sum();
        thread::sleep(Duration::from_micros(sum * 7919 % 3000));
        RigidCalculator.evaluate(crystal, property, cancel)
    }
}

pub(crate) fn task(config: TaskConfig) -> Arc<Task> {
    Arc::new(Task::new(&config).unwrap())
}

/// A network with one block.
pub(crate) fn small_network(hidden: usize) -> NetworkConfig {
    NetworkConfig::Megnet(MegnetShape {
        hidden,
        blocks: 1,
        ..MegnetShape::default()
    })
}

pub(crate) fn elements(symbols: &[&str]) -> Vec<Element> {
    symbols
        .iter()
        .map(|symbol| symbol.parse().unwrap())
        .collect()
}

/// The cell of caesium chloride with four elements to choose from.
pub(crate) fn two_sites(folder: &Path) -> TaskConfig {
    let path = folder.join("two-sites.cif");
    let structure = Structure {
        lattice: Lattice::from_parameters([4.1; 3], [90.0; 3]).unwrap(),
        elements: elements(&["Cs", "Cl"]),
        frac_coords: vec![[0.0; 3], [0.5; 3]],
    };
    structure.to_file(&path).unwrap();
    TaskConfig {
        skeletons: vec![path.to_string_lossy().into_owned()],
        elements: elements(&["Li", "Cl", "Br", "Cs"]),
        // CsBr has 5.13 g/cm³ here; its neighbours CsCl and Cs₂ have 4.06 and 6.41.
        target: 5.0,
        ..TaskConfig::default()
    }
}

/// An agent that knows nothing yet.
pub(crate) fn dqn(config: DqnConfig, task: Arc<Task>, evaluator: &Evaluator) -> Agent<Dqn> {
    let learner = Box::new(Dqn::new(config, Arc::clone(&task)).unwrap());
    Agent::with_learner(learner, task, evaluator)
}

/// A small network and a short run.
pub(crate) fn short_run() -> DqnConfig {
    DqnConfig {
        total_steps: 400,
        learning_starts: 60,
        environments: 3,
        in_flight: 4,
        replay_capacity: 150,
        batch_size: 8,
        network: small_network(8),
        ..DqnConfig::standard()
    }
}

/// Keeps all that happens; times and sources are left out, since they depend on the machine.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) episodes: Vec<(u64, u64, usize, Vec<Element>, u64)>,
    pub(crate) updates: Vec<Update>,
}

impl Observer for Record {
    fn episode_finished(&mut self, step: u64, episode: &FinishedEpisode) {
        self.episodes.push((
            step,
            episode.number,
            episode.environment,
            episode.crystal.elements().to_vec(),
            episode.reward.to_bits(),
        ));
    }

    fn updated(&mut self, update: &Update) {
        self.updates.push(update.clone());
    }
}

/// Steps until the run is finished or `until` environment steps are taken.
pub(crate) fn drive<L: Learner + ?Sized>(
    agent: &mut Agent<L>,
    observer: &mut dyn Observer,
    until: u64,
) {
    while agent.steps() < until {
        assert_eq!(agent.step(observer).unwrap(), Progress::Continue);
    }
}

pub(crate) fn finish<L: Learner + ?Sized>(agent: &mut Agent<L>, observer: &mut dyn Observer) {
    while agent.step(observer).unwrap() == Progress::Continue {}
}
