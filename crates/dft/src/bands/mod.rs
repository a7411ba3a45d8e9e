//! The bands at all k-points: how they are found, and what is summed over them.
//!
//! [`BandSolver`] is the border between those who know what bands are made of and where they lie, and the
//! others: the loop of self-consistency and the terms of the energy hand in operators and get sums.

mod coarse_bands;
mod contractions;
mod cpu_solver;
mod density_sum;
mod known_bands;
mod memory_plan;
mod other_k_points;
mod plan;
mod projector_set;
mod solver;
mod start;
mod storage;

pub(crate) use crate::eigensolver::Exactness;
pub(crate) use cpu_solver::{FirstBands, solver_on_cpu};
pub(crate) use known_bands::KnownBands;
pub(crate) use other_k_points::energies_at_k_points;
pub(crate) use plan::BandPlan;
pub(crate) use solver::{
    Accuracy, BandContractions, BandSolver, BandSums, BandWeights, Eigenproblem, KeptBands, Solved,
};

#[cfg(test)]
pub(crate) use self::{
    cpu_solver::CpuSolver,
    density_sum::band_sums,
    start::starting_bands,
    storage::{Bands, KeptPrecision},
};
