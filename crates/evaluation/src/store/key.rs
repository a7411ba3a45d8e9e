use std::fmt::Write;

use crystalgym_crystal::{Crystal, Skeleton, StructureFormat};
use sha2::{Digest, Sha256};

use crate::{Calculator, Fingerprint, Property};

/// All that an outcome depends on, and its hash.
///
/// The geometry enters by its numbers (to 1e-10, so that the last bit of a library's cosine makes
/// no difference) and not by the skeleton's label; the label is kept for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreKey {
    /// Label of the skeleton.
    pub skeleton: String,
    /// Canonical filling in site order, separated by blanks.
    pub elements: String,
    /// Formula, for people.
    pub formula: String,
    /// Property asked for.
    pub property: Property,
    /// Name of the calculator.
    pub calculator: String,
    /// Settings and pseudopotential hashes.
    pub fingerprint: Fingerprint,
    /// The crystal as JSON, for exports.
    pub structure: String,
    hash: String,
}

impl StoreKey {
    /// The key of a crystal in canonical form (see [`Crystal::canonical`]).
    pub fn new(canonical: &Crystal, property: Property, calculator: &dyn Calculator) -> Self {
        let symbols: Vec<&str> = canonical
            .elements()
            .iter()
            .map(|element| element.symbol())
            .collect();
        let elements = symbols.join(" ");
        let fingerprint = calculator.fingerprint(canonical.elements(), property);
        let mut hasher = Sha256::new();
        for part in [
            geometry_text(canonical.skeleton()).as_str(),
            &elements,
            property.name(),
            calculator.name(),
            &fingerprint.0,
        ] {
            // The length keeps neighbouring parts apart.
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let hash = hasher
            .finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
        Self {
            skeleton: canonical.skeleton().label.clone(),
            formula: canonical.formula(),
            elements,
            property,
            calculator: calculator.name().to_owned(),
            fingerprint,
            structure: canonical.structure().to_text(StructureFormat::Json),
            hash,
        }
    }

    /// SHA-256 of the key in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

fn geometry_text(skeleton: &Skeleton) -> String {
    let source = &skeleton.source;
    // Published positions are part of it: the `paper` profile computes with them.
    let geometries = [
        (&skeleton.lattice, &skeleton.frac_coords),
        (&source.published_lattice, &source.published_frac_coords),
    ];
    let mut text = String::new();
    for (lattice, frac_coords) in geometries {
        for x in lattice
            .vectors()
            .as_flattened()
            .iter()
            .chain(frac_coords.as_flattened())
        {
            // Adding zero turns -0 into 0.
            let _ = write!(text, "{:.10} ", (x * 1e10).round() / 1e10 + 0.0);
        }
    }
    // The paper's equation of state depends on the space group of the source material.
    let _ = write!(text, "{}", source.space_group_number);
    text
}
