//! What a search has learned, written and read.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{AgentError, checkpoint::invalid};

pub(super) fn written(knowledge: &impl Serialize) -> Result<Value, AgentError> {
    serde_json::to_value(knowledge).map_err(|error| invalid(Path::new("knowledge"), error))
}

/// # Errors
/// What cannot be read, or that `fits` does not hold.
pub(super) fn read<T: DeserializeOwned>(
    knowledge: Value,
    fits: impl Fn(&T) -> bool,
) -> Result<T, String> {
    let read = serde_json::from_value(knowledge).map_err(|error| error.to_string())?;
    match fits(&read) {
        true => Ok(read),
        false => Err("its fillings do not belong to this task".to_owned()),
    }
}
