//! Models written as Hugging Face lays them out.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use crystalgym_crystal::write_atomically;

use crate::{
    CrystalTokenizer, LanguageError, Llama, Matrix, Module, Trainable,
    peft::{Written, write_tensors},
};

/// Writes `config.json`, `model.safetensors` and `tokenizer.json` in a folder, numbers of 32 bits,
/// without the new tokens.
///
/// # Errors
/// [`LanguageError::Io`] or [`LanguageError::File`] if a file cannot be written.
pub fn write_model(
    folder: &Path,
    model: &Llama,
    tokenizer: &CrystalTokenizer,
) -> Result<(), LanguageError> {
    std::fs::create_dir_all(folder).map_err(|source| LanguageError::io(folder, source))?;
    let json = |name: &str, value: &serde_json::Value| {
        let path = folder.join(name);
        let text = serde_json::to_vec_pretty(value).unwrap_or_default();
        write_atomically(&path, &text).map_err(|source| LanguageError::io(&path, source))
    };
    json("config.json", &model.config.to_json())?;
    json("tokenizer.json", tokenizer.description())?;
    write_tensors(&folder.join("model.safetensors"), &tensors(model))
}

/// The matrices of a model by name.
fn tensors(model: &Llama) -> BTreeMap<String, Written<'_>> {
    let mut tensors = BTreeMap::new();
    let matrix = |matrix: &Matrix| Written {
        shape: vec![matrix.rows(), matrix.columns()],
        values: Cow::Owned(matrix.to_values()),
    };
    let vector = |values: &[f32]| Written {
        shape: vec![values.len()],
        values: Cow::Owned(values.to_vec()),
    };
    tensors.insert(
        "model.embed_tokens.weight".to_owned(),
        matrix(&model.embedding),
    );
    tensors.insert("model.norm.weight".to_owned(), vector(&model.norm));
    if let Some(head) = &model.head {
        tensors.insert("lm_head.weight".to_owned(), matrix(head));
    }
    for (index, layer) in model.layers.iter().enumerate() {
        let name = |rest: &str| format!("model.layers.{index}.{rest}.weight");
        tensors.insert(name("input_layernorm"), vector(&layer.input_norm));
        tensors.insert(name("post_attention_layernorm"), vector(&layer.post_norm));
        for (module, weights) in Module::ALL.into_iter().zip(&layer.modules) {
            tensors.insert(name(module.path()), matrix(weights));
        }
    }
    tensors
}

/// Writes all trained numbers, and others of the same length under a prefix each.
///
/// # Errors
/// As [`write_model`].
pub(crate) fn write_state(
    path: &Path,
    trainable: &Trainable,
    flats: &[(&str, &[f32])],
) -> Result<(), LanguageError> {
    let mut tensors = BTreeMap::new();
    for (prefix, flat) in flats {
        for info in trainable.tensors() {
            let written = Written {
                shape: info.shape.clone(),
                values: Cow::Borrowed(&flat[info.offset..info.offset + info.count()]),
            };
            tensors.insert(format!("{prefix}.{}", info.name), written);
        }
    }
    write_tensors(path, &tensors)
}
