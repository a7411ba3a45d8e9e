//! Nothing is allocated once a workspace has seen its largest batch.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use common::{graphs, loss_weights, network, states, views};
use crystalgym_networks::{Adam, AdamConfig, GraphNetwork, MegnetConfig};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Oracle: an allocator that counts. One test, so that no other runs beside it.
#[test]
fn updates_do_not_allocate() {
    let graphs = graphs();
    let mut network = network(&MegnetConfig::corrected(18, 18), &graphs, 1);
    let large = states(&graphs, 18, 40);
    let (large, small) = (views(&large), views(&large[..3]));
    let weights = loss_weights(large.len() * 18);
    let mut workspace = network.workspace(1).unwrap();
    let mut gradients = network.parameters().zeros_like();
    let mut adam = Adam::new(AdamConfig::default(), network.parameters());
    let mut counted = Vec::new();
    for _ in 0..2 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for batch in [&large, &small] {
            let len = network.forward(batch, &mut workspace).unwrap().len();
            gradients.clear();
            network
                .backward(&weights[..len], &mut workspace, &mut gradients)
                .unwrap();
            gradients.clip_norm(0.5);
            adam.step(1e-3, &gradients, network.parameters_mut())
                .unwrap();
        }
        counted.push(ALLOCATIONS.load(Ordering::Relaxed) - before);
    }
    assert!(counted[0] > 0, "the counter counts");
    assert_eq!(counted[1], 0);
}
