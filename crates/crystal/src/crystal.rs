//! Crystals: skeletons whose sites are all filled.

use std::sync::Arc;

use crate::{
    CrystalError, Element, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure,
    formula::formula,
    standard_orientation,
    structure::{mass_density_g_cm3, mass_u},
};

/// A skeleton with an element on every site.
#[derive(Debug, Clone)]
pub struct Crystal {
    skeleton: Arc<Skeleton>,
    elements: Vec<Element>,
}

impl Crystal {
    /// Fills a skeleton, one element a site in its site order.
    ///
    /// # Errors
    /// [`CrystalError::SiteCount`] if the numbers differ.
    pub fn new(skeleton: Arc<Skeleton>, elements: Vec<Element>) -> Result<Self, CrystalError> {
        if elements.len() != skeleton.frac_coords.len() {
            return Err(CrystalError::SiteCount {
                skeleton: skeleton.label.clone(),
                expected: skeleton.frac_coords.len(),
                found: elements.len(),
            });
        }
        Ok(Self { skeleton, elements })
    }

    /// The skeleton.
    pub fn skeleton(&self) -> &Arc<Skeleton> {
        &self.skeleton
    }

    /// Element of each site.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// Mass density in g/cm³ of the unrelaxed cell.
    pub fn rigid_density_g_cm3(&self) -> f64 {
        mass_density_g_cm3(mass_u(&self.elements), self.skeleton.lattice.volume())
    }

    /// Formula as chemists write it, in lowest terms, such as `RbCaH3`.
    pub fn formula(&self) -> String {
        formula(&self.elements)
    }

    /// The crystal in the skeleton's exact geometry.
    pub fn structure(&self) -> Structure {
        Structure {
            lattice: self.skeleton.lattice,
            elements: self.elements.clone(),
            frac_coords: self.skeleton.frac_coords.clone(),
        }
    }

    /// The crystal in the skeleton's exact geometry, turned so that the skeleton's symmetry axes
    /// lie along x, y and z ([`standard_orientation`]).
    ///
    /// # Errors
    /// [`CrystalError::Symmetry`] if the search fails.
    pub fn oriented_structure(&self) -> Result<Structure, CrystalError> {
        let skeleton = &self.skeleton;
        Ok(Structure {
            lattice: standard_orientation(
                &skeleton.lattice,
                &skeleton.frac_coords,
                &vec![1; skeleton.sites()],
                SYMMETRY_TOLERANCE_ANG,
            )?,
            ..self.structure()
        })
    }

    /// The crystal in the geometry as published, symmetry broken by rounding.
    pub fn published_structure(&self) -> Structure {
        Structure {
            lattice: self.skeleton.source.published_lattice,
            elements: self.elements.clone(),
            frac_coords: self.skeleton.source.published_frac_coords.clone(),
        }
    }

    /// The same crystal written in its canonical site order: of all fillings that the skeleton's
    /// site permutations turn into each other, the one whose atomic numbers come first
    /// lexicographically.
    ///
    /// Equivalent fillings have equal energies, so each is computed once.
    pub fn canonical(&self) -> Self {
        Self {
            skeleton: Arc::clone(&self.skeleton),
            elements: self.skeleton.symmetry.least_image(&self.elements),
        }
    }

    /// Becomes [`Self::canonical`] of another crystal, in the memory that this one has.
    pub fn become_canonical(&mut self, of: &Self) {
        if !Arc::ptr_eq(&self.skeleton, &of.skeleton) {
            self.skeleton = Arc::clone(&of.skeleton);
        }
        let symmetry = &self.skeleton.symmetry;
        symmetry.write_least_image(&of.elements, &mut self.elements);
    }

    /// The sites of this crystal in the order in which [`Self::canonical`] has them: what stands at
    /// its site `k` stands here at site `sites[k]`, by a symmetry of the empty skeleton.
    pub fn canonical_sites(&self) -> Vec<usize> {
        self.skeleton.symmetry.sites_of_least_image(&self.elements)
    }
}
