//! The volume of lowest energy at fixed shape and positions.

use std::{collections::BTreeMap, ops::RangeInclusive};

use crystalgym_crystal::{Crystal, Lattice, Structure};
use crystalgym_evaluation::{Failure, FailureCode, Outcome, Property};

use crate::laboratory::{Laboratory, Placed, placed};

/// Ratios of neighbouring volumes: wide until the minimum lies between two of them, then narrow.
const STEPS: [f64; 2] = [1.2, 1.06];
/// The given volume, in thousandths of which volumes are counted.
const GIVEN: u32 = 1000;
/// How far the scan goes.
const RANGE: RangeInclusive<u32> = 250..=4000;

/// The crystal at the volume of lowest energy: energies at volumes 20 % apart, downhill until one lies
/// between two that are higher; the same 6 % apart from the minimum of the parabola through those
/// three; and the minimum of the parabola through the last three, to a thousandth of the given volume.
///
/// Energies are those of the property itself where it has one of the given cell (a band gap), or of a
/// density. All of them go through the store.
///
/// # Errors
/// The failure of a calculation on the way; [`FailureCode::UnsupportedProperty`] for a calculator
/// without energies; [`FailureCode::BadGeometry`] if the energy falls to a quarter or to four times of
/// the given volume.
pub(crate) fn at_best_volume(laboratory: &Laboratory<'_>, crystal: &Crystal) -> Placed {
    let mut energies = BTreeMap::new();
    let mut energy_of = |volume: u32| -> Result<f64, Failure> {
        if let Some(energy) = energies.get(&volume) {
            return Ok(*energy);
        }
        let energy = energy_ev(laboratory, &scaled(crystal, volume)?)?;
        energies.insert(volume, energy);
        Ok(energy)
    };
    let mut middle = GIVEN;
    for step in STEPS {
        middle = minimum(middle, step, &mut energy_of)?;
    }
    scaled(crystal, middle)
}

/// The volume of lowest energy, downhill from `middle` in steps of a ratio, then by a parabola.
fn minimum(
    mut middle: u32,
    step: f64,
    energy_of: &mut impl FnMut(u32) -> Result<f64, Failure>,
) -> Result<u32, Failure> {
    loop {
        let below = (f64::from(middle) / step).round() as u32;
        let above = (f64::from(middle) * step).round() as u32;
        if !(RANGE.contains(&below) && RANGE.contains(&above)) {
            let ratio = f64::from(middle) / f64::from(GIVEN);
            return Err(Failure::new(
                FailureCode::BadGeometry,
                format!("the energy still falls at {ratio} times the given volume"),
            ));
        }
        let points = [below, middle, above];
        let mut energies = [0.0; 3];
        for (energy, volume) in energies.iter_mut().zip(points) {
            *energy = energy_of(volume)?;
        }
        let [left, centre, right] = energies;
        if left < centre && left <= right {
            middle = below;
        } else if right < centre {
            middle = above;
        } else {
            return Ok(vertex(points.map(f64::from), energies).round() as u32);
        }
    }
}

/// Where the parabola through three points is lowest, between the outer two; the middle one where it is
/// a line.
fn vertex(x: [f64; 3], y: [f64; 3]) -> f64 {
    let left = (y[1] - y[0]) / (x[1] - x[0]);
    let right = (y[2] - y[1]) / (x[2] - x[1]);
    let curvature = (right - left) / (x[2] - x[0]);
    match curvature > 0.0 {
        true => (0.5 * (x[0] + x[1]) - 0.5 * left / curvature).clamp(x[0], x[2]),
        false => x[1],
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the parabola itself.
    #[test]
    fn a_parabola_is_lowest_at_its_vertex() {
        let y = |x: f64| 3.0 * (x - 1.7).powi(2) - 4.0;
        let x = [1.0, 1.5, 4.0];
        assert!((vertex(x, x.map(y)) - 1.7).abs() < 1e-12);
        assert_eq!(vertex(x, [1.0; 3]), 1.5);
    }

    /// Oracle: `V ln V − V (1 + ln V₀)`, convex with its minimum at V₀, from far on either side.
    #[test]
    fn the_minimum_is_found_from_afar() {
        for lowest in [400.0f64, 1000.0, 2190.0] {
            let mut calls = 0;
            let mut energy = |volume: u32| {
                calls += 1;
                let v = f64::from(volume);
                Ok(v * v.ln() - v * (1.0 + lowest.ln()))
            };
            let wide = minimum(GIVEN, STEPS[0], &mut energy).unwrap();
            let narrow = minimum(wide, STEPS[1], &mut energy).unwrap();
            assert!(
                (f64::from(narrow) / lowest - 1.0).abs() < 0.005,
                "{lowest}: {narrow}"
            );
            assert!(calls < 40, "{calls}");
        }
        let falling = &mut |volume: u32| Ok(-f64::from(volume));
        let failure = minimum(GIVEN, STEPS[0], falling).unwrap_err();
        assert_eq!(failure.code, FailureCode::BadGeometry);
    }
}
