//! Actions that leave an even number of electrons.

use std::borrow::Cow;

use crystalgym_environment::{Observation, Task};

/// The allowed actions without those that end an episode with an odd number of electrons; all of
/// them where the property does not need filled bands, where the episode goes on, or where nothing
/// else is left.
pub(crate) fn even_actions<'a>(task: &Task, seen: &Observation<'a>) -> Cow<'a, [bool]> {
    if !task.needs_pairs() || seen.step + 1 != seen.steps {
        return Cow::Borrowed(seen.allowed);
    }
    // An empty site has no electrons yet.
    let protons = |node_type: u8| {
        let element = seen.elements.get(usize::from(node_type));
        element.map_or(0, |element| u32::from(element.atomic_number()))
    };
    let before: u32 = seen
        .node_types
        .iter()
        .map(|&node_type| protons(node_type))
        .sum();
    let even: Vec<bool> = (seen.allowed.iter().enumerate())
        .map(|(action, allowed)| {
            let (site, put) = task.process().placement(seen.focus, action as u16);
            let taken = seen.node_types.get(site).map_or(0, |&old| protons(old));
            *allowed && (before - taken + protons(put)).is_multiple_of(2)
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
