use rustfft::num_complex::Complex64;

use crate::terms::projector_matrices::ProjectorMatrices;

/// The electrons of the valence: their density, and how they occupy the projectors.
#[derive(Debug, Clone)]
pub(crate) struct Density {
    /// ρ(G) in bohr⁻³ on the density grid's G, augmentation charges included.
    pub(crate) field: Vec<Complex64>,
    /// `ρ_ij = Σ f ⟨ψ|β_i⟩⟨β_j|ψ⟩`; zero before the first bands but for PAW atoms.
    pub(crate) projector_occupations: ProjectorMatrices,
}

impl Density {
    /// `self − other`
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut difference = self.clone();
        difference.add_scaled(-1.0, other);
        difference
    }

    /// `self += factor · other`
    pub(crate) fn add_scaled(&mut self, factor: f64, other: &Self) {
        for (sum, value) in self.field.iter_mut().zip(&other.field) {
            *sum += value * factor;
        }
        let to = self.projector_occupations.entries_mut();
        for (sum, value) in to.iter_mut().zip(other.projector_occupations.entries()) {
            *sum += value * factor;
        }
    }
}
