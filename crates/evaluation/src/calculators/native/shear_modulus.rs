//! Elastic constants from the analytic stress of strained cells.
//!
//! Every cell has the cutoff and the divisions of the k-mesh of the given one. With relaxed ions the
//! given cell is relaxed first, and each strained one from there.
//!
//! The analytic stress σ is that of a fixed set of plane waves. At a fixed cutoff, which all of the cells
//! have, the stress is `σ + ⅔ F′/Ω`, with F′ the change of the energy with the logarithm of the cutoff
//! (G. P. Francis and M. C. Payne, J. Phys.: Condens. Matter 2, 4395 (1990)). If F′ does not depend on
//! the strain, its coefficients are those of σ and `−⅔ F′/Ω δ_ij δ_kl`: without this the bulk modulus of
//! a small basis is too small by its Pulay pressure, 140 GPa for MgO at 40 Ry, and a crystal can look
//! unstable. It is added unless volumes have a fixed cutoff, as in `pw.x`; shear moduli hardly depend
//! on it.

use crystalgym_crystal::Structure;
use crystalgym_dft::{
    BOHR_ANG, HARTREE_PER_BOHR3_GPA, StartingPoint, forces_and_stress, pressure, stress,
};

use super::{
    computation::{Computation, Ingredients, Solved},
    relaxation::QuasiNewton,
};
use crate::{
    ElasticConstants, Failure, FailureCode, GPA_PER_EV_ANG3, Ions, StressStrain, Values,
    elasticity::{Matrix3, cartesian_rotations, strained},
    pulay::pulay_pressure,
};

/// Largest component of a force that is left on a relaxed atom, 5e-4 eV/Å: some 0.1 GPa of a constant.
const FORCE_HA_BOHR: f64 = 1e-5;
/// Forces of that size need densities that an energy of 1e-9 Ry does not.
const FORCE_CONVERGENCE_RY: f64 = 1e-11;
/// Second derivative of the energy by the position of an atom to begin with, about that of silicon.
const STIFFNESS_HA_BOHR2: f64 = 0.2;
const LONGEST_STEP_BOHR: f64 = 0.2;
const MOST_STEPS: usize = 50;

/// What one cell leaves to the next.
struct Neighbour {
    /// Positions that the next cell starts from.
    frac: Vec<[f64; 3]>,
    search: QuasiNewton,
    density: Option<StartingPoint>,
}

impl Computation<'_> {
    /// Hill's shear modulus.
    pub(super) fn shear_modulus(&mut self) -> Result<Values, Failure> {
        let ingredients = self.ingredients()?;
        let given = self.structure()?;
        let bad_geometry = |error: crystalgym_crystal::CrystalError| {
            Failure::new(FailureCode::BadGeometry, error.to_string())
        };
        let rotations = cartesian_rotations(&given, self.k_divisions()).map_err(bad_geometry)?;
        let mut neighbour = Neighbour {
            search: QuasiNewton::new(3 * given.frac_coords.len(), STIFFNESS_HA_BOHR2),
            frac: given.frac_coords.clone(),
            density: None,
        };
        let at_rest = self.at_rest(given, false, &ingredients, &mut neighbour)?;
        let values = at_rest.solved.values();
        let stress_gpa = in_gpa(&at_rest.stress);
        let structure = at_rest.structure;
        neighbour.frac = structure.frac_coords.clone();
        let density = at_rest.solved.into_starting_point();
        let pulay_gpa = match self.settings.has_fixed_plane_waves() {
            true => {
                let slope_ev = self.basis_set_slope_ev(&ingredients, &density)?;
                pulay_pressure(slope_ev, structure.lattice.volume()) * GPA_PER_EV_ANG3
            }
            false => 0.0,
        };
        neighbour.density = Some(density);
        let amplitude = self.settings.elastic_strain;
        let measured = StressStrain::measure(&rotations, amplitude, stress_gpa, |strain| {
            let cell = Structure {
                lattice: strained(&structure.lattice, strain).map_err(bad_geometry)?,
                ..structure.clone()
            };
            let found = self.at_rest(cell, true, &ingredients, &mut neighbour)?;
            neighbour.density = Some(found.solved.into_starting_point());
            Ok::<_, Failure>(in_gpa(&found.stress))
        })?;
        let constants = ElasticConstants::of(&measured.with_dilation(pulay_gpa))
            .map_err(|error| Failure::new(FailureCode::ElasticallyUnstable, error.to_string()))?;
        Ok(Values {
            value: constants.average.hill.shear_gpa,
            pressure_gpa: Some(match self.settings.corrects_stress() {
                true => pressure(&stress_gpa) + pulay_gpa,
                false => pressure(&stress_gpa),
            }),
            elastic_constants: Some(Box::new(constants)),
            ..values
        })
    }

    /// The calculation of a cell: with relaxed ions, where they are at rest.
    fn at_rest(
        &mut self,
        mut structure: Structure,
        is_strained: bool,
        ingredients: &Ingredients,
        neighbour: &mut Neighbour,
    ) -> Result<AtRest, Failure> {
        let settings = &self.settings;
        let (ions, threads) = (settings.ions, settings.threads);
        let own = settings.derivative_convergence_ry;
        let convergence_ry = self.convergence_ry(match ions {
            Ions::Clamped => own,
            Ions::Relaxed => own.min(FORCE_CONVERGENCE_RY),
        });
        structure.frac_coords.clone_from(&neighbour.frac);
        neighbour.search.move_to_another_function();
        for _ in 0..MOST_STEPS {
            let known = neighbour.density.as_ref();
            let solved = self.solve_structure(&structure, ingredients, convergence_ry, known)?;
            let (basis, result) = (&solved.basis, &solved.result);
            if ions == Ions::Clamped {
                let stress = stress(basis, result, threads).map_err(|error| self.invalid(error))?;
                return Ok(AtRest {
                    structure,
                    solved,
                    stress,
                });
            }
            let (forces, stress) =
                forces_and_stress(basis, result, threads).map_err(|error| self.invalid(error))?;
            let gradient: Vec<f64> = forces.iter().flatten().map(|force| -force).collect();
            if gradient.iter().all(|g| g.abs() < FORCE_HA_BOHR) {
                return Ok(AtRest {
                    structure,
                    solved,
                    stress,
                });
            }
            neighbour.density = Some(solved.into_starting_point());
            let step = neighbour.search.step(&gradient, LONGEST_STEP_BOHR);
            // On the way to the given cell's positions at rest the energy may be concave.
            if is_strained && neighbour.search.is_concave() {
                return Err(Failure::new(
                    FailureCode::IonsNotRelaxed,
                    "the energy is concave along the atoms' way in a strained cell: where they rest \
                     in the given one is no minimum",
                ));
            }
            for (frac, step) in structure.frac_coords.iter_mut().zip(step.chunks_exact(3)) {
                let step_ang = [step[0], step[1], step[2]].map(|x| x * BOHR_ANG);
                let change = structure.lattice.to_frac(step_ang);
                *frac = std::array::from_fn(|i| frac[i] + change[i]);
            }
        }
        Err(Failure::new(
            FailureCode::IonsNotRelaxed,
            format!("forces are left on the atoms after {MOST_STEPS} steps"),
        ))
    }
}

struct AtRest {
    structure: Structure,
    solved: Solved,
    /// In hartree/bohr³.
    stress: Matrix3,
}

fn in_gpa(stress: &Matrix3) -> Matrix3 {
    stress.map(|row| row.map(|x| x * HARTREE_PER_BOHR3_GPA))
}
