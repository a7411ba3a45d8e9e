//! POSCAR, CONTCAR and XDATCAR of VASP, one structure or several in a row.

use super::{
    fields::{element_of, number, parse_error, three_numbers},
    frames::pick,
};
use crate::{CrystalError, Element, Lattice, Structure, matrix::determinant};

const FORMAT: &str = "POSCAR";

/// What stands above the positions.
struct Header {
    lattice: Lattice,
    /// What Cartesian positions are multiplied by, along x, y and z.
    scale: [f64; 3],
    /// `None` for VASP 4, which names no elements here.
    symbols: Option<Vec<Element>>,
    counts: Vec<usize>,
    /// The comment, in which VASP 4 files have their elements by custom.
    comment: String,
}

pub(super) fn read(text: &str, index: Option<usize>) -> Result<Structure, CrystalError> {
    let mut lines = Lines {
        lines: text.lines().collect(),
        next: 0,
    };
    let wanted = index.unwrap_or(0);
    let (mut count, mut found) = (0, None);
    let mut header = read_header(&mut lines)?;
    loop {
        let structure = read_positions(&mut lines, &header)?;
        if count == wanted {
            found = Some(structure);
        }
        count += 1;
        match what_follows(&mut lines)? {
            Following::Nothing => break,
            Following::Positions => {}
            Following::Header => header = read_header(&mut lines)?,
        }
    }
    pick(count, index)?;
    found.ok_or(CrystalError::NoSuchStructure {
        index: wanted,
        count,
    })
}

/// The lines of the file and the next one to read.
struct Lines<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Lines<'a> {
    /// One-based number of the line read last.
    fn number(&self) -> usize {
        self.next
    }

    fn take(&mut self, what: &str) -> Result<&'a str, CrystalError> {
        let line = self.lines.get(self.next).copied();
        self.next += 1;
        line.ok_or_else(|| {
            let message = format!("the file ends where {what} should be");
            parse_error(FORMAT, self.number(), message)
        })
    }

    /// The words of the next line up to a comment.
    fn words(&mut self, what: &str) -> Result<Vec<&'a str>, CrystalError> {
        self.take(what).map(words)
    }
}

/// The words of a line up to a comment, which `!` or `#` starts.
fn words(line: &str) -> Vec<&str> {
    let end = line.find(['!', '#']).unwrap_or(line.len());
    line[..end].split_whitespace().collect()
}

fn is_number(word: &str) -> bool {
    number(FORMAT, 0, "", word).is_ok()
}

fn read_header(lines: &mut Lines<'_>) -> Result<Header, CrystalError> {
    let comment = lines.take("the comment")?.to_owned();
    let scale = lines.words("the scale factor")?;
    let line = lines.number();
    let factors = scale
        .iter()
        .map(|word| number(FORMAT, line, "the scale factor", word))
        .collect::<Result<Vec<_>, _>>()?;
    let mut vectors = [[0.0; 3]; 3];
    for vector in &mut vectors {
        let words = lines.words("a lattice vector")?;
        *vector = three_numbers(FORMAT, lines.number(), "the lattice vector", &words)?;
    }
    let scale = match *factors.as_slice() {
        // A negative scale factor is the cell's volume in Å³.
        [volume] if volume < 0.0 => [(-volume / determinant(vectors).abs()).cbrt(); 3],
        [factor] if factor > 0.0 => [factor; 3],
        [x, y, z] if x > 0.0 && y > 0.0 && z > 0.0 => [x, y, z],
        _ => {
            let message = format!(
                "the scale factor is {factors:?}, expected a positive number, three of them for x, \
                 y and z, or minus the volume"
            );
            return Err(parse_error(FORMAT, line, message));
        }
    };
    let lattice = Lattice::new(vectors.map(|vector| times(vector, scale)))?;

    let (symbols, counts) = read_species(lines)?;
    Ok(Header {
        lattice,
        scale,
        symbols,
        counts,
        comment,
    })
}

fn times(vector: [f64; 3], scale: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| vector[axis] * scale[axis])
}

/// Elements and how many sites each has; VASP spreads both over several lines where they are many.
fn read_species(lines: &mut Lines<'_>) -> Result<(Option<Vec<Element>>, Vec<usize>), CrystalError> {
    let mut symbols = Vec::new();
    let mut row = lines.words("the elements")?;
    while row.first().is_some_and(|word| word.parse::<u64>().is_err()) {
        for word in row {
            symbols.push(symbol(lines.number(), word)?);
        }
        row = lines.words("the counts")?;
    }
    let mut counts = Vec::new();
    let mut sites = 0usize;
    loop {
        for word in row {
            let count: usize = word.parse().map_err(|_| {
                let message = format!("'{word}' is no count: expected 0 or more");
                parse_error(FORMAT, lines.number(), message)
            })?;
            counts.push(count);
            sites = sites.saturating_add(count);
        }
        if symbols.is_empty() || counts.len() >= symbols.len() || counts.is_empty() {
            break;
        }
        // Only a line of counts can go on with them.
        let next = lines.lines.get(lines.next).copied().map(words);
        let goes_on = next.is_some_and(|row| {
            !row.is_empty() && row.iter().all(|word| word.parse::<u64>().is_ok())
        });
        if !goes_on {
            break;
        }
        row = lines.words("the counts")?;
    }
    if !symbols.is_empty() && counts.len() != symbols.len() {
        let message = format!("{} counts for {} elements", counts.len(), symbols.len());
        return Err(parse_error(FORMAT, lines.number(), message));
    }
    if sites == 0 {
        let message = "no site: expected at least one";
        return Err(parse_error(FORMAT, lines.number(), message));
    }
    let left = lines.lines.len().saturating_sub(lines.next);
    if sites > left {
        let message = format!("{sites} sites, but the file ends after {left} more lines");
        return Err(parse_error(FORMAT, lines.number(), message));
    }
    Ok(((!symbols.is_empty()).then_some(symbols), counts))
}

