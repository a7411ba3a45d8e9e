//! Chemical formulas of lists of elements.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::Element;

/// From the most electropositive to the most electronegative: Table VI of N. G. Connelly et al.,
/// Nomenclature of Inorganic Chemistry, IUPAC Recommendations 2005. Elements beyond lawrencium, which
/// it leaves out, come first in their groups.
const ORDER: &str = "Og Rn Xe Kr Ar Ne He Fr Cs Rb K Na Li Ra Ba Sr Ca Mg Be Lr No Md Fm Es Cf Bk Cm Am Pu \
     Np U Pa Th Ac Lu Yb Tm Er Ho Dy Tb Gd Eu Sm Pm Nd Pr Ce La Y Sc Rf Hf Zr Ti Db Ta Nb V Sg W Mo Cr Bh \
     Re Tc Mn Hs Os Ru Fe Mt Ir Rh Co Ds Pt Pd Ni Rg Au Ag Cu Cn Hg Cd Zn Nh Tl In Ga Al B Fl Pb Sn Ge Si C \
     Mc Bi Sb As P N H Lv Po Te Se S O Ts At I Br Cl F";

/// Place of every element in that order, by atomic number.
static PLACES: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let place = |element: Element| {
        let place = ORDER
            .split_ascii_whitespace()
            .position(|symbol| symbol == element.symbol());
        place.unwrap_or(usize::MAX)
    };
    Element::all().map(place).collect()
});

/// Formula as chemists write it: the most electropositive element first, counts in lowest terms, such
/// as `ZnO` or `Cs2AgBiBr6`.
pub fn formula(elements: &[Element]) -> String {
    let mut counts = BTreeMap::<Element, usize>::new();
    for element in elements {
        *counts.entry(*element).or_default() += 1;
    }
    let counts: Vec<(Element, usize)> = counts.into_iter().collect();
    formula_of_counts(&counts)
}

/// The same of elements with their numbers, each element once.
pub fn formula_of_counts(counts: &[(Element, usize)]) -> String {
    let divisor = counts.iter().map(|(_, count)| *count).fold(0, gcd).max(1);
    let mut sorted = counts.to_vec();
    sorted.sort_by_key(|(element, _)| place_in_formula(*element));
    let parts = sorted.into_iter();
    parts
        .map(|(element, count)| with_count(element.symbol(), count / divisor))
        .collect()
}

/// Place of an element in formulas, the most electropositive first.
pub(crate) fn place_in_formula(element: Element) -> usize {
    PLACES[usize::from(element.atomic_number()) - 1]
}

/// Formula of all atoms of a cell, symbols in alphabetical order: `O2Zn2`. Results are filed under
/// it, so that it never changes.
pub fn cell_formula(elements: &[Element]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for element in elements {
        *counts.entry(element.symbol()).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(symbol, count)| with_count(symbol, count))
        .collect()
}

fn with_count(symbol: &str, count: usize) -> String {
    match count {
        1 => symbol.to_owned(),
        _ => format!("{symbol}{count}"),
    }
}

fn gcd(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        _ => gcd(b, a % b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> Vec<Element> {
        text.split(' ')
            .map(|symbol| symbol.parse().unwrap())
            .collect()
    }

    #[test]
    fn every_element_has_its_own_place() {
        let mut places = PLACES.clone();
        places.sort_unstable();
        assert_eq!(places, (0..118).collect::<Vec<_>>());
    }

    /// Oracle: formulas as they are written in the literature.
    #[test]
    fn formulas_are_written_as_chemists_do() {
        for (cell, expected) in [
            ("O Zn O Zn", "ZnO"),
            ("Br Br Cs Ag Br Br Br Cs Bi Br", "Cs2AgBiBr6"),
            ("O Sr O Ti O", "SrTiO3"),
            ("As Ga", "GaAs"),
            ("Si Si", "Si"),
            ("H H Ca Rb H", "RbCaH3"),
            ("F V F F Rb", "RbVF3"),
            ("Nb Nb Nb Nb Nb Nb Al Ge", "Nb6AlGe"),
            ("Co Nb Al Co", "NbCo2Al"),
            ("O Yb Yb Yb Sn", "Yb3SnO"),
            ("Au Sb Sb Sb", "AuSb3"),
            ("H N H H", "NH3"),
            ("H C H H H", "CH4"),
            ("H H O", "H2O"),
            ("O O O O Li Fe P", "LiFePO4"),
            ("I Sn I I I", "SnI4"),
        ] {
            assert_eq!(formula(&elements(cell)), expected);
        }
        assert_eq!(formula(&[]), "");
    }

    #[test]
    fn the_formula_of_a_cell_counts_all_its_atoms() {
        assert_eq!(cell_formula(&elements("Zn Zn O O")), "O2Zn2");
        assert_eq!(cell_formula(&elements("Rb Ca H H H")), "CaH3Rb");
    }
}
