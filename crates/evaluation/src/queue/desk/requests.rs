//! What a run has asked for and has not been answered.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::{Outcome, Source, StoreKey};

/// Most jobs of one run in the queue; others wait in the run.
const MOST_IN_QUEUE: usize = 4096;
/// Jobs that are handed in together.
const TOGETHER: usize = 256;

/// What comes of a request: the outcome as the store has it, and where it came from.
pub(crate) type Answer = (Outcome, Source);
/// Whom the answer of a request goes to.
pub(crate) type Receiver = Box<dyn FnOnce(Answer) + Send>;

/// Number of a request, by which it is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    key: String,
    number: u64,
}

/// All that was asked for, shared by the threads of a desk.
#[derive(Default)]
pub(super) struct Requests {
    state: Mutex<State>,
    /// Signalled when something was asked for, when there is room in the queue, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Keys to hand in, in order.
    asked: VecDeque<String>,
    /// All that has not been answered.
    requests: HashMap<String, Request>,
    /// Jobs withdrawn by those who asked.
    withdrawn: Vec<String>,
    in_queue: usize,
    next_receipt: u64,
    ending: bool,
}

struct Request {
    key: StoreKey,
    payload: String,
    profile: String,
    is_in_queue: bool,
    receivers: Vec<(Receipt, Receiver)>,
}

/// What is to be done at the queue now.
pub(super) struct Errand {
    /// Keys to hand in.
    pub(super) keys: Vec<String>,
    /// Jobs to take back.
    pub(super) withdrawn: Vec<String>,
    pub(super) ending: bool,
}

impl Requests {
    pub(super) fn ask(
        &self,
        key: StoreKey,
        payload: String,
        profile: String,
        receiver: Receiver,
    ) -> Receipt {
        let mut state = self.state();
        state.next_receipt += 1;
        let hash = key.hash().to_owned();
        let receipt = Receipt {
            key: hash.clone(),
            number: state.next_receipt,
        };
        if let Some(request) = state.requests.get_mut(&hash) {
            request.receivers.push((receipt.clone(), receiver));
            return receipt;
        }
        let request = Request {
            key,
            payload,
            profile,
            is_in_queue: false,
            receivers: vec![(receipt.clone(), receiver)],
        };
        state.requests.insert(hash.clone(), request);
        state.asked.push_back(hash);
        self.changed.notify_all();
        receipt
    }

    pub(super) fn withdraw(&self, receipt: &Receipt) {
        let mut state = self.state();
        let key = receipt.key.as_str();
        let Some(request) = state.requests.get_mut(key) else {
            return;
        };
        request.receivers.retain(|(other, _)| other != receipt);
        if request.receivers.is_empty() {
            state.remove(key);
            state.withdrawn.push(key.to_owned());
            self.changed.notify_all();
        }
    }

    /// Withdraws all that is left, and ends the threads.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ending = true;
        let keys: Vec<_> = state.requests.drain().map(|(key, _)| key).collect();
        state.withdrawn.extend(keys);
        self.changed.notify_all();
    }

    pub(super) fn is_ending(&self) -> bool {
        self.state().ending
    }

    /// Number of what has not been answered.
    pub(super) fn waiting(&self) -> usize {
        self.state().requests.len()
    }

    /// Waits for something to be done: no keys while the queue is full of this run's.
    pub(super) fn next(&self) -> Errand {
        let mut state = self.state();
        loop {
            let room = MOST_IN_QUEUE.saturating_sub(state.in_queue).min(TOGETHER);
            let most = room.min(state.asked.len());
            let errand = Errand {
                keys: state.asked.drain(..most).collect(),
                withdrawn: std::mem::take(&mut state.withdrawn),
                ending: state.ending,
            };
            if !errand.keys.is_empty() || !errand.withdrawn.is_empty() || errand.ending {
                return errand;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Key, payload and hash of the settings of what is still wanted.
    pub(super) fn wanted(&self, keys: &[String]) -> Vec<(StoreKey, String, String)> {
        let state = self.state();
        let wanted = keys.iter().filter_map(|hash| state.requests.get(hash));
        let parts = wanted.map(|r| (r.key.clone(), r.payload.clone(), r.profile.clone()));
        parts.collect()
    }

    /// These are about to be in the queue.
    pub(super) fn goes_into_queue<'a>(&self, keys: impl Iterator<Item = &'a str>) {
        let state = &mut *self.state();
        for key in keys {
            if let Some(request) = state.requests.get_mut(key)
                && !request.is_in_queue
            {
                request.is_in_queue = true;
                state.in_queue += 1;
            }
        }
    }

    /// These have to be handed in after all, or again.
    pub(super) fn ask_again<'a>(&self, keys: impl DoubleEndedIterator<Item = &'a str>) {
        let state = &mut *self.state();
        for key in keys.rev() {
            if let Some(request) = state.requests.get_mut(key) {
                state.in_queue -= usize::from(request.is_in_queue);
                request.is_in_queue = false;
                state.asked.push_front(key.to_owned());
            }
        }
        self.changed.notify_all();
    }

    /// All that lies in the queue.
    pub(super) fn in_queue(&self) -> Vec<StoreKey> {
        let state = self.state();
        let in_queue = state.requests.values().filter(|r| r.is_in_queue);
        in_queue.map(|request| request.key.clone()).collect()
    }

    /// Those of these that lie in the queue.
    pub(super) fn in_queue_of(&self, hashes: &[String]) -> Vec<StoreKey> {
        let state = self.state();
        let known = hashes.iter().filter_map(|hash| state.requests.get(hash));
        let in_queue = known.filter(|request| request.is_in_queue);
        in_queue.map(|request| request.key.clone()).collect()
    }

    pub(super) fn deliver(&self, key: &str, answer: &Answer) {
        let request = self.state().remove(key);
        // There is room in the queue again.
        self.changed.notify_all();
        let receivers = request.into_iter().flat_map(|request| request.receivers);
        for (index, (_, receiver)) in receivers.enumerate() {
            let (outcome, source) = answer.clone();
            let source = match (index, source) {
                (0, source) | (_, source @ Source::Store) => source,
                _ => Source::Coalesced,
            };
            receiver((outcome, source));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, key: &str) -> Option<Request> {
        let request = self.requests.remove(key)?;
        self.in_queue -= usize::from(request.is_in_queue);
        Some(request)
    }
}
