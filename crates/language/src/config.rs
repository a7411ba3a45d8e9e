//! The shape of a Llama model, as `config.json` or the metadata of a GGUF file say it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::LanguageError;

/// The shape of a Llama model; the names are those of Hugging Face's `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LlamaConfig {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside of the feed-forward block.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of the queries.
    pub num_attention_heads: usize,
    /// Heads of keys and values (grouped-query attention, Ainslie et al. 2023).
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// ε of the root-mean-square norm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched for long texts, if they are.
    #[serde(default)]
    pub rope_scaling: Option<RopeScaling>,
    /// Whether the head is the embedding.
    pub tie_word_embeddings: bool,
    /// Longest sequence that the model was made for.
    pub max_position_embeddings: usize,
}

/// Stretching of the rotary frequencies as in Llama 3.1 (its published code,
/// `apply_scaling`): wavelengths above `original / low_freq_factor` are stretched by `factor`, those
/// below `original / high_freq_factor` kept, those between blended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

impl LlamaConfig {
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
            max_position_embeddings: 8192,
        }
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`LanguageError::File`] names the key that is missing, cannot be, or says what this crate
    /// cannot do.
    pub fn read(path: &Path) -> Result<Self, LanguageError> {
        let text = crystalgym_crystal::read_bytes(path)
            .map_err(|source| LanguageError::io(path, source))?;
        let value: Value =
            serde_json::from_slice(&text).map_err(|error| LanguageError::file(path, error))?;
        Self::from_json(&value).map_err(|message| LanguageError::file(path, message))
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        let number = |key: &str| value.get(key).and_then(Value::as_f64);
        let count = |key: &str| {
            let found = value.get(key).and_then(Value::as_u64);
            found
                .map(|found| found as usize)
                .ok_or_else(|| format!("'{key}' is missing or no whole number"))
        };
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        if text("model_type") != Some("llama") {
            let found = text("model_type").unwrap_or("missing");
            return Err(format!("'model_type' is {found}, expected llama"));
        }
        if let Some(found) = text("hidden_act").filter(|found| *found != "silu") {
            return Err(format!("'hidden_act' is {found}, expected silu"));
        }
        for key in ["attention_bias", "mlp_bias"] {
            if value.get(key).and_then(Value::as_bool) == Some(true) {
                return Err(format!("'{key}' is true: biases are not supported"));
            }
        }
        let heads = count("num_attention_heads")?;
        let hidden = count("hidden_size")?;
        // Newer files keep both the base and the scaling in one place.
        let rope = ["rope_scaling", "rope_parameters"]
            .iter()
            .find_map(|key| value.get(key).filter(|rope| rope.is_object()));
        let config = Self {
            hidden_size: hidden,
            intermediate_size: count("intermediate_size")?,
            num_hidden_layers: count("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: count("num_key_value_heads").unwrap_or(heads),
            head_dim: count("head_dim").unwrap_or(hidden / heads.max(1)),
            vocab_size: count("vocab_size")?,
            rms_norm_eps: number("rms_norm_eps").unwrap_or(1e-6),
            rope_theta: number("rope_theta")
                .or_else(|| rope.and_then(|rope| rope.get("rope_theta"))?.as_f64())
                .unwrap_or(10_000.0),
            rope_scaling: rope.map_or(Ok(None), scaling)?,
            tie_word_embeddings: value
                .get("tie_word_embeddings")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            max_position_embeddings: count("max_position_embeddings").unwrap_or(2048),
        };
        config.check()?;
        Ok(config)
    }

    /// Whether such a model can be.
    ///
    /// # Errors
    /// Which numbers do not fit.
    pub fn check(&self) -> Result<(), String> {
        let counts = [
            ("hidden_size", self.hidden_size, 1 << 16),
            ("intermediate_size", self.intermediate_size, 1 << 18),
            ("num_hidden_layers", self.num_hidden_layers, 512),
            ("num_attention_heads", self.num_attention_heads, 1024),
            ("num_key_value_heads", self.num_key_value_heads, 1024),
            ("head_dim", self.head_dim, 1 << 12),
            ("vocab_size", self.vocab_size, 1 << 24),
            (
                "max_position_embeddings",
                self.max_position_embeddings,
                1 << 28,
            ),
        ];
        if let Some((key, found, most)) = counts
            .into_iter()
            .find(|(_, found, most)| *found == 0 || found > most)
        {
            return Err(format!("'{key}' is {found}, expected 1 to {most}"));
        }
        if !self
            .num_attention_heads
            .is_multiple_of(self.num_key_value_heads)
        {
            return Err(format!(
                "'num_attention_heads' is {}, expected a multiple of 'num_key_value_heads', {}",
                self.num_attention_heads, self.num_key_value_heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(format!(
                "'head_dim' is {}, expected an even number",
                self.head_dim
            ));
        }
        if !(self.rms_norm_eps >= 0.0 && self.rope_theta > 1.0 && self.rope_theta.is_finite()) {
            return Err("'rms_norm_eps' or 'rope_theta' cannot be".to_owned());
        }
        Ok(())
    }

    /// Width of all queries.
    pub fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all keys, and of all values.
    pub fn key_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// The shape as `config.json` for Hugging Face.
    pub fn to_json(&self) -> Value {
        let mut value = serde_json::json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_act": "silu",
            "attention_bias": false,
            "mlp_bias": false,
            "dtype": "float32",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "vocab_size": self.vocab_size,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tie_word_embeddings,
            "max_position_embeddings": self.max_position_embeddings,
        });
        if let (Some(scaling), Some(map)) = (self.rope_scaling, value.as_object_mut()) {
            map.insert(
                "rope_scaling".to_owned(),
                serde_json::json!({
                    "rope_type": "llama3",
                    "factor": scaling.factor,
                    "low_freq_factor": scaling.low_freq_factor,
                    "high_freq_factor": scaling.high_freq_factor,
                    "original_max_position_embeddings": scaling.original_max_position_embeddings,
                }),
            );
        }
        value
    }
}

