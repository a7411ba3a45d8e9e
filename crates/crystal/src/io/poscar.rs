use super::{element_of, number, parse_error, three_numbers};
use crate::{CrystalError, Element, Lattice, Structure};

const FORMAT: &str = "POSCAR";

pub(super) fn read(text: &str) -> Result<Structure, CrystalError> {
    let lines: Vec<&str> = text.lines().collect();
    let fields = |index: usize, what: &str| -> Result<Vec<&str>, CrystalError> {
        lines
            .get(index)
            .map(|line| line.split_whitespace().collect())
            .ok_or_else(|| {
                parse_error(
                    FORMAT,
                    index + 1,
                    format!("the file ends where {what} should be"),
                )
            })
    };
    let scale_fields = fields(1, "the scale factor")?;
    let scale = match scale_fields.as_slice() {
        [scale] => number(FORMAT, 2, "the scale factor", scale)?,
        _ => {
            let message = "expected one scale factor (three separate ones are not supported)";
            return Err(parse_error(FORMAT, 2, message));
        }
    };
    if scale == 0.0 {
        return Err(parse_error(
            FORMAT,
            2,
            "the scale factor is 0, expected another number",
        ));
    }
    let mut vectors = [[0.0; 3]; 3];
    for (row, vector) in vectors.iter_mut().enumerate() {
        let line = fields(2 + row, "a lattice vector")?;
        *vector = three_numbers(FORMAT, 3 + row, "the lattice vector", &line)?;
    }
    let lattice = Lattice::new(vectors)?;
    // A negative scale factor is the cell's volume in Å³.
    let factor = if scale < 0.0 {
        (-scale / lattice.volume()).cbrt()
    } else {
        scale
    };
    let lattice = lattice.scaled(factor);

    let elements = read_elements(&fields(5, "the elements")?, &fields(6, "the counts")?)?;
    let mut index = 7;
    let starts_with = |index: usize, letters: &str| -> Result<bool, CrystalError> {
        let first = fields(index, "Direct or Cartesian")?
            .first()
            .and_then(|word| word.chars().next());
        Ok(first.is_some_and(|c| letters.contains(c.to_ascii_lowercase())))
    };
    if starts_with(index, "s")? {
        index += 1;
    }
    let cartesian = starts_with(index, "ck")?;
    if !cartesian && !starts_with(index, "d")? {
        let message = format!("'{}' is neither Direct nor Cartesian", lines[index].trim());
        return Err(parse_error(FORMAT, index + 1, message));
    }
    let frac_coords = (0..elements.len())
        .map(|site| {
            let line = index + 1 + site;
            let what = format!("the position of site {} of {}", site + 1, elements.len());
            let position = three_numbers(FORMAT, line + 1, &what, &fields(line, &what)?)?;
            Ok(if cartesian {
                lattice.to_frac(position.map(|x| x * factor))
            } else {
                position
            })
        })
        .collect::<Result<_, CrystalError>>()?;
    Ok(Structure {
        lattice,
        elements,
        frac_coords,
    })
}

fn read_elements(symbols: &[&str], counts: &[&str]) -> Result<Vec<Element>, CrystalError> {
    if symbols.iter().all(|symbol| symbol.parse::<u32>().is_ok()) {
        let message = "expected element symbols (VASP 5); without them the elements are unknown";
        return Err(parse_error(FORMAT, 6, message));
    }
    if symbols.len() != counts.len() {
        let message = format!("{} counts for {} elements", counts.len(), symbols.len());
        return Err(parse_error(FORMAT, 7, message));
    }
    let mut elements = Vec::new();
    for (symbol, count) in symbols.iter().zip(counts) {
        let element = element_of(FORMAT, 6, symbol)?;
        let count = count.parse::<u16>().map_err(|_| {
            parse_error(
                FORMAT,
                7,
                format!("'{count}' is no count: expected 0 to 65535"),
            )
        })?;
        elements.extend(std::iter::repeat_n(element, count.into()));
    }
    if elements.is_empty() {
        return Err(parse_error(FORMAT, 7, "no site: expected at least one"));
    }
    Ok(elements)
}

pub(super) fn write(structure: &Structure) -> String {
    let mut text = format!("{}\n1.0\n", structure.formula());
    for [x, y, z] in structure.lattice.vectors() {
        text += &format!("  {x} {y} {z}\n");
    }
    // Runs of equal elements, so that sites keep their order.
    let runs: Vec<&[Element]> = structure.elements.chunk_by(|a, b| a == b).collect();
    let symbols: Vec<&str> = runs.iter().map(|run| run[0].symbol()).collect();
    let counts: Vec<String> = runs.iter().map(|run| run.len().to_string()).collect();
    text += &format!("{}\n{}\nDirect\n", symbols.join(" "), counts.join(" "));
    for ([x, y, z], element) in structure.frac_coords.iter().zip(&structure.elements) {
        text += &format!("  {x} {y} {z} {element}\n");
    }
    text
}
