//! The tensors of a PyTorch checkpoint.

use std::collections::BTreeMap;

use super::{
    pickle::{Object, Pickle, TensorView},
    zip::Zip,
};
use crate::Tensor;

/// Most numbers in all tensors together.
const MOST_NUMBERS: usize = 1 << 24;

/// The tensors of the state dictionary at `path` (keys of nested dictionaries) of an archive that
/// `torch.save` wrote.
///
/// # Errors
/// What was found and what would be right.
pub(super) fn read_state_dict(
    bytes: &[u8],
    path: &[&str],
) -> Result<BTreeMap<String, Tensor>, String> {
    let zip = Zip::open(bytes)?;
    let pickle_name = zip
        .names()
        .find(|name| name.ends_with("/data.pkl"))
        .ok_or("the archive has no data.pkl, expected one that torch.save wrote")?
        .to_owned();
    let folder = pickle_name.trim_end_matches("data.pkl");
    let bytes = zip.read(&pickle_name)?;
    let pickle = Pickle::read(&bytes).map_err(|refused| format!("{pickle_name}: {refused}"))?;
    let mut dict = pickle.root();
    for key in path {
        dict = pickle
            .get(dict, key)
            .ok_or_else(|| format!("there is no '{key}' in the checkpoint"))?;
    }
    if !matches!(dict, Object::Dict(_)) {
        return Err(format!("'{}' is no dictionary", path.join(".")));
    }
    let mut tensors = BTreeMap::new();
    let mut numbers = 0;
    for (name, object) in pickle.items(dict) {
        let Object::Tensor(view) = object else {
            return Err(format!("'{name}' is no tensor"));
        };
        numbers += view.shape.iter().product::<usize>();
        if numbers > MOST_NUMBERS {
            return Err(format!("the tensors have more than {MOST_NUMBERS} numbers"));
        }
        let storage = zip.read(&format!("{folder}data/{}", view.storage.key))?;
        let tensor = tensor(view, &storage).map_err(|message| format!("'{name}': {message}"))?;
        tensors.insert(name.to_owned(), tensor);
    }
    Ok(tensors)
}

fn tensor(view: &TensorView, storage: &[u8]) -> Result<Tensor, String> {
    let (numbers, rest) = storage.as_chunks::<4>();
    if numbers.len() != view.storage.len || !rest.is_empty() {
        return Err(format!(
            "its storage has {} bytes, expected {} numbers of four",
            storage.len(),
            view.storage.len
        ));
    }
    let count: usize = view.shape.iter().product();
    let numbers = numbers
        .get(view.offset..view.offset + count)
        .ok_or("it is larger than its storage")?;
    Ok(Tensor {
        shape: view.shape.clone(),
        values: numbers
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect(),
    })
}
