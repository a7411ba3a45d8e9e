//! Interatomic potentials: the energy of a structure with its forces and its stress.
//!
//! [`InteratomicPotential`] is what a relaxation or a calculator asks; [`Chgnet`] is the pretrained
//! graph network CHGNet 0.3.0, run on the project's own kernels with a reverse pass written by hand.
//! Its weights are not part of the project: [`model`] installs them from the published package.
//!
//! Units: eV, Å, eV/Å, GPa, Bohr magnetons.

mod chgnet;
mod error;
mod hexadecimal;
pub mod model;
mod neighbours;
mod potential;
mod relaxation;

pub use chgnet::{Chgnet, Tensor, Weights};
pub use error::PotentialError;
pub use potential::{InteratomicPotential, Prediction, Request, SiteFeatures};
pub use relaxation::{Movable, RelaxationEnd, RelaxationOptions, Relaxed, StepJudge, relax};
