//! Forces and stress, summed over the terms of the energy.

use super::{
    augmentation::{augmentation_forces, augmentation_strain},
    core_correction::core_forces,
    ewald::{ewald_forces, ewald_strain},
    ground_state::GroundState,
    hartree::hartree_strain,
    local::{local_forces, local_strain},
    strain::sum_of_tensors,
    sum_of_forces::sum_of_forces,
    xc::exchange_correlation_strain,
};
use crate::{
    DftError,
    vector::{Matrix3, Vector3},
};

/// `−∂E/∂τ` of each atom, in hartree/bohr.
type Forces = fn(&GroundState<'_>) -> Result<Vec<Vector3>, DftError>;
/// `∂E/∂ε` in hartree.
type Strain = fn(&GroundState<'_>) -> Result<Matrix3, DftError>;

/// How a term of the energy changes, the coefficients of the bands held fixed.
pub(crate) struct Term {
    /// When atoms move; `None` where the term does not know where they are.
    pub(crate) forces: Option<Forces>,
    /// When the cell is strained and fractional positions stay.
    pub(crate) strain: Strain,
}

/// All terms that forces and stress come from. PAW's one-centre terms depend on atoms and cell by the
/// occupations of the projectors alone, whose change is in the non-local term.
pub(crate) const TERMS: [Term; 7] = [
    // Kinetic energy.
    Term {
        forces: None,
        strain: |s| s.bands.kinetic_strain(s.weights(), s.cancellation),
    },
    // Electrons with each other.
    Term {
        forces: None,
        strain: |s| {
            s.cancellation.check()?;
            Ok(hartree_strain(&s.basis.density_grid, &s.density.field))
        },
    },
    // Local pseudopotentials.
    Term {
        forces: Some(|s| {
            let (model, grid) = (&s.basis.model, &s.basis.density_grid);
            local_forces(model, grid, &s.density.field, s.cancellation)
        }),
        strain: |s| {
            let (model, grid) = (&s.basis.model, &s.basis.density_grid);
            local_strain(
                model,
                grid,
                &s.terms.local,
                &s.density.field,
                s.cancellation,
            )
        },
    },
    // Exchange and correlation; the core's density moves with the atoms.
    Term {
        forces: Some(|s| {
            let (model, grid) = (&s.basis.model, &s.basis.density_grid);
            if s.terms.core.is_none() {
                return Ok(vec![[0.0; 3]; model.atoms.len()]);
            }
            core_forces(model, grid, &s.kohn_sham.xc_potential, s.cancellation)
        }),
        strain: |s| {
            let found = (s.kohn_sham.xc_ha, &s.kohn_sham.xc_potential[..]);
            let (density, core) = (&s.density.field, s.terms.core.as_deref());
            exchange_correlation_strain(s.basis, density, core, found, s.threads, s.cancellation)
        },
    },
    // Non-local pseudopotentials.
    Term {
        forces: Some(|s| s.bands.nonlocal_forces(s.weights(), s.cancellation)),
        strain: |s| s.bands.nonlocal_strain(s.weights(), s.cancellation),
    },
    // Augmentation charges in the potential, their electrons held.
    Term {
        forces: Some(|s| {
            let (model, grid) = (&s.basis.model, &s.basis.density_grid);
            let (potential, occupied) = (&s.kohn_sham.potential, &s.density.projector_occupations);
            augmentation_forces(model, grid, potential, occupied, s.cancellation)
        }),
        strain: |s| {
            let (model, grid) = (&s.basis.model, &s.basis.density_grid);
            let (potential, occupied) = (&s.kohn_sham.potential, &s.density.projector_occupations);
            augmentation_strain(model, grid, potential, occupied, s.cancellation)
        },
    },
    // Ions with each other.
    Term {
        forces: Some(|s| ewald_forces(&s.basis.model, s.cancellation)),
        strain: |s| ewald_strain(&s.basis.model, s.cancellation),
    },
];

/// The forces as the terms give them, neither symmetrised nor freed of their mean.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn forces_of_terms(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let of_terms = TERMS
        .iter()
        .filter_map(|term| term.forces)
        .map(|forces| forces(state));
    let of_terms: Vec<Vec<Vector3>> = of_terms.collect::<Result<_, _>>()?;
    Ok(sum_of_forces(state.basis.model.atoms.len(), of_terms))
}

/// `∂E/∂ε` in hartree as the terms give it.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn strain_of_terms(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let of_terms = TERMS.iter().map(|term| (term.strain)(state));
    let of_terms: Vec<Matrix3> = of_terms.collect::<Result<_, _>>()?;
    Ok(sum_of_tensors(of_terms))
}
