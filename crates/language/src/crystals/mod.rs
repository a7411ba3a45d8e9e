//! Crystals as text, and files of them.

pub(crate) mod mp20;
pub(crate) mod text;
