//! Where a crystal comes to rest: atoms, cell, or both moved until no force and no stress is left.

mod coordinates;
mod minimiser;
mod options;
mod symmetry;

use crystalgym_crystal::Structure;

pub use self::options::{Movable, RelaxationOptions, StepJudge};
use self::{coordinates::Coordinates, minimiser::LimitedMemory, symmetry::Symmetry};
use crate::{InteratomicPotential, PotentialError, Prediction, Request};

/// Why a relaxation ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum RelaxationEnd {
    /// No force and no stress is left.
    Converged,
    /// The evaluations ran out.
    EvaluationsUsedUp,
    /// Steps became too small for the energy to say which way is down.
    NoProgress,
    /// The potential does not cover where the crystal went.
    Left(PotentialError),
}

/// What came of a relaxation.
#[derive(Debug)]
pub struct Relaxed {
    /// The crystal with the lowest energy that was accepted last.
    pub structure: Structure,
    /// What the potential says of it.
    pub prediction: Prediction,
    /// How often the potential was asked.
    pub evaluations: usize,
    /// Why it ended there.
    pub end: RelaxationEnd,
}

impl Relaxed {
    /// Whether no force and no stress is left.
    pub fn is_converged(&self) -> bool {
        matches!(self.end, RelaxationEnd::Converged)
    }
}

/// Relaxes a crystal; `observe` sees every accepted one, the first included.
///
/// The coordinates are the positions in the undeformed cell and the symmetric deformation of the cell
/// times the number of atoms (E. B. Tadmor et al., Phys. Rev. B 59, 235 (1999)), the method is L-BFGS
/// (J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., algorithm 7.4) with a longest step;
/// a step that raises the energy ([`RelaxationOptions::judge`]) is taken back and halved.
///
/// # Errors
/// [`PotentialError`] if the potential does not cover the start.
pub fn relax(
    potential: &dyn InteratomicPotential,
    start: &Structure,
    options: &RelaxationOptions,
    mut observe: impl FnMut(&Structure, &Prediction),
) -> Result<Relaxed, PotentialError> {
    /// Halvings after which steps are too small to matter.
    const MOST_HALVINGS: usize = 12;
    /// A rise that is none: what rounding may cause.
    const ENERGY_NOISE_EV_ATOM: f64 = 2e-6;

    let symmetry = match options.keep_symmetry {
        true => Symmetry::of(start),
        false => Symmetry::none(),
    };
    let coordinates = Coordinates::new(start, options.movable);
    let mut search = LimitedMemory::new();
    let mut evaluations = 1;
    let mut structure = start.clone();
    let mut prediction = symmetry.applied(
        &structure,
        potential.evaluate(&structure, Request::Derivatives)?,
    );
    let mut x = coordinates.start();
    observe(&structure, &prediction);
    let same = ENERGY_NOISE_EV_ATOM * start.elements.len() as f64;
    let end = loop {
        if is_at_rest(&prediction, options) {
            break RelaxationEnd::Converged;
        }
        let gradient = coordinates.gradient(&x, &structure, &prediction);
        let mut step = search.step(&x, &gradient);
        coordinates.shorten(&mut step, options.longest_step_ang);
        let mut halvings = 0;
        let accepted = loop {
            if evaluations >= options.max_evaluations {
                break Err(RelaxationEnd::EvaluationsUsedUp);
            }
            if halvings > MOST_HALVINGS {
                break Err(RelaxationEnd::NoProgress);
            }
            let trial: Vec<f64> = x.iter().zip(&step).map(|(x, step)| x + step).collect();
            evaluations += 1;
            let outcome = coordinates.structure(&trial).and_then(|moved| {
                let found = potential.evaluate(&moved, Request::Derivatives)?;
                Ok((symmetry.applied(&moved, found), moved))
            });
            let rise_ev = |found: &Prediction, moved: &Structure| match options.judge {
                StepJudge::Energy => found.energy_ev - prediction.energy_ev,
                StepJudge::Work => {
                    let after = coordinates.gradient(&trial, moved, found);
                    let work = gradient.iter().zip(&after).zip(&step);
                    work.map(|((before, after), step)| 0.5 * (before + after) * step)
                        .sum()
                }
            };
            match outcome {
                Ok((found, moved)) if rise_ev(&found, &moved) <= same => {
                    break Ok((trial, moved, found));
                }
                Ok(_) => {}
                // Half the step may still be inside.
                Err(error) if halvings == MOST_HALVINGS => break Err(RelaxationEnd::Left(error)),
                Err(_) => {}
            }
            halvings += 1;
            search.forget();
            for step in &mut step {
                *step *= 0.5;
            }
        };
        match accepted {
            Ok((trial, moved, found)) => {
                x = trial;
                prediction = found;
                structure = moved;
                observe(&structure, &prediction);
            }
            Err(end) => break end,
        }
    };
    Ok(Relaxed {
        structure,
        prediction,
        evaluations,
        end,
    })
}

fn is_at_rest(prediction: &Prediction, options: &RelaxationOptions) -> bool {
    let stress = &prediction.stress_gpa;
    let forces_are_small = prediction
        .forces_ev_ang
        .iter()
        .all(|[x, y, z]| (x * x + y * y + z * z).sqrt() <= options.force_tolerance_ev_ang);
    match options.movable {
        Movable::Positions => forces_are_small,
        Movable::PositionsAndCell => {
            forces_are_small
                && (stress.iter().flatten()).all(|s| s.abs() <= options.stress_tolerance_gpa)
        }
        Movable::Volume => {
            let pressure = (stress[0][0] + stress[1][1] + stress[2][2]) / 3.0;
            pressure.abs() <= options.stress_tolerance_gpa
        }
    }
}
