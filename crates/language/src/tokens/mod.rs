//! From text to tokens and back.

mod bytes;
mod pairs;
pub(crate) mod tokenizer;
mod words;
