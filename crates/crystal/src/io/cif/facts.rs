//! What a block states of its contents, formula, formula units, density and multiplicities, against
//! what was read: a contradiction is the sign of a wrong reading.

use std::collections::BTreeMap;

use super::{
    block::Block, element_names::of_type_symbol, error::shown, expanded::Expanded, value::Value,
};
use crate::{CrystalError, Element, Lattice, structure::mass_density_g_cm3};

/// Relative deviation up to which counts of atoms agree.
const COUNT_TOLERANCE: f64 = 0.01;
/// Relative deviation up to which densities agree: less than a wrong reading makes, more than
/// rounding and isotopes do.
const DENSITY_TOLERANCE: f64 = 0.1;

/// What a block states of its contents.
pub(super) struct Facts {
    /// The formula as it is written, and the atoms in it.
    formula: Option<(String, BTreeMap<Element, f64>)>,
    /// Formula units per cell.
    units: Option<f64>,
    density_g_cm3: Option<f64>,
}

impl Facts {
    pub(super) fn of(block: &Block) -> Result<Self, CrystalError> {
        let number = |tag: &str| -> Result<Option<f64>, CrystalError> {
            let Some(token) = block.item(tag)? else {
                return Ok(None);
            };
            let value = Value::of(&token, tag).ok();
            Ok(value.map(|value| value.number).filter(|x| *x > 0.0))
        };
        let formula = block.item("_chemical_formula_sum")?;
        Ok(Self {
            formula: formula.and_then(|token| {
                let words: Vec<&str> = token.text.split_whitespace().collect();
                Some((shown(&words.join(" ")), parse_formula(token.text)?))
            }),
            units: number("_cell_formula_units_z")?,
            density_g_cm3: number("_exptl_crystal_density_diffrn")?,
        })
    }

    /// Whether the formula has an element; `None` without a formula.
    pub(super) fn states(&self, element: Element) -> Option<bool> {
        let (_, counts) = self.formula.as_ref()?;
        Some(counts.contains_key(&element))
    }

    /// Compares with a crystal.
    ///
    /// # Errors
    /// What contradicts what.
    pub(super) fn check(&self, crystal: &Expanded, lattice: &Lattice) -> Result<(), String> {
        let mass_u = crate::structure::mass_u(&crystal.elements);
        let density = mass_density_g_cm3(mass_u, lattice.volume());
        let density_agrees = self
            .density_g_cm3
            .map(|stated| (density / stated - 1.0).abs() < DENSITY_TOLERANCE);
        let units_agree = self.check_formula(&crystal.elements, density_agrees)?;
        if let (Some(stated), Some(false)) = (self.density_g_cm3, density_agrees)
            && !units_agree
        {
            return Err(format!(
                "the density is {density:.3} g/cm³, but _exptl_crystal_density_diffrn is {stated}"
            ));
        }
        check_multiplicities(crystal)
    }

    /// Whether formula and number of formula units are both given and agree.
    fn check_formula(
        &self,
        elements: &[Element],
        density_agrees: Option<bool>,
    ) -> Result<bool, String> {
        let Some((text, expected)) = &self.formula else {
            return Ok(false);
        };
        let mut found = BTreeMap::<Element, f64>::new();
        for element in elements {
            *found.entry(*element).or_default() += 1.0;
        }
        let units: Vec<f64> = expected
            .iter()
            .map(|(element, count)| found.get(element).unwrap_or(&0.0) / count)
            .collect();
        let mean = units.iter().sum::<f64>() / units.len() as f64;
        let close = |x: f64, y: f64| (x - y).abs() <= COUNT_TOLERANCE * y;
        if found.len() != expected.len() || !units.iter().all(|unit| close(*unit, mean)) {
            return Err(format!(
                "the cell holds {}, but _chemical_formula_sum is '{text}'",
                crate::cell_formula(elements)
            ));
        }
        let Some(stated) = self.units else {
            return Ok(false);
        };
        // pymatgen writes the formula of the whole cell, Na4 Cl4, beside the number of units.
        let of_cell = expected.values().all(|count| count % stated == 0.0);
        if close(mean, stated) || (of_cell && close(mean, 1.0)) {
            return Ok(true);
        }
        if density_agrees == Some(true) {
            return Ok(false);
        }
        Err(format!(
            "the cell holds {mean} times '{text}', but _cell_formula_units_Z is {stated}"
        ))
    }
}

/// Multiplicities must be those of the sites. Older programs write the order of the site symmetry
/// instead, or leave out the centring, and then for all sites alike.
fn check_multiplicities(crystal: &Expanded) -> Result<(), String> {
    let stated = || {
        let orbits = crystal.orbits.iter();
        orbits.filter_map(|orbit| Some((orbit, orbit.stated_multiplicity?)))
    };
    let operations = crystal.operations as f64;
    let centrings = crystal.centrings as f64;
    let conventions: [&dyn Fn(f64) -> f64; 3] =
        [&|sites| sites, &|sites| operations / sites, &|sites| {
            sites / centrings
        }];
    let holds = |convention: &dyn Fn(f64) -> f64| {
        stated().all(|(orbit, multiplicity)| convention(orbit.sites as f64) == multiplicity)
    };
    if conventions.into_iter().any(holds) {
        return Ok(());
    }
    let differs = stated().find(|(orbit, multiplicity)| orbit.sites as f64 != *multiplicity);
    let Some((orbit, multiplicity)) = differs else {
        return Ok(());
    };
    Err(format!(
        "site {} has {} images in the cell, but its multiplicity is given as {multiplicity}",
        orbit.label, orbit.sites
    ))
}

/// The atoms of `C6 H12 O6` or `Na4Cl4`; `None` if it is written in any other way.
fn parse_formula(text: &str) -> Option<BTreeMap<Element, f64>> {
    let mut counts = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let second = rest.chars().nth(1).is_some_and(|c| c.is_ascii_lowercase());
        let (symbol, after) = rest.split_at_checked(if second { 2 } else { 1 })?;
        let first = symbol.chars().next()?;
        let element = of_type_symbol(symbol).filter(|_| first.is_ascii_uppercase())?;
        let end = after
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(after.len());
        let (digits, next) = after.split_at(end);
        let count: f64 = if digits.is_empty() {
            1.0
        } else {
            digits.parse().ok()?
        };
        if count > 0.0 {
            *counts.entry(element).or_insert(0.0) += count;
        }
        rest = next.trim_start();
    }
    (!counts.is_empty()).then_some(counts)
}
