//! Symmetry operations: read from `-y, x-y, z+1/3`, multiplied, and checked to form a group.

use std::collections::HashSet;

use super::error::shown;
use crate::matrix::{self, Matrix3};

/// `x' = rotation · x + translation` in fractional coordinates, the translation in [0, 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Operation {
    pub rotation: [[i32; 3]; 3],
    pub translation: [f64; 3],
}

/// An operation as a key: the rotation and the translation in steps of 1/[`STEPS`].
type Key = ([[i32; 3]; 3], [i64; 3]);

/// Resolution of translations when operations are compared; 720 720 divides by 1 to 16, so that no
/// translation of a group, nor of its supercells, lies between two steps.
const STEPS: f64 = 720_720.0;

impl Operation {
    pub(super) const IDENTITY: Self = Self {
        rotation: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        translation: [0.0; 3],
    };

    pub(super) fn new(rotation: [[i32; 3]; 3], translation: [f64; 3]) -> Self {
        Self {
            rotation,
            translation: translation.map(wrap),
        }
    }

    pub(super) fn matrix(&self) -> Matrix3 {
        self.rotation.map(|row| row.map(f64::from))
    }

    pub(super) fn apply(&self, x: [f64; 3]) -> [f64; 3] {
        matrix::add(matrix::apply(self.matrix(), x), self.translation)
    }

    /// `self` after `first`.
    fn after(&self, first: &Self) -> Self {
        let rotation = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                (0..3)
                    .map(|k| self.rotation[i][k] * first.rotation[k][j])
                    .sum()
            })
        });
        Self::new(rotation, self.apply(first.translation))
    }

    pub(super) fn key(&self) -> Key {
        let steps = self
            .translation
            .map(|t| (t * STEPS).round() as i64 % STEPS as i64);
        (self.rotation, steps)
    }

    /// Reads `-y, x-y, z+1/3`; a fourth part, the time reversal of a magnetic operation, is left
    /// out.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = |part: &str| {
            let (part, text) = (shown(part), shown(text));
            format!("'{part}' in the operation '{text}' is not like x, -y or z+1/2")
        };
        let compact: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| if is_minus(c) { '-' } else { c })
            .collect::<String>()
            .to_lowercase();
        let parts: Vec<&str> = compact.split(',').collect();
        let rows = match parts.as_slice() {
            [rows @ .., time] if rows.len() == 3 && matches!(*time, "1" | "+1" | "-1") => rows,
            rows if rows.len() == 3 => rows,
            _ => return Err(bad(&compact)),
        };
        let mut rotation = [[0; 3]; 3];
        let mut translation = [0.0; 3];
        for (row, part) in rows.iter().enumerate() {
            for term in signed_terms(part) {
                let body = term.trim_start_matches(['+', '-']);
                let sign = if term.starts_with('-') { -1 } else { 1 };
                if let Some(axis) = body.chars().next_back().and_then(|c| "xyz".find(c)) {
                    let factor = body[..body.len() - 1].trim_end_matches('*');
                    let factor: i32 = match factor {
                        "" => 1,
                        digits if digits.len() == 1 => digits.parse().map_err(|_| bad(part))?,
                        _ => return Err(bad(part)),
                    };
                    rotation[row][axis] += sign * factor;
                } else {
                    translation[row] += f64::from(sign) * shift(body).ok_or_else(|| bad(part))?;
                }
            }
        }
        let determinant = matrix::determinant(rotation.map(|row| row.map(f64::from)));
        if determinant.abs() != 1.0 {
            return Err(format!(
                "the operation '{}' changes the volume by {determinant}, expected 1 or -1",
                shown(text)
            ));
        }
        Ok(Self::new(rotation, translation))
    }
}

fn is_minus(c: char) -> bool {
    matches!(c, '\u{2212}' | '\u{2010}'..='\u{2014}')
}

/// A fraction in [0, 1).
pub(super) fn wrap(x: f64) -> f64 {
    let wrapped = x - x.floor();
    if wrapped >= 1.0 { 0.0 } else { wrapped }
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

/// A translation: a fraction, or a decimal number, which is taken as the multiple of 1/24 that it
/// was rounded or cut from, 0.33 as 1/3.
fn shift(text: &str) -> Option<f64> {
    let number = |text: &str| {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        text.parse::<f64>().ok().filter(|x| plain && *x < 1e9)
    };
    if let Some((above, below)) = text.split_once('/') {
        let value = number(above)? / number(below)?;
        return value.is_finite().then_some(value);
    }
    let value = number(text)?;
    let digits = text
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let nearest = (value * 24.0).round() / 24.0;
    let reach = if digits >= 2 {
        0.1_f64.powi(digits as i32)
    } else {
        0.0
    };
    Some(if (value - nearest).abs() <= reach {
        nearest
    } else {
        value
    })
}

/// The group that `generators` generate, unless it has more than `limit` operations.
pub(super) fn generate(generators: &[Operation], limit: usize) -> Option<Vec<Operation>> {
    let mut group = vec![Operation::IDENTITY];
    let mut known: HashSet<Key> = group.iter().map(Operation::key).collect();
    let mut next = 0;
    while let Some(operation) = group.get(next).copied() {
        for generator in generators {
            let product = operation.after(generator);
            if known.insert(product.key()) {
                if group.len() == limit {
                    return None;
                }
                group.push(product);
            }
        }
        next += 1;
    }
    Some(group)
}

/// The listed operations, each once, the identity first.
///
/// # Errors
/// If they form no group.
pub(super) fn group_of(listed: &[Operation]) -> Result<Vec<Operation>, String> {
    let mut known = HashSet::new();
    let mut group = vec![Operation::IDENTITY];
    known.insert(Operation::IDENTITY.key());
    group.extend(
        listed
            .iter()
            .filter(|operation| known.insert(operation.key())),
    );
    let mut generators: Vec<Operation> = Vec::new();
    let mut generated: HashSet<Key> = HashSet::from([Operation::IDENTITY.key()]);
    for operation in &group {
        if generated.contains(&operation.key()) {
            continue;
        }
        generators.push(*operation);
        let products = generate(&generators, group.len());
        let Some(products) = products.filter(|products| {
            products
                .iter()
                .all(|product| known.contains(&product.key()))
        }) else {
            return Err(format!(
                "the {} operations form no group: the product of two of them is not among them",
                group.len()
            ));
        };
        generated = products.iter().map(Operation::key).collect();
    }
    Ok(group)
}

/// Whether two groups have the same operations.
pub(super) fn same_group(a: &[Operation], b: &[Operation]) -> bool {
    let keys: HashSet<Key> = a.iter().map(Operation::key).collect();
    a.len() == b.len() && b.iter().all(|operation| keys.contains(&operation.key()))
}
