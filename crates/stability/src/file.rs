//! Reference sets in CSV files.

use std::{
    fmt::Write,
    io::{self, Read},
    path::Path,
};

use crystalgym_crystal::{read_bytes, write_atomically};
use crystalgym_metrics::Composition;
use flate2::read::MultiGzDecoder;

use crate::{EnergyScale, ReferenceSet, StabilityError};

/// Names of the column of compositions.
const FORMULAS: [&str; 2] = ["formula", "pretty_formula"];
/// Names of the column of energies, how many eV/atom are one of its unit, and what they are.
const ENERGIES: [(&str, f64, EnergyScale); 4] = [
    ("formation_energy_ev_per_atom", 1.0, EnergyScale::Formation),
    ("formation_energy_per_atom", 1.0, EnergyScale::Formation),
    (
        "formation_energy_mev_per_atom",
        1e-3,
        EnergyScale::Formation,
    ),
    (TOTAL_ENERGY, 1.0, EnergyScale::Total),
];
/// Name of the column of total energies.
const TOTAL_ENERGY: &str = "energy_ev_per_atom";
/// Most bytes of a file once unpacked.
const MOST_BYTES: u64 = 1 << 28;
/// Most phases of a set, some ten times as many as the largest databases have.
const MOST_PHASES: usize = 4_000_000;

/// A reader that fails where it goes on beyond a number of bytes.
struct UpTo<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for UpTo<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            let message = format!("it unpacks to more than {MOST_BYTES} bytes");
            io::Error::new(io::ErrorKind::FileTooLarge, message)
        })?;
        Ok(read)
    }
}

impl ReferenceSet {
    /// Reads a CSV file, packed by gzip or not: a column `formula` (or `pretty_formula`) and one of
    /// formation energies, `formation_energy_ev_per_atom`, `formation_energy_mev_per_atom` or (in
    /// eV, as in MP-20) `formation_energy_per_atom`; elements that occur have the energy 0. Or one of
    /// total energies, `energy_ev_per_atom`, by one method; then elements need lines of their own.
    ///
    /// The name of the set is that of the file.
    ///
    /// # Errors
    /// [`StabilityError::File`] names the column or the line, what was found and what would be
    /// right.
    pub fn from_csv(path: &Path) -> Result<Self, StabilityError> {
        let wrong = |message: String| StabilityError::File {
            path: path.to_owned(),
            message,
        };
        let io = |source| StabilityError::Io {
            path: path.to_owned(),
            source,
        };
        let bytes = read_bytes(path).map_err(io)?;
        let unpacked: Box<dyn Read> = match bytes.starts_with(b"\x1f\x8b") {
            false => Box::new(bytes.as_slice()),
            true => Box::new(UpTo {
                inner: MultiGzDecoder::new(bytes.as_slice()),
                left: MOST_BYTES,
            }),
        };
        let mut reader = csv::Reader::from_reader(unpacked);
        let headers = reader
            .headers()
            .map_err(|error| wrong(error.to_string()))?
            .clone();
        let column = |name: &str| headers.iter().position(|header| header == name);
        let formulas = FORMULAS
            .iter()
            .find_map(|name| column(name))
            .ok_or_else(|| wrong(format!("no column {}", FORMULAS.join(" or "))))?;
        let (energies, unit_ev, scale) = ENERGIES
            .iter()
            .find_map(|(name, unit, scale)| Some((column(name)?, *unit, *scale)))
            .ok_or_else(|| {
                let expected = ENERGIES.map(|(name, ..)| name).join(", ");
                let found = headers.iter().collect::<Vec<_>>().join(", ");
                wrong(format!(
                    "no column of energies in a unit that is known: expected one of \
                     {expected}; found {found}"
                ))
            })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut set = Self::new(name);
        for record in reader.records() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |k: usize| record.get(k).unwrap_or_default();
            let composition: Composition = field(formulas)
                .parse()
                .map_err(|error| wrong(format!("line {line}: {error}")))?;
            let energy: f64 = field(energies).trim().parse().map_err(|_| {
                wrong(format!(
                    "line {line}: the energy is '{}', expected a number",
                    field(energies)
                ))
            })?;
            set.add(composition, energy * unit_ev)
                .map_err(|error| wrong(format!("line {line}: {error}")))?;
            if set.phases().len() > MOST_PHASES {
                return Err(wrong(format!("it has more than {MOST_PHASES} phases")));
            }
        }
        if set.phases().is_empty() {
            return Err(wrong("no line of data, expected at least one".to_owned()));
        }
        if scale == EnergyScale::Formation {
            set.add_elements_at_zero()?;
        }
        Ok(set)
    }

    /// Writes the set as a CSV file that [`Self::from_csv`] reads, the phases in their order.
    ///
    /// # Errors
    /// [`StabilityError::Io`].
    pub fn to_csv(&self, path: &Path) -> Result<(), StabilityError> {
        let column = match self.scale() {
            EnergyScale::Formation => "formation_energy_ev_per_atom",
            EnergyScale::Total => TOTAL_ENERGY,
        };
        let mut text = format!("formula,{column}\n");
        for phase in self.phases() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{},{:?}", phase.composition, phase.energy_ev_atom);
        }
        write_atomically(path, text.as_bytes()).map_err(|source| StabilityError::Io {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_ends_where_too_much_comes() {
        for (left, is_read) in [(4, true), (3, false), (0, false)] {
            let mut reader = UpTo {
                inner: &b"four"[..],
                left,
            };
            let mut text = Vec::new();
            assert_eq!(reader.read_to_end(&mut text).is_ok(), is_read, "{left}");
        }
    }
}
