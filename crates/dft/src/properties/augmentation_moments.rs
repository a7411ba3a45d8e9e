use rustfft::num_complex::Complex64;

use crate::{
    basis::DensityGrid, model::Model, structure_factor::StructurePhases,
    terms::atom_matrices::AtomMatrices, terms::augmentation::sum_over_harmonics,
    terms::pair_expansion::PairExpansion,
};

/// The augmentation charge of one atom, `N(G) = e^{−iG·τ} Σ_LM (−i)^L Y_LM(Ĝ) m_LM(|G|)`, by its
/// radial parts at each shell of G.
pub(super) struct AugmentationMoments {
    pub(super) atom: usize,
    pub(super) l_max: usize,
    pub(super) phases: StructurePhases,
    /// `m_LM`, shell by shell.
    values: Vec<f64>,
    /// `dm_LM/d|G|`, shell by shell.
    derivatives: Vec<f64>,
}

impl AugmentationMoments {
    /// One for each atom that has augmentation charges.
    pub(super) fn of_atoms(
        model: &Model,
        grid: &DensityGrid,
        occupations: &AtomMatrices,
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
                let count = (expansion.l_max() + 1).pow(2);
                let mut values = vec![0.0; grid.shell_g.len() * count];
                let mut derivatives = values.clone();
                for (shell, &g) in grid.shell_g.iter().enumerate() {
                    for (f, &l) in expansion.function_l().iter().enumerate() {
                        let table = &tables[f];
                        let (value, derivative) = (table.value(g), table.derivative(g));
                        let first = shell * count + l * l;
                        for (m, moment) in moments[expansion.moments_of(f)].iter().enumerate() {
                            values[first + m] += value * moment;
                            derivatives[first + m] += derivative * moment;
                        }
                    }
                }
                Some(Self {
                    atom,
                    l_max: expansion.l_max(),
                    phases: StructurePhases::new(place.frac, &grid.miller),
                    values,
                    derivatives,
                })
            })
            .collect()
    }

    /// `Σ_LM (−i)^L Y_LM m_LM`
    pub(super) fn sum(&self, shell: u32, y: &[f64]) -> Complex64 {
        self.sum_of(&self.values, shell, y)
    }

    /// `Σ_LM (−i)^L Y_LM dm_LM/d|G|`
    pub(super) fn sum_of_derivatives(&self, shell: u32, y: &[f64]) -> Complex64 {
        self.sum_of(&self.derivatives, shell, y)
    }

    fn sum_of(&self, by_shell: &[f64], shell: u32, y: &[f64]) -> Complex64 {
        let count = (self.l_max + 1).pow(2);
        let moments = &by_shell[shell as usize * count..(shell as usize + 1) * count];
        sum_over_harmonics(self.l_max, y, moments)
    }
}
