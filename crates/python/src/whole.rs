use pyo3::{exceptions::PyOverflowError, prelude::*};

/// The integer that an argument is: `crystalgym._arguments.whole`, which refuses truth values and
/// real numbers by `TypeError`, and what is out of range by `ValueError`.
pub(crate) fn whole<T>(name: &str, value: &Bound<'_, PyAny>, least: u64, most: u64) -> PyResult<T>
where
    T: TryFrom<u64>,
{
    let found: u64 = value
        .py()
        .import("crystalgym._arguments")?
        .call_method1("whole", (name, value, least, most))?
        .extract()?;
    T::try_from(found)
        .map_err(|_| PyOverflowError::new_err(format!("{name} is {found}, which is too large")))
}
