//! The thread that keeps a store's claims alive and writes what could not be written.

use std::{
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
};

use super::{memory::Memory, shared::Shared};

/// The thread that renews claims and writes what could not be written.
#[derive(Debug)]
pub(super) struct Heartbeat {
    thread: JoinHandle<()>,
}

impl Heartbeat {
    pub(super) fn start(shared: Arc<Shared>) -> Option<Self> {
        let pause = shared.times.renewal();
        let beat = move || {
            let mut state = shared.memory.state();
            while !state.ending {
                let waited = shared.memory.ended.wait_timeout(state, pause);
                let (woken, timed) = waited.unwrap_or_else(PoisonError::into_inner);
                if timed.timed_out() && !woken.ending {
                    drop(woken);
                    // What fails now is tried again at the next beat; who has a result is told.
                    let _ = shared.beat();
                    state = shared.memory.state();
                } else {
                    state = woken;
                }
            }
        };
        // Without it claims are not renewed: at worst something is computed twice.
        let thread = thread::Builder::new()
            .name("store heartbeat".to_owned())
            .spawn(beat)
            .ok()?;
        Some(Self { thread })
    }

    /// Ends the thread and waits for it.
    pub(super) fn stop(self, memory: &Memory) {
        memory.state().ending = true;
        memory.ended.notify_all();
        // Nothing in it panics.
        let _ = self.thread.join();
    }
}
