//! Whether common oxidation states can balance.

use crystalgym_crystal::Element;

/// What counting electrons says of the elements of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChargeCount {
    /// The least `|Σ charges|` in a cell with a cation and an anion, each element in one of its
    /// common oxidation states and every cation less electronegative than every anion; `None` if
    /// there is no such choice.
    pub imbalance: Option<u32>,
    /// Whether the charges cancel with every anion in its lowest state, that is with a closed shell.
    pub is_salt: bool,
    /// Electrons that elements whose common states are all positive give away, less those that the
    /// others lack to a closed shell.
    pub surplus: i32,
    /// Whether the number of electrons is odd.
    pub is_odd: bool,
}

impl ChargeCount {
    /// Of the elements of a cell, in any order.
    pub fn of(elements: &[Element]) -> Self {
        let mut counts: Vec<(Element, i32)> = Vec::new();
        for &element in elements {
            match counts.iter_mut().find(|(known, _)| *known == element) {
                Some((_, count)) => *count += 1,
                None => counts.push((element, 1)),
            }
        }
        let surplus = counts
            .iter()
            .map(|&(element, count)| count * given(element));
        let protons: u32 = elements.iter().map(|e| u32::from(e.atomic_number())).sum();
        let least = |states: fn(Element) -> &'static [i8]| {
            let mut least = None;
            let mut chosen = Vec::with_capacity(counts.len());
            balance(&counts, states, 0, &mut chosen, &mut least);
            least
        };
        Self {
            imbalance: least(common_states),
            is_salt: least(states_in_salts) == Some(0),
            surplus: surplus.sum(),
            is_odd: protons % 2 == 1,
        }
    }

    /// Whether the charges cancel.
    pub fn is_balanced(self) -> bool {
        self.imbalance == Some(0)
    }
}

/// Electrons that an atom gives (positive) or lacks to a closed shell (negative).
fn given(element: Element) -> i32 {
    let data = element.data();
    let lowest = data.oxidation_states.first().copied().unwrap_or(0);
    match lowest < 0 {
        true => i32::from(lowest),
        false => i32::from(data.valence_electrons),
    }
}

fn common_states(element: Element) -> &'static [i8] {
    element.data().oxidation_states
}

/// The lowest state of what can be an anion, all of what cannot.
fn states_in_salts(element: Element) -> &'static [i8] {
    match common_states(element) {
        states @ [lowest, ..] if *lowest < 0 => &states[..1],
        states => states,
    }
}

fn balance(
    counts: &[(Element, i32)],
    states: fn(Element) -> &'static [i8],
    charge: i32,
    chosen: &mut Vec<(f64, i8)>,
    least: &mut Option<u32>,
) {
    let Some((&(element, count), rest)) = counts.split_first() else {
        let has = |sign: i8| chosen.iter().any(|(_, state)| state.signum() == sign);
        if has(1) && has(-1) {
            let found = charge.unsigned_abs();
            *least = Some(least.map_or(found, |least| least.min(found)));
        }
        return;
    };
    let Some(electronegativity) = element.data().electronegativity_pauling else {
        return;
    };
    for &state in states(element) {
        let fits = chosen.iter().all(|&(other, other_state)| {
            match (state.signum(), other_state.signum()) {
                (1, -1) => electronegativity < other,
                (-1, 1) => electronegativity > other,
                _ => true,
            }
        });
        if fits {
            chosen.push((electronegativity, state));
            let charge = charge + count * i32::from(state);
            balance(rest, states, charge, chosen, least);
            chosen.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(symbols: &str) -> ChargeCount {
        let elements: Vec<Element> = symbols
            .split_whitespace()
            .map(|symbol| symbol.parse().unwrap())
            .collect();
        ChargeCount::of(&elements)
    }

    /// Oracle: formulas of salts and their charges by hand.
    #[test]
    fn salts_balance_and_metals_do_not() {
        for symbols in ["Na Cl", "Li Na H Cl", "Rb Ca H H H", "Mg O", "C H H H H"] {
            assert!(count(symbols).is_balanced(), "{symbols}");
        }
        assert_eq!(count("Na Cl Cl").imbalance, Some(1));
        assert_eq!(count("Mg F").imbalance, Some(1));
        for symbols in ["Li Na K K", "Be Be Be Be", "O O O O"] {
            assert_eq!(count(symbols).imbalance, None, "{symbols}");
        }
    }

    /// Oracle: textbook salts, among them one whose metal has several states, beside what balances with
    /// positive nonmetals alone.
    #[test]
    fn anions_of_salts_have_closed_shells() {
        for symbols in [
            "Na Cl",
            "Rb Ca H H H",
            "Mg O",
            "Fe O",
            "Fe Fe O O O",
            "Cs Pb Br Br Br",
        ] {
            assert!(count(symbols).is_salt, "{symbols}");
        }
        for symbols in [
            "Rb C N S",
            "C H H H H",
            "Rb N O S",
            "Na Cl Cl",
            "Li Na K K",
            "H Cl",
        ] {
            assert!(!count(symbols).is_salt, "{symbols}");
        }
        assert!(count("Rb C N S").is_balanced());
    }

    #[test]
    fn electrons_are_counted() {
        assert_eq!((count("Na Cl").surplus, count("Na Cl").is_odd), (0, false));
        assert_eq!((count("Na").surplus, count("Na").is_odd), (1, true));
        assert_eq!(count("Mg Mg O").surplus, 2);
        assert_eq!(count("N").surplus, -3);
    }
}
