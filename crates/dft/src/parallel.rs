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
pub(crate) fn parallel_map_with<M: Send, T: Send, R: Send>(
    threads: NonZeroUsize,
    items: impl IntoIterator<Item = T>,
    memory: impl Fn() -> M,
    f: impl Fn(&mut M, T) -> R + Sync,
) -> Vec<R> {
    let items: Vec<T> = items.into_iter().collect();
    let threads = threads.get().min(items.len());
    let mut memories: Vec<M> = (0..threads).map(|_| memory()).collect();
    parallel_map_in(&mut memories, items, f)
}

/// As [`parallel_map_with`], on as many threads as there are memories.
pub(crate) fn parallel_map_in<M: Send, T: Send, R: Send>(
    memories: &mut [M],
    items: impl IntoIterator<Item = T>,
    f: impl Fn(&mut M, T) -> R + Sync,
) -> Vec<R> {
    let items: Vec<T> = items.into_iter().collect();
    let count = items.len();
    let threads = memories.len().min(count);
    let memories = &mut memories[..threads];
    if let [memory] = memories {
        return items.into_iter().map(|item| f(memory, item)).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || match queue.lock() {
        Ok(mut queue) => queue.next(),
        Err(_) => None,
    };
    let work = |memory: &mut M| {
        let mut done = Vec::new();
        while let Some((index, item)) = next() {
            done.push((index, f(memory, item)));
        }
        done
    };
    let mut results: Vec<(usize, R)> = Vec::with_capacity(count);
    thread::scope(|scope| {
        let workers: Vec<_> = (memories.iter_mut())
            .map(|memory| scope.spawn(|| work(memory)))
            .collect();
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
