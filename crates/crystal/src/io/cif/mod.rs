//! CIF 1.1 and 2.0, core, magnetic and dotted names: one crystal, read right or refused.
//!
//! A block's symmetry can be listed, named or numbered, or all of these ([`symmetry`]); each way to
//! read it is expanded ([`expand`]) and compared with what the block states of its contents
//! ([`facts`]). What remains must be one crystal.

mod block;
mod cartesian;
mod element_names;
mod error;
mod expand;
mod expanded;
mod facts;
mod group_type;
mod names;
mod operation;
mod sites;
mod symmetry;
mod syntax;
mod value;
mod write;

#[cfg(test)]
mod tests;

use block::Block;
use error::parse_error;
use expand::expand;
use expanded::Expanded;
use facts::Facts;
use symmetry::Reading;
use value::Value;

pub(super) use write::write;

use crate::{
    CrystalError, Lattice, Structure,
    matrix::{dot, subtract},
};

/// The crystal of a CIF: the only one, or that with `index`, counted from 0 among the blocks that
/// have both a cell and sites.
///
/// # Errors
/// [`CrystalError::Parse`] with the line: if the text is malformed, holds several crystals and no
/// index is given, or does not determine one crystal of wholly occupied sites.
pub(super) fn read(text: &str, index: Option<usize>) -> Result<Structure, CrystalError> {
    if text.contains('\r') {
        return read_lines(&text.replace("\r\n", "\n").replace('\r', "\n"), index);
    }
    read_lines(text, index)
}

/// As [`read`], for lines that end with `\n`.
fn read_lines(text: &str, index: Option<usize>) -> Result<Structure, CrystalError> {
    let blocks = block::parse(text)?;
    let crystals: Vec<&Block> = blocks.iter().filter(|block| block.has_crystal()).collect();
    let block = match (crystals.as_slice(), index) {
        ([], None | Some(0)) => match blocks.first() {
            // Says what is missing.
            Some(first) => blocks
                .iter()
                .find(|block| !block.values("_atom_site_label").is_empty())
                .unwrap_or(first),
            None => return Err(parse_error(1, "no data: expected data_ and a cell")),
        },
        ([only], None) => only,
        (several, None) => {
            let names: Vec<String> = several
                .iter()
                .enumerate()
                .map(|(index, block)| format!("{index}: {}", block.name))
                .collect();
            let message = format!(
                "{} blocks hold a crystal ({}), expected one: pick one by its index, or split the \
                 file",
                several.len(),
                names.join(", ")
            );
            return Err(parse_error(several[1].line, message));
        }
        (several, Some(index)) => several.get(index).ok_or_else(|| {
            let message = format!(
                "block {index} was asked for, but {} hold a crystal: expected an index below that",
                several.len()
            );
            parse_error(1, message)
        })?,
    };
    structure_of(block)
}

fn structure_of(block: &Block) -> Result<Structure, CrystalError> {
    refuse_modulation(block)?;
    let lattice = cell(block)?;
    let facts = Facts::of(block)?;
    let sites = sites::read(block, &lattice, &facts)?;
    let readings = symmetry::readings(block, &lattice)?;

    let mut crystals: Vec<(&Reading, Expanded)> = Vec::new();
    let mut refused: Vec<(&Reading, CrystalError)> = Vec::new();
    for reading in &readings {
        let crystal = expand(&lattice, &sites, reading, block.line).and_then(|crystal| match facts
            .check(&crystal, &lattice)
        {
            Ok(()) => Ok(crystal),
            Err(message) => {
                let message = format!("read with {}, {message}", reading.name);
                Err(parse_error(block.line, message))
            }
        });
        match crystal {
            Ok(crystal)
                if crystals
                    .iter()
                    .any(|known| same(&lattice, &known.1, &crystal)) => {}
            Ok(crystal) => crystals.push((reading, crystal)),
            Err(error) => refused.push((reading, error)),
        }
    }
    if crystals.len() > 1 {
        let names: Vec<String> = crystals
            .iter()
            .map(|(reading, crystal)| {
                format!("{} ({} sites)", reading.name, crystal.elements.len())
            })
            .collect();
        let message = format!(
            "the space group is not determined: {} give different crystals; expected a loop of \
             _space_group_symop_operation_xyz, or a name with its setting, such as \
             'F d -3 m :2'",
            names.join(" and ")
        );
        return Err(parse_error(block.line, message));
    }
    match (crystals.pop(), refused.len()) {
        (Some((_, crystal)), _) => Ok(Structure {
            lattice,
            elements: crystal.elements,
            frac_coords: crystal.frac_coords,
        }),
        (None, 1) => Err(refused.swap_remove(0).1),
        (None, _) => {
            let reasons: Vec<String> = refused
                .iter()
                .map(|(reading, error)| match error {
                    CrystalError::Parse { message, .. } => format!("{}: {message}", reading.name),
                    other => format!("{}: {other}", reading.name),
                })
                .collect();
            let message = format!("no reading of the symmetry holds: {}", reasons.join("; "));
            Err(parse_error(block.line, message))
        }
    }
}

