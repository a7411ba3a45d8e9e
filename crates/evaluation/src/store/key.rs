//! The key of a result: all that its outcome depends on.

use std::fmt::Write;

use crystalgym_crystal::{CanonicalCrystal, Crystal, Structure, StructureFormat};
use sha2::{Digest, Sha256};

use crate::{Calculator, Fingerprint, Outcome, Property, identity::Identity};

/// All that an outcome depends on, and its hash.
///
/// A crystal is one result however it is written down: its canonical writing enters, and neither
/// the skeleton's label (kept for people) nor its cell. Where a calculator is defined for the cell
/// as published ([`Calculator::keeps_the_cell`]), that cell enters by its numbers, to 1e-10.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreKey {
    /// Label of the skeleton that was asked for.
    pub skeleton: String,
    /// Symbols in site order of what is computed, separated by blanks.
    pub elements: String,
    /// Formula of the cell that is computed, under which results are found: all its atoms, symbols in
    /// alphabetical order.
    pub formula: String,
    /// Property asked for.
    pub property: Property,
    /// Name of the calculator.
    pub calculator: String,
    /// Settings and pseudopotential hashes.
    pub fingerprint: Fingerprint,
    /// What is computed, as JSON.
    pub structure: String,
    /// `None` if the cell is part of what is computed.
    canonical: Option<CanonicalCrystal>,
    cells: usize,
    hash: String,
}

impl StoreKey {
    /// The key of a crystal in any writing.
    pub fn new(crystal: &Crystal, property: Property, calculator: &dyn Calculator) -> Self {
        Self::of(&Identity::of(crystal, calculator), property, calculator)
    }

    pub(crate) fn of(identity: &Identity, property: Property, calculator: &dyn Calculator) -> Self {
        let structure = identity.structure();
        let symbols: Vec<&str> = structure.elements.iter().map(|e| e.symbol()).collect();
        let elements = symbols.join(" ");
        let fingerprint = calculator.fingerprint(&structure.elements, property);
        let mut hasher = Sha256::new();
        for part in [
            identity.text().as_str(),
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
            skeleton: identity.asked().skeleton().label.clone(),
            formula: structure.cell_formula(),
            elements,
            property,
            calculator: calculator.name().to_owned(),
            fingerprint,
            structure: structure.to_text(StructureFormat::Json),
            canonical: identity.canonical().cloned(),
            cells: identity.cells(),
            hash,
        }
    }

    /// SHA-256 of the key in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// An outcome of the cell that is computed, for the cell that was asked for: energies and
    /// volumes of a supercell are multiples.
    pub fn as_asked(&self, outcome: Outcome) -> Outcome {
        outcome.of_cells(self.cells)
    }

    /// The formula, if the result belongs to a crystal, whatever its cell.
    pub(crate) fn formula_of_crystal(&self) -> Option<&str> {
        self.is_of_a_crystal().then_some(self.formula.as_str())
    }

    /// Whether the result belongs to a crystal, whatever its cell.
    pub(super) fn is_of_a_crystal(&self) -> bool {
        self.canonical.is_some()
    }

    /// Whether another key asks for the same of the same crystal.
    pub(super) fn is_same_crystal(&self, other: &Self) -> bool {
        let is_same_question = self.property == other.property
            && self.calculator == other.calculator
            && self.fingerprint == other.fingerprint;
        match (&self.canonical, &other.canonical) {
            (Some(here), Some(there)) => is_same_question && here.is_same_crystal(there),
            _ => self.hash == other.hash,
        }
    }

    /// Whether a stored structure (JSON) with the same formula is of this crystal.
    pub(super) fn is_crystal_of(&self, stored: &str) -> bool {
        let structure = Structure::from_text(stored, StructureFormat::Json);
        let there = structure.and_then(|structure| CanonicalCrystal::of(&structure));
        match (&self.canonical, there) {
            (Some(here), Ok(there)) => there.cells() == 1 && here.is_same_crystal(&there),
            _ => false,
        }
    }
}
