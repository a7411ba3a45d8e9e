//! Frozen weights: how files hold them and how they are held in memory.

pub(crate) mod blocks;
pub(crate) mod gguf;
mod half;
pub(crate) mod matrix;
pub(crate) mod safetensors_files;
pub(crate) mod source;
