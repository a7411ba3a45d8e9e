//! Settings from several sources, the later ones on top.

use std::{collections::BTreeMap, io::Read, path::Path};

use crystalgym_crystal::open_regular;
use crystalgym_networks::NetworkConfig;
use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use crate::{
    TrainingError,
    setting_names::{hint, keys_of, unknown_key, with_full_keys},
};

/// Largest configuration that is read.
pub(crate) const MOST_CONFIG_BYTES: u64 = 1 << 20;
/// Parts that the key of an assignment can have; the deepest setting has four.
const MOST_PARTS: usize = 16;

/// Settings from several sources, the later ones on top: a TOML file, then `key=value` options.
///
/// What each layer said is kept apart, so that an error names the source of the bad value.
#[derive(Debug, Clone, Default)]
pub struct ConfigLayers {
    layers: Vec<(String, Table)>,
}

impl ConfigLayers {
    /// Adds a TOML file.
    ///
    /// # Errors
    /// [`TrainingError::Io`] if it cannot be read, [`TrainingError::Configuration`] with line and
    /// column if it is no TOML.
    pub fn add_file(&mut self, path: &Path) -> Result<(), TrainingError> {
        let mut text = String::new();
        let most = MOST_CONFIG_BYTES;
        open_regular(path)
            .and_then(|file| file.take(most + 1).read_to_string(&mut text))
            .map_err(TrainingError::io(path))?;
        if text.len() as u64 > most {
            return Err(TrainingError::Configuration {
                origin: path.display().to_string(),
                message: format!("it has more than {most} bytes"),
            });
        }
        self.add_text(&text, path)
    }

    /// Adds the text of a TOML file, whose path is for messages.
    pub(crate) fn add_text(&mut self, text: &str, path: &Path) -> Result<(), TrainingError> {
        let table = text
            .parse::<Table>()
            .map_err(|error| TrainingError::Configuration {
                origin: path.display().to_string(),
                message: error.to_string().trim_end().to_owned(),
            })?;
        self.layers
            .push((path.display().to_string(), with_full_keys(table)));
        Ok(())
    }

    /// Adds one `dotted.key=value`; a value that is no TOML value is a string.
    ///
    /// # Errors
    /// [`TrainingError::Configuration`] if there is no `=` or a key is empty.
    pub fn add_assignment(&mut self, assignment: &str) -> Result<(), TrainingError> {
        let bad = |message: String| TrainingError::Configuration {
            origin: format!("--set {assignment}"),
            message,
        };
        let (key, text) = assignment
            .split_once('=')
            .ok_or_else(|| bad("expected key=value, such as task.target=3.0".into()))?;
        let path: Vec<&str> = key.trim().split('.').collect();
        if path.len() > MOST_PARTS {
            return Err(TrainingError::Configuration {
                origin: "--set".to_owned(),
                message: format!(
                    "a key of {} parts, expected at most {MOST_PARTS}",
                    path.len()
                ),
            });
        }
        if path.iter().any(|part| part.is_empty()) {
            return Err(bad(format!("'{key}' has an empty part")));
        }
        // A URL may hold a password, which no message repeats.
        let origin = match text.contains("://") {
            true => format!("--set {}=…", key.trim()),
            false => format!("--set {assignment}"),
        };
        self.push(origin, &path, parse_value(text.trim()));
        Ok(())
    }

