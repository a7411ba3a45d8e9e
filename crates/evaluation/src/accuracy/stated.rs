//! What is known of the error of a cutoff with the built-in pseudopotentials, and which cutoff an
//! accuracy needs.

use std::fmt;

use crystalgym_crystal::Element;
use crystalgym_dft::pseudo::GthParameters;
use serde::{Deserialize, Serialize};

use super::{
    Accuracy,
    gth_errors::{GTH_ERRORS, GthError},
};
use crate::Property;

/// Cutoff of [`Accuracy::Fast`] in Ry.
const FAST_RY: f64 = 30.0;

/// Errors that are stated of a calculation: those of the hardest of its elements, each measured in a
/// small crystal of its own. What is not known is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StatedError {
    /// Of a band gap in eV.
    pub gap_ev: Option<f64>,
    /// Of a density in per cent.
    pub density_percent: Option<f64>,
    /// Of a bulk modulus in per cent.
    pub modulus_percent: Option<f64>,
}

impl StatedError {
    /// What [`Accuracy::Balanced`] promises.
    pub const BALANCED: Self = Self {
        gap_ev: Some(0.05),
        density_percent: Some(1.0),
        modulus_percent: Some(5.0),
    };

    /// Whether something is known to be beyond what [`Accuracy::Balanced`] promises.
    pub fn is_beyond_balanced(&self) -> bool {
        let most = Self::BALANCED;
        [
            (self.gap_ev, most.gap_ev),
            (self.density_percent, most.density_percent),
            (self.modulus_percent, most.modulus_percent),
        ]
        .into_iter()
        .any(|(found, most)| found > most)
    }

    /// Whether the error of a property is within what [`Accuracy::Balanced`] promises; `None` if it is
    /// not known.
    pub fn is_within_balanced(&self, property: Property) -> Option<bool> {
        let of = |errors: Self| match property {
            Property::BandGap => errors.gap_ev,
            Property::Density => errors.density_percent,
            Property::BulkModulus | Property::ShearModulus => errors.modulus_percent,
            // Not measured.
            Property::Energy | Property::FormationEnergy | Property::EnergyAboveHull => None,
        };
        Some(of(*self)? <= of(Self::BALANCED)?)
    }

    /// The larger of each.
    fn or(self, other: Self) -> Self {
        let larger = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            // Of two elements one of which is not known nothing is known.
            _ => None,
        };
        Self {
            gap_ev: larger(self.gap_ev, other.gap_ev),
            density_percent: larger(self.density_percent, other.density_percent),
            modulus_percent: larger(self.modulus_percent, other.modulus_percent),
        }
    }
}

impl fmt::Display for StatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.gap_ev, 2, " eV in gaps"),
            (self.density_percent, 1, " % in densities"),
            (self.modulus_percent, 0, " % in moduli"),
        ];
        let known = parts
            .into_iter()
            .filter_map(|(value, digits, unit)| Some((value?, digits, unit)));
        let texts: Vec<String> = known
            .map(|(value, digits, unit)| format!("{value:.digits$}{unit}"))
            .collect();
        match texts.is_empty() {
            true => f.write_str("not known"),
            false => f.write_str(&texts.join(", ")),
        }
    }
}

fn rows(element: Element) -> impl Iterator<Item = &'static GthError> {
    let symbol = element.symbol();
    GTH_ERRORS.iter().filter(move |row| row.symbol == symbol)
}

/// The cutoff of an element in Ry for an accuracy with the built-in pseudopotentials, which
/// [`fast`](Accuracy::Fast) has the same for all; `None` for an element that has none.
///
/// `balanced`: the lowest of the measured cutoffs, 20, 30, 40, 60, 80, 120, 160, 240, 320 Ry, from which on
/// the errors of gap, density and modulus are below [`StatedError::BALANCED`]; for elements that were
/// not measured or need more, [`GthParameters::recommended_cutoff_ry`], and at least half as much again as
/// the last that was measured and found too low. `converged`: the larger of that and the recommended one.
pub fn gth_cutoff_ry(element: Element, accuracy: Accuracy) -> Option<f64> {
    let recommended = GthParameters::pbe(element).ok()?.recommended_cutoff_ry();
    let measured = rows(element)
        .find(|row| row.modulus_percent.is_some() && !row.stated(true).is_beyond_balanced())
        .map(|row| row.cutoff_ry);
    let beyond_measured = || {
        let last = rows(element).last();
        last.map_or(recommended, |row| recommended.max(1.5 * row.cutoff_ry))
    };
    let balanced = measured.unwrap_or_else(beyond_measured);
    Some(match accuracy {
        Accuracy::Fast => FAST_RY,
        Accuracy::Balanced => balanced,
        Accuracy::Converged => balanced.max(recommended),
    })
}

