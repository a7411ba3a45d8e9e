//! Charge balance of compositions.

use std::collections::BTreeMap;

use crystalgym_crystal::Element;

use crate::Composition;

/// Oxidation states that each element may take; the common ones of the element table by default.
#[derive(Debug, Clone, Default)]
pub struct OxidationStates {
    others: BTreeMap<Element, Vec<i8>>,
}

impl OxidationStates {
    /// Other states for some elements.
    pub fn with(others: BTreeMap<Element, Vec<i8>>) -> Self {
        Self { others }
    }

    /// The states of an element; none for noble gases.
    pub fn of(&self, element: Element) -> &[i8] {
        match self.others.get(&element) {
            Some(states) => states,
            None => element.data().oxidation_states,
        }
    }
}

/// Whether charges can balance: each element takes one of its oxidation states, the charges of all
/// atoms sum to zero, and every cation is less electronegative than every anion. Elements by
/// themselves and alloys of metals alone count as balanced.
///
/// The test of SMACT (Davies et al., J. Open Source Softw. 4, 1361 (2019); Chem 1, 617 (2016)), as
/// used for the compositional validity of generated crystals.
pub fn is_charge_balanced(composition: &Composition, states: &OxidationStates) -> bool {
    let counts: Vec<(Element, u32)> = composition.counts().collect();
    if counts.len() == 1 || counts.iter().all(|(element, _)| is_metal(*element)) {
        return true;
    }
    let mut chosen = Vec::new();
    can_balance(&counts, states, 0, &mut chosen)
}

/// Tries the states of the elements that are left, with those of the first ones chosen.
fn can_balance(
    counts: &[(Element, u32)],
    states: &OxidationStates,
    charge: i64,
    chosen: &mut Vec<(Element, i8)>,
) -> bool {
    let Some((&(element, count), rest)) = counts.split_first() else {
        return charge == 0 && chosen.len() > 1;
    };
    states.of(element).iter().any(|&state| {
        if !fits_electronegativities(element, state, chosen) {
            return false;
        }
        chosen.push((element, state));
        let total = charge + i64::from(state) * i64::from(count);
        let found = can_balance(rest, states, total, chosen);
        chosen.pop();
        found
    })
}

/// Whether cations stay less electronegative than anions with one more element.
fn fits_electronegativities(element: Element, state: i8, chosen: &[(Element, i8)]) -> bool {
    chosen.iter().all(|&(other, other_state)| {
        let (Some(x), Some(y)) = (
            element.data().electronegativity_pauling,
            other.data().electronegativity_pauling,
        ) else {
            return false;
        };
        match (state.signum(), other_state.signum()) {
            (1, -1) => x < y,
            (-1, 1) => x > y,
            _ => true,
        }
    })
}

/// Whether SMACT counts the element among the metals (Ge, Sb and Po included).
pub fn is_metal(element: Element) -> bool {
    matches!(
        element.atomic_number(),
        3..=4 | 11..=13 | 19..=32 | 37..=51 | 55..=84 | 87..=102
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced(formula: &str) -> bool {
        is_charge_balanced(&formula.parse().unwrap(), &OxidationStates::default())
    }

    #[test]
    fn well_known_compositions() {
        for formula in ["NaCl", "RbCaH3", "CaTiO3", "Fe2O3", "CuZn", "Si", "SiCl4"] {
            assert!(balanced(formula), "{formula}");
        }
        for formula in ["NaCl2", "Na2Cl", "CaH3", "HeO", "Na3O"] {
            assert!(!balanced(formula), "{formula}");
        }
    }

    #[test]
    fn other_states_take_the_place_of_common_ones() {
        let states = OxidationStates::with(BTreeMap::from([("O".parse().unwrap(), vec![-1])]));
        let peroxide = "NaO".parse().unwrap();
        assert!(!is_charge_balanced(&peroxide, &OxidationStates::default()));
        assert!(is_charge_balanced(&peroxide, &states));
    }
}
