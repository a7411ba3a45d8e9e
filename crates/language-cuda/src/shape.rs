//! The shape of a Llama model and of what is trained of it.

use crate::CudaError;

/// The shape of a Llama model; the names are those of Hugging Face's `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaShape {
    /// Width of the residual stream, h.
    pub hidden_size: usize,
    /// Width inside of the feed-forward block, f.
    pub intermediate_size: usize,
    /// Number of layers, L.
    pub num_hidden_layers: usize,
    /// Heads of the queries.
    pub num_attention_heads: usize,
    /// Heads of keys and values (grouped-query attention, Ainslie et al. 2023).
    pub num_key_value_heads: usize,
    /// Width of a head, d.
    pub head_dim: usize,
    /// Rows of the embedding, V.
    pub vocab_size: usize,
    /// ε of the root-mean-square norm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched for long texts, if they are.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether the head is the embedding.
    pub tie_word_embeddings: bool,
}

/// Stretching of the rotary frequencies as in Llama 3.1 (its published code, `apply_scaling`):
/// wavelengths above `original / low_freq_factor` are stretched by `factor`, those below
/// `original / high_freq_factor` kept, those between blended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RopeScaling {
    /// By how much long wavelengths are stretched.
    pub factor: f64,
    /// Start of the blend.
    pub low_freq_factor: f64,
    /// End of the blend.
    pub high_freq_factor: f64,
    /// Longest sequence before stretching.
    pub original_max_position_embeddings: f64,
}

/// A linear map of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// Queries.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Out of attention.
    Output,
    /// Gate of the feed-forward block.
    Gate,
    /// What is gated.
    Up,
    /// Out of the feed-forward block.
    Down,
}

impl Module {
    /// All of a layer, in the order in which they are used.
    pub const ALL: [Self; 7] = [
        Self::Query,
        Self::Key,
        Self::Value,
        Self::Output,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// Outputs and inputs.
    pub fn shape(self, shape: &LlamaShape) -> (usize, usize) {
        let (hidden, inner) = (shape.hidden_size, shape.intermediate_size);
        match self {
            Self::Query => (shape.query_width(), hidden),
            Self::Key | Self::Value => (shape.key_width(), hidden),
            Self::Output => (hidden, shape.query_width()),
            Self::Gate | Self::Up => (inner, hidden),
            Self::Down => (hidden, inner),
        }
    }
}

impl LlamaShape {
    /// The published shape of Llama 3 8B.
    pub fn llama_3_8b() -> Self {
        Self {
            hidden_size: 4096,
            intermediate_size: 14336,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: 8,
            head_dim: 128,
            vocab_size: 128_256,
            rms_norm_eps: 1e-5,
            rope_theta: 500_000.0,
            rope_scaling: None,
            tie_word_embeddings: false,
        }
    }

    /// Width of all queries.
    pub fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all keys, and of all values.
    pub fn key_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// Weights of the linear maps of one layer.
    pub fn layer_weights(&self) -> usize {
        let count = |module: Module| {
            let (outputs, inputs) = module.shape(self);
            outputs * inputs
        };
        Module::ALL.into_iter().map(count).sum()
    }

    /// Weights of the head, and of the embedding.
    pub fn head_weights(&self) -> usize {
        self.vocab_size * self.hidden_size
    }

    /// `θ^(−2i/d)` for each pair i of a head, stretched as the shape says.
    pub fn frequencies(&self) -> Vec<f64> {
        let frequency = |pair: usize| {
            let plain = self
                .rope_theta
                .powf(-2.0 * pair as f64 / self.head_dim as f64);
            let Some(scaling) = self.rope_scaling else {
                return plain;
            };
            let turns =
                scaling.original_max_position_embeddings * plain / (2.0 * std::f64::consts::PI);
            let (low, high) = (scaling.low_freq_factor, scaling.high_freq_factor);
            let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
            plain * (kept + (1.0 - kept) / scaling.factor)
        };
        (0..self.head_dim / 2).map(frequency).collect()
    }

