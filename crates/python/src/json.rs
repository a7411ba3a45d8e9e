//! Python objects as JSON, with the place and the value of what cannot be.

use pyo3::{
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyString},
};
use serde_json::{Map, Number, Value, json};

/// Deeper than this nobody nests settings; an object that holds itself has no end.
const DEEPEST: usize = 32;

/// A member that is no JSON.
pub(crate) struct NotJson {
    /// Its path, such as `pw.ecutwfc_ry`; empty for the object itself.
    pub(crate) field: String,
    /// What it is, and what would be right.
    pub(crate) message: String,
}

/// A finite number as it is, another one as text, since JSON has none.
pub(crate) fn number(value: f64) -> Value {
    match value.is_finite() {
        true => json!(value),
        false => json!(value.to_string()),
    }
}

/// A Python object as JSON: dictionaries, sequences, text, paths, truth values, `None`, and numbers
/// of Python and NumPy.
///
/// # Errors
/// [`NotJson`] for a number that is not finite or too large, and for any other object.
pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> Result<Value, NotJson> {
    convert(object, String::new(), 0)
}

fn convert(object: &Bound<'_, PyAny>, field: String, depth: usize) -> Result<Value, NotJson> {
    let wrong = |found: String, expected: &str| NotJson {
        message: match field.is_empty() {
            true => format!("is {found}, expected {expected}"),
            false => format!("{field} is {found}, expected {expected}"),
        },
        field: field.clone(),
    };
    let shown = || {
        let text = object.repr().map(|text| text.to_string());
        text.unwrap_or_else(|_| object.get_type().to_string())
    };
    if depth > DEEPEST {
        return Err(wrong("nested too deeply".to_owned(), "settings"));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = object.cast::<PyBool>() {
        return Ok(json!(truth.is_true()));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(json!(text)),
            Err(_) => Err(wrong(shown(), "text that is Unicode")),
        };
    }
    if let Ok(members) = object.cast::<PyDict>() {
        let mut map = Map::new();
        for (key, value) in members {
            let name: String = match key.str() {
                Ok(name) if key.is_instance_of::<PyString>() || key.is_instance_of::<PyInt>() => {
                    name.to_string()
                }
                _ => return Err(wrong(shown(), "keys that are names")),
            };
            let path = match field.is_empty() {
                true => name.clone(),
                false => format!("{field}.{name}"),
            };
            map.insert(name, convert(&value, path, depth + 1)?);
        }
        return Ok(Value::Object(map));
    }
    if object.is_instance_of::<PyFloat>() {
        return real(object).ok_or_else(|| wrong(shown(), "a finite number"));
    }
    if let Ok(index) = object.call_method0("__index__") {
        if let Ok(number) = index.extract::<i64>() {
            return Ok(json!(number));
        }
        if let Ok(number) = index.extract::<u64>() {
            return Ok(json!(number));
        }
        return Err(wrong(shown(), "an integer of at most 64 bits"));
    }
    if let Ok(path) = object.call_method0("__fspath__")
        && let Ok(path) = path.extract::<String>()
    {
        return Ok(json!(path));
    }
    if object.hasattr("__float__").unwrap_or(false) && !object.hasattr("__len__").unwrap_or(false) {
        return real(object).ok_or_else(|| wrong(shown(), "a finite number"));
    }
    if object.hasattr("__len__").unwrap_or(false)
        && let Ok(members) = object.try_iter()
    {
        let mut list = Vec::new();
        for (place, member) in members.enumerate() {
            let member = member.map_err(|error| wrong(error.to_string(), "a sequence"))?;
            list.push(convert(&member, format!("{field}[{place}]"), depth + 1)?);
        }
        return Ok(Value::Array(list));
    }
    Err(wrong(
        shown(),
        "a number, text, a truth value, or a list or dictionary of them",
    ))
}

fn real(object: &Bound<'_, PyAny>) -> Option<Value> {
    let value: f64 = object.extract().ok()?;
    Number::from_f64(value).map(Value::Number)
}
