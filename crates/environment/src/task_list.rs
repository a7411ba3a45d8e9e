//! The tasks of the paper.

use crystalgym_evaluation::Property;

use crate::{ProcessName, TaskConfig};

/// How hard a published target is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difficulty {
    /// Bulk modulus 300 GPa, density 3 g/cm³, band gap 1.12 eV.
    Easy,
    /// Bulk modulus 500 GPa, density 5 g/cm³, band gap 2 eV.
    Hard,
    /// Density 8 g/cm³.
    VeryHard,
}

impl Difficulty {
    /// All difficulties.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Hard, Self::VeryHard];

    /// The name used in task names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Hard => "hard",
            Self::VeryHard => "very_hard",
        }
    }
}

/// The target of a property at a difficulty (CrystalGym paper, Table 1), if there is one.
pub fn published_target(property: Property, difficulty: Difficulty) -> Option<f64> {
    let [easy, hard, very_hard] = match property {
        Property::BulkModulus => [Some(300.0), Some(500.0), None],
        Property::Density => [Some(3.0), Some(5.0), Some(8.0)],
        Property::BandGap => [Some(1.12), Some(2.0), None],
        Property::ShearModulus => [None; 3],
    };
    match difficulty {
        Difficulty::Easy => easy,
        Difficulty::Hard => hard,
        Difficulty::VeryHard => very_hard,
    }
}

/// Environment steps of the published runs of a property (CrystalGym, launch scripts); of one that
/// was not published those of most.
pub fn published_steps(property: Property) -> u64 {
    match property {
        Property::BandGap => 200_000,
        Property::BulkModulus | Property::Density | Property::ShearModulus => 100_000,
    }
}

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
