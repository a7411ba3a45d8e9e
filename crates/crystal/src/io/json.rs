use serde::Deserialize;

use super::{element_of, parse_error};
use crate::{CrystalError, Lattice, Structure};

const FORMAT: &str = "JSON";

/// Our own form, or the part of pymatgen's `Structure.as_dict()` that holds the geometry.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyStructure {
    Pymatgen {
        lattice: PymatgenLattice,
        sites: Vec<PymatgenSite>,
    },
    Own(RawStructure),
}

#[derive(Deserialize)]
struct RawStructure {
    lattice: [[f64; 3]; 3],
    elements: Vec<String>,
    frac_coords: Vec<[f64; 3]>,
}

#[derive(Deserialize)]
struct PymatgenLattice {
    matrix: [[f64; 3]; 3],
}

#[derive(Deserialize)]
struct PymatgenSite {
    species: Vec<PymatgenSpecies>,
    abc: [f64; 3],
}

#[derive(Deserialize)]
struct PymatgenSpecies {
    element: String,
    occu: f64,
}

pub(super) fn read(text: &str) -> Result<Structure, CrystalError> {
    // Syntax first: an untagged enum would lose the line.
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| parse_error(FORMAT, error.line().max(1), error.to_string()))?;
    let any: AnyStructure = serde_json::from_value(value).map_err(|_| {
        let message = "expected {lattice, elements, frac_coords} or pymatgen's {lattice, sites}";
        parse_error(FORMAT, 1, message)
    })?;
    let (vectors, symbols, frac_coords) = match any {
        AnyStructure::Own(raw) => (raw.lattice, raw.elements, raw.frac_coords),
        AnyStructure::Pymatgen { lattice, sites } => {
            let symbols = sites
                .iter()
                .map(ordered_species)
                .collect::<Result<_, _>>()?;
            (
                lattice.matrix,
                symbols,
                sites.iter().map(|site| site.abc).collect(),
            )
        }
    };
    if symbols.len() != frac_coords.len() || symbols.is_empty() {
        let message = format!(
            "{} elements for {} positions",
            symbols.len(),
            frac_coords.len()
        );
        return Err(parse_error(FORMAT, 1, message));
    }
    let elements = symbols
        .iter()
        .map(|symbol| element_of(FORMAT, 1, symbol))
        .collect::<Result<_, _>>()?;
    Ok(Structure {
        lattice: Lattice::new(vectors)?,
        elements,
        frac_coords,
    })
}

fn ordered_species(site: &PymatgenSite) -> Result<String, CrystalError> {
    match site.species.as_slice() {
        [species] if species.occu == 1.0 => Ok(species.element.clone()),
        _ => Err(parse_error(
            FORMAT,
            1,
            "a site is not fully occupied by one element",
        )),
    }
}

pub(super) fn write(structure: &Structure) -> String {
    // Plain numbers, strings and lists always serialise.
    serde_json::to_string_pretty(structure).unwrap_or_default() + "\n"
}
