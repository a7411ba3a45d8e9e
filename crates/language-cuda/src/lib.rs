//! Training steps of Llama models with LoRA on CUDA GPUs.
//!
//! [`CudaAccelerator`] takes the place of the processor in the fine-tuning of `language`, whose models, trained
//! numbers and optimiser it works with. Frozen weights are held in 8 bits with one scale for each row, or in
//! the precision of the products, and put beside the additions one layer at a time; the inputs of layers are
//! kept and what is between is computed again on the way back. CUDA's libraries are loaded when a [`Device`]
//! is opened: building needs none of them.

mod accelerator;
mod attention;
mod backward;
mod batch;
mod blas;
mod buffers;
mod device;
mod error;
mod forward;
mod head;
mod kernels;
mod linear;
mod memory;
mod plan;
mod profile;
mod shape;
mod trainer;
mod weights;

pub use accelerator::CudaAccelerator;
pub use batch::{Batch, Limits};
pub use buffers::step_bytes;
pub use device::{Device, Precision};
pub use error::CudaError;
pub use profile::Part;
pub use shape::layer_weights;
pub use trainer::Trainer;
