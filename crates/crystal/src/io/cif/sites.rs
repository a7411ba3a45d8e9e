//! The listed sites: elements, positions and how exactly they are written, occupancies.

use super::{
    block::{Block, Table},
    cartesian::Cartesian,
    element_names::{of_label, of_type_symbol},
    error::{parse_error, shown},
    facts::Facts,
    syntax::Token,
    value::Value,
};
use crate::{CrystalError, Element, Lattice, matrix, structure::LARGEST_FRAC_COORD};

/// Deviation from 1 up to which an occupancy counts as full.
const OCCUPANCY_TOLERANCE: f64 = 1e-3;

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
    let missing = |line: usize, tag: &str| parse_error(line, format!("{tag} is missing"));
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
            return Err(parse_error(hydrogens.line, message));
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
        if let Some(far) = frac.iter().find(|x| x.abs() > LARGEST_FRAC_COORD) {
            let message = format!(
                "site {} lies {far:e} cells from the origin, expected at most {LARGEST_FRAC_COORD}",
                shown(symbol.text)
            );
            return Err(parse_error(row[axis_columns[0]].line, message));
        }
        sites.push(Site {
            label: shown(columns.label(row).unwrap_or(symbol).text),
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
        return Err(parse_error(table.line, message));
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
                return Err(parse_error(value.line, message));
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
            (None, Some(token)) => (
                token,
                of_label(token.text.trim(), organic, |element| facts.states(element)),
            ),
            (None, None) => return Err(parse_error(1, "a site has no label")),
        };
        element.ok_or_else(|| {
            let message = format!(
                "'{}' names no element: expected H, He, … Og in _atom_site_type_symbol",
                shown(token.text)
            );
            parse_error(token.line, message)
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
                return Err(parse_error(row[group].line, message));
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
        return Err(parse_error(occupancy.line, message));
    }
    Ok(true)
}
