use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use crystalgym_crystal::{
    Crystal, CrystalError, Element, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure,
};
use crystalgym_evaluation::Property;
use serde::{Deserialize, Serialize};

use crate::{ActionSet, EnvironmentError, SkeletonIdentity};

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
            start_site: None,
            odd_electrons_fail_at_once: false,
            allowed: BTreeMap::new(),
        }
    }
}

/// A playable task: everything that does not change from episode to episode.
#[derive(Debug, Clone)]
pub struct Task {
    skeletons: Vec<Arc<Skeleton>>,
    actions: ActionSet,
    property: Property,
    target: f64,
    start_site: Option<usize>,
    odd_electrons_fail_at_once: bool,
    /// Order of the sites by skeleton and start site.
    traversals: Vec<Vec<Vec<u16>>>,
    /// Allowed actions by site, for as many sites as the configuration restricts.
    masks: Vec<Vec<bool>>,
    all_allowed: Vec<bool>,
}

impl Task {
    /// Builds a task, reading structure files where it names any.
    ///
    /// # Errors
    /// [`EnvironmentError`] that names the field and the value.
    pub fn new(config: &TaskConfig) -> Result<Self, EnvironmentError> {
        let skeletons = config
            .skeletons
            .iter()
            .map(|name| find_skeleton(name))
            .collect::<Result<Vec<_>, _>>()?;
        Self::with_skeletons(config, skeletons)
    }

    /// Builds a task on these skeletons, whatever names the configuration has for them.
    ///
    /// # Errors
    /// [`EnvironmentError`] that names the field and the value.
    pub fn with_skeletons(
        config: &TaskConfig,
        skeletons: Vec<Arc<Skeleton>>,
    ) -> Result<Self, EnvironmentError> {
        let actions = if config.elements.is_empty() {
            ActionSet::published(&config.actions)?
        } else {
            ActionSet::custom(config.elements.clone())?
        };
        let invalid = |field: &str, message: String| Err(invalid_task(field, message));
        let Some(fewest_sites) = skeletons.iter().map(|skeleton| skeleton.sites()).min() else {
            let message = "skeletons is empty, expected at least one";
            return invalid("skeletons", message.to_owned());
        };
        if !TARGETS.contains(&config.target) {
            let (least, most) = (TARGETS.start(), TARGETS.end());
            let message = format!(
                "target is {}, expected a number from {least:?} to {most:?}",
                config.target
            );
            return invalid("target", message);
        }
        if skeletons.len() > MOST_SKELETONS {
            let found = skeletons.len();
            let message = format!("skeletons has {found} members, expected 1 to {MOST_SKELETONS}");
            return invalid("skeletons", message);
        }
        let skeletons = with_distinct_labels(skeletons);
        if let Some(site) = config.start_site.filter(|site| *site >= fewest_sites) {
            let message = format!("start_site is {site}, expected 0 to {}", fewest_sites - 1);
            return invalid("start_site", message);
        }
        let masks = site_masks(config, &actions, fewest_sites)?;
        let traversals = skeletons
            .iter()
            .map(|skeleton| {
                (0..skeleton.sites())
                    .map(|start| {
                        let order = skeleton.graph.breadth_first(start);
                        order.into_iter().map(|site| site as u16).collect()
                    })
                    .collect()
            })
            .collect();
        Ok(Self {
            skeletons,
            all_allowed: vec![true; actions.len()],
            actions,
            property: config.property,
            target: config.target,
            start_site: config.start_site,
            odd_electrons_fail_at_once: config.odd_electrons_fail_at_once,
            traversals,
            masks,
        })
    }

    /// Skeletons that episodes are drawn from.
    pub fn skeletons(&self) -> &[Arc<Skeleton>] {
        &self.skeletons
    }

    /// The action set.
    pub fn actions(&self) -> &ActionSet {
        &self.actions
    }

    /// The property to aim at.
    pub fn property(&self) -> Property {
        self.property
    }

    /// The target of new episodes, in the property's unit.
    pub fn target(&self) -> f64 {
        self.target
    }

    /// Whether an odd number of electrons fails without a calculation.
    pub fn odd_electrons_fail_at_once(&self) -> bool {
        self.odd_electrons_fail_at_once
    }

