//! Settings in a file of somebody else that leave nothing out.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error as _};
use serde_json::Value;

/// Settings of which every member is there: a default that filled one in would be an edit that nobody
/// sees.
pub(super) fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Serialize,
{
    let found = Value::deserialize(deserializer)?;
    let settings: T = serde_path_to_error::deserialize(&found)
        .map_err(|error| D::Error::custom(format!("{}: {}", error.path(), error.inner())))?;
    let expected = serde_json::to_value(&settings).map_err(D::Error::custom)?;
    match first_difference("", &found, &expected) {
        None => Ok(settings),
        Some(difference) => Err(D::Error::custom(difference)),
    }
}

/// Says where two values of settings differ first.
pub(super) fn first_difference(at: &str, found: &Value, expected: &Value) -> Option<String> {
    let inner = |name: &str| match at {
        "" => name.to_owned(),
        _ => format!("{at}.{name}"),
    };
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            found.keys().chain(expected.keys()).find_map(|name| {
                let at = inner(name);
                match (found.get(name), expected.get(name)) {
                    (Some(found), Some(expected)) => first_difference(&at, found, expected),
                    (None, expected) => Some(format!("{at} is missing, expected {}", expected?)),
                    (found, None) => Some(format!("{at} is {}, expected no such setting", found?)),
                }
            })
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let mut pairs = found.iter().zip(expected).enumerate();
            pairs.find_map(|(i, (found, expected))| {
                first_difference(&inner(&i.to_string()), found, expected)
            })
        }
        // 6 and 6.0 are one number.
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => None,
        _ if found == expected => None,
        _ => Some(format!("{at} is {found}, expected {expected}")),
    }
}
