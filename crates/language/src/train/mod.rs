//! Training: gradients of batches, the optimiser, fine-tuning on crystals.

pub(crate) mod accelerator;
pub(crate) mod dataset;
pub(crate) mod gradient;
pub(crate) mod optimiser;
pub(crate) mod sft;
