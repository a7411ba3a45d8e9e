//! The frozen weights of a Llama model.

use std::path::Path;

use super::{module::Module, precision::Precision, rotary::Rotary};
use crate::{
    LanguageError, LlamaConfig,
    weights::{
        matrix::{Matrix, Storage},
        source::WeightSource,
    },
};

/// The weights of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerWeights {
    /// Norm before attention.
    pub input_norm: Vec<f32>,
    /// Norm before the feed-forward block.
    pub post_norm: Vec<f32>,
    /// The linear maps, in the order of [`Module::ALL`].
    pub modules: Vec<Matrix>,
}

/// A Llama model whose weights stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Llama {
    pub(crate) config: LlamaConfig,
    pub(crate) embedding: Matrix,
    pub(crate) head: Option<Matrix>,
    pub(crate) norm: Vec<f32>,
    pub(crate) layers: Vec<LayerWeights>,
    pub(crate) rotary: Rotary,
}

impl Llama {
    /// Reads a folder as Hugging Face lays it out, or a GGUF file.
    ///
    /// # Errors
    /// [`LanguageError::Memory`] if the weights do not fit the memory that is available,
    /// [`LanguageError::File`] if a file is not what the configuration says.
    pub fn read(path: &Path, precision: Precision) -> Result<Self, LanguageError> {
        let mut source = WeightSource::open(path)?;
        let config = source.config().clone();
        crate::memory::check_weights(&config, precision)?;
        let hidden = config.hidden_size;
        let held = |matrix: Matrix| held_as(matrix, precision);
        let vector = |source: &mut WeightSource, name: &str| {
            let matrix = source.matrix(name, 1, hidden)?;
            let mut values = vec![0.0; hidden];
            matrix.dequantise(0..1, &mut values);
            Ok::<_, LanguageError>(values)
        };
        let embedding = source.matrix("model.embed_tokens.weight", config.vocab_size, hidden)?;
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(held(source.matrix(
                "lm_head.weight",
                config.vocab_size,
                hidden,
            )?)),
        };
        let norm = vector(&mut source, "model.norm.weight")?;
        let mut layers = Vec::new();
        for layer in 0..config.num_hidden_layers {
            let prefix = format!("model.layers.{layer}");
            let mut modules = Vec::new();
            for module in Module::ALL {
                let (rows, columns) = module.shape(&config);
                let name = format!("{prefix}.{}.weight", module.path());
                modules.push(held(source.matrix(&name, rows, columns)?));
            }
            layers.push(LayerWeights {
                input_norm: vector(&mut source, &format!("{prefix}.input_layernorm.weight"))?,
                post_norm: vector(
                    &mut source,
                    &format!("{prefix}.post_attention_layernorm.weight"),
                )?,
                modules,
            });
        }
        let divisors = source.frequency_divisors()?;
        Ok(Self {
            rotary: Rotary::new(&config, divisors.as_deref()),
            embedding: held(embedding),
            head,
            norm,
            layers,
            config,
        })
    }

    /// A model with random weights: normal of deviation 0.02, the last map of each block narrower by
    /// `√(2·layers)` (Radford et al. 2019), norms of 1. The numbers come from a counter, so a seed
    /// gives the same model everywhere.
    ///
    /// # Errors
    /// [`LanguageError::Setting`] for a shape that cannot be.
    pub fn random(config: LlamaConfig, seed: u64) -> Result<Self, LanguageError> {
        config.check().map_err(|message| LanguageError::Setting {
            field: "shape",
            found: message,
            expected: "a Llama model".to_owned(),
        })?;
        crate::memory::check_weights(&config, Precision::Full)?;
        let mut stream = 0;
        let mut draw = |rows: usize, columns: usize, deviation: f32| {
            stream += 1;
            let values = crate::random::normals(seed, stream, rows * columns);
            let values = values.map(|x| x * deviation).collect();
            Matrix::new(rows, columns, Storage::F32(values)).ok_or(LanguageError::Setting {
                field: "shape",
                found: format!("{rows} × {columns}"),
                expected: "a matrix".to_owned(),
            })
        };
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        let embedding = draw(vocabulary, hidden, 0.02)?;
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(draw(vocabulary, hidden, 0.02)?),
        };
        let narrow = 0.02 / (2.0 * config.num_hidden_layers as f32).sqrt();
        let mut layers = Vec::new();
        for _ in 0..config.num_hidden_layers {
            let mut modules = Vec::new();
            for module in Module::ALL {
                let (rows, columns) = module.shape(&config);
                let last = matches!(module, Module::Output | Module::Down);
                modules.push(draw(rows, columns, if last { narrow } else { 0.02 })?);
            }
            layers.push(LayerWeights {
                input_norm: vec![1.0; hidden],
                post_norm: vec![1.0; hidden],
                modules,
            });
        }
        Ok(Self {
            rotary: Rotary::new(&config, None),
            norm: vec![1.0; hidden],
            embedding,
            head,
            layers,
            config,
        })
    }

    /// The shape.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// Rows of the tokens.
    pub fn embedding(&self) -> &Matrix {
        &self.embedding
    }

    /// The matrix that turns a hidden state into logits, the embedding if it is shared.
    pub fn head(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// The last norm.
    pub fn norm(&self) -> &[f32] {
        &self.norm
    }

    /// All layers.
    pub fn layers(&self) -> &[LayerWeights] {
        &self.layers
    }

    /// The rotary frequencies.
    pub fn rotary(&self) -> &Rotary {
        &self.rotary
    }

    /// Bytes of all matrices in memory.
    pub fn bytes(&self) -> usize {
        let layers = self.layers.iter().flat_map(|layer| &layer.modules);
        let others = std::iter::once(&self.embedding).chain(&self.head);
        layers.chain(others).map(Matrix::bytes).sum()
    }

    /// A number that tells models apart: a hash (FNV-1a) of the bits of all norms and the
    /// embedding's first row.
    pub fn fingerprint(&self) -> u64 {
        let layers = self
            .layers
            .iter()
            .flat_map(|layer| [&layer.input_norm, &layer.post_norm]);
        let numbers = layers.chain([&self.norm]).flatten();
        let mut first_row = vec![0.0; self.config.hidden_size];
        self.embedding.dequantise(0..1, &mut first_row);
        numbers
            .chain(&first_row)
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, number| {
                (hash ^ u64::from(number.to_bits())).wrapping_mul(0x0100_0000_01b3)
            })
    }

    /// The same model with matrices held otherwise.
    #[must_use]
    pub fn held_as(mut self, precision: Precision) -> Self {
        let held = |matrix: &mut Matrix| {
            let old = std::mem::replace(matrix, Matrix::empty());
            *matrix = held_as(old, precision);
        };
        held(&mut self.embedding);
        self.head.iter_mut().for_each(held);
        for layer in &mut self.layers {
            layer.modules.iter_mut().for_each(held);
        }
        self
    }
}

fn held_as(matrix: Matrix, precision: Precision) -> Matrix {
    match (precision, matrix.storage()) {
        (Precision::AsStored, _)
        | (Precision::EightBit, Storage::Row8 { .. } | Storage::Blocks(..))
        | (Precision::Full, Storage::F32(_)) => matrix,
        (Precision::EightBit, _) => matrix.to_row8(),
        (Precision::Full, _) => matrix.to_f32(),
    }
}
