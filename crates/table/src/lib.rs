//! Exhaustive tables: every filling of a skeleton computed once, so that learning can be judged to
//! the last digit.
//!
//! A [`TableRecipe`] says which fillings and how they are computed; [`TablePlan`] lists them;
//! [`build`] computes what a store lacks; [`write_table`] makes a file of it, which [`verify_rows`]
//! computes again in part. A [`Judge`] knows the optimum of a task on such a table.

mod build;
mod error;
mod export;
mod judge;
mod plan;
mod recipe;
mod summary;
mod verify;

pub use build::{BuildOptions, BuildProgress, build};
pub use error::TableError;
pub use export::write_table;
pub use judge::{Judge, Judgement, StartOptimum};
pub use plan::{Survey, TablePlan};
pub use recipe::{TableFolder, TableRecipe};
pub use summary::{AroundTarget, Bar, Summary, hit_tolerance};
pub use verify::{RowCheck, RowVerdict, VerifyOptions, verify_rows};
