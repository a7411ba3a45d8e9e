//! The tasks of the paper.

use crystalgym_evaluation::Property;

use crate::{Aim, Combination, Difficulty, ProcessName, TaskConfig, Term, Terms, published_target};

/// A task of the paper under its name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTask {
    /// Name, such as `density-C2-easy-small` or `band_gap-mixed-hard-medium-substitution`.
    pub name: String,
    /// What it is made of.
    pub config: TaskConfig,
}

/// The mixed training set (rows 630, 2271, 8354, 8666, 8906); C1 and C5 are held out.
const MIXED: [&str; 5] = ["C2", "C3", "C6", "C7", "C4"];

/// Every published combination of property, skeleton or mixed set, target and action set; all of
/// them for filling, then the same for substitution.
pub fn paper_tasks() -> Vec<NamedTask> {
    let mut tasks = Vec::new();
    let mut sets: Vec<(String, Vec<String>)> = (1..=7)
        .map(|number| (format!("C{number}"), vec![format!("C{number}")]))
        .collect();
    sets.push(("mixed".to_owned(), MIXED.map(str::to_owned).to_vec()));
    for property in Property::ALL {
        for (set, skeletons) in &sets {
            for difficulty in Difficulty::ALL {
                let Some(target) = published_target(property, difficulty) else {
                    continue;
                };
                for actions in ["small", "medium", "large"] {
                    let name = format!("{property}-{set}-{}-{actions}", difficulty.name());
                    let config = TaskConfig {
                        skeletons: skeletons.clone(),
                        actions: actions.to_owned(),
                        property,
                        target,
                        ..TaskConfig::default()
                    };
                    tasks.push(NamedTask { name, config });
                }
            }
        }
    }
    let substitution = tasks.iter().map(|task| NamedTask {
        name: format!("{}-substitution", task.name),
        config: TaskConfig {
            process: ProcessName::Substitution,
            ..task.config.clone()
        },
    });
    let substitution: Vec<NamedTask> = substitution.collect();
    tasks.extend(substitution);
    tasks
}

/// Names of the properties in the tasks of several objectives.
const WITH_STABILITY: [(&str, Property); 3] = [
    ("gap", Property::BandGap),
    ("bulk_modulus", Property::BulkModulus),
    ("density", Property::Density),
];

/// Energy above the hull in eV/atom up to which a crystal counts as metastable (LeMat-GenBench).
const METASTABLE_EV_ATOM: f64 = 0.1;

/// The tasks of the paper with a second term, at most 0.1 eV/atom above the hull, combined as a
/// product: `gap+stability-C2-easy-small` and its like, for the action sets whose elements have
/// energies of formation built in.
pub fn stability_tasks() -> Vec<NamedTask> {
    let of_paper = paper_tasks().into_iter();
    let tasks = of_paper.filter(|task| task.config.actions != "large");
    tasks
        .filter_map(|task| {
            let property = task.config.property;
            let (short, _) = WITH_STABILITY.iter().find(|(_, of)| *of == property)?;
            let rest = task.name.strip_prefix(property.name())?;
            let term = |property, aim| Term {
                property,
                aim,
                weight: 1.0,
            };
            let aim = Aim::Target {
                target: task.config.target,
                tolerance: 0.0,
            };
            let terms = vec![
                term(property, aim),
                term(Property::EnergyAboveHull, Aim::AtMost(METASTABLE_EV_ATOM)),
            ];
            let terms = Terms::new(terms, Combination::Product, None).ok()?;
            Some(NamedTask {
                name: format!("{short}+stability{rest}"),
                config: TaskConfig {
                    objective: Some(terms),
                    ..task.config
                },
            })
        })
        .collect()
}

/// All tasks that have a name: those of the paper, then those of several objectives.
pub fn named_tasks() -> Vec<NamedTask> {
    let mut tasks = paper_tasks();
    tasks.extend(stability_tasks());
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;

    #[test]
    fn every_task_of_the_paper_can_be_played() {
        let tasks = paper_tasks();
        // 2 processes, 8 sets, 3 action sets; easy and hard for three properties, very hard for one.
        assert_eq!(tasks.len(), 2 * 8 * 3 * (3 * 2 + 1));
        for task in &tasks {
            Task::new(&task.config).unwrap();
        }
        let mixed = tasks
            .iter()
            .find(|task| task.name == "band_gap-mixed-hard-medium")
            .unwrap();
        assert_eq!(mixed.config.target, 2.0);
        let mut rows: Vec<_> = Task::new(&mixed.config)
            .unwrap()
            .skeletons()
            .iter()
            .filter_map(|skeleton| skeleton.source.mp20_row)
            .collect();
        rows.sort_unstable();
        assert_eq!(rows, [630, 2271, 8354, 8666, 8906]);
    }

    #[test]
    fn every_task_of_several_objectives_can_be_played() {
        let tasks = stability_tasks();
        assert_eq!(tasks.len(), 2 * 8 * 2 * (3 * 2 + 1));
        for task in &tasks {
            let played = Task::new(&task.config).unwrap();
            assert_eq!(played.objective().range(), (-1.0, 1.0), "{}", task.name);
            let json = serde_json::to_value(&task.config).unwrap();
            assert_eq!(
                serde_json::from_value::<TaskConfig>(json).unwrap(),
                task.config
            );
        }
        let names: std::collections::BTreeSet<String> =
            named_tasks().into_iter().map(|task| task.name).collect();
        assert_eq!(names.len(), paper_tasks().len() + tasks.len());
        for task in ["gap", "bulk_modulus", "density"] {
            for skeleton in 1..=7 {
                assert!(names.contains(&format!("{task}+stability-C{skeleton}-easy-small")));
            }
        }
    }
}
