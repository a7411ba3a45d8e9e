//! What fillings are computed with, and crystals in the cells where they are.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, CrystalError, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};
use crystalgym_evaluation::{
    Calculator, CancelToken, Evaluation, Failure, Property, ResultStore, evaluate,
};

/// What fillings are computed with.
pub(crate) struct Laboratory<'a> {
    pub(crate) calculator: &'a dyn Calculator,
    pub(crate) store: Option<&'a ResultStore>,
    pub(crate) property: Property,
    pub(crate) cancel: &'a CancelToken,
}

/// A crystal in the cell where it is to be computed, or why there is none.
pub(crate) type Placed = Result<Crystal, Failure>;

impl Laboratory<'_> {
    pub(crate) fn evaluate(&self, crystal: &Crystal, property: Property) -> Evaluation {
        evaluate(self.calculator, self.store, crystal, property, self.cancel)
    }
}

/// A structure as a crystal of a label.
pub(crate) fn placed(label: &str, structure: Structure) -> Result<Crystal, CrystalError> {
    let skeleton = Skeleton::from_structure(label, &structure, SYMMETRY_TOLERANCE_ANG)?;
    Crystal::new(Arc::new(skeleton), structure.elements)
}
