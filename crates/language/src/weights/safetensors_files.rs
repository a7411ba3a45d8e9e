//! The safetensors files of a model's folder, whole or in shards, read one tensor at a time.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use super::{
    gguf::{f32s, u16s},
    matrix::{Matrix, Storage},
};
use crate::LanguageError;

/// Longest header of a file.
const MOST_HEADER_BYTES: u64 = 1 << 27;

/// What a header says of a tensor.
#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// Key of what a header says of the file.
const METADATA: &str = "__metadata__";

#[derive(Debug, Clone)]
struct Place {
    file: usize,
    dtype: String,
    shape: Vec<usize>,
    start: u64,
    end: u64,
}

/// Open safetensors files.
#[derive(Debug)]
pub struct SafetensorsFiles {
    folder: PathBuf,
    files: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, Place>,
}

impl SafetensorsFiles {
    /// Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// [`LanguageError::Io`] or [`LanguageError::File`], which names the file and what is wrong.
    pub fn open(folder: &Path) -> Result<Self, LanguageError> {
        let index = folder.join("model.safetensors.index.json");
        let mut names = vec!["model.safetensors".to_owned()];
        if !folder.join(&names[0]).exists() && index.exists() {
            names = shards(&index)?;
        }
        let mut found = Self {
            folder: folder.to_owned(),
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        for name in names {
            found.add(&folder.join(name))?;
        }
        Ok(found)
    }

    /// Opens one file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_one(path: &Path) -> Result<Self, LanguageError> {
        let mut found = Self {
            folder: path.to_owned(),
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        found.add(path)?;
        Ok(found)
    }

    fn add(&mut self, path: &Path) -> Result<(), LanguageError> {
        let io = |source| LanguageError::io(path, source);
        let bad = |message: String| LanguageError::file(path, message);
        let mut file = crystalgym_crystal::open_regular(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size)
            .map_err(|_| bad("it is shorter than its header".to_owned()))?;
        let header = u64::from_le_bytes(size);
        if header > MOST_HEADER_BYTES || header + 8 > length {
            return Err(bad(format!(
                "its header has {header} bytes, the file {length}: cut off, or no safetensors file"
            )));
        }
        let mut bytes = vec![0; header as usize];
        file.read_exact(&mut bytes).map_err(io)?;
        let described: BTreeMap<String, Value> = serde_json::from_slice(&bytes)
            .map_err(|error| bad(format!("its header cannot be read: {error}")))?;
        let data = 8 + header;
        for (name, value) in described {
            if name == METADATA {
                continue;
            }
            let info: Info = serde_json::from_value(value)
                .map_err(|error| bad(format!("tensor '{name}': {error}")))?;
            let [start, end] = info.data_offsets;
            if end < start || end > length.saturating_sub(data) {
                return Err(bad(format!(
                    "it is cut off: tensor '{name}' ends at byte {}, the file has {length}",
                    data.saturating_add(end)
                )));
            }
            let place = Place {
                file: self.files.len(),
                dtype: info.dtype,
                shape: info.shape,
                start: data + start,
                end: data + end,
            };
            self.tensors.insert(name, place);
        }
        self.files.push((path.to_owned(), file));
        Ok(())
    }

    /// The folder, or the one file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether there is such a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Rows and columns of a tensor, before it is read.
    pub(crate) fn shape(&self, name: &str) -> Option<(u64, u64)> {
        let shape = &self.tensors.get(name)?.shape;
        let columns = shape.last().copied().unwrap_or(1);
        let rows = shape.iter().rev().skip(1);
        Some((
            rows.fold(1, |product, &n| product.saturating_mul(n as u64)),
            columns as u64,
        ))
    }

    /// A tensor as a matrix: the last dimension is the columns, all others are rows.
    ///
    /// # Errors
    /// [`LanguageError::File`] if it is missing or of a type that this crate cannot read.
    pub fn matrix(&mut self, name: &str) -> Result<Matrix, LanguageError> {
        let Some(place) = self.tensors.get(name) else {
            let message = format!("tensor '{name}' is missing");
            return Err(LanguageError::file(&self.folder, message));
        };
        let (path, file) = &mut self.files[place.file];
        let mut data = vec![0; (place.end - place.start) as usize];
        file.seek(SeekFrom::Start(place.start))
            .and_then(|_| file.read_exact(&mut data))
            .map_err(|source| LanguageError::io(path, source))?;
        let storage = match place.dtype.as_str() {
            "F32" => Storage::F32(f32s(&data)),
            "F16" => Storage::F16(u16s(&data)),
            "BF16" => Storage::Bf16(u16s(&data)),
            other => {
                let message =
                    format!("tensor '{name}' holds {other}; F32, F16 and BF16 can be read");
                return Err(LanguageError::file(path, message));
            }
        };
        let columns = place.shape.last().copied().unwrap_or(1);
        let mut others = place.shape.iter().rev().skip(1);
        let rows = others
            .try_fold(1, |product: usize, n| product.checked_mul(*n))
            .unwrap_or(0);
        Matrix::new(rows, columns, storage).ok_or_else(|| {
            LanguageError::file(path, format!("tensor '{name}' does not fit its shape"))
        })
    }
}

/// The files that an index names, each once.
fn shards(index: &Path) -> Result<Vec<String>, LanguageError> {
    let text =
        crystalgym_crystal::read_bytes(index).map_err(|source| LanguageError::io(index, source))?;
    let value: Value =
        serde_json::from_slice(&text).map_err(|error| LanguageError::file(index, error))?;
    let map = value.get("weight_map").and_then(Value::as_object);
    let mut names: Vec<String> = map
        .into_iter()
        .flat_map(|map| map.values())
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    // A name that leaves the folder is none of a shard.
    if names.is_empty()
        || names
            .iter()
            .any(|name| Path::new(name).components().count() != 1)
    {
        return Err(LanguageError::file(
            index,
            "'weight_map' names no files of this folder",
        ));
    }
    Ok(names)
}
