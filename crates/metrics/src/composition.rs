//! Compositions in lowest terms.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crystalgym_crystal::{Element, formula_of_counts};

use crate::MetricsError;

/// Elements with their numbers in lowest terms: equal for `Na2Cl2`, `ClNa` and a rock-salt cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Composition {
    counts: BTreeMap<Element, u32>,
}

impl Composition {
    /// The composition of a list of elements, such as those of the sites of a cell.
    pub fn of(elements: &[Element]) -> Self {
        let mut counts = BTreeMap::new();
        for &element in elements {
            *counts.entry(element).or_default() += 1;
        }
        Self::reduced(counts)
    }

    fn reduced(mut counts: BTreeMap<Element, u32>) -> Self {
        counts.retain(|_, count| *count > 0);
        let divisor = counts.values().copied().fold(0, greatest_common_divisor);
        for count in counts.values_mut() {
            *count /= divisor.max(1);
        }
        Self { counts }
    }

    /// Elements by atomic number, with their numbers.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = (Element, u32)> {
        self.counts
            .iter()
            .map(|(&element, &count)| (element, count))
    }
}

impl fmt::Display for Composition {
    /// As chemists write it: `RbCaH3` ([`formula`](crystalgym_crystal::formula)).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> = self
            .counts()
            .map(|(e, count)| (e, count as usize))
            .collect();
        f.write_str(&formula_of_counts(&counts))
    }
}

impl FromStr for Composition {
    type Err = MetricsError;

    /// Reads a formula with whole numbers and parentheses: `RbCaH3`, `Ca3 (PO4)2`.
    fn from_str(formula: &str) -> Result<Self, MetricsError> {
        let mut parser = Parser {
            formula,
            rest: formula.trim(),
        };
        let counts = parser.group(0)?;
        if counts.is_empty() {
            return Err(parser.error("no element, expected at least one"));
        }
        Ok(Self::reduced(counts))
    }
}

/// Depth of parentheses beyond which a text is no formula.
const DEEPEST: usize = 8;

struct Parser<'a> {
    formula: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn error(&self, message: impl Into<String>) -> MetricsError {
        MetricsError::Formula {
            formula: self.formula.to_owned(),
            message: message.into(),
        }
    }

    /// Elements up to the end, or to the parenthesis that closes a group of this depth.
    fn group(&mut self, depth: usize) -> Result<BTreeMap<Element, u32>, MetricsError> {
        let mut counts = BTreeMap::new();
        loop {
            self.rest = self.rest.trim_start();
            let Some(first) = self.rest.chars().next() else {
                return match depth {
                    0 => Ok(counts),
                    _ => Err(self.error("a '(' without its ')'")),
                };
            };
            let part = match first {
                '(' if depth == DEEPEST => return Err(self.error("too many '('")),
                '(' => {
                    self.rest = &self.rest[1..];
                    self.group(depth + 1)?
                }
                ')' if depth > 0 => {
                    self.rest = &self.rest[1..];
                    return Ok(counts);
                }
                'A'..='Z' => BTreeMap::from([(self.element()?, 1)]),
                other => {
                    return Err(self.error(format!(
                        "'{other}' where an element symbol or '(' is expected"
                    )));
                }
            };
            let times = self.number()?;
            for (element, count) in part {
                let total = counts.entry(element).or_insert(0_u32);
                *total = count
                    .checked_mul(times)
                    .and_then(|more| total.checked_add(more))
                    .ok_or_else(|| self.error("a number beyond 4294967295"))?;
            }
        }
    }

    fn element(&mut self) -> Result<Element, MetricsError> {
        let lower = self.rest[1..].chars().take_while(char::is_ascii_lowercase);
        let (symbol, rest) = self.rest.split_at(1 + lower.count());
        self.rest = rest;
        Ok(symbol.parse::<Element>()?)
    }

    fn number(&mut self) -> Result<u32, MetricsError> {
        let digits = self.rest.chars().take_while(char::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        match number {
            "" => Ok(1),
            _ => number
                .parse()
                .map_err(|_| self.error("a number beyond 4294967295")),
        }
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    match b {
        0 => a,
        _ => greatest_common_divisor(b, a % b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(formula: &str) -> String {
        match formula.parse::<Composition>() {
            Ok(composition) => composition.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn formulas_are_read_and_reduced() {
        assert_eq!(read("Ca Rb H3"), "RbCaH3");
        assert_eq!(read(" Ca3 (PO4)2 "), "Ca3P2O8");
        assert_eq!(read("Cl2Na2"), "NaCl");
        assert_eq!(read("Ca(Al(OH)4)2"), "CaAl2H8O8");
        assert_eq!(read("Fe"), "Fe");
        assert_eq!(read("C0H4"), "H");
    }

    #[test]
    fn what_is_no_formula_is_named() {
        assert_eq!(
            read("NaCl-"),
            "'NaCl-' is no chemical formula: '-' where an element symbol or '(' is expected"
        );
        assert!(read("").contains("no element"));
        assert!(read("(NaCl").contains("without its ')'"));
        assert!(read("NaCl)").contains("')' where"));
        assert!(read("Xy").contains("'Xy'"));
        assert!(read("H99999999999").contains("beyond"));
        assert!(read("(H4294967295)2").contains("beyond"));
        assert!(read("é").contains("'é' where"));
        assert!(read(&"(".repeat(100)).contains("too many"));
    }
}
