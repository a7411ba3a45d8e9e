//! Threads that leave results as they are.

use std::{num::NonZeroUsize, sync::Mutex, thread};

/// `f` of each item, on up to `threads` threads, results in the order of the items: what is
/// computed does not depend on the number of threads.
pub(crate) fn parallel_map<T: Send, R: Send>(
    threads: NonZeroUsize,
    items: impl IntoIterator<Item = T>,
    f: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    parallel_map_with(threads, items, || (), |(), item| f(item))
}

/// As [`parallel_map`], with memory that each thread makes once and uses for one item after another;
/// no result may depend on what it held before.
pub(crate) fn parallel_map_with<M, T: Send, R: Send>(
    threads: NonZeroUsize,
    items: impl IntoIterator<Item = T>,
    memory: impl Fn() -> M + Sync,
    f: impl Fn(&mut M, T) -> R + Sync,
) -> Vec<R> {
    let items: Vec<T> = items.into_iter().collect();
    let count = items.len();
    let threads = threads.get().min(count);
    if threads <= 1 {
        let mut memory = memory();
        return items.into_iter().map(|item| f(&mut memory, item)).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || match queue.lock() {
        Ok(mut queue) => queue.next(),
        Err(_) => None,
    };
    let mut results: Vec<(usize, R)> = Vec::with_capacity(count);
    thread::scope(|scope| {
        let work = || {
            let mut memory = memory();
            let mut done = Vec::new();
            while let Some((index, item)) = next() {
                done.push((index, f(&mut memory, item)));
            }
            done
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => results.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    results.sort_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// `f` and `g`, side by side if there is more than one thread.
pub(crate) fn parallel_pair<A, B: Send>(
    threads: NonZeroUsize,
    f: impl FnOnce() -> A,
    g: impl FnOnce() -> B + Send,
) -> (A, B) {
    if threads == NonZeroUsize::MIN {
        return (f(), g());
    }
    thread::scope(|scope| {
        let other = scope.spawn(g);
        let first = f();
        match other.join() {
            Ok(second) => (first, second),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
