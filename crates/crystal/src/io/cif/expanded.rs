//! The cell with all its atoms.

use crate::Element;

/// The atoms of a cell, and what became of each listed site.
#[derive(Debug)]
pub(super) struct Expanded {
    pub elements: Vec<Element>,
    pub frac_coords: Vec<[f64; 3]>,
    pub orbits: Vec<Orbit>,
    /// Number of operations, and of translations among them.
    pub operations: usize,
    pub centrings: usize,
}

/// The images of one listed site.
#[derive(Debug)]
pub(super) struct Orbit {
    pub label: String,
    pub sites: usize,
    pub stated_multiplicity: Option<f64>,
}
