//! What tells two reference sets apart.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::{EnergyScale, ReferenceSet};

impl ReferenceSet {
    /// SHA-256 of the scale, the compositions and their energies, whatever their order and the name of
    /// the set: two sets with the same checksum give the same hull.
    pub fn checksum(&self) -> String {
        let mut lines: Vec<String> = self
            .phases()
            .iter()
            .map(|phase| format!("{} {:?}\n", phase.composition, phase.energy_ev_atom))
            .collect();
        lines.sort_unstable();
        let mut hash = Sha256::new();
        hash.update(match self.scale() {
            EnergyScale::Formation => "formation\n",
            EnergyScale::Total => "total\n",
        });
        for line in lines {
            hash.update(line);
        }
        hash.finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}
