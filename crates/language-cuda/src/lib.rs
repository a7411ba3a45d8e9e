//! Training steps of Llama models with LoRA on CUDA GPUs.
//!
//! Frozen weights are held in 8 bits with one scale for each row and unpacked one layer at a time; the
//! inputs of layers are kept and what is between is computed again on the way back. CUDA's libraries are
//! loaded when a [`Device`] is opened: building needs none of them.

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
mod optimiser;
mod plan;
mod profile;
mod shape;
mod trainer;
mod weights;

pub use batch::{Batch, Limits};
pub use buffers::step_bytes;
pub use device::{Device, Precision};
pub use error::CudaError;
pub use optimiser::AdamW;
pub use profile::Part;
pub use shape::{LlamaShape, LoraSettings, Module, RopeScaling};
pub use trainer::Trainer;
pub use weights::{LayerRows, ModelRows, Row8, Weights};
