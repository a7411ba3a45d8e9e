//! What the model reads of an episode.

use std::sync::Arc;

use crystalgym_environment::{State, Task};
use crystalgym_evaluation::Property;
use crystalgym_language::{CrystalText, CrystalTokenizer, Described, described};

use crate::AgentError;

use super::failure::language_error;

/// What a prompt depends on: skeleton, start site and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PromptKey {
    pub(super) skeleton: usize,
    pub(super) start: usize,
    target_bits: u64,
}

impl PromptKey {
    pub(super) fn of_state(state: &State, target: f64) -> Self {
        Self {
            skeleton: state.skeleton.into(),
            start: state.start.into(),
            target_bits: target.to_bits(),
        }
    }

    fn target(self) -> f64 {
        f64::from_bits(self.target_bits)
    }
}

/// Writes prompts for the crystals of a task.
#[derive(Clone)]
pub(super) struct Prompts {
    pub(super) task: Arc<Task>,
    pub(super) tokenizer: Arc<CrystalTokenizer>,
    target_in_prompt: bool,
}

impl Prompts {
    pub(super) fn new(
        task: Arc<Task>,
        tokenizer: Arc<CrystalTokenizer>,
        target_in_prompt: bool,
    ) -> Self {
        Self {
            task,
            tokenizer,
            target_in_prompt,
        }
    }

    /// The tokens of a prompt: the sites come in the order in which they are filled.
    pub(super) fn tokens(&self, key: PromptKey) -> Result<Vec<u32>, AgentError> {
        let board = self.task.board();
        let skeleton = &board.skeletons()[key.skeleton];
        let order = board.traversal(key.skeleton, key.start);
        let places = order
            .iter()
            .map(|&site| skeleton.frac_coords[usize::from(site)]);
        let text = CrystalText::new(&skeleton.lattice, places);
        let told = self
            .target_in_prompt
            .then(|| target_text(self.task.property(), key.target()));
        self.tokenizer
            .encode(&text.prompt(told.as_ref()))
            .map_err(|error| language_error(&error))
    }

    /// The tokens of the elements that actions stand for.
    pub(super) fn completion(&self, actions: impl IntoIterator<Item = usize>) -> Vec<u32> {
        let elements = self.task.elements().elements();
        let tokens = actions
            .into_iter()
            .map(|action| self.tokenizer.element(elements[action]));
        tokens.collect()
    }

    /// For each action the place of its element among the tokens of elements.
    pub(super) fn places(&self) -> Vec<usize> {
        let elements = self.task.elements().elements().iter();
        elements
            .map(|element| usize::from(element.atomic_number()) - 1)
            .collect()
    }
}

/// The target as prompts tell properties.
fn target_text(property: Property, target: f64) -> Described {
    match property {
        Property::Density => described("density", target),
        Property::BandGap => described("band gap", target),
        other => described(&other.name().replace('_', " "), target),
    }
}
