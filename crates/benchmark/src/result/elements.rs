//! The elements that a task chooses from.

use crystalgym_crystal::Element;
use crystalgym_environment::{ActionSet, EnvironmentError, TaskConfig};

/// The elements of a task's action set, in ascending order.
pub(super) fn action_elements(task: &TaskConfig) -> Result<Vec<Element>, EnvironmentError> {
    Ok(sorted(task.action_set()?.elements()))
}

/// Fingerprints list elements as they come.
pub(super) fn sorted(elements: &[Element]) -> Vec<Element> {
    let mut elements = elements.to_vec();
    elements.sort_unstable();
    elements
}

/// The elements of a task that has others than those of its named action set, in ascending order.
pub(super) fn own_elements(task: &TaskConfig) -> Option<String> {
    let named = ActionSet::published(&task.actions).ok()?;
    let own = action_elements(task).ok()?;
    let symbols: Vec<&str> = own.iter().map(|element| element.symbol()).collect();
    (own != sorted(named.elements())).then(|| symbols.join(" "))
}
