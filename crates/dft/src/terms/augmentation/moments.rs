//! Augmentation charges of one atom at all plane waves.

use rustfft::num_complex::Complex64;

use super::charges::sum_over_harmonics;
use crate::{
    basis::DensityGrid,
    model::Model,
    structure_factor::StructurePhases,
    terms::{
        harmonic_table::HarmonicTable, pair_expansion::PairExpansion,
        projector_matrices::ProjectorMatrices,
    },
};

/// The augmentation charge of one atom, `N(G) = e^{−iG·τ} Σ_LM (−i)^L Y_LM(Ĝ) m_LM(|G|)`.
pub(super) struct AugmentationMoments {
    pub(super) atom: usize,
    pub(super) l_max: usize,
    pub(super) phases: StructurePhases,
    /// `m_LM(|G|)`
    table: HarmonicTable,
    scratch: Vec<f64>,
}

impl AugmentationMoments {
    /// One for each atom that has augmentation charges.
    pub(super) fn of_atoms(
        model: &Model,
        grid: &DensityGrid,
        occupations: &ProjectorMatrices,
    ) -> Vec<Self> {
        let expansions: Vec<Option<PairExpansion>> = (model.species.iter())
            .map(|species| PairExpansion::new(species))
            .collect();
        let q_max = grid.shell_g.iter().copied().fold(0.0, f64::max);
        let atoms = model.atoms.iter().enumerate().zip(occupations.blocks());
        atoms
            .filter_map(|((atom, place), block)| {
                let expansion = expansions[place.species].as_ref()?;
                let tables = model.species[place.species].augmentation_tables(q_max);
                let moments = expansion.moments(block);
                Some(Self {
                    atom,
                    l_max: expansion.l_max(),
                    phases: StructurePhases::new(place.frac, &grid.miller),
                    table: HarmonicTable::of_moments(expansion, &tables, &moments),
                    scratch: vec![0.0; (expansion.l_max() + 1).pow(2)],
                })
            })
            .collect()
    }

    /// `Σ_LM (−i)^L Y_LM m_LM(|G|)` for each of some lists of Y.
    pub(super) fn sums<const N: usize>(&mut self, g: f64, y: [&[f64]; N]) -> [Complex64; N] {
        self.table.values(g, &mut self.scratch);
        y.map(|y| sum_over_harmonics(self.l_max, y, &self.scratch))
    }

    /// `Σ_LM (−i)^L Y_LM dm_LM/d|G|`
    pub(super) fn sum_of_derivatives(&mut self, g: f64, y: &[f64]) -> Complex64 {
        self.table.derivatives(g, &mut self.scratch);
        sum_over_harmonics(self.l_max, y, &self.scratch)
    }
}