    /// Sets one `dotted.key` to a value that the program has chosen.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        let path: Vec<&str> = key.split('.').collect();
        self.push(key.to_owned(), &path, value.into());
    }

    fn push(&mut self, origin: String, path: &[&str], value: Value) {
        let nested = path.iter().rev().fold(value, |value, part| {
            Value::Table(Table::from_iter([((*part).to_owned(), value)]))
        });
        if let Value::Table(table) = nested {
            self.layers.push((origin, with_full_keys(table)));
        }
    }

    /// The same with another text wherever a value holds `word`.
    #[must_use]
    pub fn with_word(&self, word: &str, text: &str) -> Self {
        let layers = self.layers.iter().cloned();
        Self {
            layers: layers
                .map(|(origin, mut table)| {
                    table
                        .iter_mut()
                        .for_each(|(_, value)| put(value, word, text));
                    (origin, table)
                })
                .collect(),
        }
    }

    /// Lays the layers of another on top.
    pub fn extend(&mut self, upper: &Self) {
        self.layers.extend(upper.layers.iter().cloned());
    }

    /// Lays everything over `base` and reads it as a `T`.
    ///
    /// # Errors
    /// [`TrainingError::Configuration`] with the source, the field and what would be right.
    pub fn resolve<T: DeserializeOwned>(&self, base: Table) -> Result<T, TrainingError> {
        let known = keys_of(&base);
        let mut merged = base;
        let said = self.said();
        forget_other_kinds(&mut merged, &said);
        merge(&mut merged, &said);
        serde_path_to_error::deserialize(Value::Table(merged)).map_err(|error| {
            let field = error.path().to_string();
            let message = error.inner().to_string();
            let hint = match unknown_key(&field, &message) {
                Some(unknown) => hint(&unknown, &known),
                None => String::new(),
            };
            TrainingError::Configuration {
                origin: self.origin_of(&field, &message),
                message: format!("field '{field}': {}{hint}", message.trim_end()),
            }
        })
    }

    /// What all layers say together.
    pub(crate) fn said(&self) -> Table {
        let mut said = Table::new();
        for (_, layer) in &self.layers {
            merge(&mut said, layer);
        }
        said
    }

    /// Lays the table `name` of every layer over `defaults`, for a caller that needs that part of
    /// a configuration alone.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn resolve_table<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        defaults: &T,
    ) -> Result<T, TrainingError> {
        let defaults = Value::try_from(defaults).map_err(|error| TrainingError::Configuration {
            origin: "configuration".to_owned(),
            message: error.to_string(),
        })?;
        // Other parts of a file are none of this caller's business.
        let layers = self
            .layers
            .iter()
            .filter_map(|(origin, table)| {
                let part = table.get(name)?.clone();
                Some((origin.clone(), Table::from_iter([(name.to_owned(), part)])))
            })
            .collect();
        let base = Table::from_iter([(name.to_owned(), defaults)]);
        let mut parts: BTreeMap<String, T> = Self { layers }.resolve(base)?;
        parts
            .remove(name)
            .ok_or_else(|| TrainingError::Configuration {
                origin: "configuration".to_owned(),
                message: format!("the table [{name}] is missing"),
            })
    }

    /// The error of a value that is read right but out of its range.
    pub(crate) fn blame(&self, bad: BadField) -> TrainingError {
        TrainingError::Configuration {
            origin: self.origin_of(&bad.field, ""),
            message: format!("field '{}' {}", bad.field, bad.message),
        }
    }

    /// The topmost layer that speaks of `field` (or of the unknown key inside it that `message`
    /// names in backticks).
    fn origin_of(&self, field: &str, message: &str) -> String {
        let key = unknown_key(field, message).unwrap_or_else(|| field.to_owned());
        self.layers
            .iter()
            .rev()
            .find(|(_, table)| lookup(table, &key).is_some())
            .map_or_else(|| "configuration".to_owned(), |(origin, _)| origin.clone())
    }
}

/// A value that is out of its range.
#[derive(Debug)]
pub(crate) struct BadField {
    /// Dotted key.
    pub(crate) field: String,
    /// The value and what would be right: `is 0, expected 1 to 256`.
    pub(crate) message: String,
}

fn parse_value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| {
            if table.len() == 1 {
                table.remove("value")
            } else {
                None
            }
        })
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Puts another text in the place of a word, wherever a value holds it.
fn put(value: &mut Value, word: &str, text: &str) {
    match value {
        Value::String(found) if found.contains(word) => *found = found.replace(word, text),
        Value::Table(table) => table
            .iter_mut()
            .for_each(|(_, value)| put(value, word, text)),
        Value::Array(values) => values.iter_mut().for_each(|value| put(value, word, text)),
        _ => {}
    }
}

fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let (first, rest) = key
        .split_once('.')
        .map_or((key, None), |(a, b)| (a, Some(b)));
    // A path into an array, `skeletons[0]`, is answered by the array.
    let value = table.get(first.split('[').next().unwrap_or(first))?;
    match (rest, value) {
        (None, value) => Some(value),
        (Some(rest), Value::Table(inner)) => lookup(inner, rest),
        (Some(_), _) => None,
    }
}

