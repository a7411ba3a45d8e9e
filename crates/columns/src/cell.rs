//! What a column holds.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Double precision.
    Number,
    /// 32 bits, signed.
    Integer,
    /// A list of numbers, never missing.
    Numbers,
    /// A list of integers, never missing.
    Integers,
}

/// A column by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Name.
    pub name: &'a str,
    /// What it holds.
    pub kind: Kind,
}

/// A value in a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Not known, or not of this kind of row.
    Missing,
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Number`].
    Number(f64),
    /// Of [`Kind::Integer`].
    Integer(i32),
    /// Of [`Kind::Numbers`].
    Numbers(Vec<f64>),
    /// Of [`Kind::Integers`].
    Integers(Vec<i32>),
}