    /// The fixed start site, if there is one.
    pub fn start_site(&self) -> Option<usize> {
        self.start_site
    }

    /// Order in which the sites of a skeleton are filled from a start site.
    pub fn traversal(&self, skeleton: usize, start: usize) -> &[u16] {
        &self.traversals[skeleton][start]
    }

    /// Actions allowed on `site`.
    pub fn allowed_at(&self, site: usize) -> &[bool] {
        self.masks.get(site).unwrap_or(&self.all_allowed)
    }

    /// The crystal that a complete list of actions (in site order) stands for.
    ///
    /// # Errors
    /// [`EnvironmentError::InvalidAction`] for a blank or unknown action.
    pub fn crystal(&self, skeleton: usize, node_types: &[u8]) -> Result<Crystal, EnvironmentError> {
        let elements = self.actions.elements();
        let filling = node_types
            .iter()
            .enumerate()
            .map(|(step, &action)| {
                elements
                    .get(usize::from(action))
                    .copied()
                    .ok_or(EnvironmentError::InvalidAction {
                        action: action.into(),
                        step,
                        last: elements.len() - 1,
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(Crystal::new(
            Arc::clone(&self.skeletons[skeleton]),
            filling,
        )?)
    }
}

/// Targets that a task can have, in the property's unit.
const TARGETS: std::ops::RangeInclusive<f64> = 1e-6..=1e6;
const MOST_SKELETONS: usize = 1000;

/// The same skeletons, with `LABEL-1a2b3c4d` where two that differ have one label: a label stands
/// for a geometry. The suffix depends on the geometry alone, so that it is the same in every task.
fn with_distinct_labels(skeletons: Vec<Arc<Skeleton>>) -> Vec<Arc<Skeleton>> {
    let identities: Vec<_> = skeletons
        .iter()
        .map(|skeleton| SkeletonIdentity::of(skeleton))
        .collect();
    let ambiguous = |identity: &SkeletonIdentity| {
        identities
            .iter()
            .any(|other| other.label == identity.label && identity.check(other).is_err())
    };
    let labelled = skeletons.iter().zip(&identities);
    labelled
        .map(|(skeleton, identity)| match ambiguous(identity) {
            false => Arc::clone(skeleton),
            true => {
                let mut renamed = Skeleton::clone(skeleton);
                renamed.label = format!("{}-{}", identity.label, identity.short_hash());
                Arc::new(renamed)
            }
        })
        .collect()
}

/// A built-in skeleton, or the empty frame of a structure file.
///
/// The label of the latter is the stem of the file's name, with `_` for control characters; where a
/// built-in skeleton has that name, a suffix tells the geometry.
///
/// # Errors
/// [`EnvironmentError::Crystal`] for an unknown name and an unreadable file.
pub fn find_skeleton(name: &str) -> Result<Arc<Skeleton>, EnvironmentError> {
    match Skeleton::builtin(name) {
        Err(CrystalError::UnknownSkeleton(_)) => {}
        known => return Ok(known?),
    }
    let structure = Structure::from_file(Path::new(name)).map_err(|error| match error {
        // A slip in the name of a built-in skeleton names no file.
        CrystalError::UnknownFormat(_) if !Path::new(name).is_file() => {
            CrystalError::NoSkeletonOrFile(name.to_owned())
        }
        CrystalError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            CrystalError::NoSkeletonOrFile(name.to_owned())
        }
        error => error,
    })?;
    let path = Path::new(name);
    let stem = path
        .file_stem()
        .map_or_else(|| name.into(), |stem| stem.to_string_lossy());
    let label = stem.replace(|c: char| c.is_control() || c == '/', "_");
    let mut skeleton = Skeleton::from_structure(&label, &structure, SYMMETRY_TOLERANCE_ANG)?;
    if Skeleton::builtin(&label).is_ok() {
        let identity = SkeletonIdentity::of(&skeleton);
        skeleton.label = format!("{label}-{}", identity.short_hash());
    }
    Ok(Arc::new(skeleton))
}

fn invalid_task(field: &str, message: String) -> EnvironmentError {
    EnvironmentError::InvalidTask {
        field: field.to_owned(),
        message,
    }
}

fn site_masks(
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

#[cfg(test)]
mod tests {
    use super::*;

    fn error(config: &TaskConfig) -> String {
        Task::new(config).unwrap_err().to_string()
    }

    #[test]
    fn bad_configurations_name_the_field_and_the_value() {
        let base = TaskConfig::default();
        let no_skeleton = TaskConfig {
            skeletons: vec![],
            ..base.clone()
        };
        assert!(error(&no_skeleton).contains("skeletons is empty"));
        let unknown = TaskConfig {
            skeletons: vec!["C9".into()],
            ..base.clone()
        };
        assert!(error(&unknown).contains("'C9'"));
        let target = TaskConfig {
            target: 0.0,
            ..base.clone()
        };
        assert!(error(&target).contains("target is 0, expected a number from 1e-6 to 1000000.0"));
        let start = TaskConfig {
            start_site: Some(5),
            ..base.clone()
        };
        assert!(error(&start).contains("start_site is 5, expected 0 to 4"));
        let site = TaskConfig {
            allowed: [("7".into(), vec![])].into(),
            ..base.clone()
        };
        assert!(error(&site).contains("'7' is no site"));
        let gold = vec!["Au".parse().unwrap()];
        let element = TaskConfig {
            allowed: [("1".into(), gold)].into(),
            ..base
        };
        assert!(error(&element).contains("Au is not in the action set small"));
    }

    /// A label stands for a geometry: of two files of one name, of a file with the name of a built-in
    /// skeleton, in any order.
    #[test]
    fn labels_tell_geometries_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, a: f64| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let structure = Structure {
                lattice: crystalgym_crystal::Lattice::from_parameters([a; 3], [90.0; 3]).unwrap(),
                elements: vec!["Na".parse().unwrap()],
                frac_coords: vec![[0.0; 3]],
            };
            structure.to_file(&path).unwrap();
            path.to_string_lossy().into_owned()
        };
        let (first, second) = (file("same.json", 4.0), file("other/same.json", 5.0));
        let (third, builtin) = (file("third/same.json", 4.0), file("C2.json", 4.2));
        let labels = |skeletons: &[&str]| -> Vec<String> {
            let task = Task::new(&TaskConfig {
                skeletons: skeletons.iter().map(|name| (*name).to_owned()).collect(),
                ..TaskConfig::default()
            });
            let task = task.unwrap();
            task.skeletons().iter().map(|s| s.label.clone()).collect()
        };
        assert_eq!(labels(&[&first]), ["same"]);
        // One geometry is one skeleton, whatever its file.
        assert_eq!(labels(&[&first, &third]), ["same", "same"]);
        let both = labels(&[&first, &second]);
        assert_ne!(both[0], both[1]);
        assert!(
            both.iter().all(|label| label.starts_with("same-")),
            "{both:?}"
        );
        let turned = labels(&[&second, &first]);
        assert_eq!([&turned[1], &turned[0]], [&both[0], &both[1]]);
        let beside = labels(&["C2", &builtin]);
        assert_eq!(beside[0], "C2");
        assert!(beside[1].starts_with("C2-"), "{beside:?}");
        assert_eq!(labels(&[&builtin]), beside[1..]);
        assert_eq!(labels(&[&file("a\u{1b}\nb.json", 4.0)]), ["a__b"]);
    }

    #[test]
    fn a_structure_file_serves_as_skeleton() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rock-salt.cif");
        let structure = Structure {
            lattice: crystalgym_crystal::Lattice::from_parameters([3.988; 3], [60.0; 3]).unwrap(),
            elements: vec!["Na".parse().unwrap(), "Cl".parse().unwrap()],
            frac_coords: vec![[0.0; 3], [0.5; 3]],
        };
        structure.to_file(&path).unwrap();
        let name = path.to_string_lossy().into_owned();
        let task = Task::new(&TaskConfig {
            skeletons: vec![name],
            ..TaskConfig::default()
        })
        .unwrap();
        assert_eq!(task.skeletons()[0].label, "rock-salt");
        assert_eq!(task.skeletons()[0].graph.bonds(), 6);
    }
}
