//! The tables that come with the program.

use crate::Property;

/// A table that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct ShippedTable {
    /// The name by which `calculator.table.file` finds it.
    pub name: &'static str,
    /// The identifier of its environment in Python, without namespace and version.
    pub environment: &'static str,
    /// Label of its skeleton.
    pub skeleton: &'static str,
    /// What was computed.
    pub property: Property,
    /// Symbols of its elements, in the order of the action set.
    pub elements: &'static [&'static str],
    /// Its parquet file.
    pub data: &'static [u8],
}

/// Tables that come with the program, each made by `crystalgym table build` and `table export`.
pub static SHIPPED_TABLES: &[ShippedTable] = &[
    ShippedTable {
        name: "band_gap-C6-tiny",
        environment: "Table-BandGap-C6-Tiny",
        skeleton: "C6",
        property: Property::BandGap,
        elements: &["Li", "Na", "Mg", "O", "F"],
        data: include_bytes!("../../tables/band_gap-C6-tiny.parquet"),
    },
    ShippedTable {
        name: "band_gap-C6-small",
        environment: "Table-BandGap-C6",
        skeleton: "C6",
        property: Property::BandGap,
        elements: &[
            "Li", "Na", "K", "Rb", "Be", "Ca", "Mg", "Sr", "H", "C", "N", "O", "P", "S", "Se", "F",
            "Cl", "Br",
        ],
        data: include_bytes!("../../tables/band_gap-C6-small.parquet"),
    },
];

impl ShippedTable {
    /// A table by its name.
    pub fn named(name: &str) -> Option<Self> {
        SHIPPED_TABLES
            .iter()
            .find(|table| table.name == name)
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResultTable;

    /// Oracle: what each file says of itself; reading it compares its rows with their checksum.
    #[test]
    fn shipped_tables_are_what_they_are_called() {
        for shipped in SHIPPED_TABLES {
            let table = ResultTable::open(shipped.name).unwrap();
            let of = table.description();
            let symbols: Vec<&str> = of.elements.iter().map(|e| e.symbol()).collect();
            assert!(table.is_whole(), "{}", shipped.name);
            assert_eq!(of.skeleton.label, shipped.skeleton);
            assert_eq!(of.property, shipped.property);
            assert_eq!(symbols, shipped.elements);
            let rows: usize = of.counts.values().sum();
            assert_eq!(rows, of.fillings);
        }
    }
}