/// The stretching that a `rope_scaling` describes, none where it says `default`.
fn scaling(rope: &Value) -> Result<Option<RopeScaling>, String> {
    let kind = ["rope_type", "type"]
        .iter()
        .find_map(|key| rope.get(key).and_then(Value::as_str));
    match kind {
        None | Some("default") => Ok(None),
        Some("llama3") => serde_json::from_value(rope.clone())
            .map(Some)
            .map_err(|error| format!("'rope_scaling': {error}")),
        Some(other) => Err(format!(
            "'rope_type' is {other}, expected default or llama3"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llama_3() -> Value {
        serde_json::json!({
            "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "vocab_size": 128256, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
            "max_position_embeddings": 131072,
            "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
        })
    }

    #[test]
    fn a_published_configuration_is_read_and_written() {
        let config = LlamaConfig::from_json(&llama_3()).unwrap();
        assert_eq!((config.head_dim, config.key_width()), (128, 1024));
        assert_eq!(config.rope_scaling.unwrap().factor, 8.0);
        assert_eq!(LlamaConfig::from_json(&config.to_json()).unwrap(), config);
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (key, value, expected) in [
            ("model_type", Value::from("gpt2"), "expected llama"),
            ("hidden_act", Value::from("gelu"), "expected silu"),
            ("attention_bias", Value::from(true), "biases"),
            ("num_key_value_heads", Value::from(5), "multiple"),
            ("vocab_size", Value::from("x"), "vocab_size"),
            ("hidden_size", Value::from(0), "hidden_size"),
            ("rope_scaling", serde_json::json!({"type": "yarn"}), "yarn"),
        ] {
            let mut json = llama_3();
            json[key] = value;
            let error = LlamaConfig::from_json(&json).unwrap_err();
            assert!(error.contains(expected), "{key}: {error}");
        }
    }
}
