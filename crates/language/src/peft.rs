//! Adapters as `peft` keeps them: `adapter_config.json` and `adapter_model.safetensors`.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use crystalgym_crystal::write_atomically;
use safetensors::{Dtype, View};
use serde_json::{Value, json};

use crate::{
    LanguageError, Llama, LoraConfig, Module, SafetensorsFiles, TokenRows, Trainable, TrainedPart,
};

/// File of the settings.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";
/// File of the numbers.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// A tensor to be written.
pub(crate) struct Written<'a> {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Cow<'a, [f32]>,
}

impl View for &Written<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

/// Writes tensors as a safetensors file.
///
/// # Errors
/// [`LanguageError::Io`] or [`LanguageError::File`] if it cannot be written.
pub(crate) fn write_tensors(
    path: &Path,
    tensors: &BTreeMap<String, Written<'_>>,
) -> Result<(), LanguageError> {
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let bytes = safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| LanguageError::file(path, error))?;
    write_atomically(path, &bytes).map_err(|source| LanguageError::io(path, source))
}

/// Writes an adapter that `peft.PeftModel.from_pretrained` loads onto the base model whose embedding has
/// been given one row for each new token (`resize_token_embeddings`).
///
/// # Errors
/// [`LanguageError::Io`] or [`LanguageError::File`] if a file cannot be written, and
/// [`LanguageError::Setting`] for what is no adapter.
pub fn write_adapter(
    folder: &Path,
    model: &Llama,
    trainable: &Trainable,
    base: &str,
) -> Result<(), LanguageError> {
    let TrainedPart::Lora(lora) = trainable.part() else {
        return Err(LanguageError::Setting {
            field: "trained",
            found: "the whole model".to_owned(),
            expected: "low-rank additions, which an adapter is".to_owned(),
        });
    };
    std::fs::create_dir_all(folder).map_err(|source| LanguageError::io(folder, source))?;
    let first = model.config().vocab_size;
    let rows: Vec<usize> = (first..first + trainable.rows()).collect();
    let mut indices = json!({"embed_tokens": rows});
    if !model.config().tie_word_embeddings {
        indices["lm_head"] = json!(rows);
    }
    let targets: Vec<&str> = lora
        .target_modules
        .iter()
        .map(|module| module.name())
        .collect();
    let config = json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base,
        "r": lora.rank, "lora_alpha": lora.alpha, "lora_dropout": lora.dropout, "bias": "none",
        "target_modules": targets, "fan_in_fan_out": false, "inference_mode": true,
        "init_lora_weights": true, "use_rslora": false, "use_dora": false, "modules_to_save": null,
        "trainable_token_indices": (trainable.rows() > 0).then_some(indices),
    });
    let text = serde_json::to_vec_pretty(&config).unwrap_or_default();
    let path = folder.join(ADAPTER_CONFIG);
    write_atomically(&path, &text).map_err(|source| LanguageError::io(&path, source))?;
    let tensors = trainable
        .tensors()
        .iter()
        .filter(|info| info.count() > 0)
        .map(|info| {
            let values = &trainable.values()[info.offset..info.offset + info.count()];
            let written = Written {
                shape: info.shape.clone(),
                values: Cow::Borrowed(values),
            };
            (peft_name(&info.name), written)
        })
        .collect();
    write_tensors(&folder.join(ADAPTER_WEIGHTS), &tensors)
}

/// The name of a tensor in an adapter's file.
fn peft_name(name: &str) -> String {
    let name = name.replace(".new_rows", ".token_adapter.trainable_tokens_delta");
    format!("base_model.model.{name}")
}

/// Reads an adapter of low-rank additions, written here or by `peft`, onto a model.
///
/// # Errors
/// [`LanguageError::Io`] or [`LanguageError::File`] if it is none of this model.
pub fn read_adapter(
    folder: &Path,
    model: &Llama,
    rows: &TokenRows,
) -> Result<Trainable, LanguageError> {
    let path = folder.join(ADAPTER_CONFIG);
    let text =
        crystalgym_crystal::read_bytes(&path).map_err(|source| LanguageError::io(&path, source))?;
    let config: Value =
        serde_json::from_slice(&text).map_err(|error| LanguageError::file(&path, error))?;
    let lora = settings(&config).map_err(|message| LanguageError::file(&path, message))?;
    let mut trainable = Trainable::new(model, TrainedPart::Lora(lora), rows, 0)?;
    let path = folder.join(ADAPTER_WEIGHTS);
    let mut files = SafetensorsFiles::open_one(&path)?;
    read_tensors(
        &path,
        &mut files,
        &mut trainable,
        &peft_name,
        "trainable_tokens_delta",
    )?;
    Ok(trainable)
}

/// Sets all tensors from a file under other names; those whose name contains `optional` may be missing.
pub(crate) fn read_tensors(
    path: &Path,
    files: &mut SafetensorsFiles,
    trainable: &mut Trainable,
    name: &dyn Fn(&str) -> String,
    optional: &str,
) -> Result<(), LanguageError> {
    for info in trainable.tensors().to_vec() {
        let name = name(&info.name);
        if info.count() == 0 || (name.contains(optional) && !files.has(&name)) {
            continue;
        }
        let columns = info.shape.last().copied().unwrap_or(1);
        let expected = ((info.count() / columns) as u64, columns as u64);
        if let Some((rows, columns)) = files.shape(&name).filter(|found| *found != expected) {
            let message = format!(
                "tensor '{name}' is {rows} × {columns}, expected {:?}",
                info.shape
            );
            return Err(LanguageError::file(path, message));
        }
        let values = files.matrix(&name)?.to_values();
        if values.iter().any(|value| !value.is_finite()) {
            let message = format!("tensor '{name}' holds what is no number");
            return Err(LanguageError::file(path, message));
        }
        trainable.values_mut()[info.offset..info.offset + info.count()].copy_from_slice(&values);
    }
    Ok(())
}

/// The settings in an adapter's configuration.
fn settings(config: &Value) -> Result<LoraConfig, String> {
    if config["peft_type"] != "LORA" {
        return Err(format!(
            "'peft_type' is {}, expected LORA",
            config["peft_type"]
        ));
    }
    for key in ["use_rslora", "use_dora"] {
        if config[key] == true {
            return Err(format!("'{key}' is not supported"));
        }
    }
    if config["bias"].as_str().is_some_and(|bias| bias != "none") {
        return Err("'bias' is not supported".to_owned());
    }
    let names = config["target_modules"]
        .as_array()
        .ok_or("'target_modules' is no list")?;
    let found: Vec<Module> = Module::ALL
        .into_iter()
        .filter(|module| names.iter().any(|name| name == module.name()))
        .collect();
    if found.len() != names.len() {
        return Err(format!(
            "'target_modules' is {}, expected names of a Llama's linear maps",
            config["target_modules"]
        ));
    }
    Ok(LoraConfig {
        rank: config["r"].as_u64().ok_or("'r' is no number")? as usize,
        alpha: config["lora_alpha"]
            .as_f64()
            .ok_or("'lora_alpha' is no number")?,
        dropout: config["lora_dropout"].as_f64().unwrap_or(0.0),
        target_modules: found,
        train_rows: true,
    })
}
