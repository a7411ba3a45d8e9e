//! The listed sites: elements, positions and how exactly they are written, occupancies.

use super::{
    FORMAT,
    block::{Block, Table},
    facts::Facts,
    syntax::Token,
    value::Value,
};
use crate::{CrystalError, Element, Lattice, io::parse_error, matrix};

/// Whole cells beyond which a fractional coordinate has lost its digits.
const FARTHEST_FRAC: f64 = 1e5;

/// Deviation from 1 up to which an occupancy counts as full.
const OCCUPANCY_TOLERANCE: f64 = 1e-3;

/// Plutonium; heavier elements are written Nh, not NH.
const LAST_IN_CAPITALS: u8 = 94;

/// A listed site.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub label: String,
    pub line: usize,
    pub element: Element,
    pub frac: [f64; 3],
    /// How far the true coordinate may lie from the written one.
    pub reach: [f64; 3],
    /// Multiplicity as the file states it.
    pub multiplicity: Option<f64>,
}

/// The sites of a block that are wholly occupied.
///
/// # Errors
/// [`CrystalError::Parse`] if a site is partly occupied, is no element, or has no position.
pub(super) fn read(
    block: &Block,
    lattice: &Lattice,
    facts: &Facts,
) -> Result<Vec<Site>, CrystalError> {
    let missing = |line: usize, tag: &str| parse_error(FORMAT, line, format!("{tag} is missing"));
    let (table, axes, to_frac) = match block.table("_atom_site_fract_x", "_atom_site_")? {
        Some(table) => (table, ["fract_x", "fract_y", "fract_z"], None),
        None => {
            let table = block
                .table("_atom_site_cartn_x", "_atom_site_")?
                .ok_or_else(|| missing(block.line, "_atom_site_fract_x"))?;
            let turn = Cartesian::of(block, lattice, table.line)?;
            (table, ["cartn_x", "cartn_y", "cartn_z"], Some(turn))
        }
    };
    let required = |tag: String| table.column(&tag).ok_or_else(|| missing(table.line, &tag));
    let mut axis_columns = [0; 3];
    for (column, axis) in axis_columns.iter_mut().zip(axes) {
        *column = required(format!("_atom_site_{axis}"))?;
    }
    let columns = Columns::of(block, &table)?;
    columns.refuse_disorder(&table)?;

    let mut sites = Vec::new();
    let organic = table.rows().any(|row| {
        let symbol = columns.symbol(row).map(|token| token.text);
        symbol.is_some_and(|text| text.trim_end_matches(|c: char| !c.is_alphabetic()) == "H")
    });
    for row in table.rows() {
        let Some(symbol) = columns.symbol(row) else {
            return Err(missing(table.line, "_atom_site_type_symbol"));
        };
        let value = |column: Option<usize>| column.map(|c| row[c]).filter(|v| !v.is_null());
        let dummy = value(columns.calculated)
            .is_some_and(|flag| matches!(flag.text.to_lowercase().as_str(), "dum" | "dummy"));
        if dummy || !is_occupied(symbol, value(columns.occupancy))? {
            continue;
        }
        if let Some(hydrogens) = value(columns.attached_hydrogens)
            && hydrogens.text.trim() != "0"
        {
            let message = format!(
                "{} hydrogen atoms are attached to site {} without positions: expected every atom",
                hydrogens.text, symbol.text
            );
            return Err(parse_error(FORMAT, hydrogens.line, message));
        }
        let mut written = [Value::exact(0.0); 3];
        for ((written, column), axis) in written.iter_mut().zip(axis_columns).zip(axes) {
            *written = Value::of(&row[column], &format!("_atom_site_{axis}"))?;
        }
        let mut frac = written.map(|value| value.number);
        let mut reach = written.map(|value| value.reach);
        if let Some(turn) = &to_frac {
            frac = turn.apply(frac);
            reach = matrix::apply(turn.rotation.map(|row| row.map(f64::abs)), reach);
        }
        if let Some(far) = frac.iter().find(|x| x.abs() > FARTHEST_FRAC) {
            let message = format!(
                "site {} lies {far} cells from the origin, expected at most {FARTHEST_FRAC}",
                symbol.text
            );
            return Err(parse_error(FORMAT, row[axis_columns[0]].line, message));
        }
        sites.push(Site {
            label: columns.label(row).unwrap_or(symbol).text.to_owned(),
            line: symbol.line,
            element: columns.element(row, facts, organic)?,
            frac,
            reach,
            multiplicity: match value(columns.multiplicity) {
                Some(token) => Value::of(&token, "the multiplicity of a site").ok(),
                None => None,
            }
            .map(|value| value.number),
        });
    }
    if sites.is_empty() {
        let message = "no site: expected at least one";
        return Err(parse_error(FORMAT, table.line, message));
    }
    Ok(sites)
}

