use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{Failure, FailureCode, Outcome, Property};

use crate::Task;

/// What a task says of a crystal without asking the calculator: with
/// [`Task::odd_electrons_fail_at_once`], the failure of a band gap with an odd number of electrons.
pub fn known_outcome(task: &Task, crystal: &Crystal) -> Option<Outcome> {
    let fails = task.odd_electrons_fail_at_once()
        && task.property() == Property::BandGap
        && has_odd_electrons(crystal);
    fails.then(|| {
        Outcome::Failure(Failure::new(
            FailureCode::OddElectronCount,
            "an odd number of electrons cannot fill bands in pairs",
        ))
    })
}

/// Cores hold pairs of electrons, so the valence electrons are odd in number exactly if the atomic
/// numbers sum to an odd number.
fn has_odd_electrons(crystal: &Crystal) -> bool {
    let electrons: u32 = crystal
        .elements()
        .iter()
        .map(|element| u32::from(element.atomic_number()))
        .sum();
    electrons % 2 == 1
}
