//! Where a model's weights come from, under the names of Hugging Face.

use std::path::Path;

use super::{gguf::GgufFile, matrix::Matrix, safetensors_files::SafetensorsFiles};
use crate::{LanguageError, LlamaConfig};

/// Open files of a model, by the names that `transformers` gives its tensors.
#[derive(Debug)]
pub enum WeightSource {
    /// A folder with `config.json` and safetensors files.
    Folder(LlamaConfig, SafetensorsFiles),
    /// A GGUF file.
    Gguf(LlamaConfig, GgufFile),
}

impl WeightSource {
    /// Opens a folder as Hugging Face lays it out, or a GGUF file.
    ///
    /// # Errors
    /// [`LanguageError::Io`] or [`LanguageError::File`].
    pub fn open(path: &Path) -> Result<Self, LanguageError> {
        if path.is_dir() {
            let config = LlamaConfig::read(&path.join("config.json"))?;
            return Ok(Self::Folder(config, SafetensorsFiles::open(path)?));
        }
        let file = GgufFile::open(path)?;
        let config = gguf_config(&file).map_err(|message| LanguageError::file(path, message))?;
        Ok(Self::Gguf(config, file))
    }

    /// The model's shape.
    pub fn config(&self) -> &LlamaConfig {
        match self {
            Self::Folder(config, _) | Self::Gguf(config, _) => config,
        }
    }

    /// A matrix that has to have so many rows and columns; a vector has one row.
    ///
    /// # Errors
    /// [`LanguageError::File`] if it is missing, cut off, or of another shape than the configuration
    /// says.
    pub fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Matrix, LanguageError> {
        let (path, shape) = match self {
            Self::Folder(_, files) => (files.folder(), files.shape(name)),
            Self::Gguf(_, file) => (file.path(), file.shape(&gguf_name(name))),
        };
        // Looked at beforehand, so that no more memory is asked for than was foreseen.
        if let Some(found) = shape
            && found != (rows as u64, columns as u64)
        {
            let message = format!(
                "tensor '{name}' is {} × {}, expected {rows} × {columns} by the configuration",
                found.0, found.1
            );
            return Err(LanguageError::file(path, message));
        }
        let matrix = match self {
            Self::Folder(_, files) => files.matrix(name)?,
            Self::Gguf(_, file) => file.matrix(&gguf_name(name))?,
        };
        Ok(match self {
            Self::Gguf(config, _) if name.contains("q_proj") || name.contains("k_proj") => {
                halves_apart(&matrix, config.head_dim)
            }
            _ => matrix,
        })
    }

    /// By what the rotary frequencies are divided, one number for each pair, where a file says it.
    ///
    /// # Errors
    /// As [`Self::matrix`].
    pub fn frequency_divisors(&mut self) -> Result<Option<Vec<f32>>, LanguageError> {
        let Self::Gguf(config, file) = self else {
            return Ok(None);
        };
        if !file.has("rope_freqs.weight") {
            return Ok(None);
        }
        let expected = (1, (config.head_dim / 2) as u64);
        if file.shape("rope_freqs.weight") != Some(expected) {
            return Err(LanguageError::file(
                file.path(),
                "'rope_freqs.weight' does not fit",
            ));
        }
        let matrix = file.matrix("rope_freqs.weight")?;
        let mut divisors = vec![0.0; matrix.columns()];
        matrix.dequantise(0..1, &mut divisors);
        Ok(Some(divisors))
    }
}

/// The name of a tensor in GGUF.
fn gguf_name(name: &str) -> String {
    match name {
        "model.embed_tokens.weight" => return "token_embd.weight".to_owned(),
        "model.norm.weight" => return "output_norm.weight".to_owned(),
        "lm_head.weight" => return "output.weight".to_owned(),
        _ => {}
    }
    let mut parts = name.trim_start_matches("model.layers.").splitn(2, '.');
    let (layer, rest) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let rest = match rest {
        "input_layernorm.weight" => "attn_norm",
        "post_attention_layernorm.weight" => "ffn_norm",
        "self_attn.q_proj.weight" => "attn_q",
        "self_attn.k_proj.weight" => "attn_k",
        "self_attn.v_proj.weight" => "attn_v",
        "self_attn.o_proj.weight" => "attn_output",
        "mlp.gate_proj.weight" => "ffn_gate",
        "mlp.up_proj.weight" => "ffn_up",
        "mlp.down_proj.weight" => "ffn_down",
        other => other,
    };
    format!("blk.{layer}.{rest}.weight")
}

/// GGUF holds the rows of a head so that the two numbers that turn together are neighbours; Hugging
/// Face has all first ones, then all second ones.
fn halves_apart(matrix: &Matrix, head: usize) -> Matrix {
    matrix.with_rows(|row| {
        let (start, within) = (row - row % head, row % head);
        let (second, pair) = (within / (head / 2), within % (head / 2));
        start + 2 * pair + second
    })
}

/// The shape in the metadata of a GGUF file.
fn gguf_config(file: &GgufFile) -> Result<LlamaConfig, String> {
    let architecture = file.text("general.architecture").unwrap_or("missing");
    if architecture != "llama" {
        return Err(format!(
            "'general.architecture' is {architecture}, expected llama"
        ));
    }
    let number = |key: &str| file.number(&format!("llama.{key}"));
    let count = |key: &str| {
        number(key)
            .filter(|found| *found >= 0.0)
            .map(|found| found as usize)
            .ok_or_else(|| format!("'llama.{key}' is missing"))
    };
    let heads = count("attention.head_count")?;
    let hidden = count("embedding_length")?;
    let tokens = file.texts("tokenizer.ggml.tokens").map(<[String]>::len);
    let config = LlamaConfig {
        hidden_size: hidden,
        intermediate_size: count("feed_forward_length")?,
        num_hidden_layers: count("block_count")?,
        num_attention_heads: heads,
        num_key_value_heads: count("attention.head_count_kv").unwrap_or(heads),
        head_dim: count("attention.key_length").unwrap_or(hidden / heads.max(1)),
        vocab_size: count("vocab_size").or(tokens.ok_or("no vocabulary".to_owned()))?,
        rms_norm_eps: number("attention.layer_norm_rms_epsilon").unwrap_or(1e-5),
        rope_theta: number("rope.freq_base").unwrap_or(10_000.0),
        rope_scaling: None,
        tie_word_embeddings: !file.has("output.weight"),
        max_position_embeddings: count("context_length").unwrap_or(2048),
    };
    if let Some(turned) = number("rope.dimension_count").filter(|n| *n != config.head_dim as f64) {
        return Err(format!(
            "'llama.rope.dimension_count' is {turned}, expected {}",
            config.head_dim
        ));
    }
    config.check()?;
    Ok(config)
}
