//! Extended XYZ as ASE reads it: frames of a count, a comment line of `key=value`, and the atoms.

use super::{
    fields::{element_of, number, parse_error, three_numbers},
    frames::pick,
};
use crate::{CrystalError, Element, Lattice, Structure};

const FORMAT: &str = "extxyz";

pub(super) fn read(text: &str, index: Option<usize>) -> Result<Structure, CrystalError> {
    let lines: Vec<&str> = text.lines().collect();
    let wanted = index.unwrap_or(0);
    let (mut frames, mut found) = (0, None);
    let mut first = 0;
    while frames == 0
        || lines[first.min(lines.len())..]
            .iter()
            .any(|line| !line.trim().is_empty())
    {
        let count_text = lines.get(first).copied().unwrap_or_default().trim();
        let count: usize = count_text.parse().map_err(|_| {
            let message = format!("'{count_text}' is no number of atoms");
            parse_error(FORMAT, first + 1, message)
        })?;
        let Some(left) = lines.len().checked_sub(first + 2) else {
            let message = "the file ends before the comment line";
            return Err(parse_error(FORMAT, lines.len() + 1, message));
        };
        if count > left {
            let message = format!("the file ends after {left} of {count} atoms");
            return Err(parse_error(FORMAT, lines.len() + 1, message));
        }
        if frames == wanted {
            found = Some(read_frame(&lines[first..first + 2 + count], first + 1)?);
        }
        frames += 1;
        first += 2 + count;
    }
    pick(frames, index)?;
    found.ok_or(CrystalError::NoSuchStructure {
        index: wanted,
        count: frames,
    })
}

/// One frame, whose first line has the number `line`.
fn read_frame(lines: &[&str], line: usize) -> Result<Structure, CrystalError> {
    let line = line + 1;
    let comment = Comment::read(lines[1], line)?;
    let lattice = comment.lattice()?;
    comment.require_periodic()?;
    let columns = comment.columns()?;
    let atoms = &lines[2..];
    if atoms.is_empty() {
        return Err(parse_error(
            FORMAT,
            line - 1,
            "no atom: expected at least one",
        ));
    }
    let (mut elements, mut frac_coords) = (Vec::new(), Vec::new());
    for (line, atom) in (line + 1..).zip(atoms) {
        let fields: Vec<&str> = atom.split_whitespace().collect();
        elements.push(columns.element(&fields, line)?);
        let position = fields.get(columns.position..).unwrap_or_default();
        let cart = three_numbers(FORMAT, line, "the position", position)?;
        frac_coords.push(lattice.to_frac(cart));
    }
    Ok(Structure {
        lattice,
        elements,
        frac_coords,
    })
}

/// The pairs of a comment line; a key alone has the value `T`.
struct Comment {
    line: usize,
    pairs: Vec<(String, String)>,
}

/// The longest comment line: its pairs take twenty times as much memory.
const LONGEST_COMMENT_BYTES: usize = 1 << 22;

/// Keys that say what the numbers mean.
const KEYS: [&str; 3] = ["Lattice", "Properties", "pbc"];

impl Comment {
    /// Values may stand in quotes, braces or brackets; a backslash takes the next letter as it is.
    fn read(text: &str, line: usize) -> Result<Self, CrystalError> {
        if text.len() > LONGEST_COMMENT_BYTES {
            let message = format!(
                "the comment line has {} bytes, expected up to {LONGEST_COMMENT_BYTES}",
                text.len()
            );
            return Err(parse_error(FORMAT, line, message));
        }
        let tokens = tokenize(text).map_err(|closing| {
            let message = format!("the comment line has no closing {closing}");
            parse_error(FORMAT, line, message)
        })?;
        let mut tokens = tokens.into_iter().peekable();
        let mut pairs = Vec::new();
        while let Some(token) = tokens.next() {
            let Token::Word(key) = token else { continue };
            let mut values = Vec::new();
            while tokens.next_if_eq(&Token::Equals).is_some() {
                match tokens.next_if(|token| *token != Token::Equals) {
                    Some(Token::Word(value)) => values.push(value),
                    _ => values.push(String::new()),
                }
            }
            let value = if values.is_empty() {
                "T".to_owned()
            } else {
                values.join("=")
            };
            pairs.push((key, value));
        }
        let comment = Self { line, pairs };
        comment.require_known_spelling()?;
        Ok(comment)
    }

    /// Each key that matters at most once, and in the letters that programs look for.
    fn require_known_spelling(&self) -> Result<(), CrystalError> {
        for known in KEYS {
            let mut spellings = self
                .pairs
                .iter()
                .map(|(key, _)| key.as_str())
                .filter(|key| key.eq_ignore_ascii_case(known));
            if let Some(odd) = spellings.clone().find(|key| *key != known) {
                return Err(self.error(format!("'{odd}' is written {known} in extended XYZ")));
            }
            if spellings.nth(1).is_some() {
                return Err(self.error(format!("{known} is given twice, expected once")));
            }
        }
        Ok(())
    }

