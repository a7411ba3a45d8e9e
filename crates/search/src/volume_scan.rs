//! The volume of lowest energy at fixed shape and positions.

use std::{collections::BTreeMap, ops::RangeInclusive};

use crystalgym_crystal::{Crystal, Lattice, Structure};
use crystalgym_evaluation::{Failure, FailureCode, Outcome, Property};

use crate::laboratory::{Laboratory, Placed, placed};

/// Step of the scan, in thousandths of the given volume: linear sizes change by 2 %.
const STEP: u32 = 60;
const GIVEN: u32 = 1000;
/// How far it goes: linear sizes from 0.84 to 1.17.
const RANGE: RangeInclusive<u32> = 580..=1600;

/// The crystal at the volume of lowest energy: energies 6 % of the given volume apart, downhill until
/// one lies between two that are higher, and the minimum of the parabola through those three, to a
/// thousandth of the volume.
///
/// Energies are those of the property itself where it has one of the given cell (a band gap), or of a
/// density. All of them go through the store.
///
/// # Errors
/// The failure of a calculation on the way; [`FailureCode::UnsupportedProperty`] for a calculator
/// without energies; [`FailureCode::BadGeometry`] if the energy falls to the end of the range.
pub(crate) fn at_best_volume(laboratory: &Laboratory<'_>, crystal: &Crystal) -> Placed {
    let mut energies = BTreeMap::new();
    let mut energy_of = |thousandths: u32| -> Result<f64, Failure> {
        if let Some(energy) = energies.get(&thousandths) {
            return Ok(*energy);
        }
        let energy = energy_ev(laboratory, &scaled(crystal, thousandths)?)?;
        energies.insert(thousandths, energy);
        Ok(energy)
    };
    let mut middle = GIVEN;
    loop {
        let (below, above) = (middle - STEP, middle + STEP);
        if !(RANGE.contains(&below) && RANGE.contains(&above)) {
            return Err(Failure::new(
                FailureCode::BadGeometry,
                format!("the energy still falls at {middle} thousandths of the given volume"),
            ));
        }
        let (left, centre, right) = (energy_of(below)?, energy_of(middle)?, energy_of(above)?);
        if left < centre && left <= right {
            middle = below;
        } else if right < centre {
            middle = above;
        } else {
            // Vertex of the parabola; equal energies leave it in the middle.
            let curvature = left - 2.0 * centre + right;
            let shift = match curvature > 0.0 {
                true => 0.5 * (left - right) / curvature,
                false => 0.0,
            };
            let best = f64::from(middle) + shift.clamp(-1.0, 1.0) * f64::from(STEP);
            return scaled(crystal, best.round() as u32);
        }
    }
}

fn energy_ev(laboratory: &Laboratory<'_>, crystal: &Crystal) -> Result<f64, Failure> {
    let property = match laboratory.property {
        Property::BandGap => Property::BandGap,
        _ => Property::Density,
    };
    match laboratory.evaluate(crystal, property).outcome {
        Outcome::Success(values) => values.total_energy_ev.ok_or_else(|| {
            Failure::new(
                FailureCode::UnsupportedProperty,
                format!(
                    "the calculator {} has no energies to find a volume by",
                    laboratory.calculator.name()
                ),
            )
        }),
        Outcome::Failure(failure) => Err(failure),
    }
}

/// The same crystal at so many thousandths of its volume.
fn scaled(crystal: &Crystal, thousandths: u32) -> Placed {
    if thousandths == GIVEN {
        return Ok(crystal.clone());
    }
    let factor = (f64::from(thousandths) / f64::from(GIVEN)).cbrt();
    let structure = crystal.structure();
    let vectors = structure.lattice.vectors();
    let lattice = Lattice::new(vectors.map(|row| row.map(|x| x * factor)));
    let crystal = lattice.and_then(|lattice| {
        placed(
            &crystal.skeleton().label,
            Structure {
                lattice,
                ..structure
            },
        )
    });
    crystal.map_err(|error| Failure::new(FailureCode::BadGeometry, error.to_string()))
}
