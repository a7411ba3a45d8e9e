//! All fillings of a skeleton, one of each set of symmetric images.

use std::collections::BTreeSet;

use crystalgym_environment::{NodeTypes, Task};

/// A complete filling of a skeleton: one node type for each site.
pub type Filling = NodeTypes;

/// Fillings written down side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fillings {
    sites: usize,
    packed: Vec<u8>,
}

impl Fillings {
    /// All different allowed fillings of a skeleton, in lexicographic order, images counted once;
    /// `None` if more than `most` would have to be looked at.
    pub fn all(task: &Task, skeleton: usize, most: usize) -> Option<Self> {
        let board = task.board();
        let sites = board.sites(skeleton);
        let allowed: Vec<Vec<u8>> = (0..sites)
            .map(|site| {
                let allowed = board.allowed_at(skeleton, site).iter().enumerate();
                allowed
                    .filter(|(_, is)| **is)
                    .map(|(place, _)| place as u8)
                    .collect()
            })
            .collect();
        let count = allowed
            .iter()
            .try_fold(1usize, |count, allowed| count.checked_mul(allowed.len()))?;
        if count > most {
            return None;
        }
        let restricted = allowed
            .iter()
            .any(|site| site.len() < task.elements().len());
        let mut seen = BTreeSet::new();
        let mut packed = Vec::new();
        let mut digits = vec![0usize; sites];
        let mut filling: Vec<u8> = allowed
            .iter()
            .filter_map(|site| site.first().copied())
            .collect();
        if filling.len() < sites {
            return Some(Self { sites, packed });
        }
        loop {
            // Where sites are restricted, the canonical image need not be allowed.
            let is_first = match restricted {
                true => seen.insert(canonical(task, skeleton, &filling)),
                false => is_canonical(task, skeleton, &filling),
            };
            if is_first {
                packed.extend(&filling);
            }
            let Some(site) = (0..sites)
                .rev()
                .find(|&site| digits[site] + 1 < allowed[site].len())
            else {
                return Some(Self { sites, packed });
            };
            digits[site] += 1;
            digits[site + 1..].fill(0);
            for site in site..sites {
                filling[site] = allowed[site][digits[site]];
            }
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.packed.len() / self.sites.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// One of them.
    pub fn get(&self, place: usize) -> &[u8] {
        &self.packed[place * self.sites..(place + 1) * self.sites]
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.packed.chunks_exact(self.sites.max(1))
    }
}

/// All images of a filling under the skeleton's symmetry, some of them the same.
pub fn images<'a>(
    task: &'a Task,
    skeleton: usize,
    filling: &'a [u8],
) -> impl Iterator<Item = impl Iterator<Item = u8> + 'a> + 'a {
    let permutations = &task.skeletons()[skeleton].symmetry.site_permutations;
    permutations
        .iter()
        .map(move |permutation| permutation.iter().map(|&from| filling[from]))
}

/// The image whose node types come first in lexicographic order.
pub fn canonical(task: &Task, skeleton: usize, filling: &[u8]) -> Filling {
    let mut least: Vec<u8> = filling.to_vec();
    for image in images(task, skeleton, filling) {
        if image.lt(least.iter().copied()) {
            // Taken again, since comparing has used it up.
            let permutations = &task.skeletons()[skeleton].symmetry.site_permutations;
            let first = permutations
                .iter()
                .map(|permutation| {
                    permutation
                        .iter()
                        .map(|&from| filling[from])
                        .collect::<Vec<_>>()
                })
                .min();
            least = first.unwrap_or(least);
            break;
        }
    }
    least.into()
}

fn is_canonical(task: &Task, skeleton: usize, filling: &[u8]) -> bool {
    !images(task, skeleton, filling).any(|image| image.lt(filling.iter().copied()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crystalgym_environment::TaskConfig;

    use super::*;

    fn task(label: &str, elements: &str) -> Task {
        let elements = elements.split_whitespace().map(|e| e.parse().unwrap());
        Task::new(&TaskConfig {
            skeletons: vec![label.into()],
            elements: elements.collect(),
            ..TaskConfig::default()
        })
        .unwrap()
    }

    /// Oracle: Burnside's lemma.
    #[test]
    fn as_many_as_there_are_orbits() {
        for label in ["C1", "C2", "C4", "C5", "C6", "C7"] {
            for elements in ["H Li", "H Li Na K"] {
                let task = task(label, elements);
                let kinds = task.elements().len() as u32;
                let permutations = &task.skeletons()[0].symmetry.site_permutations;
                let cycles = |permutation: &[usize]| {
                    let mut seen = vec![false; permutation.len()];
                    let mut count = 0;
                    for start in 0..permutation.len() {
                        let mut site = start;
                        count += u32::from(!seen[site]);
                        while !std::mem::replace(&mut seen[site], true) {
                            site = permutation[site];
                        }
                    }
                    count
                };
                let fixed: usize = permutations
                    .iter()
                    .map(|p| (kinds as usize).pow(cycles(p)))
                    .sum();
                let all = Fillings::all(&task, 0, 1_000_000).unwrap();
                assert_eq!(all.len(), fixed / permutations.len(), "{label} {elements}");
                assert_eq!(
                    all.len(),
                    all.iter()
                        .map(<[u8]>::to_vec)
                        .collect::<BTreeSet<_>>()
                        .len()
                );
            }
        }
    }

    /// Of a restricted task every allowed filling has one image in the list.
    #[test]
    fn restricted_sites() {
        let config = TaskConfig {
            skeletons: vec!["C2".into()],
            elements: ["H", "Li", "Na"].map(|e| e.parse().unwrap()).into(),
            allowed: BTreeMap::from([(
                "2".into(),
                vec!["Na".parse().unwrap(), "H".parse().unwrap()],
            )]),
            ..TaskConfig::default()
        };
        let task = Task::new(&config).unwrap();
        let all = Fillings::all(&task, 0, 1000).unwrap();
        let listed: BTreeSet<Filling> = all.iter().map(|f| canonical(&task, 0, f)).collect();
        assert_eq!(listed.len(), all.len());
        let mut expected = BTreeSet::new();
        for number in 0..3usize.pow(5) {
            let filling: Vec<u8> = (0..5).map(|s| (number / 3usize.pow(s) % 3) as u8).collect();
            if task.board().obeys(0, &filling) {
                expected.insert(canonical(&task, 0, &filling));
            }
        }
        assert_eq!(listed, expected);
        assert!(Fillings::all(&task, 0, 100).is_none());
    }
}
