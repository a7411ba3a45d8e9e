//! Energies at several volumes that lie on one curve, also where the basis is small.
//!
//! At a fixed cutoff the number of plane waves jumps from volume to volume, and the energy with it:
//! by 2 to 100 meV at 16 to 30 Ry, where the curvature of a bulk modulus of 50 GPa raises the
//! outermost of five volumes by 6 meV. So each volume has the plane waves of the given one, which
//! means an effective cutoff of `E_c x^(−2/3)` at the relative volume x, and the energy that this
//! change of cutoff alone brings is taken off again:
//!
//! `E(x; E_c) ≈ E(x; E_c x^(−2/3)) − [F(−⅔ ln x) − F(0)]`, `F(l) = E(1; E_c e^l)`,
//!
//! F a parabola through three cutoffs. What is left out is of the order of the strain times the
//! basis-set error's own change with volume; it vanishes with that error. Source of the idea: G. P.
//! Francis and M. C. Payne, J. Phys.: Condens. Matter 2, 4395 (1990), who correct energies at a
//! fixed cutoff by the same derivative.

use crystalgym_dft::{Neighbours, StartingPoint};

use super::{
    Verdict,
    computation::{Computation, Ingredients, Scale},
};
use crate::{
    EquationOfStateFit, Failure, FailureCode, calculators::ev_x_lattice::published_lattice,
    fit_murnaghan, pulay::CUTOFF_FACTOR,
};

/// Volumes relative to the cell's.
const VOLUME_FACTORS: [f64; 5] = [0.98, 0.99, 1.0, 1.01, 1.02];
/// F is multiplied by strains of a hundredth, so that its energies need less accuracy.
const CUTOFF_CONVERGENCE_RY: f64 = 1e-5;

