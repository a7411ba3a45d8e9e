//! Crystals of tests.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};

/// A structure as a crystal.
pub(crate) fn crystal_of(structure: &Structure) -> Crystal {
    let skeleton = Skeleton::from_structure("test", structure, SYMMETRY_TOLERANCE_ANG).unwrap();
    Crystal::new(Arc::new(skeleton), structure.elements.clone()).unwrap()
}
