//! A playable task: board, process and objective.

mod config;
mod masks;
mod seen;
mod skeletons;
mod start;
mod written_target;
mod written_terms;

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Skeleton};
use crystalgym_evaluation::{Failure, FailureCode, Outcome, Property};
use rand_pcg::Pcg64;

pub use self::{
    config::TaskConfig,
    skeletons::{file_label, find_skeleton},
};

use self::{masks::site_masks, skeletons::with_distinct_labels};
use crate::{
    Action, ActionSet, Board, CustomReward, EnvironmentError, Objective, Observation, State,
    error::invalid_task,
    process::{Process, ProcessName},
    random::uniform_below,
    terms::Terms,
};

const MOST_SKELETONS: usize = 1000;

/// A playable task: everything that does not change from episode to episode.
#[derive(Debug, Clone)]
pub struct Task {
    board: Board,
    process: Arc<dyn Process>,
    process_name: ProcessName,
    steps: Option<usize>,
    objective: Objective,
    terms: Option<Arc<Terms>>,
    odd_electrons_fail_at_once: bool,
}

impl Task {
    /// Builds a task, reading structure files where it names any.
    ///
    /// # Errors
    /// [`EnvironmentError`] that names the field and the value.
    pub fn new(config: &TaskConfig) -> Result<Self, EnvironmentError> {
        let skeletons = config.skeletons.iter();
        let skeletons = skeletons.map(|name| find_skeleton(name));
        Self::with_skeletons(config, skeletons.collect::<Result<_, _>>()?)
    }

    /// Builds a task on these skeletons, whatever names the configuration has for them.
    ///
    /// # Errors
    /// [`EnvironmentError`] that names the field and the value.
    pub fn with_skeletons(
        config: &TaskConfig,
        skeletons: Vec<Arc<Skeleton>>,
    ) -> Result<Self, EnvironmentError> {
        let elements = config.action_set()?;
        let invalid = |field: &str, message: String| Err(invalid_task(field, message));
        let Some(fewest_sites) = skeletons.iter().map(|skeleton| skeleton.sites()).min() else {
            let message = "skeletons is empty, expected at least one";
            return invalid("skeletons", message.to_owned());
        };
        let [least, most] = config.property.facts().targets;
        if !(least..=most).contains(&config.target) {
            let message = format!(
                "target is {}, expected a number from {least:?} to {most:?}",
                config.target
            );
            return invalid("target", message);
        }
        let most = match least > 0.0 {
            true => config.target,
            false => most,
        };
        if !(0.0..=most).contains(&config.tolerance) {
            let what = match least > 0.0 {
                true => "the target, ",
                false => "",
            };
            let message = format!(
                "tolerance is {}, expected a number from 0 to {what}{most}",
                config.tolerance
            );
            return invalid("tolerance", message);
        }
        if skeletons.len() > MOST_SKELETONS {
            let found = skeletons.len();
            let message = format!("skeletons has {found} members, expected 1 to {MOST_SKELETONS}");
            return invalid("skeletons", message);
        }
        if let Some(site) = config.start_site.filter(|site| *site >= fewest_sites) {
            let message = format!("start_site is {site}, expected 0 to {}", fewest_sites - 1);
            return invalid("start_site", message);
        }
        let allowed = site_masks(config, &elements, &skeletons)?;
        let skeletons = with_distinct_labels(skeletons);
        let board = Board::new(skeletons, elements, config.start_site, allowed);
        let terms = config.objective.clone();
        let terms = terms.map(|terms| Arc::new(terms.about(config.target)));
        let objective = Objective::new(config.property, config.target);
        let objective = match &terms {
            None => objective.with_tolerance(config.tolerance),
            Some(terms) => objective.with_reward(Arc::clone(terms) as Arc<dyn CustomReward>),
        };
        Ok(Self {
            process: start::process(config, &board)?,
            process_name: config.process,
            steps: config.steps,
            board,
            objective: objective.with_form(config.reward_form),
            terms,
            odd_electrons_fail_at_once: config.odd_electrons_fail_at_once,
        })
    }

    /// The same task with another objective, such as a reward of one's own.
    #[must_use]
    pub fn with_objective(self, objective: Objective) -> Self {
        Self {
            objective,
            terms: None,
            ..self
        }
    }

    /// Skeletons, elements, and which of them may stand where.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// How an episode makes a crystal.
    pub fn process(&self) -> &dyn Process {
        self.process.as_ref()
    }

    /// The name of that.
    pub fn process_name(&self) -> ProcessName {
        self.process_name
    }

    /// Actions of an episode, `None` if there are as many as sites.
    pub fn steps(&self) -> Option<usize> {
        self.steps
    }

    /// Property, target and reward.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The terms of an objective of several; `None` of one property.
    pub fn terms(&self) -> Option<&Arc<Terms>> {
        self.terms.as_ref()
    }

    /// Whether an odd number of electrons makes a calculation fail.
    pub fn needs_pairs(&self) -> bool {
        match &self.terms {
            Some(terms) => terms.needs_pairs(),
            None => self.property().facts().fixed_occupations,
        }
    }

    /// Whether the primitive cell of a skeleton's complete filling has an odd number of electrons, which
    /// fill no bands in pairs. Elements are those of node types; protons tell, since crystals are
    /// neutral.
    pub fn has_odd_electrons(&self, skeleton: usize, node_types: &[u8]) -> bool {
        let elements = self.elements().elements();
        let protons = node_types.iter().map(|&node_type| {
            let element = elements.get(usize::from(node_type));
            element.map_or(0, |element| usize::from(element.atomic_number()))
        });
        let cells = self.skeletons()[skeleton]
            .symmetry
            .primitive_cells(node_types);
        protons.sum::<usize>() / cells % 2 == 1
    }

