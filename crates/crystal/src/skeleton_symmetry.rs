//! What the symmetry of an empty skeleton is.

/// Symmetry of an empty skeleton.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkeletonSymmetry {
    /// Space-group number of the empty skeleton, 1 to 230.
    pub space_group_number: u16,
    /// Its Hermann–Mauguin symbol.
    pub space_group_symbol: String,
    /// Distinct permutations that its operations cause: site `i` goes to site `permutation[i]`.
    /// Sorted, the identity first; a group under composition.
    pub site_permutations: Vec<Vec<usize>>,
    /// Those of its translations within the cell, the identity included: more than one where the empty
    /// skeleton repeats itself in the cell.
    translations: Vec<Vec<usize>>,
    /// Sites that the permutations turn into each other, each orbit ascending, if they do so in
    /// every order and independently of the other orbits.
    interchangeable_sites: Option<Vec<Vec<usize>>>,
}

impl SkeletonSymmetry {
    /// From a group's sorted permutations, and those of its translations.
    pub(crate) fn new(
        space_group_number: u16,
        space_group_symbol: String,
        site_permutations: Vec<Vec<usize>>,
        translations: Vec<Vec<usize>>,
    ) -> Self {
        Self {
            space_group_number,
            space_group_symbol,
            interchangeable_sites: interchangeable_sites(&site_permutations),
            site_permutations,
            translations,
        }
    }

    /// How many primitive cells of the filled crystal are in the skeleton's cell: the translations within
    /// it that leave the labels of all sites as they are, at least one.
    pub fn primitive_cells<T: PartialEq>(&self, labels: &[T]) -> usize {
        let keeps = |translation: &&Vec<usize>| {
            let sites = translation.iter().enumerate();
            sites
                .into_iter()
                .all(|(from, &to)| labels[from] == labels[to])
        };
        self.translations.iter().filter(keeps).count().max(1)
    }

    /// The sites of a labelling in the order in which they stand in [`Self::least_image`]: label `k` of
    /// that is label `sites[k]` of the labelling.
    pub(crate) fn sites_of_least_image<T: Ord + Copy>(&self, labels: &[T]) -> Vec<usize> {
        let mut sites: Vec<usize> = (0..labels.len()).collect();
        if let Some(orbits) = &self.interchangeable_sites {
            for orbit in orbits {
                let mut members = orbit.clone();
                members.sort_by_key(|&site| labels[site]);
                for (&place, member) in orbit.iter().zip(members) {
                    sites[place] = member;
                }
            }
            return sites;
        }
        let image = |permutation: &'_ [usize]| -> Vec<T> {
            permutation.iter().map(|&from| labels[from]).collect()
        };
        let least = self
            .site_permutations
            .iter()
            .min_by_key(|permutation| image(permutation));
        least.cloned().unwrap_or(sites)
    }

    /// Of all images of a labelling of the sites the one that comes first lexicographically.
    pub(crate) fn least_image<T: Ord + Copy>(&self, labels: &[T]) -> Vec<T> {
        let mut least = Vec::with_capacity(labels.len());
        self.write_least_image(labels, &mut least);
        least
    }

    /// The same in place of what a list holds.
    pub(crate) fn write_least_image<T: Ord + Copy>(&self, labels: &[T], written: &mut Vec<T>) {
        written.clear();
        if let Some(orbits) = &self.interchangeable_sites {
            written.extend_from_slice(labels);
            orbits.iter().for_each(|orbit| sort_at(orbit, written));
            return;
        }
        fn image<T: Copy>(labels: &[T], permutation: &[usize]) -> impl Iterator<Item = T> {
            permutation.iter().map(|&from| labels[from])
        }
        // Moved along the inverse of a permutation: those of a group are the same set.
        let least = self.site_permutations.iter().reduce(|least, next| {
            match image(labels, next).lt(image(labels, least)) {
                true => next,
                false => least,
            }
        });
        match least {
            Some(permutation) => written.extend(image(labels, permutation)),
            None => written.extend_from_slice(labels),
        }
    }
}

