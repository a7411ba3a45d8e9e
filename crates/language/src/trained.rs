//! What was trained, in a folder: an adapter as `peft` keeps it, or all weights, with how crystals were
//! written.

use std::path::Path;

use crystalgym_crystal::write_atomically;
use serde::{Deserialize, Serialize};

use crate::{
    ADAPTER_CONFIG, CrystalTokenizer, LanguageError, Llama, SafetensorsFiles, TokenRows, Trainable,
    TrainedPart, Writing,
    peft::{read_adapter, read_tensors, write_adapter},
    save::write_state,
};

const DESCRIPTION: &str = "crystalgym.json";
const WHOLE: &str = "whole.safetensors";
const WHOLE_PREFIX: &str = "trained";

/// How a model was trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Description {
    version: u32,
    writing: Writing,
}

/// Writes what was trained, with the tokenizer that knows the elements' tokens.
///
/// # Errors
/// [`LanguageError::Io`] or [`LanguageError::File`] if a file cannot be written.
pub fn write_trained(
    folder: &Path,
    model: &Llama,
    tokenizer: &CrystalTokenizer,
    trainable: &Trainable,
    writing: Writing,
    base: &str,
) -> Result<(), LanguageError> {
    std::fs::create_dir_all(folder).map_err(|source| LanguageError::io(folder, source))?;
    match trainable.part() {
        TrainedPart::Lora(_) => write_adapter(folder, model, trainable, base)?,
        TrainedPart::Whole => {
            let flats = [(WHOLE_PREFIX, trainable.values())];
            write_state(&folder.join(WHOLE), trainable, &flats)?;
        }
    }
    let description = serde_json::json!(Description {
        version: 1,
        writing,
    });
    for (name, value) in [
        ("tokenizer.json", tokenizer.to_json()),
        (DESCRIPTION, description),
    ] {
        let path = folder.join(name);
        let text = serde_json::to_vec(&value).unwrap_or_default();
        write_atomically(&path, &text).map_err(|source| LanguageError::io(&path, source))?;
    }
    Ok(())
}

/// Reads what [`write_trained`] or `peft` wrote, and how crystals were written where it is said.
///
/// # Errors
/// [`LanguageError::Io`] or [`LanguageError::File`] if it is none of this model.
pub fn read_trained(
    folder: &Path,
    model: &Llama,
    rows: &TokenRows,
) -> Result<(Trainable, Option<Writing>), LanguageError> {
    let path = folder.join(DESCRIPTION);
    let writing = match crystalgym_crystal::read_bytes(&path) {
        Ok(text) => {
            let description: Description =
                serde_json::from_slice(&text).map_err(|error| LanguageError::file(&path, error))?;
            Some(description.writing)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(LanguageError::io(&path, error)),
    };
    if folder.join(ADAPTER_CONFIG).exists() {
        return Ok((read_adapter(folder, model, rows)?, writing));
    }
    let path = folder.join(WHOLE);
    let mut trainable = Trainable::new(model, TrainedPart::Whole, rows, 0)?;
    let mut files = SafetensorsFiles::open_one(&path)?;
    let name = |name: &str| format!("{WHOLE_PREFIX}.{name}");
    read_tensors(&path, &mut files, &mut trainable, &name, "\0")?;
    Ok((trainable, writing))
}
