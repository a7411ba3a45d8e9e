//! The physics of a calculation, before any discretisation.

use std::sync::Arc;

use crate::{
    DftError,
    cell::Cell,
    occupation::Occupations,
    pseudo::Pseudopotential,
    vector::{Vector3, norm, subtract},
    xc::Functional,
};

/// The physics: which crystal, which potentials, which functional, which occupations. No
/// discretisation.
#[derive(Debug, Clone)]
pub struct Model {
    /// Unit cell.
    pub cell: Cell,
    /// Pseudopotential of each species.
    pub species: Vec<Arc<Pseudopotential>>,
    /// Atoms in the cell.
    pub atoms: Vec<Atom>,
    /// Exchange–correlation functional.
    pub functional: Functional,
    /// How bands are filled.
    pub occupations: Occupations,
}

/// An atom of the cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Atom {
    /// Index into [`Model::species`].
    pub species: usize,
    /// Fractional position.
    pub frac: Vector3,
}

impl Model {
    /// Checks that the crystal can be computed.
    ///
    /// # Errors
    /// The first thing that is wrong: an unknown species, atoms on top of each other, an odd number
    /// of electrons with fixed occupations.
    pub fn validate(&self) -> Result<(), DftError> {
        for (atom, &Atom { species, .. }) in self.atoms.iter().enumerate() {
            if species >= self.species.len() {
                return Err(DftError::UnknownSpecies {
                    atom,
                    species,
                    count: self.species.len(),
                });
            }
        }
        for (first, a) in self.atoms.iter().enumerate() {
            for (second, b) in self.atoms.iter().enumerate().skip(first + 1) {
                let apart = subtract(a.frac, b.frac).map(|x| x - x.round());
                let distance_bohr = norm(self.cell.to_cart(apart));
                if distance_bohr < 0.1 {
                    return Err(DftError::AtomsTooClose {
                        first,
                        second,
                        distance_bohr,
                    });
                }
            }
        }
        let electrons = self.electron_count();
        let pairs = electrons / 2.0;
        if self.occupations == Occupations::Fixed && (pairs - pairs.round()).abs() > 1e-6 {
            return Err(DftError::OddElectronCount { electrons });
        }
        Ok(())
    }

    /// Number of valence electrons in the cell.
    pub fn electron_count(&self) -> f64 {
        self.atoms.iter().map(|atom| self.valence(atom)).sum()
    }

    /// Valence charge of an atom.
    pub(crate) fn valence(&self, atom: &Atom) -> f64 {
        self.species[atom.species].z_valence()
    }
}