impl Computation<'_> {
    /// The fit to the energies at all of [`VOLUME_FACTORS`] around a relative volume, from the energy there
    /// and what its calculation found.
    ///
    /// With a fixed cutoff nothing is corrected, as in the published decks. With fixed plane waves the
    /// change of the energy with the logarithm of the cutoff is measured, unless it is known already, and
    /// comes with the fit.
    pub(super) fn equation_of_state(
        &mut self,
        around: f64,
        ingredients: &Ingredients,
        given_ev: f64,
        given: &StartingPoint,
        known: Option<BasisSetError>,
    ) -> Result<(EquationOfStateFit, Option<BasisSetError>), Failure> {
        let settings = self.settings;
        let fixed_plane_waves = settings.has_fixed_plane_waves();
        let convergence_ry = self.convergence_ry(settings.derivative_convergence_ry);
        let occupations = self.smeared();
        let mut solve = |volume: f64, from: Neighbours<'_>| {
            let scale = Scale {
                volume: around * volume,
                cutoff: match fixed_plane_waves {
                    true => effective_cutoff_log(volume).exp(),
                    false => 1.0,
                },
            };
            self.solve(scale, ingredients, occupations, convergence_ry, Some(from))
        };
        // Each starts from its neighbour on the side of the given volume, and where there are two, from
        // what they are on the way to.
        let smaller = solve(VOLUME_FACTORS[1], given.into())?;
        let smaller_ev = smaller.energy_ev();
        let smaller = smaller.into_starting_point();
        let smallest_ev = solve(VOLUME_FACTORS[0], beyond(&smaller, given))?.energy_ev();
        let smaller = smaller.without_bands();
        let larger = solve(VOLUME_FACTORS[3], beyond(given, &smaller))?;
        let larger_ev = larger.energy_ev();
        let larger = larger.into_starting_point();
        let largest_ev = solve(VOLUME_FACTORS[4], beyond(&larger, given))?.energy_ev();
        let mut energies_ev = [smallest_ev, smaller_ev, given_ev, larger_ev, largest_ev];
        if !fixed_plane_waves {
            return Ok((self.fit(around, &energies_ev)?, None));
        }
        let error = match known {
            Some(error) => error,
            None => self.basis_set_error(around, ingredients, given_ev, given)?,
        };
        for (energy_ev, volume) in energies_ev.iter_mut().zip(VOLUME_FACTORS) {
            *energy_ev -= error.change_ev(effective_cutoff_log(volume));
        }
        Ok((self.fit(around, &energies_ev)?, Some(error)))
    }

    pub(super) fn basis_set_error(
        &mut self,
        volume: f64,
        ingredients: &Ingredients,
        given_ev: f64,
        given: &StartingPoint,
    ) -> Result<BasisSetError, Failure> {
        let [below, above] = self.energies_beside_ev(volume, ingredients, given)?;
        let step = CUTOFF_FACTOR.ln();
        Ok(BasisSetError {
            slope_ev: (above - below) / (2.0 * step),
            curvature_ev: (above + below - 2.0 * given_ev) / step.powi(2),
        })
    }

    /// `dF/dl` at the given cell and cutoff in eV.
    pub(super) fn basis_set_slope_ev(
        &mut self,
        ingredients: &Ingredients,
        given: &StartingPoint,
    ) -> Result<f64, Failure> {
        let [below, above] = self.energies_beside_ev(1.0, ingredients, given)?;
        Ok((above - below) / (2.0 * CUTOFF_FACTOR.ln()))
    }

    /// Energies at a relative volume, at cutoffs divided and multiplied by [`CUTOFF_FACTOR`].
    fn energies_beside_ev(
        &mut self,
        volume: f64,
        ingredients: &Ingredients,
        given: &StartingPoint,
    ) -> Result<[f64; 2], Failure> {
        let mut energy_ev = |cutoff: f64| -> Result<f64, Failure> {
            let scale = Scale { volume, cutoff };
            let (convergence_ry, occupations) = (CUTOFF_CONVERGENCE_RY, self.smeared());
            let solved = self.solve(
                scale,
                ingredients,
                occupations,
                convergence_ry,
                Some(given.into()),
            )?;
            Ok(solved.energy_ev())
        };
        Ok([energy_ev(1.0 / CUTOFF_FACTOR)?, energy_ev(CUTOFF_FACTOR)?])
    }

    /// Of all volumes; in the verdict `paper` what `ev.x` gives.
    fn fit(&self, around: f64, energies_ev: &[f64]) -> Result<EquationOfStateFit, Failure> {
        let volume = around * self.crystal.skeleton().lattice.volume();
        let volumes = VOLUME_FACTORS.map(|factor| factor * volume);
        let settings = self.settings;
        let found = match settings.verdict {
            Verdict::Engine => fit_murnaghan(&volumes, energies_ev, volume).and_then(|fit| {
                let checked = settings.equation_of_state.check(&fit, volume);
                checked.map(|()| fit)
            }),
            Verdict::Paper => {
                let group = self.crystal.skeleton().source.space_group_number;
                let (_, cells_per_cube) = published_lattice(group).unwrap_or(("sc", 1.0));
                EquationOfStateFit::of_ev_x(&volumes, energies_ev, volume, cells_per_cube)
            }
        };
        found.map_err(|error| Failure::new(FailureCode::BadEquationOfState, error.to_string()))
    }
}

/// On the line from one volume through the nearest.
fn beyond<'a>(nearest: &'a StartingPoint, before: &'a StartingPoint) -> Neighbours<'a> {
    Neighbours {
        nearest,
        before: Some(before),
    }
}

/// Logarithm of the relative cutoff that a fixed set of plane waves has at a relative volume.
pub(super) fn effective_cutoff_log(volume: f64) -> f64 {
    -2.0 / 3.0 * volume.ln()
}

/// Change of the energy with the logarithm of the cutoff.
#[derive(Debug, Clone, Copy)]
pub(super) struct BasisSetError {
    /// F′ in eV.
    pub(super) slope_ev: f64,
    /// F″ in eV.
    pub(super) curvature_ev: f64,
}

impl BasisSetError {
    fn change_ev(self, log: f64) -> f64 {
        self.slope_ev * log + 0.5 * self.curvature_ev * log.powi(2)
    }
}
