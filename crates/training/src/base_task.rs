//! The task under what a configuration says of it, so that each key changes itself alone.

use crystalgym_crystal::Element;
use crystalgym_environment::TaskConfig;
use crystalgym_evaluation::Property;
use toml::{Table, Value};

/// What is trained when nobody says what: cubic perovskites ABX₃ on C2 with a band gap of 3 eV.
///
/// A is an alkali metal, B an alkaline earth metal, and each X is H, Cl or Br, so that electrons
/// always pair up. That makes 160 different crystals, each computed once: a first run by density
/// functional theory that takes minutes and can be compared with the best of all.
pub fn first_task() -> TaskConfig {
    let (a, b, x) = ("Li Na K Rb", "Be Mg Ca Sr", "H Cl Br");
    let elements = |symbols: &str| -> Vec<Element> {
        let symbols = symbols.split_whitespace();
        symbols.filter_map(|symbol| symbol.parse().ok()).collect()
    };
    let sites = [a, b, x, x, x].map(elements);
    TaskConfig {
        skeletons: vec!["C2".to_owned()],
        elements: elements(&[a, b, x].join(" ")),
        property: Property::BandGap,
        target: 3.0,
        allowed: (0..)
            .map(|site: usize| site.to_string())
            .zip(sites)
            .collect(),
        ..TaskConfig::default()
    }
}

/// Takes out of a task's table what belongs to something that is said anew:
///
/// - the target and its tolerance belong to the property: another property has its own target;
/// - a tolerance belongs to a target that is a number: a range has its own;
/// - `elements` and `allowed` belong to the skeletons and actions that they were chosen for;
/// - an objective of several terms has its own property and target, and a property has no such
///   objective.
pub(crate) fn without_what_belongs_to_other_settings(base: &mut Table, said: &Table) {
    let is_range = |target: &Value| target.is_array() || target.is_str();
    if said.get("target").is_some_and(is_range) {
        base.remove("tolerance");
    }
    if ["skeletons", "actions", "elements"]
        .iter()
        .any(|key| said.contains_key(*key))
    {
        base.remove("elements");
        base.remove("allowed");
    }
    if said.contains_key("objective") {
        for key in ["property", "target", "tolerance"] {
            base.remove(key);
        }
    } else if said.contains_key("property") {
        base.remove("objective");
    }
    if let Some(property) = said.get("property")
        && base.get("property") != Some(property)
    {
        base.remove("tolerance");
        if !said.contains_key("target") {
            base.remove("target");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfigLayers, TrainingConfig};

    fn task(name: Option<&str>, assignments: &[&str]) -> Result<TaskConfig, String> {
        let mut layers = ConfigLayers::default();
        for assignment in assignments {
            layers.add_assignment(assignment).unwrap();
        }
        let config = TrainingConfig::resolve(&layers, name);
        config
            .map(|config| config.task)
            .map_err(|error| error.to_string())
    }

    /// Oracle: the count by hand, 4 · 4 · C(3 + 2, 3) = 160 up to the order of X, and whole pairs of
    /// electrons, 1 + 2 + 3 odd ones.
    #[test]
    fn the_first_task_is_what_nobody_chose() {
        assert_eq!(task(None, &["dqn.seed=2"]).unwrap(), first_task());
        let task = first_task();
        let sites: Vec<usize> = task.allowed.values().map(Vec::len).collect();
        assert_eq!((sites, task.elements.len()), (vec![4, 4, 3, 3, 3], 11));
        let parity = |site: &str| {
            task.allowed[site]
                .iter()
                .map(|e| e.atomic_number() % 2)
                .collect()
        };
        let odd: Vec<Vec<u8>> = ["0", "1", "2"].map(parity).to_vec();
        assert_eq!(odd, [vec![1; 4], vec![0; 4], vec![1; 3]]);
    }

    #[test]
    fn a_key_changes_itself_alone() {
        let changed = task(None, &["task.target=1.5"]).unwrap();
        assert_eq!(
            changed,
            TaskConfig {
                target: 1.5,
                ..first_task()
            }
        );
        let named = "bulk_modulus-C6-hard-medium";
        let before = task(Some(named), &[]).unwrap();
        assert_eq!(before.target, 500.0);
        let changed = task(Some(named), &["task.target=420"]).unwrap();
        assert_eq!(
            changed,
            TaskConfig {
                target: 420.0,
                ..before.clone()
            }
        );
        // The same property said again is no other.
        let again = task(Some(named), &["task.property=bulk_modulus"]).unwrap();
        assert_eq!(again, before);
        // A single site among the others.
        let changed = task(None, &["task.allowed.0=['Rb']"]).unwrap();
        assert_eq!(
            (changed.allowed["0"].len(), changed.allowed["1"].len()),
            (1, 4)
        );
    }

    #[test]
    fn a_property_brings_its_own_target() {
        let changed = task(None, &["task.property=density"]).unwrap();
        let expected = TaskConfig {
            property: Property::Density,
            target: 3.0,
            ..first_task()
        };
        assert_eq!(changed, expected);
        let named = Some("band_gap-C2-hard-small");
        let bulk = task(named, &["task.property=bulk_modulus"]).unwrap();
        assert_eq!(bulk.target, 300.0);
        let error = task(named, &["task.property=shear_modulus"]).unwrap_err();
        assert!(
            error.contains("--set task.property=shear_modulus")
                && error.contains("target is missing: none was published"),
            "{error}"
        );
        let said = ["task.property=shear_modulus", "task.target=40"];
        assert_eq!(task(named, &said).unwrap().target, 40.0);
    }

    #[test]
    fn ranges_and_tolerances_are_targets() {
        let range = task(None, &["task.target=1.0..2.0"]).unwrap();
        assert_eq!((range.target, range.tolerance), (1.5, 0.5));
        let range = task(None, &["task.target=[1.0, 2.0]"]).unwrap();
        assert_eq!((range.target, range.tolerance), (1.5, 0.5));
        let tolerant = task(None, &["task.tolerance=0.2"]).unwrap();
        assert_eq!((tolerant.target, tolerant.tolerance), (3.0, 0.2));
        let error = task(None, &["task.target=1..2", "task.tolerance=0.2"]).unwrap_err();
        assert!(error.contains("expected one of them"), "{error}");
    }

    /// What was chosen for C2 says nothing of another skeleton, other actions or elements.
    #[test]
    fn restrictions_belong_to_their_skeletons() {
        for (key, count) in [
            ("task.skeletons=['C4']", 18),
            ("task.actions=medium", 30),
            ("task.elements=['Na','Cl']", 2),
        ] {
            let changed = task(None, &[key]).unwrap();
            assert!(changed.allowed.is_empty(), "{key}");
            assert_eq!(changed.action_set().unwrap().len(), count, "{key}");
            assert_eq!((changed.property, changed.target), (Property::BandGap, 3.0));
        }
        let said = ["task.skeletons=['C4']", "task.allowed={0=['Na']}"];
        assert_eq!(task(None, &said).unwrap().allowed.len(), 1);
    }
}
