use super::{element_of, number, parse_error, three_numbers};
use crate::{CrystalError, Lattice, Structure};

const FORMAT: &str = "extxyz";

pub(super) fn read(text: &str) -> Result<Structure, CrystalError> {
    let mut lines = text.lines();
    let count_text = lines.next().unwrap_or_default().trim();
    let count: usize = count_text
        .parse()
        .map_err(|_| parse_error(FORMAT, 1, format!("'{count_text}' is no number of atoms")))?;
    let comment = lines
        .next()
        .ok_or_else(|| parse_error(FORMAT, 2, "the file ends where Lattice=\"…\" should be"))?;
    let lattice_text = value_of(comment, "Lattice").ok_or_else(|| {
        parse_error(
            FORMAT,
            2,
            "no Lattice=\"…\": only periodic structures can be read",
        )
    })?;
    let numbers = lattice_text
        .split_whitespace()
        .map(|field| number(FORMAT, 2, "Lattice", field))
        .collect::<Result<Vec<_>, _>>()?;
    let &[ax, ay, az, bx, by, bz, cx, cy, cz] = numbers.as_slice() else {
        let message = format!("Lattice has {} numbers, expected nine", numbers.len());
        return Err(parse_error(FORMAT, 2, message));
    };
    let lattice = Lattice::new([[ax, ay, az], [bx, by, bz], [cx, cy, cz]])?;
    let properties = value_of(comment, "Properties").unwrap_or("species:S:1:pos:R:3".to_owned());
    let (species_column, position_column) = columns(&properties)?;

    let mut elements = Vec::new();
    let mut frac_coords = Vec::new();
    for site in 0..count {
        let line = lines.next().ok_or_else(|| {
            let message = format!("the file ends after {site} of {count} atoms");
            parse_error(FORMAT, 3 + site, message)
        })?;
        let fields: Vec<&str> = line.split_whitespace().collect();
        let species = fields.get(species_column).copied().unwrap_or_default();
        elements.push(element_of(FORMAT, 3 + site, species)?);
        let position = fields.get(position_column..).unwrap_or_default();
        let cart = three_numbers(FORMAT, 3 + site, "the position", position)?;
        frac_coords.push(lattice.to_frac(cart));
    }
    if elements.is_empty() {
        return Err(parse_error(FORMAT, 1, "no atom: expected at least one"));
    }
    Ok(Structure {
        lattice,
        elements,
        frac_coords,
    })
}

/// The value of `key=value` or `key="a value"` in a comment line.
fn value_of(comment: &str, key: &str) -> Option<String> {
    let mut rest = comment.trim_start();
    while !rest.is_empty() {
        let equals = rest.find('=')?;
        let name = rest[..equals]
            .split_whitespace()
            .last()
            .unwrap_or_default()
            .trim_matches('"');
        let after = &rest[equals + 1..];
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (&after[..end], &after[end..])
            }
        };
        if name.eq_ignore_ascii_case(key) {
            return Some(value.to_owned());
        }
        rest = next.trim_start();
    }
    None
}

/// First columns of `species` and `pos` under `Properties=name:type:width:…`.
fn columns(properties: &str) -> Result<(usize, usize), CrystalError> {
    let fields: Vec<&str> = properties.split(':').collect();
    let (mut species, mut position, mut column) = (None, None, 0usize);
    for triple in fields.chunks(3) {
        let &[name, _, width] = triple else {
            let message = format!("Properties={properties} is not made of name:type:width");
            return Err(parse_error(FORMAT, 2, message));
        };
        match name {
            "species" => species = Some(column),
            "pos" => position = Some(column),
            _ => {}
        }
        let width: u8 = width.parse().map_err(|_| {
            parse_error(
                FORMAT,
                2,
                format!("Properties: width '{width}' is not 0 to 255"),
            )
        })?;
        column += usize::from(width);
    }
    species.zip(position).ok_or_else(|| {
        parse_error(
            FORMAT,
            2,
            format!("Properties={properties} lacks species or pos"),
        )
    })
}

pub(super) fn write(structure: &Structure, info: &[(&str, String)]) -> String {
    let numbers: Vec<String> = structure
        .lattice
        .vectors()
        .iter()
        .flatten()
        .map(f64::to_string)
        .collect();
    let mut text = format!(
        "{}\nLattice=\"{}\" Properties=species:S:1:pos:R:3",
        structure.elements.len(),
        numbers.join(" ")
    );
    for (key, value) in info {
        let plain = !value.is_empty() && !value.contains([' ', '"', '=', '\n']);
        let shown = value.replace(['"', '\n'], "'");
        text += &if plain {
            format!(" {key}={value}")
        } else {
            format!(" {key}=\"{shown}\"")
        };
    }
    text += " pbc=\"T T T\"\n";
    for (&frac, element) in structure.frac_coords.iter().zip(&structure.elements) {
        let [x, y, z] = structure.lattice.to_cart(frac);
        text += &format!("{element} {x} {y} {z}\n");
    }
    text
}
