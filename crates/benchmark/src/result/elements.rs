//! The elements that a task chooses from.

use crystalgym_crystal::Element;
use crystalgym_environment::{EnvironmentError, TaskConfig};

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
