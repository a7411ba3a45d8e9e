use std::collections::BTreeMap;

use crate::{Composition, PreparedStructure, StructureMatcher};

/// For each structure, whether none before it is the same.
///
/// The share of `true` is the uniqueness of LeMat-GenBench, which keeps the last of each kind where
/// this keeps the first.
pub fn first_of_each(matcher: &StructureMatcher, structures: &[PreparedStructure]) -> Vec<bool> {
    let mut kept = BTreeMap::<&Composition, Vec<&PreparedStructure>>::new();
    structures
        .iter()
        .map(|structure| {
            let before = kept.entry(structure.composition()).or_default();
            let is_first = !before.iter().any(|other| matcher.matches(other, structure));
            if is_first {
                before.push(structure);
            }
            is_first
        })
        .collect()
}

/// For each structure, whether none of the reference is the same.
pub fn novel(
    matcher: &StructureMatcher,
    structures: &[PreparedStructure],
    reference: &[PreparedStructure],
) -> Vec<bool> {
    let mut known = BTreeMap::<&Composition, Vec<&PreparedStructure>>::new();
    for structure in reference {
        known
            .entry(structure.composition())
            .or_default()
            .push(structure);
    }
    structures
        .iter()
        .map(|structure| {
            known
                .get(structure.composition())
                .is_none_or(|same| !same.iter().any(|other| matcher.matches(other, structure)))
        })
        .collect()
}
