//! Exhaustive tables: every filling of a skeleton computed once, so that learning can be judged to
//! the last digit.
//!
//! A [`TableRecipe`] says which fillings and how they are computed; [`TablePlan`] lists them;
//! [`build`] computes what a store lacks.

mod build;
mod error;
mod plan;
mod recipe;

pub use build::{BuildOptions, BuildProgress, build};
pub use error::TableError;
pub use plan::{Survey, TablePlan};
pub use recipe::{TableFolder, TableRecipe};
