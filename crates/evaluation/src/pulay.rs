//! The pressure that a change of the plane waves with the volume adds (Pulay stress).
//!
//! The analytic stress is that of a fixed set of plane waves. At a fixed cutoff, which is what energies of
//! several volumes are compared at, the number of plane waves grows with the volume, and the pressure is
//! `P − ⅔ F′/Ω`, with F′ the change of the energy with the logarithm of the cutoff (G. P. Francis and M. C.
//! Payne, J. Phys.: Condens. Matter 2, 4395 (1990)).

use std::sync::Arc;

use crystalgym_dft::{
    DftError, Discretisation, PlaneWaveBasis, ScfControl, ScfOptions, ScfResult, SetUp,
    StartingPoint, self_consistent_field_near,
};

/// Cutoffs, relative to the given one and to its inverse, that the slope of the energy is measured at:
/// so far apart that jumps of the basis hardly touch it.
pub(crate) const CUTOFF_FACTOR: f64 = 1.15;

/// `−⅔ F′/Ω`, in the units of F′ over those of Ω.
pub(crate) fn pulay_pressure(slope: f64, volume: f64) -> f64 {
    -2.0 / 3.0 * slope / volume
}

/// The pressure in hartree/bohr³ that is to be added to the analytic one of a converged calculation, by
/// two more of them at other cutoffs.
///
/// `set_up` and `options` are those of the given calculation.
///
/// # Errors
/// [`DftError`] as for the given calculation; [`DftError::NoBands`] if one of the two does not converge.
pub fn measure_pulay_pressure(
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    set_up: SetUp<'_>,
    options: &ScfOptions,
) -> Result<f64, DftError> {
    let start = StartingPoint::of(basis, result);
    let (model, given) = (Arc::new(basis.model().clone()), basis.discretisation());
    let energy_ha = |factor: f64| {
        let discretisation = Discretisation {
            ecut_ha: factor * given.ecut_ha,
            ecut_density_ha: factor * given.ecut_density_ha,
            ..given
        };
        let is_cancelled = set_up.is_cancelled;
        let other = PlaneWaveBasis::within(Arc::clone(&model), discretisation, set_up)?;
        let control = ScfControl {
            is_cancelled,
            progress: None,
        };
        let found = self_consistent_field_near(&other, &start, options, control)?;
        match found.is_converged() {
            true => Ok(found.total_energy_ha()),
            false => Err(DftError::NoBands { end: found.end }),
        }
    };
    let change_ha = energy_ha(CUTOFF_FACTOR)? - energy_ha(1.0 / CUTOFF_FACTOR)?;
    let slope_ha = change_ha / (2.0 * CUTOFF_FACTOR.ln());
    Ok(pulay_pressure(slope_ha, basis.model().cell.volume()))
}
