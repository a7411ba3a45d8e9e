use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crystalgym_evaluation::CancelToken;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// Time between two looks at the flag.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Set by the first Ctrl-C or SIGTERM; the second one ends the process at once.
#[derive(Debug, Clone)]
pub(crate) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(crate) fn install() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Order matters: the shutdown looks at the flag that the first signal has set.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag))?;
            flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    /// A token that the first signal cancels.
    pub(crate) fn cancel_token(&self) -> CancelToken {
        let (stop, token) = (self.clone(), CancelToken::default());
        let shared = token.clone();
        thread::spawn(move || {
            while !stop.is_set() {
                thread::sleep(LOOK_EVERY);
            }
            shared.cancel();
        });
        token
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
