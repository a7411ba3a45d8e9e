//! Llama models that learn to name the elements of crystals: weights as Hugging Face and GGUF files
//! hold them, low-rank fine-tuning on crystals written as text, generation of elements.
//!
//! The way is [`Llama::read`] (frozen weights) → [`Trainable`] (what is trained of them) →
//! [`Llama::forward`] and [`Llama::backward`] (a pass there and back). Everything runs on the
//! processor in f32; weights may be held in 8 or 4 bits.

mod config;
mod crystals;
mod error;
pub mod memory;
mod model;
mod operations;
mod peft;
mod random;
mod save;
mod tokens;
mod train;
mod trained;
mod weights;

pub use config::{LlamaConfig, RopeScaling};
pub use crystals::{
    mp20::{CrystalFile, CrystalRow},
    text::{CrystalText, Described, tokens},
};
pub use error::LanguageError;
pub use model::{
    cache::{Cache, Continuation},
    head::TokenLosses,
    linear::Dropout,
    llama::{LayerWeights, Llama},
    module::Module,
    pass::{Pass, PassOptions},
    precision::Precision,
    rotary::Rotary,
    sequence::Sequence,
    trainable::{LoraConfig, TensorInfo, TokenRows, Trainable, TrainedPart},
};
pub use peft::{ADAPTER_CONFIG, ADAPTER_WEIGHTS, read_adapter, write_adapter};
pub use save::write_model;
pub use tokens::tokenizer::{CrystalTokenizer, element_token};
pub use train::{
    accelerator::Accelerator,
    dataset::{Baselines, Condition, Writing, described},
    gradient::{Example, Work, completion_losses, micro_batches},
    optimiser::{AdamW, AdamWConfig, CosineSchedule},
    sft::{Sft, SftConfig, SftStep},
};
pub use trained::{read_trained, write_trained};
pub use weights::{
    blocks::BlockFormat,
    gguf::{GgufFile, MetadataValue},
    matrix::{Matrix, Storage},
    safetensors_files::SafetensorsFiles,
    source::WeightSource,
};