/// Which columns of the loop of sites hold what.
struct Columns {
    type_symbol: Option<usize>,
    label: Option<usize>,
    occupancy: Option<usize>,
    multiplicity: Option<usize>,
    calculated: Option<usize>,
    attached_hydrogens: Option<usize>,
    disorder_group: Option<usize>,
    disorder_assembly: Option<usize>,
}

impl Columns {
    fn of(block: &Block, table: &Table) -> Result<Self, CrystalError> {
        let column = |tag: &str| -> Result<Option<usize>, CrystalError> {
            let found = table.column(tag);
            if found.is_none()
                && let Some(value) = block.values(tag).first()
            {
                let message = format!(
                    "{tag} stands in another loop than the positions, expected one loop of sites"
                );
                return Err(parse_error(FORMAT, value.line, message));
            }
            Ok(found)
        };
        let multiplicity = column("_atom_site_symmetry_multiplicity")?;
        Ok(Self {
            type_symbol: column("_atom_site_type_symbol")?,
            label: table.column("_atom_site_label"),
            occupancy: column("_atom_site_occupancy")?,
            multiplicity: multiplicity.or(table.column("_atom_site_site_symmetry_multiplicity")),
            calculated: column("_atom_site_calc_flag")?,
            attached_hydrogens: column("_atom_site_attached_hydrogens")?,
            disorder_group: column("_atom_site_disorder_group")?,
            disorder_assembly: column("_atom_site_disorder_assembly")?,
        })
    }

    fn label<'a>(&self, row: &[Token<'a>]) -> Option<Token<'a>> {
        self.label
            .map(|column| row[column])
            .filter(|t| !t.is_null())
    }

    /// What names the element: the type symbol, or else the label.
    fn symbol<'a>(&self, row: &[Token<'a>]) -> Option<Token<'a>> {
        self.type_symbol
            .map(|column| row[column])
            .filter(|symbol| !symbol.is_null())
            .or_else(|| self.label(row))
    }

    fn element(
        &self,
        row: &[Token],
        facts: &Facts,
        organic: bool,
    ) -> Result<Element, CrystalError> {
        let by_type = self
            .type_symbol
            .map(|column| row[column])
            .filter(|symbol| !symbol.is_null());
        let (token, element) = match (by_type, self.label(row)) {
            (Some(token), _) => (token, of_type_symbol(token.text.trim())),
            (None, Some(token)) => (token, of_label(token.text.trim(), facts, organic)),
            (None, None) => return Err(parse_error(FORMAT, 1, "a site has no label")),
        };
        element.ok_or_else(|| {
            let message = format!(
                "'{}' names no element: expected H, He, … Og in _atom_site_type_symbol",
                token.text
            );
            parse_error(FORMAT, token.line, message)
        })
    }

    /// Alternatives of which only one is there at a time cannot all be there.
    fn refuse_disorder(&self, table: &Table) -> Result<(), CrystalError> {
        let Some(group) = self.disorder_group else {
            return Ok(());
        };
        let assembly = |row: &[Token]| {
            let assembly = self.disorder_assembly.map(|column| row[column]);
            assembly.map_or("", |token| token.text).to_owned()
        };
        let mut groups: Vec<(String, &str)> = Vec::new();
        for row in table.rows().filter(|row| !row[group].is_null()) {
            let key = (assembly(row), row[group].text);
            let other = groups
                .iter()
                .find(|known| known.0 == key.0 && known.1 != key.1);
            if let Some((_, other)) = other {
                let message = format!(
                    "sites of the disorder groups '{other}' and '{}' exclude each other: \
                     disordered structures cannot be read",
                    key.1
                );
                return Err(parse_error(FORMAT, row[group].line, message));
            }
            if !groups.contains(&key) {
                groups.push(key);
            }
        }
        Ok(())
    }
}