/// Whether two readings gave the same atoms, in whatever order.
fn same(lattice: &Lattice, a: &Expanded, b: &Expanded) -> bool {
    let near = |x: [f64; 3], y: [f64; 3]| {
        let delta = lattice.to_cart(subtract(x, y).map(|d| d - d.round()));
        dot(delta, delta).sqrt() < crate::SYMMETRY_TOLERANCE_ANG
    };
    let has = |element, x| {
        let atoms = b.elements.iter().zip(&b.frac_coords);
        atoms
            .into_iter()
            .any(|(other, y)| *other == element && near(x, *y))
    };
    a.elements.len() == b.elements.len()
        && a.elements
            .iter()
            .zip(&a.frac_coords)
            .all(|(element, x)| has(*element, *x))
}

/// Modulated and composite crystals have no cell that repeats.
fn refuse_modulation(block: &Block) -> Result<(), CrystalError> {
    const MODULATED: [&str; 7] = [
        "_space_group_ssg",
        "_space_group_symop_ssg",
        "_space_group_magn_ssg",
        "_space_group_symop_magn_ssg",
        "_cell_wave_vector",
        "_cell_subsystem",
        "_atom_site_fourier_wave_vector",
    ];
    if let Some(dimension) = block.item("_cell_modulation_dimension")?
        && dimension.text.trim() != "0"
    {
        return Err(modulated(
            dimension.line,
            "_cell_modulation_dimension",
            dimension.text,
        ));
    }
    for tag in block.tags() {
        if MODULATED.iter().any(|start| tag.starts_with(start))
            && let Some(value) = block.values(tag).first()
        {
            return Err(modulated(value.line, tag, value.text));
        }
    }
    Ok(())
}

fn modulated(line: usize, tag: &str, value: &str) -> CrystalError {
    let message = format!(
        "{tag} is '{value}': modulated structures have no cell that repeats, expected a periodic one"
    );
    parse_error(line, message)
}

/// The cell of the six parameters.
fn cell(block: &Block) -> Result<Lattice, CrystalError> {
    let parameter = |tag: &str, largest: f64| {
        let token = block
            .item(tag)?
            .ok_or_else(|| parse_error(block.line, format!("{tag} is missing")))?;
        let value = Value::of(&token, tag)?.number;
        if value > 0.0 && value < largest {
            return Ok((value, token.line));
        }
        let bound = if largest.is_finite() {
            format!("between 0 and {largest} degrees")
        } else {
            "above 0 Å".to_owned()
        };
        let message = format!("{tag} is '{}', expected a number {bound}", token.text);
        Err(parse_error(token.line, message))
    };
    let length = |axis: char| parameter(&format!("_cell_length_{axis}"), f64::INFINITY);
    let angle = |axis: &str| parameter(&format!("_cell_angle_{axis}"), 180.0);
    let lengths = [length('a')?.0, length('b')?.0, length('c')?.0];
    let (alpha, line) = angle("alpha")?;
    let angles = [alpha, angle("beta")?.0, angle("gamma")?.0];
    let sum: f64 = angles.iter().sum();
    if sum >= 360.0 || angles.iter().any(|angle| 2.0 * angle >= sum) {
        let message = format!(
            "the angles {angles:?} span no cell, expected a sum below 360 and each below the sum \
             of the others"
        );
        return Err(parse_error(line, message));
    }
    Lattice::from_parameters(lengths, angles)
}
