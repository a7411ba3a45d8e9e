//! What a table says of itself, in its file's metadata.

use std::collections::BTreeMap;

use crystalgym_crystal::{Element, Lattice, Skeleton};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fingerprints::Fingerprints;
use crate::Property;

/// How far a lattice vector or a site may be from where it was, in Å, for a skeleton to be the
/// table's: far below any tolerance, far above rounding.
const TOLERANCE_ANG: f64 = 1e-6;

/// What a table says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDescription {
    /// [`TableDescription::FORMAT`].
    pub format: String,
    /// Version of the program that wrote it.
    pub crystalgym_version: String,
    /// The skeleton whose fillings it holds.
    pub skeleton: TableSkeleton,
    /// The elements, in the order of the action set.
    pub elements: Vec<Element>,
    /// What was computed.
    pub property: Property,
    /// Its unit, for readers of the file.
    pub unit: String,
    /// Name of the calculator that computed it.
    pub calculator_name: String,
    /// That calculator's settings as a configuration writes them, without what only concerns a machine
    /// ([`CalculatorConfig::described`](crate::CalculatorConfig::described)).
    pub calculator: Value,
    /// Whether outcomes are defined for the cell as published.
    pub keeps_the_cell: bool,
    /// What the store knows its results by, pseudopotential checksums among it.
    pub(crate) fingerprints: Fingerprints,
    /// Number of different fillings of the skeleton with these elements.
    pub fillings: usize,
    /// Rows by their outcome: `success`, or the code of a failure.
    pub counts: BTreeMap<String, usize>,
    /// SHA-256 of all rows in their order, wall times aside: the same for everyone who computes the
    /// table on the same kind of processor.
    pub rows_sha256: String,
}

impl TableDescription {
    /// The format of this version.
    pub const FORMAT: &'static str = "crystalgym-table/1";

    /// Identity of each element's pseudopotential, with its checksum; none for a calculator without.
    pub fn pseudopotentials(&self) -> &BTreeMap<String, String> {
        &self.fingerprints.pseudopotentials
    }
}

/// The geometry of a table's skeleton.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSkeleton {
    /// Label.
    pub label: String,
    /// Lattice vectors as rows, in Å.
    pub lattice_ang: [[f64; 3]; 3],
    /// Fractional positions, in the order of the sites.
    pub frac_coords: Vec<[f64; 3]>,
}

impl TableSkeleton {
    /// That of a skeleton.
    pub fn of(skeleton: &Skeleton) -> Self {
        Self {
            label: skeleton.label.clone(),
            lattice_ang: skeleton.lattice.vectors(),
            frac_coords: skeleton.frac_coords.clone(),
        }
    }

    /// Whether a skeleton has this geometry, whatever it is called.
    pub fn is_that_of(&self, skeleton: &Skeleton) -> bool {
        let close = |a: [f64; 3], b: [f64; 3]| {
            let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f64>().sqrt() <= TOLERANCE_ANG
        };
        let lattice: &Lattice = &skeleton.lattice;
        let vectors = self.lattice_ang.iter().zip(lattice.vectors());
        self.frac_coords.len() == skeleton.sites()
            && vectors.into_iter().all(|(was, is)| close(*was, is))
            && self
                .frac_coords
                .iter()
                .zip(&skeleton.frac_coords)
                .all(|(was, is)| {
                    // The shortest way, since 0 and 1 are one place.
                    let way = [0, 1, 2].map(|axis| {
                        let step = is[axis] - was[axis];
                        step - step.round()
                    });
                    close(lattice.to_cart(way), [0.0; 3])
                })
    }
}
