//! All fillings of a skeleton with a set of elements, each crystal once.

use crate::{CrystalError, Element, Skeleton};

/// Fillings that are looked at, one by one: more than any table will ever hold.
const MOST_ASSIGNMENTS: u64 = 50_000_000;

/// A filling that stands for all that the skeleton's site permutations turn it into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalFilling {
    /// Elements in site order, as [`Crystal::canonical`](crate::Crystal::canonical) writes them.
    pub elements: Vec<Element>,
    /// How many fillings it stands for: the size of its orbit.
    pub multiplicity: u32,
}

/// Number of different fillings of a skeleton with `elements` elements, by the lemma that is not
/// Burnside's: `1/|G| Σ_g n^c(g)`, c the number of cycles of the site permutation g.
///
/// `None` where that is more than fits into 64 bits.
pub fn count_canonical_fillings(skeleton: &Skeleton, elements: usize) -> Option<u64> {
    let permutations = &skeleton.symmetry.site_permutations;
    let mut fixed = 0u64;
    for permutation in permutations {
        let of_this = (elements as u64).checked_pow(cycles(permutation))?;
        fixed = fixed.checked_add(of_this)?;
    }
    fixed.checked_div(permutations.len() as u64)
}

/// Every filling of a skeleton with these elements, in the lexicographic order of their atomic
/// numbers: of all fillings that the site permutations turn into each other, the first.
///
/// # Errors
/// [`CrystalError::TooManyFillings`] if there are more than can be looked at one by one.
pub fn canonical_fillings(
    skeleton: &Skeleton,
    elements: &[Element],
) -> Result<Vec<CanonicalFilling>, CrystalError> {
    let mut elements = elements.to_vec();
    elements.sort_unstable();
    elements.dedup();
    let sites = skeleton.sites();
    let assignments = (elements.len() as u64).checked_pow(sites as u32);
    if assignments.is_none_or(|count| count > MOST_ASSIGNMENTS) {
        return Err(CrystalError::TooManyFillings {
            skeleton: skeleton.label.clone(),
            sites,
            elements: elements.len(),
        });
    }
    let permutations = &skeleton.symmetry.site_permutations;
    let mut fillings = Vec::new();
    let mut digits = vec![0usize; sites];
    loop {
        if let Some(stabilizer) = stabilizer(&digits, permutations)
            && !elements.is_empty()
        {
            fillings.push(CanonicalFilling {
                elements: digits.iter().map(|&digit| elements[digit]).collect(),
                multiplicity: (permutations.len() / stabilizer) as u32,
            });
        }
        // The next number in base n, the last site counting fastest.
        let Some(place) = digits.iter().rposition(|&d| d + 1 < elements.len()) else {
            return Ok(fillings);
        };
        digits[place] += 1;
        digits[place + 1..].fill(0);
    }
}

/// How many permutations leave a filling as it is; `None` if one makes an earlier filling of it.
fn stabilizer(digits: &[usize], permutations: &[Vec<usize>]) -> Option<usize> {
    let mut unchanged = 0;
    for permutation in permutations {
        let image = permutation.iter().map(|&from| digits[from]);
        match image.cmp(digits.iter().copied()) {
            std::cmp::Ordering::Less => return None,
            std::cmp::Ordering::Equal => unchanged += 1,
            std::cmp::Ordering::Greater => {}
        }
    }
    Some(unchanged.max(1))
}

fn cycles(permutation: &[usize]) -> u32 {
    let mut seen = vec![false; permutation.len()];
    let mut count = 0;
    for start in 0..permutation.len() {
        if seen[start] {
            continue;
        }
        count += 1;
        let mut site = start;
        while !seen[site] {
            seen[site] = true;
            site = permutation[site];
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, HashSet},
        sync::Arc,
    };

    use super::*;
    use crate::Crystal;

    fn elements(count: usize) -> Vec<Element> {
        // Not in order, as action sets are.
        let mut elements: Vec<Element> = Element::all().take(count).collect();
        elements.reverse();
        elements
    }

    /// Oracles: the closed forms for four interchangeable sites, C(n + 3, 4), and the orbit count for
    /// all others; multiplicities add up to nˢ.
    #[test]
    fn there_are_as_many_as_orbits() {
        for (label, count, expected) in [
            ("C6", 18, Some(5985)),
            ("C6", 4, Some(35)),
            ("C4", 18, None),
            ("C4", 3, None),
            ("C1", 5, None),
            ("C2", 5, None),
            ("C3", 3, None),
            ("C5", 4, None),
            ("C7", 5, None),
            ("C7", 1, Some(1)),
        ] {
            let skeleton = Skeleton::builtin(label).unwrap();
            let fillings = canonical_fillings(&skeleton, &elements(count)).unwrap();
            let orbits = count_canonical_fillings(&skeleton, count).unwrap();
            assert_eq!(fillings.len() as u64, orbits, "{label}");
            assert!(expected.is_none_or(|expected| orbits == expected));
            let all: u64 = fillings.iter().map(|f| u64::from(f.multiplicity)).sum();
            assert_eq!(all, (count as u64).pow(skeleton.sites() as u32), "{label}");
        }
        assert_eq!(
            count_canonical_fillings(&Skeleton::builtin("C4").unwrap(), 18),
            Some(C4_SMALL)
        );
    }

    /// By the orbit count; pinned, since documents name it.
    const C4_SMALL: u64 = 14_706;

    /// Oracle: every filling made one by one and written canonically.
    #[test]
    fn they_are_the_canonical_ones() {
        for label in ["C1", "C2", "C4", "C6", "C7"] {
            let skeleton = Skeleton::builtin(label).unwrap();
            let elements = elements(4);
            let mut counted: BTreeMap<Vec<Element>, u32> = BTreeMap::new();
            let sites = skeleton.sites() as u32;
            for index in 0..4usize.pow(sites) {
                let filling = (0..sites).map(|site| elements[index / 4usize.pow(site) % 4]);
                let crystal = Crystal::new(Arc::clone(&skeleton), filling.collect()).unwrap();
                *counted
                    .entry(crystal.canonical().elements().to_vec())
                    .or_default() += 1;
            }
            let found = canonical_fillings(&skeleton, &elements).unwrap();
            let distinct: HashSet<_> = found.iter().map(|f| f.elements.clone()).collect();
            assert_eq!(distinct.len(), found.len());
            let found: BTreeMap<_, _> = found
                .into_iter()
                .map(|filling| (filling.elements, filling.multiplicity))
                .collect();
            assert_eq!(found, counted, "{label}");
        }
    }

    #[test]
    fn too_many_are_refused() {
        let skeleton = Skeleton::builtin("C3").unwrap();
        let error = canonical_fillings(&skeleton, &elements(50)).unwrap_err();
        assert!(error.to_string().contains("C3"), "{error}");
        assert!(canonical_fillings(&skeleton, &[]).unwrap().is_empty());
    }
}
