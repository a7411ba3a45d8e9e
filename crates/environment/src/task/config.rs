//! A task as a configuration file says it.

use std::collections::BTreeMap;

use crystalgym_crystal::Element;
use crystalgym_evaluation::Property;
use serde::{Deserialize, Serialize};

use super::written_target::{DEFAULT_PROPERTY, WrittenTarget, aim};
use crate::{
    ActionSet, EnvironmentError, RewardForm,
    error::invalid_task,
    process::{ProcessName, StartCrystal},
    terms::{Aim, Terms},
};

/// What a task is made of, as a configuration file says it.
///
/// What a file leaves out has a default; the target that of its property, the first that was
/// published. `target = [1.4, 1.6]` or `"1.4..1.6"` is a range: its middle with half its width as
/// `tolerance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TaskFields")]
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
    /// Its target, in its unit; of a range the middle.
    pub target: f64,
    /// How far from the target a value still has the best reward, in the same unit.
    #[serde(skip_serializing_if = "is_zero")]
    pub tolerance: f64,
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
    /// Elements allowed on sites (`"3" = ["F", "Cl"]`, `Cs = ["Cs", "Rb"]`), named as in
    /// [`Skeleton::sites_named`](crystalgym_crystal::Skeleton::sites_named); all elsewhere.
    pub allowed: BTreeMap<String, Vec<Element>>,
    /// Several properties to aim at, with a target, a bound or a direction each. `property` and `target`
    /// are then those of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<Terms>,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self {
            skeletons: vec!["C2".to_owned()],
            actions: "small".to_owned(),
            elements: Vec::new(),
            property: DEFAULT_PROPERTY,
            target: 3.0,
            tolerance: 0.0,
            reward_form: RewardForm::default(),
            process: ProcessName::Filling,
            start_crystal: StartCrystal::default(),
            steps: None,
            start_site: None,
            odd_electrons_fail_at_once: false,
            allowed: BTreeMap::new(),
            objective: None,
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

/// The members of [`TaskConfig`] as they are written: what is absent has the default of
/// [`TaskConfig::default`], the target that of its property.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TaskFields {
    skeletons: Vec<String>,
    actions: String,
    elements: Vec<Element>,
    property: Option<Property>,
    target: Option<WrittenTarget>,
    tolerance: Option<f64>,
    reward_form: RewardForm,
    process: ProcessName,
    start_crystal: StartCrystal,
    steps: Option<usize>,
    start_site: Option<usize>,
    odd_electrons_fail_at_once: bool,
    allowed: BTreeMap<String, Vec<Element>>,
    objective: Option<Terms>,
}

impl Default for TaskFields {
    fn default() -> Self {
        let task = TaskConfig::default();
        Self {
            skeletons: task.skeletons,
            actions: task.actions,
            elements: task.elements,
            property: None,
            target: None,
            tolerance: None,
            reward_form: task.reward_form,
            process: task.process,
            start_crystal: task.start_crystal,
            steps: task.steps,
            start_site: task.start_site,
            odd_electrons_fail_at_once: task.odd_electrons_fail_at_once,
            allowed: task.allowed,
            objective: None,
        }
    }
}

impl TryFrom<TaskFields> for TaskConfig {
    type Error = EnvironmentError;

    fn try_from(fields: TaskFields) -> Result<Self, EnvironmentError> {
        let (property, target, tolerance) = match &fields.objective {
            None => {
                let (target, tolerance) = aim(fields.property, fields.target, fields.tolerance)?;
                let property = fields.property.unwrap_or(DEFAULT_PROPERTY);
                (property, target, tolerance)
            }
            Some(terms) => aim_of_first(terms, &fields)?,
        };
        Ok(Self {
            skeletons: fields.skeletons,
            actions: fields.actions,
            elements: fields.elements,
            property,
            target,
            tolerance,
            reward_form: fields.reward_form,
            process: fields.process,
            start_crystal: fields.start_crystal,
            steps: fields.steps,
            start_site: fields.start_site,
            odd_electrons_fail_at_once: fields.odd_electrons_fail_at_once,
            allowed: fields.allowed,
            objective: fields.objective,
        })
    }
}

