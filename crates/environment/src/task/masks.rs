//! Which elements a task allows on which sites.

use std::sync::Arc;

use crystalgym_crystal::{Element, Skeleton};

use super::config::TaskConfig;
use crate::{ActionSet, EnvironmentError, error::invalid_task};

/// Allowed elements by skeleton and site, none if nothing is restricted. A site that several names
/// stand for has the elements that all of them allow.
///
/// # Errors
/// [`EnvironmentError::InvalidTask`] for a site or an element that there is not, and for a site on
/// which nothing is left.
pub(super) fn site_masks(
    config: &TaskConfig,
    actions: &ActionSet,
    skeletons: &[Arc<Skeleton>],
) -> Result<Vec<Vec<Vec<bool>>>, EnvironmentError> {
    if config.allowed.is_empty() {
        return Ok(Vec::new());
    }
    let everything = |skeleton: &Arc<Skeleton>| vec![vec![true; actions.len()]; skeleton.sites()];
    let mut masks: Vec<_> = skeletons.iter().map(everything).collect();
    for (name, elements) in &config.allowed {
        let of_skeleton = |skeleton: &Arc<Skeleton>| {
            let sites = skeleton.sites_named(name);
            sites.map_err(|error| invalid_task("allowed", format!("allowed: {error}")))
        };
        let sites: Vec<Vec<usize>> = skeletons
            .iter()
            .map(of_skeleton)
            .collect::<Result<_, _>>()?;
        let field = format!("allowed.{name}");
        let mask = mask(&field, elements, actions)?;
        for ((skeleton, sites), masks) in skeletons.iter().zip(sites).zip(&mut masks) {
            for site in sites {
                let both = masks[site].iter().zip(&mask).map(|(a, b)| *a && *b);
                masks[site] = both.collect();
                if !masks[site].contains(&true) {
                    let message = format!(
                        "{field} leaves no element on site {site} of {}, which another name \
                         restricts too",
                        skeleton.label
                    );
                    return Err(invalid_task(&field, message));
                }
            }
        }
    }
    Ok(masks)
}

/// Which elements of the action set are in a list.
fn mask(
    field: &str,
    elements: &[Element],
    actions: &ActionSet,
) -> Result<Vec<bool>, EnvironmentError> {
    let mut mask = vec![false; actions.len()];
    for element in elements {
        let action = actions.action_of(*element).ok_or_else(|| {
            let set = actions.name();
            let message = format!("{field}: {element} is not in the action set {set}");
            invalid_task(field, message)
        })?;
        mask[usize::from(action)] = true;
    }
    match elements.is_empty() {
        true => {
            let message = format!("{field} is empty, expected at least one element");
            Err(invalid_task(field, message))
        }
        false => Ok(mask),
    }
}