/// The orbits of more than one site if the group is the direct product of the symmetric groups of
/// its orbits, which it is exactly if it has Π |orbit|! elements.
fn interchangeable_sites(permutations: &[Vec<usize>]) -> Option<Vec<Vec<usize>>> {
    let sites = permutations.first()?.len();
    let orbit = |site: usize| {
        let mut orbit: Vec<usize> = permutations.iter().map(|moved| moved[site]).collect();
        orbit.sort_unstable();
        orbit.dedup();
        orbit
    };
    let orbits = (0..sites).map(orbit).enumerate();
    let orbits: Vec<Vec<usize>> = orbits
        .filter(|(site, orbit)| orbit.len() > 1 && orbit[0] == *site)
        .map(|(_, orbit)| orbit)
        .collect();
    let factors = orbits.iter().flat_map(|orbit| 2..=orbit.len());
    let order = factors.into_iter().try_fold(1usize, usize::checked_mul);
    (order == Some(permutations.len())).then_some(orbits)
}

/// Sorts what stands at the places of a short ascending list.
fn sort_at<T: Ord>(places: &[usize], values: &mut [T]) {
    for end in 1..places.len() {
        for here in (1..=end).rev() {
            let (before, after) = (places[here - 1], places[here]);
            if values[before] <= values[after] {
                break;
            }
            values.swap(before, after);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy, ValueTree};

    use crate::Skeleton;

    /// Oracle: every image written down and the least taken; a group that is a product of symmetric
    /// groups and one that is not.
    #[test]
    fn the_least_image_is_the_least_of_all() {
        let mut rng = proptest::test_runner::TestRunner::deterministic();
        let mut kinds = [0, 0];
        for label in ["C1", "C2", "C3", "C4", "C5", "C6", "C7"] {
            let skeleton = Skeleton::builtin(label).unwrap();
            let symmetry = &skeleton.symmetry;
            kinds[usize::from(symmetry.interchangeable_sites.is_some())] += 1;
            for _ in 0..200 {
                let labels = proptest::collection::vec(0u8..4, skeleton.sites());
                let labels = labels.new_tree(&mut rng).unwrap().current();
                let image = |p: &Vec<usize>| p.iter().map(|&i| labels[i]).collect::<Vec<_>>();
                let least = symmetry.site_permutations.iter().map(image).min().unwrap();
                assert_eq!(symmetry.least_image(&labels), least, "{label} {labels:?}");
                let sites = symmetry.sites_of_least_image(&labels);
                assert_eq!(image(&sites), least, "{label} {labels:?}");
                assert!(symmetry.site_permutations.contains(&sites));
            }
        }
        assert!(kinds[0] > 0 && kinds[1] > 0, "{kinds:?}");
    }

    /// Oracle: the canonical writing of the filled crystal, which looks for its primitive cell in the
    /// positions.
    #[test]
    fn primitive_cells_are_those_of_the_canonical_writing() {
        use crate::{CanonicalCrystal, Crystal, Element};
        let mut rng = proptest::test_runner::TestRunner::deterministic();
        let mut several = 0;
        for label in ["C1", "C2", "C3", "C4", "C5", "C6", "C7"] {
            let skeleton = Skeleton::builtin(label).unwrap();
            for _ in 0..60 {
                let labels = proptest::collection::vec(1u8..3, skeleton.sites());
                let labels = labels.new_tree(&mut rng).unwrap().current();
                let elements = labels
                    .iter()
                    .map(|z| Element::from_atomic_number(*z).unwrap());
                let crystal = Crystal::new(skeleton.clone(), elements.collect()).unwrap();
                let canonical = CanonicalCrystal::of(&crystal.structure()).unwrap();
                let cells = skeleton.symmetry.primitive_cells(&labels);
                assert_eq!(cells, canonical.cells(), "{label} {labels:?}");
                several += usize::from(cells > 1);
            }
        }
        assert!(several > 10, "{several}");
    }
}
