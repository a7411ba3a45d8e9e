//! What substitution starts from, checked against the task.

use std::sync::Arc;

use crystalgym_crystal::{Element, Skeleton};

use super::config::TaskConfig;
use crate::{
    Board, EnvironmentError,
    error::invalid_task,
    process::{Filling, NamedStart, Process, ProcessName, StartCrystal, Substitution},
};

/// The process that a configuration names.
///
/// # Errors
/// [`EnvironmentError::InvalidTask`] for a start that the process or the board cannot have.
pub(super) fn process(
    config: &TaskConfig,
    board: &Board,
) -> Result<Arc<dyn Process>, EnvironmentError> {
    match config.process {
        ProcessName::Filling if config.start_crystal == StartCrystal::default() => {
            Ok(Arc::new(Filling))
        }
        ProcessName::Filling => {
            let message = "is for process = \"substitution\": filling starts from empty sites";
            Err(invalid_start(message.to_owned()))
        }
        ProcessName::Substitution => {
            let skeletons = board.skeletons().iter();
            let starts = skeletons.map(|skeleton| start(&config.start_crystal, board, skeleton));
            Ok(Arc::new(Substitution::new(
                starts.collect::<Result<_, _>>()?,
            )))
        }
    }
}

/// What the sites of a skeleton hold at the start, `None` if that is random.
fn start(
    crystal: &StartCrystal,
    board: &Board,
    skeleton: &Skeleton,
) -> Result<Option<Box<[u8]>>, EnvironmentError> {
    let (label, sites) = (&skeleton.label, skeleton.sites());
    let elements: &[Element] = match crystal {
        StartCrystal::Named(NamedStart::Random) => return Ok(None),
        StartCrystal::Named(NamedStart::Material) => {
            let known = skeleton.source.elements.as_deref();
            known.ok_or_else(|| {
                let message = format!("is \"material\", but that of skeleton {label} is not known");
                invalid_start(message)
            })?
        }
        StartCrystal::Elements(elements) => elements,
    };
    if elements.len() != sites {
        let found = elements.len();
        let message = format!("has {found} elements, expected {sites}, the sites of {label}");
        return Err(invalid_start(message));
    }
    let node_type = |(site, element): (usize, &Element)| {
        let node_type = board.elements().action_of(*element).ok_or_else(|| {
            let set = board.elements().name();
            invalid_start(format!(
                "puts {element} on site {site} of {label}, which is not in the action set {set}"
            ))
        })?;
        match board.allowed_at(site)[usize::from(node_type)] {
            true => Ok(node_type),
            false => Err(invalid_start(format!(
                "puts {element} on site {site} of {label}, where the task does not allow it"
            ))),
        }
    };
    let node_types = elements.iter().enumerate().map(node_type);
    node_types.collect::<Result<_, _>>().map(Some)
}

fn invalid_start(message: String) -> EnvironmentError {
    invalid_task("start_crystal", format!("start_crystal {message}"))
}
