//! Memory of forward and backward passes.

use std::fmt;

use crystalgym_environment::Observation;
use pulp::Arch;
use rayon::{
    ThreadPool, ThreadPoolBuilder,
    iter::{IndexedParallelIterator, ParallelIterator},
    slice::{ParallelSlice, ParallelSliceMut},
};

use super::{backward::BackwardScratch, forward::Activations};
use crate::{NetworkError, buffer::Buffer, kernels};

/// Graphs of a batch that are computed together.
///
/// A constant, so that the order of every sum is the same for any number of threads. Eight graphs
/// make matrices tall enough for the kernels and still spread a batch of 64 over eight threads.
const SHARD: usize = 8;

/// Parameters whose gradients one thread sums over the shards at a time.
const REDUCTION: usize = 8192;

/// Memory of a network's forward and backward pass, and the threads that run it.
///
/// The memory grows to what the largest batch needs and is then reused.
pub struct Workspace {
    shards: Vec<Shard>,
    active: usize,
    outputs: Buffer,
    n_outputs: usize,
    transposed: Buffer,
    pool: Option<ThreadPool>,
}

/// A part of the batch.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) activations: Activations,
    pub(super) scratch: BackwardScratch,
    pub(super) gradients: Buffer,
}

impl Workspace {
    pub(super) fn new(threads: usize) -> Result<Self, NetworkError> {
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
    pub fn outputs(&self) -> &[f32] {
        &self.outputs
    }

    pub(super) fn forward(
        &mut self,
        states: &[Observation<'_>],
        n_outputs: usize,
        run: impl Fn(&mut Shard, &[Observation<'_>], &mut [f32]) + Sync,
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
                    .for_each(|((shard, states), outputs)| run(&mut shard[0], states, outputs));
            }),
            _ => {
                let parts = states
                    .chunks(SHARD)
                    .zip(outputs.chunks_mut(SHARD * n_outputs));
                for (shard, (states, outputs)) in shards.iter_mut().zip(parts) {
                    run(shard, states, outputs);
                }
            }
        }
        &self.outputs
    }

    pub(super) fn backward(
        &mut self,
        arch: Arch,
        parameters: &[f32],
        matrices: &[(usize, usize, usize)],
        grad_outputs: &[f32],
        gradients: &mut [f32],
        run: impl Fn(&mut Shard, &[f32], &[f32]) + Sync,
    ) {
        let shards = &mut self.shards[..self.active];
        let transposed = self.transposed.resize(parameters.len());
        for &(start, rows, columns) in matrices {
            let range = start..start + rows * columns;
            kernels::transpose(
                arch,
                rows,
                columns,
                &parameters[range.clone()],
                &mut transposed[range],
            );
        }
        let transposed = &*transposed;
        // Before the first forward pass there are no outputs, and no shard to take a part.
        let part = (SHARD * self.n_outputs).max(1);
        match &self.pool {
            Some(pool) if shards.len() > 1 => pool.install(|| {
                shards
                    .par_chunks_mut(1)
                    .zip(grad_outputs.par_chunks(part))
                    .for_each(|(shard, grad)| run(&mut shard[0], transposed, grad));
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
                    run(shard, transposed, grad);
                }
                for (i, sum) in gradients.chunks_mut(REDUCTION).enumerate() {
                    add_shards(arch, shards, i * REDUCTION, sum);
                }
            }
        }
    }
}

/// Adds the shards' gradients from `start` on, in the order of the shards.
fn add_shards(arch: Arch, shards: &[Shard], start: usize, sum: &mut [f32]) {
    for shard in shards {
        kernels::add_assign(arch, &shard.gradients[start..start + sum.len()], sum);
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}
