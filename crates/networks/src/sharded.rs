//! A batch cut into parts, each with its own memory, on any number of threads.

use std::fmt;

use crystalgym_kernels::{self as kernels, Buffer};
use pulp::Arch;
use rayon::{
    ThreadPool, ThreadPoolBuilder,
    iter::{IndexedParallelIterator, ParallelIterator},
    slice::{ParallelSlice, ParallelSliceMut},
};

use crate::{Gradients, NetworkError, Parameters, layers::BackwardWeights};

/// Graphs of a batch that are computed together.
///
/// A constant, so that the order of every sum is the same for any number of threads. Eight graphs
/// make matrices tall enough for the kernels and still spread a batch of 64 over eight threads.
const SHARD: usize = 8;

/// Parameters whose gradients one thread sums over the shards at a time.
const REDUCTION: usize = 8192;

/// The parts of a batch with the memory that each needs, `S`, and the threads that run them.
///
/// The memory grows to what the largest batch needs and is then reused.
pub(crate) struct Sharded<S> {
    shards: Vec<Shard<S>>,
    active: usize,
    outputs: Buffer,
    n_outputs: usize,
    transposed: Buffer,
    pool: Option<ThreadPool>,
}

/// A part of the batch.
#[derive(Default)]
struct Shard<S> {
    memory: S,
    gradients: Buffer,
}

impl<S: Default + Send + Sync> Sharded<S> {
    /// Without any memory yet.
    ///
    /// # Errors
    /// [`NetworkError::Threads`] if so many threads cannot be started.
    pub(crate) fn new(threads: usize) -> Result<Self, NetworkError> {
        // A single thread needs no pool: the caller's does the work.
        let pool = match threads {
            0 => {
                return Err(NetworkError::Threads {
                    threads,
                    message: "expected at least 1".to_owned(),
                });
            }
            1 => None,
            _ => Some(
                ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .map_err(|error| NetworkError::Threads {
                        threads,
                        message: error.to_string(),
                    })?,
            ),
        };
        Ok(Self {
            shards: Vec::new(),
            active: 0,
            outputs: Buffer::default(),
            n_outputs: 0,
            transposed: Buffer::default(),
            pool,
        })
    }

    /// Outputs of the last forward pass.
    pub(crate) fn outputs(&self) -> &[f32] {
        &self.outputs
    }

    /// The memory of each part of the last batch, in its order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &S> {
        self.shards[..self.active].iter().map(|shard| &shard.memory)
    }

    /// Lets `run` write the outputs of each part.
    pub(crate) fn forward<T: Sync>(
        &mut self,
        states: &[T],
        n_outputs: usize,
        run: impl Fn(&mut S, &[T], &mut [f32]) + Sync,
    ) -> &[f32] {
        self.active = states.len().div_ceil(SHARD);
        self.n_outputs = n_outputs;
        if self.shards.len() < self.active {
            self.shards.resize_with(self.active, Shard::default);
        }
        let shards = &mut self.shards[..self.active];
        let outputs = self.outputs.resize(states.len() * n_outputs);
        match &self.pool {
            Some(pool) if shards.len() > 1 => pool.install(|| {
                shards
                    .par_chunks_mut(1)
                    .zip(states.par_chunks(SHARD))
                    .zip(outputs.par_chunks_mut(SHARD * n_outputs))
                    .for_each(|((shard, states), outputs)| {
                        run(&mut shard[0].memory, states, outputs)
                    });
            }),
            _ => {
                let parts = states
                    .chunks(SHARD)
                    .zip(outputs.chunks_mut(SHARD * n_outputs));
                for (shard, (states, outputs)) in shards.iter_mut().zip(parts) {
                    run(&mut shard.memory, states, outputs);
                }
            }
        }
        &self.outputs
    }

    /// Adds the gradients of all parts, which `run` adds up for each.
    ///
    /// # Errors
    /// [`NetworkError::Length`] if a gradient has another length than what it is of.
    pub(crate) fn backward(
        &mut self,
        arch: Arch,
        parameters: &Parameters,
        grad_outputs: &[f32],
        gradients: &mut Gradients,
        run: impl Fn(&mut S, BackwardWeights<'_>, &[f32], &mut [f32]) + Sync,
    ) -> Result<(), NetworkError> {
        let gradients = gradients.values_mut();
        let (outputs, len) = (self.outputs.len(), parameters.len());
        for (what, found, expected) in [
            ("gradient of the outputs", grad_outputs.len(), outputs),
            ("gradient", gradients.len(), len),
        ] {
            if found != expected {
                return Err(NetworkError::Length {
                    what,
                    found,
                    expected,
                });
            }
        }
        let shards = &mut self.shards[..self.active];
        let transposed = self.transposed.resize(len);
        for info in parameters.layout().iter().filter(|info| info.transposed) {
            let (rows, columns) = (info.shape[1], info.shape[0]);
            let range = info.offset..info.offset + info.len();
            let matrix = &parameters.values()[range.clone()];
            kernels::transpose(arch, rows, columns, matrix, &mut transposed[range]);
        }
        let weights = BackwardWeights { arch, transposed };
        let run = |shard: &mut Shard<S>, grad: &[f32]| {
            let sum = shard.gradients.reset(len);
            run(&mut shard.memory, weights, grad, sum);
        };
        // Before the first forward pass there are no outputs, and no shard to take a part.
        let part = (SHARD * self.n_outputs).max(1);
        match &self.pool {
            Some(pool) if shards.len() > 1 => pool.install(|| {
                shards
                    .par_chunks_mut(1)
                    .zip(grad_outputs.par_chunks(part))
                    .for_each(|(shard, grad)| run(&mut shard[0], grad));
                let shards = &*shards;
                gradients
                    .par_chunks_mut(REDUCTION)
                    .enumerate()
                    .for_each(|(i, sum)| {
                        add_shards(arch, shards, i * REDUCTION, sum);
                    });
            }),
            _ => {
                for (shard, grad) in shards.iter_mut().zip(grad_outputs.chunks(part)) {
                    run(shard, grad);
                }
                for (i, sum) in gradients.chunks_mut(REDUCTION).enumerate() {
                    add_shards(arch, shards, i * REDUCTION, sum);
                }
            }
        }
        Ok(())
    }
}

/// Adds the shards' gradients from `start` on, in the order of the shards.
fn add_shards<S>(arch: Arch, shards: &[Shard<S>], start: usize, sum: &mut [f32]) {
    for shard in shards {
        kernels::add_assign(arch, &shard.gradients[start..start + sum.len()], sum);
    }
}

impl<S> fmt::Debug for Sharded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharded")
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}
