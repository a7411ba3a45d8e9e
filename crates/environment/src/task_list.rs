//! The tasks of the paper.

use crystalgym_evaluation::Property;

use crate::{Difficulty, ProcessName, TaskConfig, published_target};

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
}
