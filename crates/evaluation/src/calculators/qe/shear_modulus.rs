//! Elastic constants from the stress that pw.x prints for strained cells.

use crystalgym_crystal::{CrystalError, Structure};
use crystalgym_qe::{
    Calculation, Decks, GPA_PER_RY_BOHR3, Positions, PwRun, RELAXED_FORCE_RY_BOHR, ScfCycle,
};

use super::{Computation, values};
use crate::{
    ElasticConstants, Failure, FailureCode, Ions, StressStrain, Values,
    elasticity::{Matrix3, cartesian_rotations, strained},
};

const MOST_STEPS: u32 = 50;
/// Forces of the size that a relaxation asks for need densities that an energy of 1e-9 Ry does not.
const FORCE_CONVERGENCE_RY: f64 = 1e-11;
const NO_STRAIN: Matrix3 = [[0.0; 3]; 3];

impl Computation<'_> {
    /// Hill's shear modulus. Every cell has the cutoffs and the mesh of the given one; with relaxed
    /// ions each is relaxed from the given positions.
    pub(super) fn shear_modulus(
        &mut self,
        structure: &Structure,
        decks: &Decks<'_>,
    ) -> Result<Values, Failure> {
        let bad_geometry =
            |error: CrystalError| Failure::new(FailureCode::BadGeometry, error.to_string());
        let divisions = decks.at_volume(1.0, true).k_mesh;
        let rotations = cartesian_rotations(structure, divisions).map_err(bad_geometry)?;
        let run = self.run_strained(structure, decks, &NO_STRAIN)?;
        let cycle = self.cycle_at_rest(&run)?;
        let (given, stress_gpa) = (values(&run, cycle), stress_gpa(cycle)?);
        let amplitude = self.calculator.settings.elastic_strain;
        let measured = StressStrain::measure(&rotations, amplitude, stress_gpa, |strain| {
            let run = self.run_strained(structure, decks, strain)?;
            self::stress_gpa(self.cycle_at_rest(&run)?)
        })?;
        let constants = ElasticConstants::of(&measured)
            .map_err(|error| Failure::new(FailureCode::ElasticallyUnstable, error.to_string()))?;
        Ok(Values {
            value: constants.average.hill.shear_gpa,
            elastic_constants: Some(Box::new(constants)),
            ..given
        })
    }

    fn run_strained(
        &mut self,
        structure: &Structure,
        decks: &Decks<'_>,
        strain: &Matrix3,
    ) -> Result<PwRun, Failure> {
        let lattice = strained(&structure.lattice, strain)
            .map_err(|error| Failure::new(FailureCode::BadGeometry, error.to_string()))?;
        let mut deck = decks.at_volume(1.0, true);
        deck.lattice_ang = lattice.vectors();
        let symbols = structure.elements.iter().map(|e| e.symbol().to_owned());
        let atoms = symbols.zip(structure.frac_coords.iter().copied());
        deck.positions = Positions::Crystal(atoms.collect());
        if self.calculator.settings.ions == Ions::Relaxed {
            deck.control.calculation = Calculation::Relax { steps: MOST_STEPS };
            let own = deck.electrons.conv_thr_ry;
            deck.electrons.conv_thr_ry = own.min(FORCE_CONVERGENCE_RY);
        }
        self.run(&deck)
    }

    /// The last cycle; that of relaxed ions must have no forces left.
    fn cycle_at_rest<'a>(&self, run: &'a PwRun) -> Result<&'a ScfCycle, Failure> {
        let cycle = run.output.scf_cycles.last().ok_or_else(|| {
            Failure::new(FailureCode::UnreadableOutput, "pw.x printed no SCF cycle")
        })?;
        let forces = cycle.forces_ry_bohr.iter().flatten();
        let largest = forces.fold(0.0f64, |most, force| most.max(force.abs()));
        let is_relaxed = self.calculator.settings.ions == Ions::Relaxed;
        // pw.x prints eight decimals.
        if is_relaxed && largest > RELAXED_FORCE_RY_BOHR + 1e-8 {
            return Err(Failure::new(
                FailureCode::IonsNotRelaxed,
                format!("pw.x left a force of {largest:.1e} Ry/bohr after {MOST_STEPS} steps"),
            ));
        }
        Ok(cycle)
    }
}

/// In GPa and positive under tension, where pw.x prints a pressure.
fn stress_gpa(cycle: &ScfCycle) -> Result<Matrix3, Failure> {
    let stress = cycle
        .stress_ry_bohr3
        .ok_or_else(|| Failure::new(FailureCode::UnreadableOutput, "pw.x printed no stress"))?;
    Ok(stress.map(|row| row.map(|x| -GPA_PER_RY_BOHR3 * x)))
}
