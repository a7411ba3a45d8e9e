//! Which crystals are the same one to a calculator.

use std::{borrow::Cow, fmt::Write};

use crystalgym_crystal::{CanonicalCrystal, Crystal, CrystalError, Skeleton, Structure};

use crate::Calculator;

/// What a crystal is to a calculator: itself however it is written down, or the cell as published.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// In the canonical order of its skeleton's sites.
    asked: Crystal,
    canonical: Option<CanonicalCrystal>,
}

impl Identity {
    /// A crystal whose canonical writing cannot be found stands for itself alone.
    pub(crate) fn of(crystal: &Crystal, calculator: &dyn Calculator) -> Self {
        // First among the images of its own skeleton, so that they agree to the last bit.
        let asked = crystal.canonical();
        let canonical = match calculator.keeps_the_cell() {
            true => None,
            false => CanonicalCrystal::of(&asked.structure()).ok(),
        };
        Self { asked, canonical }
    }

    pub(crate) fn asked(&self) -> &Crystal {
        &self.asked
    }

    pub(crate) fn canonical(&self) -> Option<&CanonicalCrystal> {
        self.canonical.as_ref()
    }

    /// Cells that are computed in the cell that was asked for.
    pub(crate) fn cells(&self) -> usize {
        self.canonical.as_ref().map_or(1, CanonicalCrystal::cells)
    }

    /// What is computed.
    pub(crate) fn structure(&self) -> Cow<'_, Structure> {
        match &self.canonical {
            Some(canonical) => Cow::Borrowed(canonical.structure()),
            None => Cow::Owned(self.asked.structure()),
        }
    }

    /// The crystal that is computed, on a skeleton of its own cell.
    ///
    /// # Errors
    /// [`CrystalError`] if it has no geometry to compute with.
    pub(crate) fn to_compute(&self) -> Result<Crystal, CrystalError> {
        match &self.canonical {
            Some(canonical) => canonical.to_crystal(&self.asked.skeleton().label),
            None => Ok(self.asked.clone()),
        }
    }

    /// A text of the geometry; elements come beside it.
    pub(crate) fn text(&self) -> String {
        match &self.canonical {
            Some(canonical) => format!("crystal {}", canonical.name()),
            None => cell_text(self.asked.skeleton()),
        }
    }
}

/// The numbers of the exact cell and of the published one, for calculators that are defined by it.
fn cell_text(skeleton: &Skeleton) -> String {
    let source = &skeleton.source;
    // Published positions are part of it: the `paper` profile computes with them.
    let geometries = [
        (&skeleton.lattice, &skeleton.frac_coords),
        (&source.published_lattice, &source.published_frac_coords),
    ];
    let mut text = String::new();
    for (lattice, frac_coords) in geometries {
        for x in lattice
            .vectors()
            .as_flattened()
            .iter()
            .chain(frac_coords.as_flattened())
        {
            // Adding zero turns -0 into 0.
            let _ = write!(text, "{:.10} ", (x * 1e10).round() / 1e10 + 0.0);
        }
    }
    // The paper's equation of state depends on the space group of the source material.
    let _ = write!(text, "{}", source.space_group_number);
    text
}