/// Whether a site is occupied: wholly (an unknown occupancy is 1) or not at all.
///
/// # Errors
/// If it is occupied in part.
fn is_occupied(symbol: Token, occupancy: Option<Token>) -> Result<bool, CrystalError> {
    let Some(occupancy) = occupancy else {
        return Ok(true);
    };
    let value = Value::of(&occupancy, "_atom_site_occupancy")?.number;
    if value == 0.0 {
        return Ok(false);
    }
    if (value - 1.0).abs() > OCCUPANCY_TOLERANCE {
        let message = format!(
            "site {} is occupied by {}, expected 1: disordered sites cannot be read",
            symbol.text, occupancy.text
        );
        return Err(parse_error(FORMAT, occupancy.line, message));
    }
    Ok(true)
}

/// An element's symbol in any case, hydrogen's isotopes included.
fn of_symbol(letters: &str) -> Option<Element> {
    let mut proper = letters.to_ascii_lowercase();
    if proper.len() > 2 {
        return None;
    }
    proper.get_mut(..1)?.make_ascii_uppercase();
    match proper.as_str() {
        "D" | "T" => "H".parse().ok(),
        symbol => symbol.parse().ok(),
    }
}

/// The element of a type symbol such as Na, NA, Na1+ or Fe3+; none for Wat, O-H, H2O or CO3.
pub(super) fn of_type_symbol(text: &str) -> Option<Element> {
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (letters, charge) = text.split_at(end);
    let is_charge = charge
        .chars()
        .all(|c| c.is_ascii_digit() || "+-.,()".contains(c));
    let element = of_symbol(letters).filter(|_| is_charge)?;
    let in_capitals = letters.len() == 2 && letters.chars().all(|c| c.is_ascii_uppercase());
    if in_capitals {
        // NH, CN and NO are no heavy elements, and CO3 is not cobalt.
        let of_two = (0..2).all(|at| of_symbol(&letters[at..=at]).is_some());
        let is_count = !charge.is_empty() && charge.bytes().all(|b| b.is_ascii_digit());
        if element.atomic_number() > LAST_IN_CAPITALS || (of_two && is_count) {
            return None;
        }
    }
    Some(element)
}

/// The element that a label such as Na1, O1W, CL2 or H12B starts with.
///
/// Two capitals that are both an element and start with one, NA or CA, are read as the formula
/// says, or else as one element unless there is hydrogen, where labels such as CA and HO are usual.
fn of_label(text: &str, facts: &Facts, organic: bool) -> Option<Element> {
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let letters = &text[..end];
    let stated = |element: &Element| facts.states(*element);
    let one = letters.get(..1).and_then(of_symbol);
    let two = letters.get(..2).and_then(of_type_symbol);
    let proper_case = letters
        .get(1..2)
        .is_some_and(|second| second.chars().all(|c| c.is_ascii_lowercase()));
    match (one, two) {
        (_, Some(two)) if letters.len() == 2 && proper_case => Some(two),
        (Some(one), Some(two)) => match (stated(&one), stated(&two)) {
            (Some(true), Some(false)) => Some(one),
            (Some(false), Some(true)) => Some(two),
            _ if letters.len() == 2 && !organic => Some(two),
            _ => None,
        },
        (Some(one), None) if letters.len() <= 2 => Some(one),
        (None, Some(two)) if letters.len() == 2 => Some(two),
        (Some(one), None) => Some(one).filter(|one| stated(one) == Some(true)),
        (None, _) => None,
    }
}

