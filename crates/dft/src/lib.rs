//! A plane-wave density functional theory engine.
//!
//! The modules follow the theory: [`Model`] (which crystal, potentials, functional) →
//! [`PlaneWaveBasis`] (which plane waves and k-points) → terms of the energy → Hamiltonian →
//! eigensolver → [`self_consistent_field`] → properties such as [`BandEdges`].
//!
//! Hartree atomic units throughout; [`BOHR_ANG`], [`HARTREE_EV`] and the like convert at the
//! border. Lattice vectors are the rows of a matrix. Fields are `f(r) = Σ_G f(G) e^{iGr}`.

mod band_scalar;
mod bands;
mod basis;
mod cancellation;
mod cell;
mod constants;
mod density;
mod eigensolver;
mod error;
mod hamiltonian;
mod limits;
mod linear_algebra;
mod model;
mod occupation;
mod parallel;
mod properties;
pub mod pseudo;
mod scf;
mod shared_products;
mod structure_factor;
mod symmetry;
mod terms;
mod vector;
pub mod xc;

pub use basis::{Discretisation, KMesh, KPoint, PlaneWaveBasis, SetUp, irreducible_k_points};
pub use cancellation::Cancellation;
pub use cell::Cell;
pub use constants::{BOHR_ANG, HARTREE_EV, HARTREE_PER_BOHR3_GPA, RYDBERG_HARTREE};
pub use error::DftError;
pub use model::{Atom, Model};
pub use occupation::{Occupations, Smearing};
pub use properties::{
    BandEdges, BandOptions, Broadening, ChargeDensity, DensityOfStates, MeshBands, MovedCrystal,
    band_energies, first_variable_cell_step, forces, forces_and_stress, forces_and_stress_unless,
    pressure, stress, stress_unless,
};
pub use scf::{
    Mixing, Neighbours, ScfControl, ScfEnd, ScfIteration, ScfOptions, ScfResult, StartingPoint,
    self_consistent_field, self_consistent_field_near,
};
pub use symmetry::{SymmetryOperation, space_group_operations};
pub use terms::EnergyParts;
