//! Crystals of tests.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Lattice, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};

/// A structure as a crystal.
pub(crate) fn crystal_of(structure: &Structure) -> Crystal {
    let skeleton = Skeleton::from_structure("test", structure, SYMMETRY_TOLERANCE_ANG).unwrap();
    Crystal::new(Arc::new(skeleton), structure.elements.clone()).unwrap()
}

/// Rock salt in its conventional cell of 8 sites.
pub(crate) fn salt([cation, anion]: &[&str; 2], edge_ang: f64) -> Structure {
    let face = [
        [0.0, 0.0, 0.0],
        [0.0, 0.5, 0.5],
        [0.5, 0.0, 0.5],
        [0.5, 0.5, 0.0],
    ];
    let shifted = face.map(|[x, y, z]: [f64; 3]| [(x + 0.5) % 1.0, y, z]);
    Structure {
        lattice: Lattice::from_parameters([edge_ang; 3], [90.0; 3]).unwrap(),
        elements: [[*cation; 4], [*anion; 4]]
            .concat()
            .iter()
            .map(|symbol| symbol.parse().unwrap())
            .collect(),
        frac_coords: [face, shifted].concat(),
    }
}
