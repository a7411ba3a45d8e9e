use crystalgym_crystal::CrystalError;

/// What can be wrong with the input of a metric.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// A text that is no chemical formula.
    #[error("'{formula}' is no chemical formula: {message}")]
    Formula {
        /// The text.
        formula: String,
        /// What was found and what would be right.
        message: String,
    },
    /// A structure without sites.
    #[error("the structure has no sites, expected at least one")]
    NoSites,
    /// A tolerance that no comparison can use.
    #[error("tolerance '{field}' is {value}, expected a positive number")]
    Tolerance {
        /// Its name.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// A structure or an element.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
}