/// `Na`, or the name of a potential for it, `Na_pv`, with or without its hash, `Na_pv/6a2f546d`.
fn symbol(line: usize, word: &str) -> Result<Element, CrystalError> {
    let name = word.split(['/', '_']).next().unwrap_or_default();
    // VASP's potentials of hydrogen with a fractional charge, such as H.75, are no hydrogen.
    if name.contains('.') {
        let message = format!("'{word}' is no element: expected H, He, … Og");
        return Err(parse_error(FORMAT, line, message));
    }
    element_of(FORMAT, line, name)
}

fn read_positions(lines: &mut Lines<'_>, header: &Header) -> Result<Structure, CrystalError> {
    let what = "Direct or Cartesian";
    let mut mode = lines.take(what)?.trim();
    let initial = |mode: &str| mode.chars().next().map(|c| c.to_ascii_lowercase());
    let selective = initial(mode) == Some('s');
    if selective {
        mode = lines.take(what)?.trim();
    }
    let cartesian = match initial(mode) {
        Some('c' | 'k') => true,
        Some('d' | 'f') => false,
        _ => {
            let message = format!("'{mode}' is neither Direct (Fractional) nor Cartesian");
            return Err(parse_error(FORMAT, lines.number(), message));
        }
    };
    let sites: usize = header.counts.iter().sum();
    let mut frac_coords = Vec::new();
    let mut labels = Vec::new();
    for site in 0..sites {
        let what = format!("the position of site {} of {sites}", site + 1);
        let words = lines.words(&what)?;
        let position = three_numbers(FORMAT, lines.number(), &what, &words)?;
        frac_coords.push(if cartesian {
            header.lattice.to_frac(times(position, header.scale))
        } else {
            position
        });
        // After the position come three flags of selective dynamics, then perhaps a name.
        let name = words.get(if selective { 6 } else { 3 });
        labels.push(name.and_then(|name| name.parse().ok()));
    }
    let elements = match &header.symbols {
        Some(symbols) => expand(symbols, &header.counts),
        None => guess_elements(header, &labels)
            .ok_or_else(|| parse_error(FORMAT, lines.number() - sites - 1, NO_ELEMENTS))?,
    };
    Ok(Structure {
        lattice: header.lattice,
        elements,
        frac_coords,
    })
}

const NO_ELEMENTS: &str = "the file does not say which elements it has: expected a line of symbols \
    above the counts (VASP 5), or the symbol behind each position";

fn expand(symbols: &[Element], counts: &[usize]) -> Vec<Element> {
    symbols
        .iter()
        .zip(counts)
        .flat_map(|(&symbol, &count)| std::iter::repeat_n(symbol, count))
        .collect()
}

/// The elements of a VASP 4 file where it leaves no doubt: behind every position, or as many in the
/// comment as there are counts; where both are given they must agree.
fn guess_elements(header: &Header, labels: &[Option<Element>]) -> Option<Vec<Element>> {
    let from_labels: Option<Vec<Element>> = labels.iter().copied().collect();
    let in_comment: Option<Vec<Element>> = header
        .comment
        .split_whitespace()
        .map(|word| word.parse().ok())
        .collect();
    let from_comment = in_comment
        .filter(|symbols| symbols.len() == header.counts.len())
        .map(|symbols| expand(&symbols, &header.counts));
    match (from_labels, from_comment) {
        (Some(labels), Some(comment)) => (labels == comment).then_some(labels),
        (labels, comment) => labels.or(comment),
    }
}

/// What comes after the positions of a structure.
enum Following {
    /// Nothing, or velocities and the like.
    Nothing,
    /// Positions on the same lattice, as in an XDATCAR.
    Positions,
    /// Another whole structure.
    Header,
}

/// Finds the next structure and goes there.
fn what_follows(lines: &mut Lines<'_>) -> Result<Following, CrystalError> {
    let rest = &lines.lines[lines.next..];
    let is_position = |line: &&str| {
        let words = words(line);
        words.len() >= 3 && words[..3].iter().all(|word| is_number(word))
    };
    if rest.first().is_some_and(is_position) {
        let message = "a position more than the counts say";
        return Err(parse_error(FORMAT, lines.next + 1, message));
    }
    for (skipped, line) in rest.iter().enumerate() {
        let configuration = line.trim_start().to_ascii_lowercase();
        let following = if ["direct configuration", "cartesian configuration"]
            .iter()
            .any(|start| configuration.starts_with(start))
        {
            Following::Positions
        } else if starts_header(&rest[skipped..]) {
            Following::Header
        } else {
            continue;
        };
        lines.next += skipped;
        return Ok(following);
    }
    Ok(Following::Nothing)
}

/// Whether these lines are a comment, a scale, three vectors, and elements or counts.
fn starts_header(lines: &[&str]) -> bool {
    let [_, scale, vectors @ .., species] = lines.get(..6).unwrap_or_default() else {
        return false;
    };
    let scale = words(scale);
    let are_numbers = |words: &[&str]| words.iter().all(|word| is_number(word));
    let species = words(species);
    matches!(scale.len(), 1 | 3)
        && are_numbers(&scale)
        && vectors.iter().all(|vector| {
            let words = words(vector);
            words.len() >= 3 && are_numbers(&words[..3])
        })
        && !species.is_empty()
        && (species.iter().all(|word| symbol(0, word).is_ok())
            || species.iter().all(|word| word.parse::<u64>().is_ok()))
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
