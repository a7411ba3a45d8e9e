//! A trunk that is not trained: shared by networks, asked once for a crystal if it is cached.

// Helpers outside of #[test] functions unwrap too.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use common::{OwnedState, views};
use crystalgym_crystal::Skeleton;
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_networks::{
    Cached, GraphNetwork, NetworkError, PartialCrystal, Trunk, TrunkNetwork,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// Features by plain arithmetic, and how often they were asked for.
#[derive(Debug, Default)]
struct Counting {
    asked: AtomicUsize,
}

impl Counting {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Trunk for Counting {
    fn width(&self) -> usize {
        3
    }

    fn features(&self, crystal: PartialCrystal<'_>, out: &mut [f32]) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let sum: f32 = crystal.node_types.iter().copied().map(f32::from).sum();
        out.copy_from_slice(&[sum, crystal.focus as f32, crystal.skeleton as f32]);
    }

    fn for_skeletons(&self, _: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        Ok(Self::default())
    }
}

fn network<T: Trunk>(trunk: &Arc<T>, seed: u64) -> TrunkNetwork<T> {
    let task = Task::new(&TaskConfig::default()).unwrap();
    let mut rng = Pcg64::seed_from_u64(seed);
    TrunkNetwork::new(Arc::clone(trunk), &[8], &task, 18, &mut rng).unwrap()
}

fn state(node_type: u8, focus: usize, target: f64) -> OwnedState {
    OwnedState {
        skeleton: 0,
        node_types: vec![node_type; 5],
        focus,
        step: 0,
        target,
    }
}

fn outputs<T: Trunk>(network: &TrunkNetwork<T>, states: &[OwnedState]) -> Vec<f32> {
    let mut workspace = network.workspace(1).unwrap();
    let outputs = network.forward(&views(states), &mut workspace).unwrap();
    outputs.to_vec()
}

/// Identity: a cached trunk gives what it gives without the cache, and is asked once for a crystal,
/// whichever network on it asks, and whatever the target.
#[test]
fn networks_on_one_trunk_ask_it_once() {
    let cached = Arc::new(Cached::new(Counting::default(), 100));
    let (actor, critic) = (network(&cached, 1), network(&cached, 2));
    let target = actor.clone();
    assert!(Arc::ptr_eq(target.trunk(), critic.trunk()));
    let states: Vec<OwnedState> = (0..4).map(|i| state(i, 1, 3.0)).collect();
    let plain = network(&Arc::new(Counting::default()), 1);
    let expected = outputs(&plain, &states);
    for _ in 0..3 {
        assert_eq!(outputs(&actor, &states), expected);
        assert_eq!(outputs(&target, &states), expected);
        assert_ne!(outputs(&critic, &states), expected);
    }
    assert_eq!((cached.trunk().asked(), cached.remembered()), (4, 4));
    assert_eq!(plain.trunk().asked(), 4);
    let aimed = |target| outputs(&actor, &[state(0, 1, target)]);
    assert_ne!(aimed(3.0), aimed(4.0));
    assert_eq!(cached.trunk().asked(), 4);
    // Another site in focus is another question.
    outputs(&actor, &[state(0, 2, 3.0)]);
    assert_eq!(cached.trunk().asked(), 5);
}

/// What is asked for again and again stays, the rest makes room.
#[test]
fn a_cache_is_bounded_and_keeps_what_is_in_use() {
    let capacity = 10;
    let cached = Arc::new(Cached::new(Counting::default(), capacity));
    let network = network(&cached, 1);
    let often = state(18, 0, 3.0);
    for focus in 0..5 {
        for node_type in 0..18 {
            outputs(&network, &[state(node_type, focus, 3.0), often.clone()]);
            assert!(cached.remembered() <= capacity);
        }
    }
    assert_eq!(cached.trunk().asked(), 5 * 18 + 1);
    outputs(&network, &[state(0, 0, 3.0)]);
    assert_eq!(cached.trunk().asked(), 5 * 18 + 2, "forgotten long ago");
}

/// An index means another skeleton there, so that nothing is taken over.
#[test]
fn other_skeletons_have_a_cache_of_their_own() {
    let cached = Arc::new(Cached::new(Counting::default(), 10));
    let here = network(&cached, 1);
    outputs(&here, &[state(0, 1, 3.0)]);
    let there = here
        .for_skeletons(&[Skeleton::builtin("C1").unwrap()])
        .unwrap();
    assert_eq!(there.trunk().remembered(), 0);
    outputs(&there, &[state(0, 1, 3.0)]);
    assert_eq!(there.trunk().trunk().asked(), 1);
    assert_eq!(cached.trunk().asked(), 1);
}
