//! Calculations that wait on a PostgreSQL server for workers anywhere.

pub(crate) mod calculation;
pub(crate) mod desk;
pub(crate) mod jobs;
pub(crate) mod makers;
mod orders;
mod sessions;
pub(crate) mod status;
mod sweeper;
pub(crate) mod worker;

#[cfg(test)]
mod calculation_tests;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tests;
