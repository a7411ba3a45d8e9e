//! Actions that leave an even number of electrons.

use std::borrow::Cow;

use crystalgym_environment::{NodeTypes, Observation, Task};

/// The allowed actions without those that end an episode with an odd number of electrons; all of
/// them where the property does not need filled bands, where the episode goes on, or where nothing
/// else is left.
pub(crate) fn even_actions<'a>(task: &Task, seen: &Observation<'a>) -> Cow<'a, [bool]> {
    if !task.needs_pairs() || seen.step + 1 != seen.steps {
        return Cow::Borrowed(seen.allowed);
    }
    let even: Vec<bool> = (seen.allowed.iter().enumerate())
        .map(|(action, allowed)| {
            let mut filled = NodeTypes::from(seen.node_types);
            let (site, put) = task.process().placement(seen.focus, action as u16);
            if let Some(here) = filled.get_mut(site) {
                *here = put;
            }
            *allowed && !task.has_odd_electrons(seen.skeleton, &filled)
        })
        .collect();
    match even.contains(&true) {
        true => Cow::Owned(even),
        false => Cow::Borrowed(seen.allowed),
    }
}

/// The actions that a policy chooses among; with a task, those that leave an even number of
/// electrons in its crystals.
pub(crate) fn masks<'a>(task: Option<&Task>, seen: &[Observation<'a>]) -> Vec<Cow<'a, [bool]>> {
    let mask = |seen: &Observation<'a>| match task {
        Some(task) => even_actions(task, seen),
        None => Cow::Borrowed(seen.allowed),
    };
    seen.iter().map(mask).collect()
}

/// What agents see where each has its own mask.
pub(crate) fn with_masks<'a>(
    seen: &[Observation<'a>],
    masks: &'a [Cow<'a, [bool]>],
) -> Vec<Observation<'a>> {
    let pairs = seen.iter().zip(masks);
    pairs
        .map(|(seen, mask)| Observation {
            allowed: mask,
            ..*seen
        })
        .collect()
}
