//! What notebooks show: the package's Python makes it.

use pyo3::prelude::*;

/// The HTML that a function of `crystalgym._html` makes of an object.
pub(crate) fn of(object: &Bound<'_, PyAny>, function: &str) -> PyResult<String> {
    let module = object.py().import("crystalgym._html")?;
    module.getattr(function)?.call1((object,))?.extract()
}
