//! Weights in a safetensors file, with the licence beside them in its metadata.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    path::Path,
};

use crystalgym_crystal::{read_bytes, write_atomically};
use safetensors::{Dtype, SafeTensors, View};
use sha2::{Digest, Sha256};

use crate::{PotentialError, Tensor, Weights, hexadecimal::hexadecimal};

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

/// Writes weights, whole or not at all.
pub(super) fn write(
    path: &Path,
    weights: &Weights,
    metadata: &[(&str, &str)],
) -> Result<(), PotentialError> {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let bytes = safetensors::serialize(weights.tensors(), Some(metadata))
        .map_err(|error| PotentialError::weights(path.display().to_string(), error.to_string()))?;
    write_atomically(path, &bytes).map_err(PotentialError::io(path))
}

/// Reads weights and checks them against the digest of all their numbers.
pub(super) fn read(path: &Path, digest: &str) -> Result<Weights, PotentialError> {
    let name = path.display().to_string();
    let bytes = read_bytes(path).map_err(PotentialError::io(path))?;
    let wrong = |message: String| PotentialError::weights(name.clone(), message);
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| wrong(format!("not a safetensors file, or a damaged one: {error}")))?;
    let mut tensors = BTreeMap::new();
    for (tensor, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(wrong(format!(
                "the tensor {tensor} holds {:?}, expected F32",
                view.dtype()
            )));
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let values = numbers
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect();
        let shape = view.shape().to_vec();
        tensors.insert(tensor.to_owned(), Tensor { shape, values });
    }
    let weights = Weights::new(tensors, &name)?;
    let found = weights.checksum();
    if found != digest {
        return Err(wrong(format!(
            "the weights are damaged or not the published ones: \
             their SHA-256 is {found}, expected {digest}"
        )));
    }
    Ok(weights)
}

/// SHA-256 of a file's bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}
