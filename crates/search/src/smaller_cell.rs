//! The primitive cell of a structure that was given as a supercell.

use crystalgym_crystal::{SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};
use crystalgym_metrics::primitive_structure;

use crate::SearchError;

/// The primitive cell of a skeleton's source material, if it has fewer sites than the skeleton.
///
/// # Errors
/// [`SearchError::Crystal`] if a cell cannot be reduced.
pub fn smaller_cell(skeleton: &Skeleton) -> Result<Option<Skeleton>, SearchError> {
    let source = &skeleton.source;
    let Some(elements) = source.elements.clone() else {
        return Ok(None);
    };
    let given = Structure::new(
        source.published_lattice,
        elements,
        source.published_frac_coords.clone(),
    )?;
    let primitive = primitive_structure(&given)?;
    if primitive.elements.len() == given.elements.len() {
        return Ok(None);
    }
    let label = &skeleton.label;
    let reduced = Skeleton::from_structure(label, &primitive, SYMMETRY_TOLERANCE_ANG)?;
    Ok(Some(reduced))
}
