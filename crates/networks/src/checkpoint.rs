//! Networks and optimisers in a file.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    path::Path,
};

use crystalgym_crystal::{read_bytes, write_atomically};
use safetensors::{Dtype, SafeTensors, View};

use crate::{Adam, NetworkError, Parameters};

/// Named tensors and a few strings, stored as one safetensors file.
///
/// A network is a set of tensors under a prefix, each with PyTorch's name, shape and order, so that
/// `safetensors.torch.load_file` gives a state dictionary. Optimisers store their moments as
/// `PREFIX.exp_avg.NAME` and `PREFIX.exp_avg_sq.NAME`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checkpoint {
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl View for &Tensor {
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

impl Checkpoint {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A string of the file's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Sets a string of the file's metadata.
    pub fn set_metadata(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.metadata.insert(key.into(), value.into());
    }

    /// Names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Adds one tensor.
    pub fn insert_tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let tensor = Tensor {
            shape: shape.to_vec(),
            values: values.to_vec(),
        };
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// The values of a tensor that has this shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Option<&[f32]> {
        let tensor = self
            .tensors
            .get(name)
            .filter(|tensor| tensor.shape == shape)?;
        Some(&tensor.values)
    }

    /// Adds a network's tensors as `PREFIX.NAME`, or `NAME` with an empty prefix.
    pub fn insert_parameters(&mut self, prefix: &str, parameters: &Parameters) {
        self.insert_flat(prefix, parameters, parameters.values());
    }

    /// Sets a network's values from the tensors of this prefix.
    ///
    /// # Errors
    /// [`NetworkError::Checkpoint`] names the tensor that is missing, unknown or of another
    /// shape; the network is then unchanged.
    pub fn restore_parameters(
        &self,
        prefix: &str,
        parameters: &mut Parameters,
    ) -> Result<(), NetworkError> {
        let values = self.flat(prefix, parameters)?;
        parameters.values_mut().copy_from_slice(&values);
        Ok(())
    }

    /// Adds an optimiser's moments and number of steps.
    pub fn insert_adam(&mut self, prefix: &str, adam: &Adam, parameters: &Parameters) {
        self.insert_flat(&join(prefix, "exp_avg"), parameters, &adam.first_moment);
        self.insert_flat(&join(prefix, "exp_avg_sq"), parameters, &adam.second_moment);
        self.set_metadata(join(prefix, "step"), adam.steps.to_string());
    }

    /// Sets an optimiser's moments and number of steps.
    ///
    /// # Errors
    /// [`NetworkError::Checkpoint`] names what is missing or does not fit; the optimiser is then
    /// unchanged.
    pub fn restore_adam(
        &self,
        prefix: &str,
        adam: &mut Adam,
        parameters: &Parameters,
    ) -> Result<(), NetworkError> {
        let first = self.flat(&join(prefix, "exp_avg"), parameters)?;
        let second = self.flat(&join(prefix, "exp_avg_sq"), parameters)?;
        if let Some(value) = second.iter().find(|value| **value < 0.0) {
            return Err(NetworkError::Checkpoint(format!(
                "a squared moment under '{prefix}' is {value}, expected at least 0"
            )));
        }
        let key = join(prefix, "step");
        let text = self
            .metadata(&key)
            .ok_or_else(|| NetworkError::Checkpoint(format!("metadata '{key}' is missing")))?;
        let steps = text.parse().map_err(|_| {
            NetworkError::Checkpoint(format!(
                "metadata '{key}' is '{text}', expected a number of steps"
            ))
        })?;
        adam.first_moment.copy_from_slice(&first);
        adam.second_moment.copy_from_slice(&second);
        adam.steps = steps;
        Ok(())
    }

    fn insert_flat(&mut self, prefix: &str, parameters: &Parameters, flat: &[f32]) {
        for info in parameters.layout() {
            let tensor = Tensor {
                shape: info.shape.clone(),
                values: info.to_torch_order(flat),
            };
            self.tensors.insert(join(prefix, &info.name), tensor);
        }
    }

    fn flat(&self, prefix: &str, parameters: &Parameters) -> Result<Vec<f32>, NetworkError> {
        let mut flat = vec![0.0; parameters.len()];
        for info in parameters.layout() {
            let name = join(prefix, &info.name);
            let tensor = self.tensors.get(&name).ok_or_else(|| {
                NetworkError::Checkpoint(format!(
                    "tensor '{name}' is missing, expected shape {:?}",
                    info.shape
                ))
            })?;
            if tensor.shape != info.shape {
                return Err(NetworkError::Checkpoint(format!(
                    "tensor '{name}' has shape {:?}, expected {:?}",
                    tensor.shape, info.shape
                )));
            }
            if let Some(value) = tensor.values.iter().find(|value| !value.is_finite()) {
                return Err(NetworkError::Checkpoint(format!(
                    "tensor '{name}' holds {value}, expected numbers"
                )));
            }
            info.set_from_torch_order(&tensor.values, &mut flat);
        }
        // A tensor that the network does not know belongs to another network; without a prefix
        // the file may hold other things beside it.
        let start = format!("{prefix}.");
        let known = |name: &str| parameters.layout().iter().any(|info| info.name == name);
        let mut under = self
            .tensors
            .keys()
            .filter_map(|name| name.strip_prefix(&start));
        if let Some(name) = under.find(|name| !known(name)) {
            return Err(NetworkError::Checkpoint(format!(
                "tensor '{start}{name}' belongs to no layer of this network"
            )));
        }
        Ok(flat)
    }

    /// The file's bytes, the same for equal checkpoints.
    ///
    /// # Errors
    /// [`NetworkError::Checkpoint`] if the tensors cannot be laid out.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NetworkError> {
        let metadata: HashMap<String, String> = self
            .metadata
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        safetensors::serialize(&self.tensors, Some(metadata))
            .map_err(|error| NetworkError::Checkpoint(error.to_string()))
            .and_then(|bytes| sorted_header(&bytes))
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`NetworkError::Checkpoint`] for bytes that are no safetensors file, and for tensors of
    /// other numbers than f32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NetworkError> {
        let invalid = |error: safetensors::SafeTensorError| {
            NetworkError::Checkpoint(format!("not a safetensors file: {error}"))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
        let metadata = header.metadata().iter().flatten();
        let mut checkpoint = Self {
            tensors: BTreeMap::new(),
            metadata: metadata.map(|(k, v)| (k.clone(), v.clone())).collect(),
        };
        for (name, view) in SafeTensors::deserialize(bytes).map_err(invalid)?.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(NetworkError::Checkpoint(format!(
                    "tensor '{name}' holds {:?}, expected F32",
                    view.dtype()
                )));
            }
            let values = view
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect();
            let tensor = Tensor {
                shape: view.shape().to_vec(),
                values,
            };
            checkpoint.tensors.insert(name.to_owned(), tensor);
        }
        Ok(checkpoint)
    }

    /// Writes the file so that the path always holds a whole checkpoint ([`write_atomically`]).
    ///
    /// # Errors
    /// [`NetworkError::Io`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), NetworkError> {
        write_atomically(path, &self.to_bytes()?).map_err(|source| NetworkError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`NetworkError::Io`] if it cannot be read, [`NetworkError::Checkpoint`] if it is no
    /// checkpoint.
    pub fn read(path: &Path) -> Result<Self, NetworkError> {
        let bytes = read_bytes(path).map_err(|source| NetworkError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes).map_err(|error| match error {
            NetworkError::Checkpoint(message) => {
                NetworkError::Checkpoint(format!("{}: {message}", path.display()))
            }
            other => other,
        })
    }
}

/// The same file with the strings of its header in alphabetical order: the library writes them in
/// that of a hash map, which differs from run to run.
///
/// A file is the length of the header in 8 bytes, the header as JSON filled up with blanks to a
/// multiple of 8, and the data, whose places in the header count from the data's start.
fn sorted_header(bytes: &[u8]) -> Result<Vec<u8>, NetworkError> {
    let invalid = |error: &dyn std::fmt::Display| NetworkError::Checkpoint(error.to_string());
    let (length, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or_else(|| invalid(&"no header"))?;
    let (header, data) = rest
        .split_at_checked(u64::from_le_bytes(*length) as usize)
        .ok_or_else(|| invalid(&"no data"))?;
    let header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|error| invalid(&error))?;
    let mut sorted = serde_json::to_vec(&header).map_err(|error| invalid(&error))?;
    sorted.resize(sorted.len().next_multiple_of(8), b' ');
    let length = (sorted.len() as u64).to_le_bytes();
    Ok([&length[..], &sorted, data].concat())
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}
