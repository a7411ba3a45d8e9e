//! What can be wrong with the input of a calculation.

use crystalgym_crystal::Element;

use crate::{
    limits::{SHORTEST_DISTANCE_BOHR, SHORTEST_LATTICE_VECTOR_BOHR},
    scf::ScfEnd,
    xc::Functional,
};

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
    /// There is nothing to compute.
    #[error("the structure has no atom, expected at least one")]
    NoAtoms,
    /// An element without a pseudopotential.
    #[error("no pseudopotential for {element} was given")]
    NoPseudopotential {
        /// The element.
        element: Element,
    },
    /// The pseudopotentials do not belong together.
    #[error(
        "the pseudopotential of {element} was made with {found}, and that of {other} with \
         {expected}: expected one functional for all"
    )]
    MixedFunctionals {
        /// An element.
        element: Element,
        /// The functional that its pseudopotential was made with.
        found: Functional,
        /// Another element.
        other: Element,
        /// The functional of the calculation.
        expected: Functional,
    },
    /// Two atoms lie on top of each other.
    #[error(
        "atoms {first} and {second} are {distance_bohr} bohr apart, expected more than \
         {SHORTEST_DISTANCE_BOHR}"
    )]
    AtomsTooClose {
        /// Index of the first atom.
        first: usize,
        /// Index of the second atom.
        second: usize,
        /// Their distance.
        distance_bohr: f64,
    },
    /// A lattice vector is so short that each atom lies on its own images.
    #[error(
        "a lattice vector is {length_bohr:.3e} bohr long, expected more than \
         {SHORTEST_LATTICE_VECTOR_BOHR}"
    )]
    TinyCell {
        /// Its length.
        length_bohr: f64,
    },
    /// The calculation needs more memory than it may have.
    #[error(
        "it needs about {needed_gib:.3} GiB of memory, expected at most {limit_gib} GiB ({size}): \
         lower the cutoffs or the density of k-points, or raise the memory limit"
    )]
    TooLarge {
        /// Memory by estimate in GiB.
        needed_gib: f64,
        /// The limit in GiB.
        limit_gib: f64,
        /// What makes it so large.
        size: String,
    },
    /// The set-up was cancelled.
    #[error("cancelled during the set-up")]
    Cancelled,
    /// Fixed occupations with a number of electrons that does not fill bands in pairs.
    #[error("{electrons} electrons cannot fill bands in pairs: use smeared occupations")]
    OddElectronCount {
        /// Number of valence electrons.
        electrons: f64,
    },
    /// A loop that was stopped or broke down left no bands to derive anything from.
    #[error(
        "the self-consistency loop has no bands ({end:?}): forces, stress and band structures need \
         those of a converged one"
    )]
    NoBands {
        /// How the loop ended.
        end: ScfEnd,
    },
    /// The eigensolver did not find the bands at a k-point.
    #[error("the eigensolver did not find the bands at k = {k_frac:?}")]
    BandsNotFound {
        /// The k-point in units of the reciprocal lattice vectors.
        k_frac: [f64; 3],
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
