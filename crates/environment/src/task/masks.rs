//! Which elements a task allows on which sites.

use super::config::TaskConfig;
use crate::{ActionSet, EnvironmentError, error::invalid_task};

/// Allowed elements of the first sites, none if nothing is restricted.
///
/// # Errors
/// [`EnvironmentError::InvalidTask`] for a site or an element that there is not.
pub(super) fn site_masks(
    config: &TaskConfig,
    actions: &ActionSet,
    fewest_sites: usize,
) -> Result<Vec<Vec<bool>>, EnvironmentError> {
    if config.allowed.is_empty() {
        return Ok(Vec::new());
    }
    let mut masks = vec![vec![true; actions.len()]; fewest_sites];
    for (site_text, elements) in &config.allowed {
        let field = format!("allowed.{site_text}");
        let site: usize = site_text
            .parse()
            .ok()
            .filter(|site| *site < fewest_sites)
            .ok_or_else(|| {
                let last = fewest_sites - 1;
                let message = format!("allowed: '{site_text}' is no site, expected 0 to {last}");
                invalid_task("allowed", message)
            })?;
        let mut mask = vec![false; actions.len()];
        for element in elements {
            let action = actions.action_of(*element).ok_or_else(|| {
                let set = actions.name();
                let message = format!("{field}: {element} is not in the action set {set}");
                invalid_task(&field, message)
            })?;
            mask[usize::from(action)] = true;
        }
        if elements.is_empty() {
            let message = format!("{field} is empty, expected at least one element");
            return Err(invalid_task(&field, message));
        }
        masks[site] = mask;
    }
    Ok(masks)
}
