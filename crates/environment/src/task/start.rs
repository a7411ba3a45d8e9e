//! What substitution and improvement start from, checked against the task.

use std::{ops::RangeInclusive, sync::Arc};

use crystalgym_crystal::{Element, Skeleton};

use super::config::TaskConfig;
use crate::{
    Board, EnvironmentError, RewardForm,
    error::invalid_task,
    process::{Filling, Improvement, NamedStart, Process, ProcessName, StartCrystal, Substitution},
};

/// Actions of an episode, where a configuration names them.
const STEPS: RangeInclusive<usize> = 1..=10_000;
/// Actions are numbered in 16 bits.
const MOST_ACTIONS: usize = 1 << 16;

/// The process that a configuration names.
///
/// # Errors
/// [`EnvironmentError::InvalidTask`] for a start or a number of steps that the process or the board
/// cannot have.
pub(super) fn process(
    config: &TaskConfig,
    board: &Board,
) -> Result<Arc<dyn Process>, EnvironmentError> {
    let steps = config.steps;
    if let Some(steps) = steps.filter(|steps| !STEPS.contains(steps)) {
        let (least, most) = (STEPS.start(), STEPS.end());
        let message = format!("steps is {steps}, expected {least} to {most}");
        return Err(invalid_task("steps", message));
    }
    match config.process {
        ProcessName::Filling => {
            let unknown = [
                (steps.is_some(), "steps"),
                (
                    config.start_crystal != StartCrystal::default(),
                    "start_crystal",
                ),
                (
                    config.reward_form == RewardForm::Difference,
                    "reward_form = \"difference\"",
                ),
            ];
            match unknown.into_iter().find(|(is_there, _)| *is_there) {
                None => Ok(Arc::new(Filling)),
                Some((_, name)) => Err(invalid_task(
                    name.split(' ').next().unwrap_or(name),
                    format!(
                        "{name} is for process = \"substitution\" or \"improvement\": filling starts \
                         from empty sites and fills each once"
                    ),
                )),
            }
        }
        ProcessName::Substitution => Ok(Arc::new(Substitution::new(starts(config, board)?, steps))),
        ProcessName::Improvement => {
            let process = Improvement::new(starts(config, board)?, steps, board);
            let found = process.n_actions(board);
            if found > MOST_ACTIONS {
                let message = format!(
                    "process is \"improvement\" with {found} pairs of a site and an element, expected \
                     at most {MOST_ACTIONS}"
                );
                return Err(invalid_task("process", message));
            }
            Ok(Arc::new(process))
        }
    }
}

/// What the sites of each skeleton hold at the start, `None` if that is random.
fn starts(config: &TaskConfig, board: &Board) -> Result<Vec<Option<Box<[u8]>>>, EnvironmentError> {
    let skeletons = board.skeletons();
    if let StartCrystal::EachSkeleton(lists) = &config.start_crystal
        && lists.len() != skeletons.len()
    {
        let (found, expected) = (lists.len(), skeletons.len());
        let message = format!("has {found} lists, expected {expected}, one for each skeleton");
        return Err(invalid_start(message));
    }
    let each = skeletons.iter().enumerate();
    each.map(|(index, skeleton)| start(&config.start_crystal, board, index, skeleton))
        .collect()
}

/// What the sites of a skeleton hold at the start, `None` if that is random.
fn start(
    crystal: &StartCrystal,
    board: &Board,
    index: usize,
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
        StartCrystal::Named(NamedStart::Stored) => {
            let message = "is \"stored\", which nobody has looked up: a task has no store";
            return Err(invalid_start(message.to_owned()));
        }
        StartCrystal::Elements(elements) => elements,
        StartCrystal::EachSkeleton(lists) => &lists[index],
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
        match board.allowed_at(index, site)[usize::from(node_type)] {
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
