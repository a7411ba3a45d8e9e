//! What the user's Python raised inside of a calculation, kept for the caller.

use std::sync::{Arc, Mutex, PoisonError};

use crystalgym_evaluation::CancelToken;
use pyo3::prelude::*;

/// An exception that is to be raised again by the caller: a bug in the user's code must not look like
/// a failed calculation.
#[derive(Debug, Default)]
pub(crate) struct KeptError(Mutex<Option<PyErr>>);

impl KeptError {
    /// What was raised first since the last time.
    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps an exception unless there is one already.
    pub(crate) fn keep(&self, error: PyErr) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(error);
    }

    /// For waiting on the caller's thread, without the interpreter lock, for a result that another
    /// process computes: cancelled by a signal handler that raises (Ctrl-C). What it raised is kept.
    pub(crate) fn interruptible(self: &Arc<Self>) -> CancelToken {
        let this = Arc::clone(self);
        CancelToken::asking(move || {
            Python::attach(|py| match py.check_signals() {
                Ok(()) => false,
                Err(interrupt) => {
                    this.keep(interrupt);
                    true
                }
            })
        })
    }
}

/// The exception as a failed calculation with its code, if it is `crystalgym.CalculationFailed`.
pub(crate) fn failure_code(py: Python<'_>, error: &PyErr) -> Option<String> {
    let value = error.value(py);
    let class = py
        .import("crystalgym.errors")
        .and_then(|module| module.getattr("CalculationFailed"))
        .ok()?;
    if !value.is_instance(&class).unwrap_or(false) {
        return None;
    }
    let code = value.getattr("code").and_then(|code| code.extract());
    Some(code.unwrap_or_default())
}