    /// Skeletons that episodes are drawn from.
    pub fn skeletons(&self) -> &[Arc<Skeleton>] {
        self.board.skeletons()
    }

    /// The elements to choose from.
    pub fn elements(&self) -> &ActionSet {
        self.board.elements()
    }

    /// Number of actions of an agent.
    pub fn n_actions(&self) -> usize {
        self.process.n_actions(&self.board)
    }

    /// The property to aim at.
    pub fn property(&self) -> Property {
        self.objective.property()
    }

    /// The target of new episodes, in the property's unit; of a range the middle. It is what is seen of
    /// the objective: how wide a range is belongs to the task, and is the same in all its episodes.
    pub fn target(&self) -> f64 {
        self.objective.target()
    }

    /// The start of an episode: which skeleton and where its traversal starts are drawn uniformly,
    /// the skeleton first, then what the process draws.
    pub fn initial_state(&self, rng: &mut Pcg64) -> State {
        let skeleton = match self.skeletons().len() {
            1 => 0,
            count => uniform_below(rng, count),
        };
        self.initial_state_on(skeleton, rng)
    }

    /// The start of an episode on one of the task's skeletons; all else is drawn.
    pub fn initial_state_on(&self, skeleton: usize, rng: &mut Pcg64) -> State {
        let sites = self.board.sites(skeleton);
        let start = self.board.start_site();
        let start = start.unwrap_or_else(|| uniform_below(rng, sites));
        State {
            skeleton: skeleton as u16,
            start: start as u16,
            step: 0,
            node_types: self.process.initial_sites(&self.board, skeleton, rng),
        }
    }

    /// Actions of a whole episode from a start.
    pub fn length(&self, start: &State) -> usize {
        self.process.length(start.node_types.len())
    }

    /// Whether an action can be taken.
    ///
    /// # Errors
    /// As [`Process::check`].
    pub fn check(&self, state: &State, action: i64) -> Result<Action, EnvironmentError> {
        self.process.check(&self.board, state, action)
    }

    /// Takes an action, and returns it as it is recorded.
    ///
    /// # Errors
    /// As [`Process::check`]; the state is then unchanged.
    pub fn apply(&self, state: &mut State, action: i64) -> Result<Action, EnvironmentError> {
        self.process.take(&self.board, state, action)
    }

    /// Whether an episode is over.
    pub fn is_terminal(&self, state: &State) -> bool {
        self.process.is_terminal(state)
    }

    /// Which actions are allowed in a state.
    pub fn allowed(&self, state: &State) -> &[bool] {
        let focus = self.process.focus(&self.board, state);
        self.process
            .allowed(&self.board, state.skeleton.into(), focus)
    }

    /// What is seen of a state.
    pub fn observe<'a>(&'a self, state: &'a State) -> Observation<'a> {
        self.observe_for(state, self.target())
    }

    /// The same for another target of the property.
    pub fn observe_for<'a>(&'a self, state: &'a State, target: f64) -> Observation<'a> {
        let skeleton = usize::from(state.skeleton);
        let focus = self.process.focus(&self.board, state);
        Observation {
            skeleton,
            node_types: &state.node_types,
            elements: self.elements().elements(),
            focus,
            traversal: Some(self.board.seen_traversal(skeleton, state.start.into())),
            step: state.step.into(),
            steps: self.length(state),
            target,
            allowed: self.process.allowed(&self.board, skeleton, focus),
        }
    }

    /// Whether a state, read from a file, can be one of this task.
    pub fn can_hold(&self, state: &State) -> bool {
        let skeleton = self.skeletons().get(usize::from(state.skeleton));
        skeleton.is_some_and(|skeleton| {
            let sites = skeleton.sites();
            state.node_types.len() == sites
                && usize::from(state.start) < sites
                && usize::from(state.step) <= self.process.length(sites)
                && self.process.can_hold(&self.board, state)
        })
    }

    /// The crystal that a complete list of node types (in site order) stands for.
    ///
    /// # Errors
    /// As [`Board::crystal`].
    pub fn crystal(&self, skeleton: usize, node_types: &[u8]) -> Result<Crystal, EnvironmentError> {
        self.board.crystal(skeleton, node_types)
    }

    /// What the task says of a crystal without asking the calculator: with
    /// `odd_electrons_fail_at_once`, the failure of a property that needs filled bands where the
    /// number of electrons is odd.
    pub fn known_outcome(&self, crystal: &Crystal) -> Option<Outcome> {
        let fails =
            self.odd_electrons_fail_at_once && self.needs_pairs() && has_odd_electrons(crystal);
        fails.then(|| {
            Outcome::Failure(Failure::new(
                FailureCode::OddElectronCount,
                "an odd number of electrons cannot fill bands in pairs",
            ))
        })
    }
}

/// Cores hold pairs of electrons, so the valence electrons are odd in number exactly if the atomic
/// numbers sum to an odd number.
fn has_odd_electrons(crystal: &Crystal) -> bool {
    let elements = crystal.elements().iter();
    let electrons: u32 = elements.map(|e| u32::from(e.atomic_number())).sum();
    electrons % 2 == 1
}

#[cfg(test)]
mod tests;
