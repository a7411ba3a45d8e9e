//! Files of crystals in the columns of MP-20 (Xie et al. 2021): CSV, plain or gzipped, one CIF a row.

use std::{
    io::{BufReader, Read},
    path::Path,
};

use crystalgym_crystal::{Structure, StructureFormat};
use flate2::read::MultiGzDecoder;

use crate::LanguageError;

/// Rows that are named when they are bad; more are counted only.
const NAMED: usize = 20;

/// A crystal of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct CrystalRow {
    /// What the file calls it, or the number of its row.
    pub name: String,
    /// The crystal.
    pub structure: Structure,
    /// Its band gap in eV, where the file has it.
    pub band_gap_ev: Option<f64>,
}

/// Crystals of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CrystalFile {
    /// Those that could be read, in the order of the file.
    pub rows: Vec<CrystalRow>,
    /// Why others could not: the first of them, by row.
    pub skipped: Vec<String>,
    /// How many could not.
    pub skipped_rows: usize,
}

impl CrystalFile {
    /// Reads a file with a column `cif`, and `material_id` and `band_gap` where it has them. Rows that
    /// cannot be read, or have more than `most_sites` sites, are named and left out.
    ///
    /// # Errors
    /// [`LanguageError::Io`] or [`LanguageError::File`] if it is no such file, or no row can be read.
    pub fn read(path: &Path, most_sites: usize) -> Result<Self, LanguageError> {
        let file = crystalgym_crystal::open_regular(path)
            .map_err(|source| LanguageError::io(path, source))?;
        let gzipped = path.extension().is_some_and(|extension| extension == "gz");
        let reader: Box<dyn Read> = match gzipped {
            true => Box::new(MultiGzDecoder::new(BufReader::new(file))),
            false => Box::new(BufReader::new(file)),
        };
        let mut reader = csv::Reader::from_reader(reader);
        let bad = |message: String| LanguageError::file(path, message);
        let header = reader.headers().map_err(|error| bad(error.to_string()))?;
        let column = |name: &str| header.iter().position(|found| found == name);
        let cif = column("cif").ok_or_else(|| bad("it has no column 'cif'".to_owned()))?;
        let (name, gap) = (column("material_id"), column("band_gap"));
        let mut found = Self::default();
        for (index, record) in reader.records().enumerate() {
            // Row 1 is the header.
            let number = index + 2;
            let record = match record {
                Ok(record) => record,
                Err(error) if error.is_io_error() => return Err(bad(error.to_string())),
                Err(error) => {
                    found.skip(format!("row {number}: {error}"));
                    continue;
                }
            };
            let field = |column: Option<usize>| column.and_then(|column| record.get(column));
            let name = field(name).map_or_else(|| format!("row {number}"), str::to_owned);
            let structure = field(Some(cif))
                .ok_or_else(|| "no CIF".to_owned())
                .and_then(|text| {
                    Structure::from_text(text, StructureFormat::Cif)
                        .map_err(|error| error.to_string())
                });
            match structure {
                Ok(structure) if structure.elements.len() > most_sites => {
                    let sites = structure.elements.len();
                    found.skip(format!(
                        "row {number} ({name}): {sites} sites, at most {most_sites}"
                    ));
                }
                Ok(structure) => found.rows.push(CrystalRow {
                    name,
                    structure,
                    band_gap_ev: field(gap).and_then(|text| text.parse().ok()),
                }),
                Err(error) => found.skip(format!("row {number} ({name}): {error}")),
            }
        }
        if found.rows.is_empty() {
            let first = found.skipped.first().map_or("no row", String::as_str);
            return Err(bad(format!("no crystal can be read: {first}")));
        }
        Ok(found)
    }

    fn skip(&mut self, why: String) {
        self.skipped_rows += 1;
        if self.skipped.len() < NAMED {
            self.skipped.push(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const CIF: &str = "data_x\n_cell_length_a 4\n_cell_length_b 4\n_cell_length_c 4\n\
        _cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n\
        _atom_site_type_symbol\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n\
        _atom_site_fract_z\nCs Cs1 0 0 0\nCl Cl1 0.5 0.5 0.5\n";

    #[test]
    fn good_rows_are_read_and_bad_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crystals.csv.gz");
        let text = format!(
            "material_id,band_gap,cif\nmp-1,5.5,\"{CIF}\"\nmp-2,0,\"data_y\"\nmp-3\nmp-4,,\"{CIF}\"\n"
        );
        let mut encoder = flate2::write::GzEncoder::new(
            std::fs::File::create(&path).unwrap(),
            flate2::Compression::fast(),
        );
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
        let read = CrystalFile::read(&path, 20).unwrap();
        assert_eq!(read.rows.len(), 2);
        assert_eq!(
            (read.rows[0].name.as_str(), read.rows[0].band_gap_ev),
            ("mp-1", Some(5.5))
        );
        assert_eq!(read.rows[1].band_gap_ev, None);
        assert_eq!(read.skipped_rows, 2);
        assert!(
            read.skipped[0].starts_with("row 3 (mp-2)"),
            "{:?}",
            read.skipped
        );
        let error = CrystalFile::read(&path, 1).unwrap_err().to_string();
        assert!(error.contains("2 sites, at most 1"), "{error}");
        std::fs::write(folder.path().join("x.csv"), "a,b\n1,2\n").unwrap();
        let error = CrystalFile::read(&folder.path().join("x.csv"), 1)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no column 'cif'"), "{error}");
    }
}
