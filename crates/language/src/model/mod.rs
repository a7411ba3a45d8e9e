//! The Llama architecture, forwards and backwards.

pub(crate) mod attention;
pub(crate) mod cache;
pub(crate) mod head;
pub(crate) mod layer;
pub(crate) mod linear;
pub(crate) mod llama;
pub(crate) mod module;
pub(crate) mod pass;
pub(crate) mod precision;
pub(crate) mod rotary;
pub(crate) mod sequence;
pub(crate) mod trainable;
