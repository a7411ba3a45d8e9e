//! What can be wrong with the input of a calculation.

use crate::scf::ScfEnd;

/// What is wrong with the input of a calculation.
///
/// A self-consistency loop that does not converge is no error: see
/// [`ScfEnd`](crate::ScfEnd).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DftError {
    /// The lattice vectors span no volume.
    #[error("the lattice vectors span {volume_bohr3} bohr³, expected a positive volume")]
    InvalidCell {
        /// Volume found.
        volume_bohr3: f64,
    },
    /// An atom names a species that does not exist.
    #[error("atom {atom} is of species {species}, but there are {count} species")]
    UnknownSpecies {
        /// Index of the atom.
        atom: usize,
        /// Its species index.
        species: usize,
        /// Number of species.
        count: usize,
    },
    /// Two atoms lie on top of each other.
    #[error("atoms {first} and {second} are {distance_bohr} bohr apart, expected more than 0.1")]
    AtomsTooClose {
        /// Index of the first atom.
        first: usize,
        /// Index of the second atom.
        second: usize,
        /// Their distance.
        distance_bohr: f64,
    },
    /// Fixed occupations with a number of electrons that does not fill bands in pairs.
    #[error("{electrons} electrons cannot fill bands in pairs: use smeared occupations")]
    OddElectronCount {
        /// Number of valence electrons.
        electrons: f64,
    },
    /// A loop that was stopped or broke down left no bands to derive anything from.
    #[error(
        "the self-consistency loop has no bands ({end:?}): forces and stress need those of a \
         converged one"
    )]
    NoBands {
        /// How the loop ended.
        end: ScfEnd,
    },
    /// A setting lies outside its range.
    #[error("{setting} is {found}, expected {expected}")]
    InvalidSetting {
        /// Name of the setting.
        setting: &'static str,
        /// Value given.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
}