fn merge(base: &mut Table, layer: &Table) {
    for (key, value) in layer {
        match (base.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Empties the tables of `base` that are of another kind than what the layers say in the end: the
/// fields of one kind of network are unknown to another, whose defaults are its own.
fn forget_other_kinds(base: &mut Table, said: &Table) {
    for (key, value) in said {
        if let (Some(Value::Table(below)), Value::Table(above)) = (base.get_mut(key), value) {
            match above.get(NetworkConfig::ARCHITECTURE) {
                Some(kind) if below.get(NetworkConfig::ARCHITECTURE) != Some(kind) => below.clear(),
                _ => forget_other_kinds(below, above),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_networks::{MegnetShape, PerceptronShape};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        seed: u64,
        inner: Inner,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        rate: f64,
        name: String,
        list: Vec<u8>,
    }

    fn base() -> Table {
        let inner = Inner {
            rate: 0.5,
            name: "a".into(),
            list: vec![1],
        };
        Table::try_from(Outer { seed: 1, inner }).unwrap()
    }

    #[test]
    fn a_word_stands_for_what_is_known_later() {
        let mut layers = ConfigLayers::default();
        layers.add_assignment("inner.name=gaps-{skeleton}").unwrap();
        layers.add_assignment("seed=7").unwrap();
        let found: Outer = layers
            .with_word("{skeleton}", "C6")
            .resolve(base())
            .unwrap();
        assert_eq!((found.seed, found.inner.name.as_str()), (7, "gaps-C6"));
        let plain: Outer = layers.resolve(base()).unwrap();
        assert_eq!(plain.inner.name, "gaps-{skeleton}");
    }

    fn resolve(assignments: &[&str]) -> Result<Outer, TrainingError> {
        let mut layers = ConfigLayers::default();
        for assignment in assignments {
            layers.add_assignment(assignment)?;
        }
        layers.resolve(base())
    }

    #[test]
    fn later_layers_win_and_untouched_fields_stay() {
        let outer = resolve(&[
            "inner.rate=0.1",
            "inner.name=plain text",
            "inner.list=[2, 3]",
            "inner.rate=2.0",
        ])
        .unwrap();
        let inner = Inner {
            rate: 2.0,
            name: "plain text".into(),
            list: vec![2, 3],
        };
        assert_eq!(outer, Outer { seed: 1, inner });
    }

    #[test]
    fn a_bad_value_is_named_with_its_source_and_field() {
        let error = resolve(&["inner.rate=fast"]).unwrap_err().to_string();
        assert!(
            error.starts_with("--set inner.rate=fast: field 'inner.rate'"),
            "{error}"
        );
        let error = resolve(&["inner.list=[1, 900]"]).unwrap_err().to_string();
        assert!(
            error.starts_with("--set inner.list=[1, 900]: field 'inner.list[1]'"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_field_is_named_with_the_known_ones() {
        let error = resolve(&["inner.rte=1.0"]).unwrap_err().to_string();
        assert!(error.contains("--set inner.rte=1.0"), "{error}");
        assert!(
            error.contains("`rte`") && error.contains("`rate`"),
            "{error}"
        );
    }

    /// Another kind of network has defaults of its own; the order of the layers does not matter.
    #[test]
    fn another_kind_of_network_starts_from_its_own_defaults() {
        let resolve = |assignments: &[&str]| {
            let mut layers = ConfigLayers::default();
            for assignment in assignments {
                layers.add_assignment(assignment).unwrap();
            }
            layers.resolve_table("network", &NetworkConfig::default())
        };
        let perceptron = |hidden| {
            NetworkConfig::Perceptron(PerceptronShape {
                hidden,
                ..PerceptronShape::default()
            })
        };
        let (kind, hidden) = ("network.architecture=perceptron", "network.hidden=24");
        let default = PerceptronShape::default().hidden;
        assert_eq!(resolve(&[kind]).unwrap(), perceptron(default));
        assert_eq!(resolve(&[kind, hidden]).unwrap(), perceptron(24));
        assert_eq!(resolve(&[hidden, kind]).unwrap(), perceptron(24));

        let wide = NetworkConfig::Megnet(MegnetShape {
            hidden: 24,
            ..MegnetShape::default()
        });
        assert_eq!(resolve(&[hidden]).unwrap(), wide);
        assert_eq!(
            resolve(&["network.architecture=megnet", hidden]).unwrap(),
            wide
        );
        assert_eq!(
            resolve(&[kind, "network.architecture=megnet", hidden]).unwrap(),
            wide
        );

        let error = resolve(&[kind, "network.blocks=2"])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("--set network.blocks=2: field 'network'"),
            "{error}"
        );
        let error = resolve(&["network.architecture=tree"])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("'tree', expected megnet or perceptron"),
            "{error}"
        );
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let mut layers = ConfigLayers::default();
        let error = layers.add_file(Path::new("/dev/zero")).unwrap_err();
        assert!(error.to_string().contains("a device"), "{error}");
    }

    #[test]
    fn an_assignment_without_a_value_or_key_is_refused() {
        assert!(resolve(&["inner.rate"]).is_err());
        assert!(resolve(&["inner..rate=1"]).is_err());
    }
}
