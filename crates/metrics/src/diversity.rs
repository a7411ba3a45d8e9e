//! Diversity of a set of structures.

use std::collections::BTreeMap;

use crystalgym_crystal::{SYMMETRY_TOLERANCE_ANG, Structure, space_group};

/// How much of chemistry and of symmetry a set of structures covers.
///
/// Shares are of the 118 elements and the 230 space groups. `H = −Σ p ln p` of the histogram of
/// elements counts sites, that of space groups structures; `e^H`, the Vendi score of a set whose
/// members are alike or not, is the number of equally frequent kinds with the same entropy.
#[derive(Debug, Clone, PartialEq)]
pub struct Diversity {
    /// Distinct elements.
    pub elements: usize,
    /// Entropy of the elements of all sites, in nats.
    pub element_entropy: f64,
    /// Distinct space groups.
    pub space_groups: usize,
    /// Entropy of the space groups, in nats.
    pub space_group_entropy: f64,
}

impl Diversity {
    /// Elements that there are.
    pub const ELEMENTS: usize = 118;
    /// Space groups that there are.
    pub const SPACE_GROUPS: usize = 230;

    /// Of these structures; those without a space group (overlapping sites) count in none.
    pub fn of(structures: &[Structure]) -> Self {
        let (mut elements, mut space_groups) = (BTreeMap::new(), BTreeMap::new());
        for structure in structures {
            let Structure {
                lattice,
                elements: on_sites,
                frac_coords,
            } = structure;
            for element in on_sites {
                *elements.entry(*element).or_insert(0_usize) += 1;
            }
            let kinds: Vec<i32> = on_sites.iter().map(|e| e.atomic_number().into()).collect();
            if let Ok((number, _)) =
                space_group(lattice, frac_coords, &kinds, SYMMETRY_TOLERANCE_ANG)
            {
                *space_groups.entry(number).or_insert(0_usize) += 1;
            }
        }
        Self {
            elements: elements.len(),
            element_entropy: entropy(elements.values()),
            space_groups: space_groups.len(),
            space_group_entropy: entropy(space_groups.values()),
        }
    }
}

fn entropy<'a>(counts: impl Iterator<Item = &'a usize> + Clone) -> f64 {
    let total: usize = counts.clone().sum();
    let share = |count: &usize| *count as f64 / total as f64;
    let sum: f64 = counts.map(|count| share(count) * share(count).ln()).sum();
    // Not −0 where there is one kind.
    0.0 - sum
}