    /// Whether the kernels can work with this shape: they read rows in pieces of 16 numbers.
    ///
    /// # Errors
    /// [`CudaError::Setting`] names the first number that does not fit.
    pub fn check(&self) -> Result<(), CudaError> {
        let multiples = [
            ("hidden_size", self.hidden_size, 16),
            ("intermediate_size", self.intermediate_size, 16),
            ("head_dim", self.head_dim, 8),
            ("num_hidden_layers", self.num_hidden_layers, 1),
            ("num_key_value_heads", self.num_key_value_heads, 1),
            (
                "num_attention_heads",
                self.num_attention_heads,
                self.num_key_value_heads,
            ),
            ("vocab_size", self.vocab_size, 1),
        ];
        for (field, found, of) in multiples {
            if found == 0 || of == 0 || !found.is_multiple_of(of) || found > 1 << 20 {
                return Err(CudaError::setting(
                    field,
                    found,
                    format!("a multiple of {of} up to 2^20"),
                ));
            }
        }
        // The norm keeps a row in shared memory, of which a block has 48 KiB.
        if self.hidden_size > 12_288 {
            return Err(CudaError::setting(
                "hidden_size",
                self.hidden_size,
                "12288 at most",
            ));
        }
        if !self.query_width().is_multiple_of(16) {
            return Err(CudaError::setting(
                "num_attention_heads",
                self.num_attention_heads,
                "queries a multiple of 16 wide",
            ));
        }
        if !(self.rms_norm_eps >= 0.0 && self.rope_theta > 1.0 && self.rope_theta.is_finite()) {
            return Err(CudaError::setting(
                "rope_theta",
                self.rope_theta,
                "a finite number above 1",
            ));
        }
        Ok(())
    }
}

/// Settings of the low-rank additions `α/r · B A x` (Hu et al. 2021).
#[derive(Debug, Clone, PartialEq)]
pub struct LoraSettings {
    /// Rank r.
    pub rank: usize,
    /// α.
    pub alpha: f64,
    /// Which linear maps have one.
    pub target_modules: Vec<Module>,
}

impl Default for LoraSettings {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 32.0,
            target_modules: Module::ALL.to_vec(),
        }
    }
}

impl LoraSettings {
    /// # Errors
    /// [`CudaError::Setting`] for a rank or α that cannot be.
    pub fn check(&self) -> Result<(), CudaError> {
        if !(1..=1024).contains(&self.rank) {
            return Err(CudaError::setting("lora.rank", self.rank, "1 to 1024"));
        }
        if !(self.alpha > 0.0 && self.alpha <= 1e6) {
            return Err(CudaError::setting(
                "lora.alpha",
                self.alpha,
                "a number above 0",
            ));
        }
        if self.target_modules.is_empty() {
            return Err(CudaError::setting(
                "lora.target_modules",
                "empty",
                "one at least",
            ));
        }
        Ok(())
    }

    /// α/r.
    pub fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the published 8 030 261 248 parameters less 65 norms of 4096.
    #[test]
    fn weights_of_the_published_model_are_counted() {
        let shape = LlamaShape::llama_3_8b();
        let count = 32 * shape.layer_weights() + 2 * shape.head_weights();
        assert_eq!(count, 8_030_261_248 - 65 * 4096);
    }

    /// Oracle: the three cases of the published function, worked out for Llama 3.1.
    #[test]
    fn frequencies_are_stretched_in_three_ranges() {
        let mut shape = LlamaShape::llama_3_8b();
        let plain = shape.frequencies();
        shape.rope_scaling = Some(RopeScaling {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192.0,
        });
        let stretched = shape.frequencies();
        assert_eq!(stretched[0], plain[0]);
        assert!((stretched[63] * 8.0 / plain[63] - 1.0).abs() < 1e-12);
        // Pair 32: 500000^-0.5, 8192/λ = 1.8438, so 0.28126 of it is kept.
        let kept = (8192.0 * plain[32] / std::f64::consts::TAU - 1.0) / 3.0;
        assert!((kept - 0.281_26).abs() < 1e-4, "{kept}");
        let expected = (1.0 - kept) * plain[32] / 8.0 + kept * plain[32];
        assert!((stretched[32] - expected).abs() < 1e-15);
    }

    #[test]
    fn what_the_kernels_cannot_read_is_named() {
        let mut shape = LlamaShape::llama_3_8b();
        shape.check().unwrap();
        shape.hidden_size = 4100;
        assert!(
            shape
                .check()
                .unwrap_err()
                .to_string()
                .contains("hidden_size")
        );
        shape = LlamaShape::llama_3_8b();
        shape.num_key_value_heads = 5;
        assert!(
            shape
                .check()
                .unwrap_err()
                .to_string()
                .contains("num_attention_heads")
        );
    }
}
