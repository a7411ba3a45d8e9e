//! An input of pw.x as types.

use crate::Smearing;

/// A pw.x input, typed: what a hand-made deck of this project says, and nothing else.
///
/// [`PwInput::to_text`] writes it; numbers keep full precision.
#[derive(Debug, Clone, PartialEq)]
pub struct PwInput {
    /// Namelist `&CONTROL`.
    pub control: Control,
    /// Namelist `&SYSTEM`, apart from what the cards say.
    pub system: System,
    /// Namelist `&ELECTRONS`.
    pub electrons: Electrons,
    /// Card `ATOMIC_SPECIES`.
    pub species: Vec<Species>,
    /// Card `CELL_PARAMETERS`: rows, in Å.
    pub lattice_ang: [[f64; 3]; 3],
    /// Card `ATOMIC_POSITIONS`.
    pub positions: Positions,
    /// Card `K_POINTS automatic`: divisions of the Γ-centred mesh.
    pub k_mesh: [u32; 3],
}

/// Largest component of a force that a relaxation leaves on an atom, in Ry/bohr.
pub const RELAXED_FORCE_RY_BOHR: f64 = 2e-5;

/// Namelist `&CONTROL`.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// What to compute.
    pub calculation: Calculation,
    /// Stress after the SCF.
    pub tstress: bool,
    /// Forces after the SCF.
    pub tprnfor: bool,
}

/// `calculation` of `&CONTROL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calculation {
    /// One self-consistent field.
    Scf,
    /// BFGS on ions until every force is below [`RELAXED_FORCE_RY_BOHR`], at most `steps` steps.
    Relax {
        /// `nstep`.
        steps: u32,
    },
    /// BFGS on ions and cell, at most `steps` steps.
    VcRelax {
        /// `nstep`.
        steps: u32,
    },
}

/// Namelist `&SYSTEM`; `ibrav`, `nat` and `ntyp` follow from the cards, `nspin` is 1.
#[derive(Debug, Clone, PartialEq)]
pub struct System {
    /// Cutoff of the wave functions in Ry.
    pub ecutwfc_ry: f64,
    /// Cutoff of the density in Ry.
    pub ecutrho_ry: f64,
    /// Number of bands.
    pub nbnd: u32,
    /// How bands are occupied.
    pub occupations: Occupations,
}

/// `occupations` of `&SYSTEM`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Occupations {
    /// The lowest n/2 bands at every k-point.
    Fixed,
    /// Smeared around a Fermi level.
    Smearing {
        /// The function.
        smearing: Smearing,
        /// Its width in Ry.
        degauss_ry: f64,
    },
}

/// Namelist `&ELECTRONS`; Davidson diagonalisation and plain mixing.
#[derive(Debug, Clone, PartialEq)]
pub struct Electrons {
    /// Most SCF iterations.
    pub electron_maxstep: u32,
    /// Estimated accuracy in Ry at which the SCF stops.
    pub conv_thr_ry: f64,
    /// Mixing factor.
    pub mixing_beta: f64,
}

/// A line of the card `ATOMIC_SPECIES`.
#[derive(Debug, Clone, PartialEq)]
pub struct Species {
    /// Label, the element's symbol.
    pub label: String,
    /// Mass in unified atomic mass units.
    pub mass_u: f64,
    /// File name of the pseudopotential in the folder of the run.
    pub file_name: String,
}

/// Card `ATOMIC_POSITIONS`: label and position of each atom.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// Fractional.
    Crystal(Vec<(String, [f64; 3])>),
    /// Cartesian, in Å.
    Angstrom(Vec<(String, [f64; 3])>),
}

impl Positions {
    /// Label and position of each atom, in whichever unit.
    pub fn atoms(&self) -> &[(String, [f64; 3])] {
        match self {
            Self::Crystal(atoms) | Self::Angstrom(atoms) => atoms,
        }
    }
}
