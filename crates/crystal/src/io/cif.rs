//! CIF 1.1: one data block, its cell, sites and symmetry operations.

use super::{element_of, number, parse_error};
use crate::{CrystalError, Element, Lattice, SYMMETRY_TOLERANCE_ANG, Structure};

const FORMAT: &str = "CIF";

#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    line: usize,
    quoted: bool,
}

impl Token {
    fn is_tag(&self) -> bool {
        !self.quoted && self.text.starts_with('_')
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        !self.quoted && self.text.to_ascii_lowercase().starts_with(keyword)
    }

    fn is_value(&self) -> bool {
        !self.is_tag() && !self.is_keyword("loop_") && !self.is_keyword("data_")
    }

    /// A number that may carry its uncertainty, `1.234(5)`.
    fn number(&self, what: &str) -> Result<f64, CrystalError> {
        let plain = self.text.split('(').next().unwrap_or_default();
        number(FORMAT, self.line, what, plain)
    }
}

/// Items and loops of the first data block; tags in lower case.
#[derive(Default)]
struct Block {
    items: Vec<(String, Token)>,
    loops: Vec<Loop>,
}

struct Loop {
    line: usize,
    tags: Vec<String>,
    rows: Vec<Vec<Token>>,
}

impl Block {
    fn item(&self, tag: &str) -> Option<&Token> {
        self.items
            .iter()
            .find(|(name, _)| name == tag)
            .map(|(_, token)| token)
    }

    fn cell_parameter(&self, tag: &str) -> Result<f64, CrystalError> {
        self.item(tag)
            .ok_or_else(|| parse_error(FORMAT, 1, format!("{tag} is missing")))?
            .number(tag)
    }

    fn loop_with(&self, tag: &str) -> Option<(&Loop, usize)> {
        self.loops.iter().find_map(|table| {
            table
                .tags
                .iter()
                .position(|name| name == tag)
                .map(|column| (table, column))
        })
    }
}

pub(super) fn read(text: &str) -> Result<Structure, CrystalError> {
    let block = parse_block(tokenize(text)?)?;
    let parameter = |tag: &str| block.cell_parameter(tag);
    let lengths = [
        parameter("_cell_length_a")?,
        parameter("_cell_length_b")?,
        parameter("_cell_length_c")?,
    ];
    let angles = [
        parameter("_cell_angle_alpha")?,
        parameter("_cell_angle_beta")?,
        parameter("_cell_angle_gamma")?,
    ];
    let lattice = Lattice::from_parameters(lengths, angles)?;
    let operations = symmetry_operations(&block)?;

    let (table, x_column) = block
        .loop_with("_atom_site_fract_x")
        .ok_or_else(|| parse_error(FORMAT, 1, "_atom_site_fract_x is missing"))?;
    let column = |tag: &str| table.tags.iter().position(|name| name == tag);
    let missing = |tag: &str| parse_error(FORMAT, table.line, format!("{tag} is missing"));
    let y_column = column("_atom_site_fract_y").ok_or_else(|| missing("_atom_site_fract_y"))?;
    let z_column = column("_atom_site_fract_z").ok_or_else(|| missing("_atom_site_fract_z"))?;
    let symbol_column = column("_atom_site_type_symbol")
        .or_else(|| column("_atom_site_label"))
        .ok_or_else(|| missing("_atom_site_type_symbol"))?;
    let occupancy_column = column("_atom_site_occupancy");

    let mut elements: Vec<Element> = Vec::new();
    let mut frac_coords: Vec<[f64; 3]> = Vec::new();
    for row in &table.rows {
        let symbol = &row[symbol_column];
        if let Some(occupancy) = occupancy_column.map(|column| &row[column])
            && occupancy.number("_atom_site_occupancy")? != 1.0
        {
            let message = format!(
                "site {} is occupied by {}, expected 1: disordered sites cannot be read",
                symbol.text, occupancy.text
            );
            return Err(parse_error(FORMAT, occupancy.line, message));
        }
        let element = element_of(FORMAT, symbol.line, &symbol.text)?;
        let position = [
            row[x_column].number("_atom_site_fract_x")?,
            row[y_column].number("_atom_site_fract_y")?,
            row[z_column].number("_atom_site_fract_z")?,
        ];
        let first_image = frac_coords.len();
        for operation in &operations {
            let image = operation.apply(position);
            let known = frac_coords[first_image..]
                .iter()
                .any(|&x| coincide(&lattice, x, image));
            if !known {
                elements.push(element);
                frac_coords.push(image);
            }
        }
    }
    if elements.is_empty() {
        return Err(parse_error(
            FORMAT,
            table.line,
            "no site: expected at least one",
        ));
    }
    Ok(Structure {
        lattice,
        elements,
        frac_coords,
    })
}

