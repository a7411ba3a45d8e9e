//! Data blocks: single items and loops, found under every spelling of their names.

use std::collections::HashMap;

use super::{
    error::parse_error,
    syntax::{Token, tokenize},
};
use crate::CrystalError;

/// What stands between one `data_` and the next; names of items are [`canonical`].
#[derive(Default)]
pub(super) struct Block<'a> {
    pub name: &'a str,
    /// Line of the heading, counted from 1.
    pub line: usize,
    items: HashMap<String, Vec<Token<'a>>>,
    loops: Vec<Table<'a>>,
}

/// A loop, or single items as a loop of one row.
#[derive(Clone)]
pub(super) struct Table<'a> {
    pub line: usize,
    tags: Vec<String>,
    values: Vec<Token<'a>>,
}

impl<'a> Table<'a> {
    pub(super) fn column(&self, tag: &str) -> Option<usize> {
        self.tags.iter().position(|name| name == tag)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[Token<'a>]> {
        self.values.chunks(self.tags.len().max(1))
    }
}

/// The one spelling of a data name: lower case, `_` for the dot of DDLm and for hyphens, no `_` at
/// the end, so that `_space_group.name_H-M_alt` and `_space_group_name_H-M_alt_` are one.
fn canonical(tag: &str) -> String {
    tag.to_lowercase()
        .replace(['.', '-'], "_")
        .trim_end_matches('_')
        .to_owned()
}

impl<'a> Block<'a> {
    /// The known value of a single item, or of a loop of one row.
    ///
    /// # Errors
    /// If the item is given twice with different values.
    pub(super) fn item(&self, tag: &str) -> Result<Option<Token<'a>>, CrystalError> {
        let values = self.values(tag);
        if let [first, others @ ..] = values.as_slice()
            && let Some(other) = others.iter().find(|other| other.text != first.text)
        {
            let message = format!(
                "{tag} is '{}', but on line {} it is '{}': expected one value",
                other.text, first.line, first.text
            );
            return Err(parse_error(other.line, message));
        }
        Ok(values.first().copied())
    }

    /// All known values under a name, of single items and of loops.
    pub(super) fn values(&self, tag: &str) -> Vec<Token<'a>> {
        let single = self.items.get(tag).into_iter().flatten().copied();
        let looped = self.loops.iter().filter_map(|table| {
            let column = table.column(tag)?;
            Some(table.rows().map(move |row| row[column]))
        });
        single
            .chain(looped.flatten())
            .filter(|value| !value.is_null())
            .collect()
    }

    /// The loop that has a column, or the single items that share the prefix of its name.
    ///
    /// # Errors
    /// If several loops have the column.
    pub(super) fn table(&self, tag: &str, prefix: &str) -> Result<Option<Table<'a>>, CrystalError> {
        let mut tables = self
            .loops
            .iter()
            .filter(|table| table.column(tag).is_some());
        let table = tables.next();
        let items = self.items.get(tag).and_then(|values| values.first());
        let other = tables.next().map(|table| table.line);
        let item = items.filter(|_| table.is_some()).map(|token| token.line);
        if let Some(line) = other.or(item) {
            let message = format!("{tag} stands in a second loop, expected one loop of sites");
            return Err(parse_error(line, message));
        }
        let Some(item) = items else {
            return Ok(table.cloned());
        };
        let (tags, values) = self
            .items
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .filter_map(|(name, values)| Some((name.clone(), *values.first()?)))
            .unzip();
        Ok(Some(Table {
            line: item.line,
            tags,
            values,
        }))
    }

    /// Every name in the block, once, in alphabetical order.
    pub(super) fn tags(&self) -> Vec<&str> {
        let mut tags: Vec<&str> = self
            .items
            .keys()
            .chain(self.loops.iter().flat_map(|table| &table.tags))
            .map(String::as_str)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// Whether the block has both a cell and positions.
    pub(super) fn has_crystal(&self) -> bool {
        let tags = self.tags();
        let has = |tag: &str| tags.binary_search(&tag).is_ok();
        has("_cell_length_a") && (has("_atom_site_fract_x") || has("_atom_site_cartn_x"))
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.loops.is_empty()
    }
}

/// The blocks of a file, dictionaries' save frames left out.
pub(super) fn parse(text: &str) -> Result<Vec<Block<'_>>, CrystalError> {
    let mut tokens = tokenize(text)?.into_iter().peekable();
    let mut blocks = vec![Block {
        line: 1,
        ..Block::default()
    }];
    let mut in_frame = false;
    let mut frame = Block::default();
    while let Some(token) = tokens.next() {
        if let Some(name) = token.after_keyword("data_") {
            in_frame = false;
            blocks.push(Block {
                name,
                line: token.line,
                ..Block::default()
            });
            continue;
        }
        if let Some(name) = token.after_keyword("save_") {
            in_frame = !name.is_empty();
            continue;
        }
        let block = match blocks.last_mut() {
            Some(block) if !in_frame => block,
            _ => &mut frame,
        };
        if token.is_keyword("loop_") {
            let mut table = Table {
                line: token.line,
                tags: Vec::new(),
                values: Vec::new(),
            };
            while let Some(tag) = tokens.next_if(Token::is_tag) {
                table.tags.push(canonical(tag.text));
            }
            while let Some(value) = tokens.next_if(Token::is_value) {
                table.values.push(value);
            }
            if table.tags.iter().any(|tag| is_operation_tag(tag)) {
                table.values = join_operations(text, &table.values);
            }
            let (width, count) = (table.tags.len(), table.values.len());
            if width == 0 || count % width != 0 {
                let message = format!("the loop has {width} columns but {count} values");
                return Err(parse_error(token.line, message));
            }
            block.loops.push(table);
        } else if token.is_tag() {
            let mut value = tokens
                .next_if(Token::is_value)
                .ok_or_else(|| parse_error(token.line, format!("{} has no value", token.text)))?;
            // A name with blanks that lacks its quotes: P 21/c.
            while let Some(next) = tokens.next_if(|next| {
                next.is_value() && !next.quoted && !value.quoted && next.line == value.line
            }) {
                value = joined(text, value, next);
            }
            block
                .items
                .entry(canonical(token.text))
                .or_default()
                .push(value);
        } else if token.is_value() {
            let message = format!("'{}' stands where a tag should be", token.text);
            return Err(parse_error(token.line, message));
        }
    }
    blocks.retain(|block| !block.is_empty());
    Ok(blocks)
}

/// Whether a name is that of symmetry operations written as `x,y,z`.
pub(super) fn is_operation_tag(tag: &str) -> bool {
    (tag.contains("symop") || tag.contains("equiv_pos")) && tag.ends_with("xyz")
}

/// The text from the start of one word to the end of a later one.
fn joined<'a>(text: &'a str, first: Token<'a>, last: Token<'a>) -> Token<'a> {
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    Token {
        text: &text[offset(first.text)..offset(last.text) + last.text.len()],
        ..first
    }
}

/// Operations with blanks that lack their quotes, `x, y, z`, as one value each.
fn join_operations<'a>(text: &'a str, values: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut whole: Vec<Token> = Vec::with_capacity(values.len());
    for &value in values {
        match whole.last_mut() {
            Some(last)
                if !last.quoted
                    && !value.quoted
                    && (last.text.ends_with(',') || value.text.starts_with(',')) =>
            {
                *last = joined(text, *last, value);
            }
            _ => whole.push(value),
        }
    }
    whole
}
