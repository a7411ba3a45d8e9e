//! The physics of a calculation, before any discretisation.

use std::sync::Arc;

use crystalgym_crystal::Structure;

use crate::{
    DftError,
    cell::Cell,
    limits::{SHORTEST_DISTANCE_BOHR, SHORTEST_LATTICE_VECTOR_BOHR},
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
    /// The model of a structure: the one way from files to the engine.
    ///
    /// `potentials` holds one for each of its elements, in any order; `bohr_per_unit` is the length
    /// of the structure's unit, 1/[`BOHR_ANG`](crate::BOHR_ANG) for Å.
    ///
    /// # Errors
    /// [`DftError::NoAtoms`], [`DftError::NoPseudopotential`], [`DftError::MixedFunctionals`] (as
    /// `pw.x` refuses them), [`DftError::InvalidCell`].
    pub fn of_structure(
        structure: &Structure,
        bohr_per_unit: f64,
        potentials: Vec<Arc<Pseudopotential>>,
        occupations: Occupations,
    ) -> Result<Self, DftError> {
        let atoms = structure.elements.iter().zip(&structure.frac_coords);
        let atoms = atoms
            .map(|(&element, &frac)| {
                let index = potentials.iter().position(|p| p.element() == element);
                let species = index.ok_or(DftError::NoPseudopotential { element })?;
                Ok(Atom { species, frac })
            })
            .collect::<Result<Vec<_>, DftError>>()?;
        let Some(first) = atoms.first() else {
            return Err(DftError::NoAtoms);
        };
        let vectors = structure.lattice.vectors();
        let model = Self {
            cell: Cell::new(vectors.map(|row| row.map(|x| x * bohr_per_unit)))?,
            functional: potentials[first.species].functional(),
            species: potentials,
            atoms,
            occupations,
        };
        model.check_functionals()?;
        Ok(model)
    }

    fn check_functionals(&self) -> Result<(), DftError> {
        let made_with = |atom: &&Atom| self.species[atom.species].functional();
        let odd = self
            .atoms
            .iter()
            .find(|atom| made_with(atom) != self.functional);
        match odd {
            None => Ok(()),
            Some(odd) => {
                let good = self
                    .atoms
                    .iter()
                    .find(|atom| made_with(atom) == self.functional);
                Err(DftError::MixedFunctionals {
                    element: self.species[odd.species].element(),
                    found: made_with(&odd),
                    other: self.species[good.unwrap_or(odd).species].element(),
                    expected: self.functional,
                })
            }
        }
    }

    /// The shortest of the lattice vectors and their sums and differences, in bohr.
    fn shortest_vector_bohr(&self) -> f64 {
        let steps = || [-1.0, 0.0, 1.0].into_iter();
        let combinations =
            steps().flat_map(|x| steps().flat_map(move |y| steps().map(move |z| [x, y, z])));
        combinations
            .filter(|&combination| combination != [0.0; 3])
            .map(|combination| norm(self.cell.to_cart(combination)))
            .fold(f64::INFINITY, f64::min)
    }

    /// Checks that the crystal can be computed.
    ///
    /// # Errors
    /// The first thing that is wrong: an unknown species, pseudopotentials of another functional, a
    /// tiny cell, atoms on top of each other, an odd number of electrons with fixed occupations.
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
        self.check_functionals()?;
        let length_bohr = self.shortest_vector_bohr();
        if length_bohr < SHORTEST_LATTICE_VECTOR_BOHR {
            return Err(DftError::TinyCell { length_bohr });
        }
        for (first, a) in self.atoms.iter().enumerate() {
            for (second, b) in self.atoms.iter().enumerate().skip(first + 1) {
                let apart = subtract(a.frac, b.frac).map(|x| x - x.round());
                let distance_bohr = norm(self.cell.to_cart(apart));
                if distance_bohr < SHORTEST_DISTANCE_BOHR {
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