fn coincide(lattice: &Lattice, x: [f64; 3], y: [f64; 3]) -> bool {
    let delta: [f64; 3] = std::array::from_fn(|axis| {
        let d = x[axis] - y[axis];
        d - d.round()
    });
    lattice
        .to_cart(delta)
        .iter()
        .map(|d| d * d)
        .sum::<f64>()
        .sqrt()
        < SYMMETRY_TOLERANCE_ANG
}

/// Splits the text into words, quoted strings and `;` text fields, dropping comments.
fn tokenize(text: &str) -> Result<Vec<Token>, CrystalError> {
    let mut tokens = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(first) = line.strip_prefix(';') {
            let mut field = vec![first];
            loop {
                match lines.next() {
                    Some((_, next)) if next.starts_with(';') => break,
                    Some((_, next)) => field.push(next),
                    None => {
                        let message = "the text field that starts with ';' here has no end";
                        return Err(parse_error(FORMAT, index + 1, message));
                    }
                }
            }
            tokens.push(Token {
                text: field.join("\n"),
                line: index + 1,
                quoted: true,
            });
        } else {
            tokenize_line(line, index + 1, &mut tokens)?;
        }
    }
    Ok(tokens)
}

fn tokenize_line(line: &str, number: usize, tokens: &mut Vec<Token>) -> Result<(), CrystalError> {
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (word, next) = if let Some(quote) = quote {
            // A quote ends a string only before a blank: 'O5'' is the label O5'.
            let body = &rest[1..];
            let end = body
                .match_indices(quote)
                .map(|(at, _)| at)
                .find(|at| {
                    body[at + 1..]
                        .chars()
                        .next()
                        .is_none_or(char::is_whitespace)
                })
                .ok_or_else(|| {
                    parse_error(
                        FORMAT,
                        number,
                        format!("the string {rest} has no closing {quote}"),
                    )
                })?;
            (&body[..end], &body[end + 1..])
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            (&rest[..end], &rest[end..])
        };
        tokens.push(Token {
            text: word.to_owned(),
            line: number,
            quoted: quote.is_some(),
        });
        rest = next.trim_start();
    }
    Ok(())
}

fn parse_block(tokens: Vec<Token>) -> Result<Block, CrystalError> {
    let mut block = Block::default();
    let mut tokens = tokens.into_iter().peekable();
    let mut blocks = 0;
    while let Some(token) = tokens.next() {
        if token.is_keyword("data_") {
            blocks += 1;
            if blocks > 1 {
                break;
            }
        } else if token.is_keyword("loop_") {
            let mut table = Loop {
                line: token.line,
                tags: Vec::new(),
                rows: Vec::new(),
            };
            while let Some(tag) = tokens.next_if(Token::is_tag) {
                table.tags.push(tag.text.to_ascii_lowercase());
            }
            let mut values = Vec::new();
            while let Some(value) = tokens.next_if(Token::is_value) {
                values.push(value);
            }
            let width = table.tags.len();
            if width == 0 || values.len() % width != 0 {
                let message = format!("the loop has {width} columns but {} values", values.len());
                return Err(parse_error(FORMAT, token.line, message));
            }
            table.rows = values.chunks(width).map(<[Token]>::to_vec).collect();
            block.loops.push(table);
        } else if token.is_tag() {
            let value = tokens.next_if(Token::is_value).ok_or_else(|| {
                parse_error(FORMAT, token.line, format!("{} has no value", token.text))
            })?;
            block.items.push((token.text.to_ascii_lowercase(), value));
        } else {
            let message = format!("'{}' stands where a tag should be", token.text);
            return Err(parse_error(FORMAT, token.line, message));
        }
    }
    Ok(block)
}

/// `x' = rotation · x + translation` in fractional coordinates.
struct Operation {
    rotation: [[f64; 3]; 3],
    translation: [f64; 3],
}

impl Operation {
    const IDENTITY: Self = Self {
        rotation: crate::matrix::IDENTITY,
        translation: [0.0; 3],
    };

    fn apply(&self, x: [f64; 3]) -> [f64; 3] {
        crate::matrix::add(crate::matrix::apply(self.rotation, x), self.translation)
    }
}

