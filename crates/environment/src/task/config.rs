//! A task as a configuration file says it.

use std::collections::BTreeMap;

use crystalgym_crystal::Element;
use crystalgym_evaluation::Property;
use serde::{Deserialize, Serialize};

use crate::{
    ActionSet, EnvironmentError, RewardForm,
    process::{ProcessName, StartCrystal},
};

/// What a task is made of, as a configuration file says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskConfig {
    /// Skeletons: labels (`C2`), MP-20 rows, Materials Project identifiers, plain names, or
    /// structure files. One is drawn for each episode.
    pub skeletons: Vec<String>,
    /// `small`, `medium` or `large`; ignored if `elements` is not empty.
    pub actions: String,
    /// An action set of one's own, in order.
    pub elements: Vec<Element>,
    /// Property to aim at.
    pub property: Property,
    /// Its target, in its unit.
    pub target: f64,
    /// `final` (what the crystal at the end earns) or `difference` (that less what the crystal at the
    /// start earns; for processes that start from one).
    #[serde(skip_serializing_if = "is_default")]
    pub reward_form: RewardForm,
    /// `filling` (empty sites get their elements), `substitution` (the elements of a complete
    /// crystal are replaced site by site) or `improvement` (the same on sites that the agent
    /// chooses).
    pub process: ProcessName,
    /// What substitution and improvement start from: `"random"` elements, the skeleton's own
    /// `"material"`, the best crystal that is `"stored"`, or a list with one element for each site,
    /// or one such list for each skeleton.
    pub start_crystal: StartCrystal,
    /// Actions of an episode of substitution or improvement; as many as there are sites if absent.
    #[serde(skip_serializing_if = "is_default")]
    pub steps: Option<usize>,
    /// Site at which every traversal starts; drawn for each episode if absent.
    pub start_site: Option<usize>,
    /// Whether an odd number of electrons ends a band-gap episode with its failure reward at once,
    /// without asking the calculator.
    pub odd_electrons_fail_at_once: bool,
    /// Elements allowed on single sites (`"3" = ["F", "Cl"]`); all elsewhere.
    pub allowed: BTreeMap<String, Vec<Element>>,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self {
            skeletons: vec!["C2".to_owned()],
            actions: "small".to_owned(),
            elements: Vec::new(),
            property: Property::Density,
            target: 3.0,
            reward_form: RewardForm::default(),
            process: ProcessName::Filling,
            start_crystal: StartCrystal::default(),
            steps: None,
            start_site: None,
            odd_electrons_fail_at_once: false,
            allowed: BTreeMap::new(),
        }
    }
}

/// What is as always is not written down, so that a task is written as it always was.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TaskConfig {
    /// The elements to choose from.
    ///
    /// # Errors
    /// [`EnvironmentError`] that names what is none.
    pub fn action_set(&self) -> Result<ActionSet, EnvironmentError> {
        match self.elements.is_empty() {
            true => ActionSet::published(&self.actions),
            false => ActionSet::custom(self.elements.clone()),
        }
    }
}
