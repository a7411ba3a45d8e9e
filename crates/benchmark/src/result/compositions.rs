//! Canonical fillings of built-in skeletons, as rows of a result name them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crystalgym_crystal::{Crystal, Element, Skeleton};

/// A crystal of a benchmark: a built-in skeleton and its canonical filling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Composition {
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, separated by blanks.
    pub elements: String,
}

/// Brings fillings into canonical form, each once.
#[derive(Default)]
pub(crate) struct Compositions {
    skeletons: BTreeMap<String, Arc<Skeleton>>,
    known: HashMap<(String, String), Result<Composition, String>>,
}

impl Compositions {
    /// The composition that a row names; else what is wrong with it.
    pub(crate) fn of(&mut self, skeleton: &str, elements: &str) -> Result<Composition, String> {
        let key = (skeleton.to_owned(), elements.to_owned());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = self.crystal(skeleton, elements).map(|crystal| Composition {
            skeleton: skeleton.to_owned(),
            elements: symbols(&crystal.canonical()),
        });
        self.known.insert(key, found.clone());
        found
    }

    /// The crystal that a row names; else what is wrong with it.
    pub(crate) fn crystal(&mut self, skeleton: &str, elements: &str) -> Result<Crystal, String> {
        let elements = elements
            .split_whitespace()
            .map(|symbol| symbol.parse::<Element>().map_err(|error| error.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        let skeleton = self.skeleton(skeleton)?;
        Crystal::new(skeleton, elements).map_err(|error| error.to_string())
    }

    /// The built-in skeleton of a label; else what is wrong with it.
    pub(crate) fn skeleton(&mut self, label: &str) -> Result<Arc<Skeleton>, String> {
        if let Some(known) = self.skeletons.get(label) {
            return Ok(Arc::clone(known));
        }
        let found = Skeleton::builtin(label).map_err(|error| error.to_string())?;
        if found.label != label {
            return Err(format!(
                "skeleton {label}, expected its label {}",
                found.label
            ));
        }
        self.skeletons.insert(label.to_owned(), Arc::clone(&found));
        Ok(found)
    }
}

/// Symbols in site order, separated by blanks.
pub(super) fn symbols(crystal: &Crystal) -> String {
    let elements = crystal.elements().iter();
    let symbols: Vec<&str> = elements.map(|element| element.symbol()).collect();
    symbols.join(" ")
}
