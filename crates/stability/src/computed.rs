//! Reference sets whose energies are computed by the method that crystals are judged with.

use crystalgym_crystal::Structure;
use crystalgym_metrics::Composition;
use crystalgym_potential::{InteratomicPotential, Request};

use crate::{ReferenceSet, StabilityError};

impl ReferenceSet {
    /// The energies that a potential gives for structures as they are. The set needs a structure of
    /// each element by which something is to be judged.
    ///
    /// # Errors
    /// [`StabilityError::Potential`] names the structure that the potential does not cover.
    pub fn computed(
        name: impl Into<String>,
        potential: &dyn InteratomicPotential,
        structures: &[Structure],
    ) -> Result<Self, StabilityError> {
        let mut set = Self::new(name);
        for structure in structures {
            let found = potential
                .evaluate(structure, Request::Energy)
                .map_err(|source| StabilityError::Potential {
                    formula: structure.formula(),
                    source,
                })?;
            let sites = structure.elements.len() as f64;
            set.add(
                Composition::of(&structure.elements),
                found.energy_ev / sites,
            )?;
        }
        Ok(set)
    }
}
