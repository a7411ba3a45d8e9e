//! The density of free atoms, and that of occupied bands.

use std::num::NonZeroUsize;

use crate::{
    DftError,
    bands::BandSums,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    density::Density,
    terms::{
        Terms, atomic_density::atomic_density_unless, projector_channels::projector_sides,
        projector_matrices::ProjectorMatrices,
    },
};

impl Density {
    /// The free atoms, one beside the other.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn of_atoms(
        basis: &PlaneWaveBasis,
        terms: &Terms,
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let model = &basis.model;
        let mut field = atomic_density_unless(cancellation, model, &basis.density_grid)?;
        basis.symmetrizer.symmetrize(&mut field, cancellation)?;
        let projector_occupations = match &terms.one_centre {
            Some(one_centre) => one_centre.atomic_occupations(model),
            None => ProjectorMatrices::zeros(projector_sides(model)),
        };
        Ok(Self {
            field,
            projector_occupations,
        })
    }

    /// `ρ(r) = Σ_k w Σ_n f |ψ_nk(r)|² + Σ_ij ρ_ij Q_ij(r)`, symmetrised, from the sums over the bands.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn of_bands(
        basis: &PlaneWaveBasis,
        terms: &Terms,
        sums: BandSums,
        threads: NonZeroUsize,
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let BandSums {
            density: mut field,
            mut projector_occupations,
        } = sums;
        basis.symmetrizer.symmetrize(&mut field, cancellation)?;
        if let Some(augmentation) = &terms.augmentation {
            basis
                .atom_symmetrizer
                .symmetrize(&mut projector_occupations);
            augmentation.add_density(
                &basis.density_grid,
                &projector_occupations,
                threads,
                &mut field,
                cancellation,
            )?;
        }
        Ok(Self {
            field,
            projector_occupations,
        })
    }
}
