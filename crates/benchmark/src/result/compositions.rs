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
        let skeleton = match self.skeletons.get(skeleton) {
            Some(known) => Arc::clone(known),
            None => {
                let found = Skeleton::builtin(skeleton).map_err(|error| error.to_string())?;
                if found.label != skeleton {
                    return Err(format!(
                        "skeleton {skeleton}, expected its label {}",
                        found.label
                    ));
                }
                let found = self.skeletons.entry(skeleton.to_owned()).or_insert(found);
                Arc::clone(found)
            }
        };
        Crystal::new(skeleton, elements).map_err(|error| error.to_string())
    }
}

/// Symbols in site order, separated by blanks.
fn symbols(crystal: &Crystal) -> String {
    let elements = crystal.elements().iter();
    let symbols: Vec<&str> = elements.map(|element| element.symbol()).collect();
    symbols.join(" ")
}
