//! The different crystals that a run has made, and the best of them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_metrics::Composition;
use crystalgym_training::EpisodeRow;

/// Best crystals kept of each skeleton.
const BEST_KEPT: usize = 5;

/// A composition in lowest terms as the sorted list of its elements, each as often as it occurs: a
/// tenth of the memory of a [`Composition`], of which a benchmark has millions.
pub type ReducedElements = Box<[Element]>;

/// The elements of a composition, each as often as it occurs in lowest terms.
pub fn reduced_elements(composition: &Composition) -> ReducedElements {
    let counts = composition.counts();
    counts
        .flat_map(|(element, count)| std::iter::repeat_n(element, count as usize))
        .collect()
}

/// A crystal that a run has made.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundCrystal {
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, canonical under the skeleton's symmetry where that is known.
    pub elements: Vec<Element>,
    /// Value of the property, in its unit.
    pub value: f64,
    /// Return of its episode.
    pub episodic_return: f64,
    /// Number of the first episode that found it.
    pub episode: u64,
}

/// The different crystals of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoundCrystals {
    /// How many, fillings that a symmetry of the skeleton turns into each other counted once.
    pub distinct: u64,
    /// Their compositions.
    pub compositions: BTreeSet<ReducedElements>,
    /// The best of each skeleton, best first; ties go to the earlier episode.
    pub best: Vec<FoundCrystal>,
}

/// Counts [`FoundCrystals`] episode by episode.
#[derive(Debug, Default)]
pub(crate) struct CrystalCounter {
    skeletons: HashMap<String, Option<Arc<Skeleton>>>,
    /// By skeleton: fillings as they were written, which are looked up first, and canonical ones.
    written: HashMap<String, HashSet<String>>,
    canonical: HashMap<String, HashSet<Vec<Element>>>,
    found: FoundCrystals,
}

impl CrystalCounter {
    /// Takes an episode; whether its crystal is new.
    ///
    /// # Errors
    /// The name of an element that is none.
    pub(crate) fn add(&mut self, row: &EpisodeRow) -> Result<bool, String> {
        let written = entry(&mut self.written, &row.skeleton);
        if written.contains(&row.elements) {
            return Ok(false);
        }
        written.insert(row.elements.clone());
        let elements = self.canonical_elements(&row.skeleton, &row.elements)?;
        if !entry(&mut self.canonical, &row.skeleton).insert(elements.clone()) {
            return Ok(false);
        }
        self.found.distinct += 1;
        let composition = Composition::of(&elements);
        self.found
            .compositions
            .insert(reduced_elements(&composition));
        if let Some(value) = row.value {
            self.found.offer(FoundCrystal {
                skeleton: row.skeleton.clone(),
                elements,
                value,
                episodic_return: row.episodic_return,
                episode: row.episode,
            });
        }
        Ok(true)
    }

    /// Different crystals so far.
    pub(crate) fn distinct(&self) -> u64 {
        self.found.distinct
    }

    pub(crate) fn finish(self) -> FoundCrystals {
        self.found
    }

    /// Of a skeleton that is not built in, the symmetry is not known and fillings count as written.
    fn canonical_elements(&mut self, label: &str, text: &str) -> Result<Vec<Element>, String> {
        let elements = parse_elements(text)?;
        if !self.skeletons.contains_key(label) {
            let skeleton = Skeleton::builtin(label).ok();
            self.skeletons.insert(label.to_owned(), skeleton);
        }
        let Some(Some(skeleton)) = self.skeletons.get(label) else {
            return Ok(elements);
        };
        let crystal = Crystal::new(Arc::clone(skeleton), elements).map_err(|e| e.to_string())?;
        Ok(crystal.canonical().elements().to_vec())
    }
}

impl FoundCrystals {
    /// Takes a crystal into [`Self::best`] if it belongs there.
    pub fn offer(&mut self, crystal: FoundCrystal) {
        let same = |other: &FoundCrystal| {
            other.skeleton == crystal.skeleton && other.elements == crystal.elements
        };
        if self.best.iter().any(same) {
            return;
        }
        let better = |other: &FoundCrystal| other.episodic_return >= crystal.episodic_return;
        let place = self.best.partition_point(better);
        let skeleton = crystal.skeleton.clone();
        self.best.insert(place, crystal);
        let of_skeleton = |found: &&FoundCrystal| found.skeleton == skeleton;
        if self.best.iter().filter(of_skeleton).count() > BEST_KEPT
            && let Some(last) = self
                .best
                .iter()
                .rposition(|found| found.skeleton == skeleton)
        {
            self.best.remove(last);
        }
    }
}

/// Elements from symbols separated by blanks.
pub(crate) fn parse_elements(text: &str) -> Result<Vec<Element>, String> {
    let elements: Result<Vec<Element>, _> = text.split_whitespace().map(str::parse).collect();
    match elements {
        Ok(elements) if elements.is_empty() => Err("no elements".to_owned()),
        Ok(elements) => Ok(elements),
        Err(error) => Err(error.to_string()),
    }
}

fn entry<'a, T: Default>(map: &'a mut HashMap<String, T>, key: &str) -> &'a mut T {
    map.entry(key.to_owned()).or_default()
}

#[cfg(test)]
mod tests {
    use crystalgym_evaluation::Property;
    use crystalgym_training::RowSource;

    use super::*;

    fn row(episode: u64, elements: &str, episodic_return: f64) -> EpisodeRow {
        EpisodeRow {
            episode,
            step: 4 * episode,
            environment: 0,
            skeleton: "C4".to_owned(),
            elements: elements.to_owned(),
            property: Property::Density,
            target: 3.0,
            value: Some(2.0),
            episodic_return,
            failure: None,
            source: RowSource::Computed,
            scf_iterations: 0,
            calculation_seconds: 0.0,
            start_elements: None,
            start_value: None,
            start_failure: None,
            terms: None,
        }
    }

    /// Oracle: by hand. Every site of C4 (Fm-3m) is alike in composition; a filling that a symmetry
    /// makes of another, or that was there before, is no new crystal.
    #[test]
    fn crystals_are_counted_once() {
        let skeleton = Skeleton::builtin("C4").unwrap();
        let permutation = (skeleton.symmetry.site_permutations.iter())
            .find(|permutation| permutation.iter().enumerate().any(|(i, to)| i != *to))
            .unwrap();
        let symbols = ["Na", "Cl", "H", "F"];
        let mut moved = symbols;
        for (site, &to) in permutation.iter().enumerate() {
            moved[to] = symbols[site];
        }
        let mut counter = CrystalCounter::default();
        counter.add(&row(1, &symbols.join(" "), 0.5)).unwrap();
        counter.add(&row(2, &moved.join(" "), 0.5)).unwrap();
        counter.add(&row(3, "Na Na Cl Cl", 0.9)).unwrap();
        counter.add(&row(4, &symbols.join(" "), 0.5)).unwrap();
        assert!(counter.add(&row(5, "Na Zz Cl Cl", 0.9)).is_err());
        assert!(counter.add(&row(6, "Na Cl", 0.9)).is_err());
        let found = counter.finish();
        assert_eq!((found.distinct, found.compositions.len()), (2, 2));
        let best: Vec<u64> = found.best.iter().map(|crystal| crystal.episode).collect();
        assert_eq!(best, [3, 1]);
        let salt = reduced_elements(&"NaCl".parse().unwrap());
        assert!(found.compositions.contains(&salt) && salt.len() == 2);
    }
}
