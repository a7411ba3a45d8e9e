//! Cell and positions brought to rest together by the engine's forces and stress.
//!
//! Coordinates are the positions, in bohr, and the symmetric strain of the present cell times a length
//! of 1.5 √N bohr for N atoms, with which both have second derivatives of the same size (as in the
//! joint optimisation of E. Tadmor et al., Phys. Rev. B 59, 235 (1999)). Forces and stress have the
//! crystal's symmetry, and so has every step. Plane waves are those of a fixed cutoff; the stress is
//! corrected for it as that of a density is.

use crystalgym_crystal::{Lattice, Structure};
use crystalgym_dft::{BOHR_ANG, Cancellation, HARTREE_EV, forces_and_stress_unless};

use super::{
    computation::{Computation, under_pressure},
    relaxation::QuasiNewton,
};
use crate::{Failure, FailureCode, pulay::pulay_pressure};

/// Largest component of a force that is left, 5 meV/Å.
const FORCE_HA_BOHR: f64 = 1e-4;
/// Largest component of the stress that is left, 0.1 GPa.
const STRESS_HA_BOHR3: f64 = 3.4e-6;
const CONVERGENCE_RY: f64 = 1e-9;
const STRAIN_LENGTH_BOHR: f64 = 1.5;
/// Second derivative of the energy by a coordinate to begin with.
const STIFFNESS_HA_BOHR2: f64 = 0.2;
const LONGEST_STEP_BOHR: f64 = 0.2;
const MOST_STEPS: usize = 60;

impl Computation<'_> {
    /// The structure at rest.
    ///
    /// # Errors
    /// The failure of a calculation; [`FailureCode::IonsNotRelaxed`] if it does not come to rest.
    pub(super) fn relax(&mut self) -> Result<Structure, Failure> {
        let ingredients = self.ingredients()?;
        let settings = self.settings;
        let convergence_ry =
            self.convergence_ry(settings.derivative_convergence_ry.min(CONVERGENCE_RY));
        let mut structure = self.structure()?;
        let sites = structure.frac_coords.len();
        let length = STRAIN_LENGTH_BOHR * (sites as f64).sqrt();
        let mut search = QuasiNewton::new(3 * sites + 9, STIFFNESS_HA_BOHR2);
        let mut known = None;
        // F′, of the given cell; it hardly changes.
        let mut slope_ev = None;
        for _ in 0..MOST_STEPS {
            let solved =
                self.solve_structure(&structure, &ingredients, convergence_ry, known.as_ref())?;
            let is_cancelled = self.is_cancelled();
            let (forces, stress) = forces_and_stress_unless(
                Cancellation::by(&is_cancelled),
                &solved.basis,
                &solved.result,
                settings.threads,
            )
            .map_err(|error| self.invalid(error))?;
            let volume = solved.basis.model().cell.volume();
            let density = solved.into_starting_point();
            let slope_ev = match slope_ev {
                Some(slope_ev) => slope_ev,
                None if settings.corrects_stress() => {
                    *slope_ev.insert(self.basis_set_slope_ev(&ingredients, &density)?)
                }
                None => *slope_ev.insert(0.0),
            };
            let stress = under_pressure(stress, pulay_pressure(slope_ev / HARTREE_EV, volume));
            known = Some(density);
            let largest = |all: &[[f64; 3]]| {
                let components = all.as_flattened().iter();
                components.fold(0.0f64, |most, x| most.max(x.abs()))
            };
            if largest(&forces) < FORCE_HA_BOHR && largest(&stress) < STRESS_HA_BOHR3 {
                return Ok(structure);
            }
            let of_strain = stress.as_flattened().iter().map(|x| x * volume / length);
            let gradient: Vec<f64> = forces
                .as_flattened()
                .iter()
                .map(|force| -force)
                .chain(of_strain)
                .collect();
            let step = search.step(&gradient, LONGEST_STEP_BOHR);
            let (of_atoms, of_strain) = step.split_at(3 * sites);
            for (frac, step) in structure
                .frac_coords
                .iter_mut()
                .zip(of_atoms.chunks_exact(3))
            {
                let step_ang = [step[0], step[1], step[2]].map(|x| x * BOHR_ANG);
                let change = structure.lattice.to_frac(step_ang);
                *frac = std::array::from_fn(|i| frac[i] + change[i]);
            }
            structure.lattice = strained(&structure.lattice, of_strain, length)?;
        }
        Err(Failure::new(
            FailureCode::IonsNotRelaxed,
            format!("forces or stress are left after {MOST_STEPS} steps"),
        ))
    }
}

/// The lattice with `a → a (1 + ε)`, where the strain is given times a length, row by row.
fn strained(lattice: &Lattice, strain: &[f64], length: f64) -> Result<Lattice, Failure> {
    let rows = lattice.vectors().map(|vector| {
        std::array::from_fn(|j| {
            let change: f64 = (0..3).map(|i| vector[i] * strain[3 * i + j]).sum();
            vector[j] + change / length
        })
    });
    Lattice::new(rows).map_err(|error| Failure::new(FailureCode::BadGeometry, error.to_string()))
}
