//! Separable non-local part of the pseudopotentials: `E = Σ f ⟨ψ|β_i⟩ D_ij ⟨β_j|ψ⟩`.

mod forces;
mod projectors;
mod strain;
mod weights;

pub(crate) use forces::nonlocal_forces;
pub(crate) use projectors::{Projectors, add_occupations, bare_coupling};
pub(crate) use strain::nonlocal_strain;
pub(crate) use weights::{CoupledProjections, FilledBands};
