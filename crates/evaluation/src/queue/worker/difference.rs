//! Which parts of two fingerprints differ, in words.

use std::collections::BTreeSet;

use serde_json::Value;

/// What is another here than in the run, part by part.
pub(super) fn difference(own: &str, wanted: &str) -> String {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut found = Vec::new();
    collect("", &parsed(own), &parsed(wanted), &mut found);
    match found.is_empty() {
        true => "the settings here are others than the run's".to_owned(),
        false => found.join("; "),
    }
}

fn collect(name: &str, own: &Value, wanted: &Value, found: &mut Vec<String>) {
    match (own.as_object(), wanted.as_object()) {
        (Some(here), Some(there)) => {
            let keys: BTreeSet<_> = here.keys().chain(there.keys()).collect();
            for key in keys {
                let dotted = match name.is_empty() {
                    true => key.clone(),
                    false => format!("{name}.{key}"),
                };
                let own = here.get(key).unwrap_or(&Value::Null);
                let wanted = there.get(key).unwrap_or(&Value::Null);
                collect(&dotted, own, wanted, found);
            }
        }
        _ if own != wanted => found.push(format!("{name} is {own} here, the run has {wanted}")),
        _ => {}
    }
}
