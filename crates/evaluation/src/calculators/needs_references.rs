//! What a calculator says of a property that is measured from references that it does not have.

use crate::{Failure, FailureCode, Property};

/// The failure of a formation energy or an energy above the hull without references.
pub(crate) fn needs_references(property: Property) -> Failure {
    let title = property.facts().title.to_lowercase();
    Failure::new(
        FailureCode::UnsupportedProperty,
        format!("the {title} is measured from references, which this calculator has none of"),
    )
}