/// What is known of the error at a cutoff with the built-in pseudopotentials.
///
/// Measured values are taken at the next lower of the measured cutoffs, so that they are rather too
/// large; above the last one they are those of the last if all of them are below
/// [`StatedError::BALANCED`] and else not known. `corrects_stress`: whether stress and pressure are those of a fixed cutoff.
pub fn gth_error(elements: &[Element], cutoff_ry: f64, corrects_stress: bool) -> StatedError {
    let none = StatedError {
        gap_ev: Some(0.0),
        density_percent: Some(0.0),
        modulus_percent: Some(0.0),
    };
    elements.iter().fold(none, |sum, &element| {
        let is_reached = |row: &&GthError| row.cutoff_ry <= cutoff_ry * (1.0 + 1e-9);
        let is_beyond = |row: &GthError| {
            row.cutoff_ry < cutoff_ry * (1.0 - 1e-9) && row.stated(true).is_beyond_balanced()
        };
        let last = rows(element).last().is_none_or(is_beyond);
        let known = rows(element).take_while(is_reached).last();
        let known = known
            .filter(|_| !last)
            .map(|row| row.stated(corrects_stress));
        sum.or(known.unwrap_or_default())
    })
}

impl GthError {
    fn stated(&self, corrects_stress: bool) -> StatedError {
        StatedError {
            gap_ev: Some(self.levels_ev),
            density_percent: Some(match corrects_stress {
                true => self.corrected_density_percent,
                false => self.density_percent,
            }),
            modulus_percent: self.modulus_percent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(symbols: &[&str]) -> Vec<Element> {
        symbols.iter().map(|s| s.parse().unwrap()).collect()
    }

    /// Oracle: the rows of the measurement for Si and O, read off by hand.
    #[test]
    fn the_cutoff_of_a_crystal_is_that_of_its_hardest_element() {
        let balanced = |symbol| gth_cutoff_ry(elements(&[symbol])[0], Accuracy::Balanced).unwrap();
        assert_eq!(balanced("Si"), 20.0);
        assert_eq!(balanced("O"), 120.0);
        let (silicon, quartz) = (elements(&["Si"]), elements(&["Si", "O"]));
        assert!(!gth_error(&silicon, 30.0, false).is_beyond_balanced());
        assert!(gth_error(&quartz, 30.0, false).is_beyond_balanced());
        assert!(!gth_error(&quartz, 120.0, true).is_beyond_balanced());
        // Without the correction of the stress the pressure of oxygen is far from converged there.
        assert!(gth_error(&quartz, 120.0, false).is_beyond_balanced());
    }

    /// By definition: errors are known in every accuracy's own settings, and never grow with it.
    #[test]
    fn every_element_has_a_cutoff_for_every_accuracy() {
        for element in crystalgym_dft::pseudo::gth_elements() {
            let [fast, balanced, converged] =
                Accuracy::ALL.map(|accuracy| gth_cutoff_ry(element, accuracy).unwrap());
            assert_eq!(fast, 30.0);
            assert!(balanced <= converged, "{element}");
            let stated = gth_error(&[element], balanced, true);
            assert!(!stated.is_beyond_balanced(), "{element} {stated:?}");
        }
    }

    /// By definition: what was measured stands in ascending order of the cutoff.
    #[test]
    fn the_table_is_in_order() {
        for pair in GTH_ERRORS.windows(2) {
            if pair[0].symbol == pair[1].symbol {
                assert!(pair[0].cutoff_ry < pair[1].cutoff_ry, "{}", pair[0].symbol);
            }
        }
    }
}
