use serde::{Deserialize, Serialize};

use crate::{Element, Lattice};

/// A periodic structure as a file holds it: a lattice and occupied sites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Structure {
    /// Lattice, row vectors in Å.
    pub lattice: Lattice,
    /// Element of each site.
    pub elements: Vec<Element>,
    /// Fractional position of each site.
    pub frac_coords: Vec<[f64; 3]>,
}
