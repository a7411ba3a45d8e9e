//! Exhaustive tables in files: what every filling of a skeleton came to, computed once.

mod description;
mod error;
mod fingerprints;
mod result_table;
mod row;
mod shipped;

pub use description::{TableDescription, TableSkeleton};
pub use error::TableFileError;
pub use result_table::{ResultTable, TableSource};
pub use row::{TABLE_COLUMNS, TableColumn, TableRow};
pub use shipped::{SHIPPED_TABLES, ShippedTable};
