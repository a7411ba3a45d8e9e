//! The experiments of the paper, and those about solving its tasks.

use crystalgym_environment::{Difficulty, ProcessName};

/// An experiment of the paper (Table 3): what is varied over its jobs is the property, the
/// algorithm, the seed and, where skeletons are not mixed, the skeleton.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experiment {
    /// Name, such as `paper-exp1`.
    pub name: &'static str,
    /// Short form for the names of jobs, such as `exp1`.
    pub short_name: &'static str,
    /// Whether one agent learns on five skeletons at once; otherwise there is one for each of C1
    /// to C7.
    pub mixed: bool,
    /// How an episode makes a crystal.
    pub process: ProcessName,
    /// Target of the property.
    pub difficulty: Difficulty,
    /// Action set.
    pub actions: &'static str,
    /// Skeletons that the trained agent is evaluated on and that it has never seen.
    pub held_out: &'static [&'static str],
    /// What rewards are learned by, if most are not calculated.
    pub learned: Option<LearnedExperiment>,
    /// Kind of network, for algorithms that have one; the one of their hyper-parameters if `None`.
    pub network: Option<&'static str>,
}

/// What becomes of a learned reward while an agent is trained on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearnedExperiment {
    /// Calculations in between teach it, as the preset says.
    FineTuned,
    /// It stays as it was pretrained; calculations in between are only looked at.
    Frozen,
}

impl Experiment {
    /// Whether the experiment is about how soon agents and searches solve a task: short runs, with
    /// looks at their policy in between.
    pub fn is_about_solving(&self) -> bool {
        self.name.starts_with("solve-")
    }
}

/// The skeletons that the mixed experiments hold out (MP-20 rows 3403 and 2190).
pub const HELD_OUT: [&str; 2] = ["C1", "C5"];

/// Name of the four experiments that the paper's Figure 13 is made of, PPO's runs of experiment 6 beside
/// those of completion: on MEGNet and on CHGNet.
pub const FIGURE_13: &str = "paper-figure13";

/// The experiments of [`FIGURE_13`], completion first.
pub fn figure_13() -> [Experiment; 4] {
    let [
        _,
        _,
        _,
        completion_chgnet,
        chgnet,
        completion,
        _,
        megnet,
        ..,
    ] = experiments();
    [completion, completion_chgnet, megnet, chgnet]
}

/// Name of the language model's runs on single crystals (paper, Figure 22): C1, C2, C4 and C6.
pub const FIGURE_22: &str = "paper-figure22";

/// Name of the language model's runs on five crystals at once (paper, Figure 23).
pub const FIGURE_23: &str = "paper-figure23";

/// The skeletons of [`FIGURE_22`].
pub const FIGURE_22_SKELETONS: [&str; 4] = ["C1", "C2", "C4", "C6"];

/// The experiment whose tasks the language model has in [`FIGURE_22`] or [`FIGURE_23`].
pub fn language_figure(name: &str) -> Option<Experiment> {
    let tasks = match name {
        FIGURE_22 => "paper-exp1",
        FIGURE_23 => "paper-exp4",
        _ => return None,
    };
    experiments().into_iter().find(|one| one.name == tasks)
}

/// Name of the pretraining of a learned reward (the paper's Section D.2; what its Figure 18 shows is not
/// known): the runs of [`FIGURE_20`], whose first part that is.
pub const FIGURE_18: &str = "paper-figure18";

/// Name of the runs on a learned reward that is fine-tuned by a calculation every 50 episodes (paper,
/// Figure 19 by its caption).
pub const FIGURE_19: &str = "paper-figure19";

/// Name of the same runs without fine-tuning (the paper's Section D.2, taken to be its Figure 20).
pub const FIGURE_20: &str = "paper-figure20";

/// The skeletons of these figures.
pub const LEARNED_SKELETONS: [&str; 4] = ["C1", "C2", "C3", "C4"];

/// The experiments on learned rewards, of which no result can be submitted: DQN on easy tasks, fine-tuned
/// first.
pub fn learned_experiments() -> [Experiment; 2] {
    let on = |name, short_name, learned| Experiment {
        name,
        short_name,
        learned: Some(learned),
        ..experiments()[0]
    };
    [
        on(
            "paper-learned-tuned",
            "learned-tuned",
            LearnedExperiment::FineTuned,
        ),
        on(
            "paper-learned-frozen",
            "learned-frozen",
            LearnedExperiment::Frozen,
        ),
    ]
}

/// The experiment of a figure about learned rewards, by the figure's name or its own.
pub fn learned_figure(name: &str) -> Option<Experiment> {
    let [tuned, frozen] = learned_experiments();
    match name {
        FIGURE_19 => Some(tuned),
        FIGURE_18 | FIGURE_20 => Some(frozen),
        _ => [tuned, frozen].into_iter().find(|one| one.name == name),
    }
}

/// The experiments that can be run: those of the paper, and the same tasks in runs that are as long as
/// it takes a good agent to solve them. The sixth is substitution, which the paper ran with PPO alone;
/// here with all algorithms, on the network of their hyper-parameters and, `-chgnet`, on CHGNet.
pub fn experiments() -> [Experiment; 11] {
    let single = |name, short_name, difficulty, actions| Experiment {
        name,
        short_name,
        mixed: false,
        process: ProcessName::Filling,
        difficulty,
        actions,
        held_out: &[],
        learned: None,
        network: None,
    };
    let mixed = |name, short_name, difficulty| Experiment {
        name,
        short_name,
        mixed: true,
        process: ProcessName::Filling,
        difficulty,
        actions: "small",
        held_out: &HELD_OUT,
        learned: None,
        network: None,
    };
    let chgnet = Some("chgnet");
    [
        single("paper-exp1", "exp1", Difficulty::Easy, "small"),
        single("paper-exp2", "exp2", Difficulty::Hard, "small"),
        single("paper-exp3", "exp3", Difficulty::Hard, "medium"),
        Experiment {
            network: chgnet,
            ..mixed("paper-exp4-chgnet", "exp4-chgnet", Difficulty::Easy)
        },
        Experiment {
            process: ProcessName::Substitution,
            network: chgnet,
            ..mixed("paper-exp6-chgnet", "exp6-chgnet", Difficulty::Easy)
        },
        mixed("paper-exp4", "exp4", Difficulty::Easy),
        mixed("paper-exp5", "exp5", Difficulty::Hard),
        Experiment {
            process: ProcessName::Substitution,
            ..mixed("paper-exp6", "exp6", Difficulty::Easy)
        },
        single("paper-very-hard", "veryhard", Difficulty::VeryHard, "small"),
        single("solve-easy", "solve-easy", Difficulty::Easy, "small"),
        single("solve-hard", "solve-hard", Difficulty::Hard, "small"),
    ]
}