/// Property, number and tolerance of the first term, from which those beside the objective, if there
/// are any, may not differ.
fn aim_of_first(
    terms: &Terms,
    fields: &TaskFields,
) -> Result<(Property, f64, f64), EnvironmentError> {
    let first = terms.first();
    let tolerance = match first.aim {
        Aim::Target { tolerance, .. } => tolerance,
        Aim::AtMost(_) | Aim::AtLeast(_) | Aim::Minimise | Aim::Maximise => 0.0,
    };
    let differs = |field: &str, found: String, expected: String| {
        Err(invalid_task(
            field,
            format!(
                "{field} is {found}, but the first term of objective has {expected}: leave it out"
            ),
        ))
    };
    if let Some(property) = fields.property.filter(|found| *found != first.property) {
        return differs("property", property.to_string(), first.property.to_string());
    }
    match fields.target {
        Some(WrittenTarget::Value(target)) if target == first.number() => {}
        None => {}
        Some(target) => return differs("target", target.to_string(), first.number().to_string()),
    }
    if let Some(found) = fields.tolerance.filter(|found| *found != tolerance) {
        return differs("tolerance", found.to_string(), tolerance.to_string());
    }
    Ok((first.property, first.number(), tolerance))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn aim_of(task: serde_json::Value) -> Result<(f64, f64), String> {
        let task: Result<TaskConfig, _> = serde_json::from_value(task);
        task.map(|task| (task.target, task.tolerance))
            .map_err(|error| error.to_string())
    }

    /// Oracle: the paper's Table 1.
    #[test]
    fn a_property_brings_its_own_target() {
        for (property, target) in [
            ("density", 3.0),
            ("band_gap", 1.12),
            ("bulk_modulus", 300.0),
        ] {
            assert_eq!(aim_of(json!({ "property": property })), Ok((target, 0.0)));
        }
        let error = aim_of(json!({ "property": "shear_modulus" })).unwrap_err();
        assert!(
            error.contains("target is missing: none was published for shear_modulus"),
            "{error}"
        );
        let error = aim_of(json!({ "target": 1.5 })).unwrap_err();
        assert!(
            error.contains("target is 1.5 without a property"),
            "{error}"
        );
        assert_eq!(aim_of(json!({})), Ok((3.0, 0.0)));
    }

    /// Oracle: by hand.
    #[test]
    fn a_range_is_its_middle_and_half_its_width() {
        let gap =
            |target: serde_json::Value| aim_of(json!({ "property": "band_gap", "target": target }));
        assert_eq!(gap(json!([1.0, 2.0])), Ok((1.5, 0.5)));
        assert_eq!(gap(json!("1..2")), Ok((1.5, 0.5)));
        assert_eq!(gap(json!("0.5 .. 1.5")), Ok((1.0, 0.5)));
        assert_eq!(gap(json!(2)), Ok((2.0, 0.0)));
        let (middle, half) = gap(json!([1.4, 1.6])).unwrap();
        assert!(middle - half <= 1.4 && middle + half >= 1.6 && half < 0.1 + 1e-12);
        for bad in [
            json!([2.0, 1.0]),
            json!([1.0]),
            json!("wide"),
            json!([-1.0, 1.0]),
        ] {
            let error = gap(bad).unwrap_err();
            assert!(error.contains("range"), "{error}");
        }
        let both = json!({ "property": "band_gap", "target": [1, 2], "tolerance": 0.1 });
        assert!(aim_of(both).unwrap_err().contains("expected one of them"));
        let tolerant = json!({ "property": "band_gap", "tolerance": 0.1 });
        assert_eq!(aim_of(tolerant), Ok((1.12, 0.1)));
    }

    /// What a range was read as is written as a number and a tolerance, and reads back to itself;
    /// a task without one is written as ever.
    #[test]
    fn a_task_reads_back_to_itself() {
        let text = json!({ "property": "band_gap", "target": "1..2" });
        let task: TaskConfig = serde_json::from_value(text).unwrap();
        let written = serde_json::to_value(&task).unwrap();
        assert_eq!(
            (&written["target"], &written["tolerance"]),
            (&json!(1.5), &json!(0.5))
        );
        assert_eq!(serde_json::from_value::<TaskConfig>(written).unwrap(), task);
        let plain = serde_json::to_value(TaskConfig::default()).unwrap();
        assert!(plain.get("tolerance").is_none());
    }
}
