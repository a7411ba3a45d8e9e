//! The best crystals that a store knows, to start from.

use std::collections::BTreeMap;

use crystalgym_crystal::{Crystal, Element};
use crystalgym_environment::{StartCrystal, Task, TaskConfig};
use crystalgym_evaluation::{Calculator, ResultStore, StoreKey, StoredResult};

use crate::TrainingError;

/// Arrangements of a stored composition on a skeleton that are looked through.
const MOST_ARRANGEMENTS: usize = 100_000;

/// What a task that is to start from stored crystals starts from: on each skeleton, the crystal with
/// the highest reward of the task that this calculator has computed there, the first in the store's
/// order among equals.
///
/// `make_task` makes a task of a configuration. What a store knows changes, so this is asked once,
/// and the answer takes the place of `"stored"` in the configuration.
///
/// # Errors
/// [`TrainingError::Configuration`] if there is no store, or none that knows a crystal on each
/// skeleton; what `make_task` returns.
pub fn stored_start(
    config: &TaskConfig,
    make_task: &dyn Fn(&TaskConfig) -> Result<Task, TrainingError>,
    calculator: &dyn Calculator,
    store: Option<&ResultStore>,
) -> Result<StartCrystal, TrainingError> {
    let task = make_task(&TaskConfig {
        start_crystal: StartCrystal::default(),
        ..config.clone()
    })?;
    if task.terms().is_some() {
        let message = "the best is known of a single property, and objective has terms";
        return Err(unknown(message.to_owned()));
    }
    let store = store.ok_or_else(|| {
        let name = calculator.name();
        unknown(format!("the results of {name} are kept in no store"))
    })?;
    let mut known = store.results(Some(task.property()))?;
    known.retain(|result| result.calculator == calculator.name());
    let reward = |result: &StoredResult| {
        let objective = task.objective();
        let reward = objective.reward();
        reward.of_outcome(task.target(), &result.outcome)
    };
    known.sort_by(|a, b| reward(b).total_cmp(&reward(a)));
    let skeletons = 0..task.skeletons().len();
    let starts = skeletons.map(|skeleton| best_on(&task, skeleton, &known, calculator, store));
    let mut starts: Vec<Vec<Element>> = starts.collect::<Result<_, _>>()?;
    Ok(match starts.len() {
        1 => StartCrystal::Elements(starts.swap_remove(0)),
        _ => StartCrystal::EachSkeleton(starts),
    })
}

/// The elements of the first of these results that is of this skeleton and this calculator.
fn best_on(
    task: &Task,
    skeleton: usize,
    known: &[StoredResult],
    calculator: &dyn Calculator,
    store: &ResultStore,
) -> Result<Vec<Element>, TrainingError> {
    let label = &task.skeletons()[skeleton].label;
    let here = known
        .iter()
        .filter(|result| result.skeleton == *label && result.outcome.value().is_some());
    for result in here {
        let Some(composition) = composition(task, skeleton, result) else {
            continue;
        };
        let elements: Vec<Element> = composition
            .iter()
            .map(|&node_type| task.elements().elements()[usize::from(node_type)])
            .collect();
        let settings = calculator.fingerprint(&elements, task.property());
        if settings.0 != result.fingerprint {
            continue;
        }
        if let Some(found) = arrangement(task, skeleton, composition, result, calculator, store)? {
            return Ok(found);
        }
    }
    let (name, property) = (calculator.name(), task.property());
    Err(unknown(format!(
        "the store knows no {property} of a crystal on {label} by {name} with these settings whose \
         elements the task allows"
    )))
}

/// The node types of the result's elements as often as they come on the skeleton, in rising order;
/// `None` if the task has not all of them, or so many sites cannot hold them.
fn composition(task: &Task, skeleton: usize, result: &StoredResult) -> Option<Vec<u8>> {
    let mut counts = BTreeMap::new();
    let mut atoms = 0;
    for symbol in result.elements.split_whitespace() {
        let node_type = task.elements().action_of(symbol.parse().ok()?)?;
        *counts.entry(node_type).or_insert(0) += 1;
        atoms += 1;
    }
    let sites = task.board().sites(skeleton);
    // What was computed is a primitive cell.
    let cells = (atoms > 0 && sites.is_multiple_of(atoms)).then(|| sites / atoms)?;
    let all = counts.into_iter();
    Some(
        all.flat_map(|(node_type, count)| std::iter::repeat_n(node_type, count * cells))
            .collect(),
    )
}

/// The arrangement of a composition on a skeleton that the store has this result of, in the first
/// of its symmetric images that the task allows.
fn arrangement(
    task: &Task,
    skeleton: usize,
    mut filling: Vec<u8>,
    result: &StoredResult,
    calculator: &dyn Calculator,
    store: &ResultStore,
) -> Result<Option<Vec<Element>>, TrainingError> {
    for _ in 0..MOST_ARRANGEMENTS {
        let crystal = task.crystal(skeleton, &filling)?;
        // Images are the same crystal: one of them is asked about.
        if crystal.canonical().elements() == crystal.elements() {
            let key = StoreKey::new(&crystal, task.property(), calculator);
            let outcome = store.get(&key)?;
            let is_this = outcome.and_then(|outcome| outcome.value()) == result.outcome.value();
            if let Some(image) = allowed_image(task, skeleton, &crystal).filter(|_| is_this) {
                return Ok(Some(image));
            }
        }
        if !next_permutation(&mut filling) {
            break;
        }
    }
    Ok(None)
}

fn allowed_image(task: &Task, skeleton: usize, crystal: &Crystal) -> Option<Vec<Element>> {
    let permutations = &crystal.skeleton().symmetry.site_permutations;
    let images = permutations.iter().map(|permutation| {
        let moved = permutation.iter().map(|&from| crystal.elements()[from]);
        moved.collect::<Vec<Element>>()
    });
    let is_allowed = |image: &Vec<Element>| {
        let node_types = image.iter().map(|e| task.elements().action_of(*e));
        let node_types: Option<Vec<u8>> = node_types.collect();
        node_types.is_some_and(|node_types| task.board().obeys(skeleton, &node_types))
    };
    let mut all: Vec<_> = images.filter(is_allowed).collect();
    all.sort();
    all.into_iter().next()
}

/// The next list in lexicographic order with the same members; whether there is one.
fn next_permutation(list: &mut [u8]) -> bool {
    let Some(pivot) = list.windows(2).rposition(|pair| pair[0] < pair[1]) else {
        return false;
    };
    if let Some(above) = list.iter().rposition(|member| *member > list[pivot]) {
        list.swap(pivot, above);
    }
    list[pivot + 1..].reverse();
    true
}

fn unknown(message: String) -> TrainingError {
    TrainingError::Configuration {
        origin: "task.start_crystal".to_owned(),
        message: format!("is \"stored\", but {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: 5! / (2! 3!) and the order of numbers.
    #[test]
    fn permutations_come_each_once_in_order() {
        let mut list = [0, 0, 1, 1, 1];
        let mut seen = vec![list.to_vec()];
        while next_permutation(&mut list) {
            seen.push(list.to_vec());
        }
        assert_eq!(seen.len(), 10);
        assert!(seen.is_sorted_by(|a, b| a < b));
        assert!(!next_permutation(&mut []));
    }
}