/// From Cartesian to fractional positions.
struct Cartesian {
    rotation: matrix::Matrix3,
    shift: [f64; 3],
}

impl Cartesian {
    /// The matrix that the block gives. Without one only the axes of a cell with right angles are
    /// certain: **a** along x, **b** along y, **c** along z.
    fn of(block: &Block, lattice: &Lattice, line: usize) -> Result<Self, CrystalError> {
        for (stem, vector, inverse) in [
            (
                "_atom_sites_fract_tran_matrix_",
                "_atom_sites_fract_tran_vector_",
                false,
            ),
            (
                "_atom_sites_fract_transf_matrix",
                "_atom_sites_fract_transf_vector",
                false,
            ),
            (
                "_atom_sites_cartn_tran_matrix_",
                "_atom_sites_cartn_tran_vector_",
                true,
            ),
            (
                "_atom_sites_cartn_transf_matrix",
                "_atom_sites_cartn_transf_vector",
                true,
            ),
        ] {
            let bracketed = stem.ends_with('x');
            let tag = |i: usize, j: usize| {
                if bracketed {
                    format!("{stem}[{i}][{j}]")
                } else {
                    format!("{stem}{i}{j}")
                }
            };
            if block.item(&tag(1, 1))?.is_none() {
                continue;
            }
            let number = |tag: &str| match block.item(tag)? {
                Some(token) => Ok(Value::of(&token, tag)?.number),
                None => Err(parse_error(FORMAT, line, format!("{tag} is missing"))),
            };
            let mut rotation = [[0.0; 3]; 3];
            let mut shift = [0.0; 3];
            for i in 0..3 {
                for j in 0..3 {
                    rotation[i][j] = number(&tag(i + 1, j + 1))?;
                }
                let tag = if bracketed {
                    format!("{vector}[{}]", i + 1)
                } else {
                    format!("{vector}{}", i + 1)
                };
                if let Some(token) = block.item(&tag)? {
                    shift[i] = Value::of(&token, &tag)?.number;
                }
            }
            if inverse {
                // Columns of the matrix are the lattice vectors.
                let axes = Lattice::new(matrix::transpose(rotation))?;
                rotation = axes.reciprocal();
                shift = matrix::apply(rotation, shift).map(|x| -x);
            }
            let unit = matrix::determinant(rotation).abs() * lattice.volume();
            if !((unit - 1.0).abs() < 0.02) {
                let message = format!(
                    "the matrix {stem}.. has not the volume of the cell: {unit} cells, expected 1"
                );
                return Err(parse_error(FORMAT, line, message));
            }
            return Ok(Self { rotation, shift });
        }
        let lengths = lattice.lengths();
        if lattice
            .angles()
            .iter()
            .any(|angle| (angle - 90.0).abs() > 1e-6)
        {
            let message = "positions are Cartesian and the cell has not only right angles: \
                           expected _atom_site_fract_x, or _atom_sites_Cartn_tran_matrix_11 …";
            return Err(parse_error(FORMAT, line, message));
        }
        let [a, b, c] = lengths.map(|length| 1.0 / length);
        Ok(Self {
            rotation: [[a, 0.0, 0.0], [0.0, b, 0.0], [0.0, 0.0, c]],
            shift: [0.0; 3],
        })
    }

    fn apply(&self, cart: [f64; 3]) -> [f64; 3] {
        matrix::add(matrix::apply(self.rotation, cart), self.shift)
    }
}