fn symmetry_operations(block: &Block) -> Result<Vec<Operation>, CrystalError> {
    let tags = [
        "_space_group_symop_operation_xyz",
        "_symmetry_equiv_pos_as_xyz",
    ];
    if let Some((table, column)) = tags.iter().find_map(|tag| block.loop_with(tag)) {
        let mut operations = table
            .rows
            .iter()
            .map(|row| parse_operation(&row[column]))
            .collect::<Result<Vec<_>, _>>()?;
        if operations.is_empty() {
            operations.push(Operation::IDENTITY);
        }
        return Ok(operations);
    }
    if let Some(token) = tags.iter().find_map(|tag| block.item(tag)) {
        return Ok(vec![parse_operation(token)?]);
    }
    let numbers = ["_space_group_it_number", "_symmetry_int_tables_number"];
    if let Some(token) = numbers.iter().find_map(|tag| block.item(tag))
        && token.text != "1"
    {
        let message = format!(
            "space group {} without symmetry operations: expected a loop of {}",
            token.text, tags[0]
        );
        return Err(parse_error(FORMAT, token.line, message));
    }
    Ok(vec![Operation::IDENTITY])
}

/// Reads `-y, x-y, z+1/3`.
fn parse_operation(token: &Token) -> Result<Operation, CrystalError> {
    let bad = |part: &str| {
        let message = format!(
            "'{part}' in the operation '{}' is not like x, -y or z+1/2",
            token.text
        );
        parse_error(FORMAT, token.line, message)
    };
    let compact: String = token.text.chars().filter(|c| !c.is_whitespace()).collect();
    let parts: Vec<&str> = compact.split(',').collect();
    let &[first, second, third] = parts.as_slice() else {
        return Err(bad(&compact));
    };
    let mut operation = Operation {
        rotation: [[0.0; 3]; 3],
        translation: [0.0; 3],
    };
    for (row, part) in [first, second, third].into_iter().enumerate() {
        for term in signed_terms(part) {
            let (sign, body) = match term.strip_prefix('-') {
                Some(body) => (-1.0, body),
                None => (1.0, term.strip_prefix('+').unwrap_or(term)),
            };
            match body.to_ascii_lowercase().as_str() {
                "x" => operation.rotation[row][0] += sign,
                "y" => operation.rotation[row][1] += sign,
                "z" => operation.rotation[row][2] += sign,
                number => {
                    let shift = fraction(number).ok_or_else(|| bad(part))?;
                    operation.translation[row] += sign * shift;
                }
            }
        }
    }
    Ok(operation)
}

/// `x-y+1/2` as `x`, `-y`, `+1/2`.
fn signed_terms(part: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = part
        .match_indices(['+', '-'])
        .map(|(at, _)| at)
        .filter(|&at| at > 0)
        .collect();
    starts.insert(0, 0);
    starts.push(part.len());
    starts
        .windows(2)
        .map(|pair| &part[pair[0]..pair[1]])
        .collect()
}

fn fraction(text: &str) -> Option<f64> {
    let value = match text.split_once('/') {
        Some((above, below)) => above.parse::<f64>().ok()? / below.parse::<f64>().ok()?,
        None => text.parse().ok()?,
    };
    value.is_finite().then_some(value)
}

pub(super) fn write(structure: &Structure) -> String {
    let [a, b, c] = structure.lattice.lengths();
    let [alpha, beta, gamma] = structure.lattice.angles();
    let formula = structure.formula();
    let mut text = format!(
        "data_{formula}\n\
         _symmetry_space_group_name_H-M   'P 1'\n\
         _cell_length_a   {a}\n_cell_length_b   {b}\n_cell_length_c   {c}\n\
         _cell_angle_alpha   {alpha}\n_cell_angle_beta   {beta}\n_cell_angle_gamma   {gamma}\n\
         _symmetry_Int_Tables_number   1\n\
         _chemical_formula_structural   {formula}\n\
         _cell_volume   {}\n\
         loop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n  1  'x, y, z'\n\
         loop_\n _atom_site_type_symbol\n _atom_site_label\n _atom_site_symmetry_multiplicity\n \
         _atom_site_fract_x\n _atom_site_fract_y\n _atom_site_fract_z\n _atom_site_occupancy\n",
        structure.lattice.volume()
    );
    for (site, ([x, y, z], element)) in structure
        .frac_coords
        .iter()
        .zip(&structure.elements)
        .enumerate()
    {
        text += &format!("  {element}  {element}{site}  1  {x}  {y}  {z}  1\n");
    }
    text
}