    fn error(&self, message: impl Into<String>) -> CrystalError {
        parse_error(FORMAT, self.line, message)
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    fn lattice(&self) -> Result<Lattice, CrystalError> {
        let text = self.value("Lattice").ok_or_else(|| {
            self.error(
                "no Lattice=\"…\": only crystals, periodic along all three vectors, are read",
            )
        })?;
        let numbers = items(text)
            .map(|field| number(FORMAT, self.line, "Lattice", field))
            .collect::<Result<Vec<_>, _>>()?;
        let &[ax, ay, az, bx, by, bz, cx, cy, cz] = numbers.as_slice() else {
            let message = format!("Lattice has {} numbers, expected nine", numbers.len());
            return Err(self.error(message));
        };
        Lattice::new([[ax, ay, az], [bx, by, bz], [cx, cy, cz]])
    }

    /// Refuses `pbc` that is open along a direction; without it a lattice is periodic.
    fn require_periodic(&self) -> Result<(), CrystalError> {
        let Some(text) = self.value("pbc") else {
            return Ok(());
        };
        let flags: Option<Vec<bool>> = items(text.trim_start_matches("_JSON").trim())
            .map(|word| match word.trim_matches(['[', ']']) {
                "T" | "TRUE" | "True" | "true" | "1" => Some(true),
                "F" | "FALSE" | "False" | "false" | "0" => Some(false),
                _ => None,
            })
            .collect();
        match flags.as_deref() {
            Some([true] | [true, true, true]) => Ok(()),
            Some([_] | [_, _, _]) => Err(self.error(format!(
                "pbc=\"{text}\" leaves a boundary open: only crystals, periodic along all three \
                 vectors, are read"
            ))),
            _ => Err(self.error(format!("pbc is '{text}', expected \"T T T\""))),
        }
    }

    fn columns(&self) -> Result<Columns, CrystalError> {
        let properties = self.value("Properties").unwrap_or("species:S:1:pos:R:3");
        let fields: Vec<&str> = properties.split(':').collect();
        let (mut species, mut number, mut position, mut column) = (None, None, None, 0usize);
        for triple in fields.chunks(3) {
            let &[name, kind, width] = triple else {
                let message = format!("Properties={properties} is not made of name:type:width");
                return Err(self.error(message));
            };
            let width: u8 = width
                .parse()
                .map_err(|_| self.error(format!("Properties: width '{width}' is not 0 to 255")))?;
            let (place, is_right) = match name {
                "species" => (&mut species, kind == "S" && width == 1),
                "Z" => (&mut number, kind == "I" && width == 1),
                "pos" => (&mut position, matches!(kind, "R" | "I") && width == 3),
                _ => {
                    column += usize::from(width);
                    continue;
                }
            };
            if !is_right {
                let message = format!(
                    "Properties: {name}:{kind}:{width} is not species:S:1, Z:I:1 or pos:R:3"
                );
                return Err(self.error(message));
            }
            if place.replace(column).is_some() {
                return Err(self.error(format!("Properties has {name} twice, expected once")));
            }
            column += usize::from(width);
        }
        let position =
            position.ok_or_else(|| self.error(format!("Properties={properties} lacks pos:R:3")))?;
        if species.is_none() && number.is_none() {
            let message = format!("Properties={properties} lacks species:S:1 or Z:I:1");
            return Err(self.error(message));
        }
        Ok(Columns {
            species,
            number,
            position,
        })
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Equals,
}

/// Words and equal signs; the delimiter that is missing, if one is.
fn tokenize(text: &str) -> Result<Vec<Token>, char> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut closing = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let is_open = closing.is_some();
        match letter {
            '\\' => word.get_or_insert_default().extend(letters.next()),
            _ if closing == Some(letter) => closing = None,
            _ if is_open => word.get_or_insert_default().push(letter),
            '"' | '\'' | '{' | '[' => {
                closing = Some(match letter {
                    '{' => '}',
                    '[' => ']',
                    quote => quote,
                });
                word.get_or_insert_default();
            }
            '=' => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::Equals);
            }
            _ if letter.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    tokens.extend(word.map(Token::Word));
    closing.map_or(Ok(tokens), Err)
}

/// What blanks or commas part.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|item| !item.is_empty())
}

/// First columns of what is read of an atom.
struct Columns {
    species: Option<usize>,
    /// The atomic number.
    number: Option<usize>,
    position: usize,
}

impl Columns {
    fn element(&self, fields: &[&str], line: usize) -> Result<Element, CrystalError> {
        let field = |column: usize| fields.get(column).copied().unwrap_or_default();
        let from_symbol = self
            .species
            .map(|column| element_of(FORMAT, line, &capitalised(field(column))))
            .transpose()?;
        let from_number = self
            .number
            .map(|column| {
                let text = field(column);
                let element = text.parse().ok().and_then(Element::from_atomic_number);
                element.ok_or_else(|| {
                    let message = format!("'{text}' is no atomic number: expected 1 to 118");
                    parse_error(FORMAT, line, message)
                })
            })
            .transpose()?;
        match (from_symbol, from_number) {
            (Some(symbol), Some(number)) if symbol != number => {
                let message = format!("the species is {symbol}, but Z is that of {number}");
                Err(parse_error(FORMAT, line, message))
            }
            (symbol, number) => symbol
                .or(number)
                .ok_or_else(|| parse_error(FORMAT, line, "no element")),
        }
    }
}

/// `NA` and `na` as `Na`, as ASE reads them.
fn capitalised(symbol: &str) -> String {
    let mut letters = symbol.chars();
    letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters.flat_map(char::to_lowercase))
        .collect()
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
