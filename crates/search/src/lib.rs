//! Searches over the elements of chosen sites of one structure: "my structure, these sites, these
//! elements, this property".
//!
//! A [`SearchProblem`] says what may stand where; a [`Goal`] what is wanted; a [`Strategy`] which
//! filling is tried next; a [`Geometry`] in which cell each is computed. [`search`] brings them
//! together and ranks what it found.

mod algorithm;
mod error;
mod exhaustive;
mod files;
mod findings;
mod genetic;
mod geometry;
mod goal;
mod laboratory;
mod problem;
mod relaxed;
mod run;
mod site_choice;
mod smaller_cell;
mod strategy;
mod surrogate;
mod volume_scan;

pub use algorithm::{SearchAlgorithm, strategy};
pub use error::SearchError;
pub use files::{check_findings_folder, write_findings};
pub use findings::{Finding, SearchResult};
pub use geometry::{Geometry, UnknownGeometry};
pub use goal::Goal;
pub use problem::{Genes, SearchProblem, Variable};
pub use run::{Progress, SearchOptions, confirm, search};
pub use site_choice::SiteChoice;
pub use smaller_cell::smaller_cell;
pub use strategy::Strategy;
