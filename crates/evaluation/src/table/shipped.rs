//! The tables that come with the program.

/// A table that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct ShippedTable {
    /// The name by which `calculator.table.file` finds it.
    pub name: &'static str,
    /// Its parquet file.
    pub data: &'static [u8],
}

/// Tables that come with the program, each made by `crystalgym table build` and `table export`.
pub static SHIPPED_TABLES: &[ShippedTable] = &[];

impl ShippedTable {
    /// A table by its name.
    pub fn named(name: &str) -> Option<Self> {
        SHIPPED_TABLES
            .iter()
            .find(|table| table.name == name)
            .copied()
    }
}
