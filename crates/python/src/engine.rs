//! The one doorway to long calls.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use crystalgym_evaluation::CancelToken;
use pyo3::prelude::*;

use crate::errors::internal;

/// How often Python is asked whether somebody pressed Ctrl-C.
pub(crate) const LOOK_UP: Duration = Duration::from_millis(50);

/// How long to wait for cancelled work to wind up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WindUp {
    /// To the end: it may have started programs.
    Wait,
    /// For a moment: it is nothing but arithmetic, which may go on until it looks at the token.
    Leave,
}

const MOMENT: Duration = Duration::from_millis(500);

/// Runs `work` on a thread of its own without the interpreter lock.
///
/// A signal handler that raises (Ctrl-C) cancels the token, waits as long as `wind_up` says, and
/// raises.
///
/// # Errors
/// What the signal handler raised.
pub(crate) fn enter<T: Send + 'static>(
    py: Python<'_>,
    wind_up: WindUp,
    work: impl FnOnce(&CancelToken) -> T + Send + 'static,
) -> PyResult<T> {
    let cancel = CancelToken::default();
    let token = cancel.clone();
    let (sender, mut receiver) = mpsc::sync_channel(1);
    let worker = thread::spawn(move || {
        // The receiver is gone only if the interpreter is.
        let _ = sender.send(work(&token));
    });
    loop {
        let (back, answer) = py.detach(move || {
            let answer = receiver.recv_timeout(LOOK_UP);
            (receiver, answer)
        });
        receiver = back;
        match answer {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(internal("a calculation panicked: please report it"));
            }
        }
        if let Err(interrupt) = py.check_signals() {
            cancel.cancel();
            // An answer or a panic by now changes nothing about the interrupt.
            py.detach(move || match wind_up {
                WindUp::Wait => drop(worker.join()),
                WindUp::Leave => drop(receiver.recv_timeout(MOMENT)),
            });
            return Err(interrupt);
        }
    }
}
