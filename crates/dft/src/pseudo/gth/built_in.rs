//! The built-in table of parameters, by element.

use crystalgym_crystal::Element;

use super::{
    super::error::PseudoError,
    atom::solve,
    entry::GthEntry,
    parameters::{GthChannel, GthParameters},
    table,
};

impl GthParameters {
    /// The PBE parameters of the built-in table.
    ///
    /// # Errors
    /// [`PseudoError::NoGth`].
    pub fn pbe(element: Element) -> Result<Self, PseudoError> {
        table::ENTRIES
            .iter()
            .find(|entry| entry.symbol == element.symbol())
            .map(|entry| Self::from_entry(element, entry))
            .ok_or_else(|| PseudoError::NoGth {
                element,
                known: known_elements(),
            })
    }

    fn from_entry(element: Element, entry: &GthEntry) -> Self {
        let channels = entry
            .channels
            .iter()
            .map(|&(radius, triangle)| GthChannel::from_triangle(radius, triangle))
            .collect();
        let mut gth = Self {
            element,
            name: entry.name.to_owned(),
            z_valence: entry.shells.iter().map(|&n| f64::from(n)).sum(),
            r_local: entry.r_local,
            local: entry.local.to_vec(),
            channels,
            orbitals: Vec::new(),
        };
        gth.orbitals = solve(&gth, &entry.shells);
        gth
    }
}

/// The elements of the built-in table.
pub fn gth_elements() -> impl Iterator<Item = Element> {
    table::ENTRIES
        .iter()
        .filter_map(|entry| entry.symbol.parse().ok())
}

/// The symbols of the table, for messages.
fn known_elements() -> String {
    let symbols: Vec<&str> = table::ENTRIES.iter().map(|entry| entry.symbol).collect();
    symbols.join(", ")
}
