//! The experiments of the CrystalGym paper as resumable jobs over one store of results.
//!
//! [`Selection`] → [`Job`]s → [`run_jobs`] (one manifest and one training run each) →
//! [`read_jobs`] → [`Tables`].

mod area;
mod curve;
mod error;
mod exact;
mod experiment;
mod folder;
mod forecast;
mod formation;
mod found;
mod genbench;
mod job;
mod learned;
mod learned_table;
mod limits;
mod measure;
mod pareto;
mod published;
mod reader;
mod result;
mod reward_source;
mod rollout_kind;
mod runner;
mod running;
mod scale;
mod settings;
mod solved;
mod solving;
mod statistics;
mod table;
mod tables;
mod verdict;

pub use crystalgym_evaluation::{csv_row, markdown, visible, visible_lines};
pub use curve::{CurveAxis, LearningCurve};
pub use error::BenchmarkError;
pub use exact::ExactMeasure;
pub use experiment::{
    Experiment, FIGURE_13, FIGURE_18, FIGURE_19, FIGURE_20, FIGURE_22, FIGURE_22_SKELETONS,
    FIGURE_23, HELD_OUT, LEARNED_SKELETONS, LearnedExperiment, experiments, figure_13,
    language_figure, learned_experiments, learned_figure,
};
pub use folder::BenchmarkFolder;
pub use forecast::{Forecast, forecast};
pub use formation::{FormationOptions, FormationSummary, formation_energies};
pub use found::{FoundCrystal, FoundCrystals, ReducedElements, reduced_elements};
pub use genbench::{GenBench, GenBenchOptions, JudgedCrystal, genbench, judged_table};
pub use job::{Job, JobManifest, JobStatus, Selection};
pub use learned::{AskedCrystal, LearnedMeasure};
pub use measure::{JobMeasure, TrainingMeasure};
pub use pareto::{CrystalValues, ObjectiveMeasure, pareto_front};
pub use published::{PublishedCost, published_cost};
pub use reader::{JobsRead, LeftOut, NOT_FINISHED, read_jobs, read_jobs_of};
pub use result::{
    Check, Choice, Composition, Coverage, Found, Leaderboard, LeaderboardRow, MakeCalculator,
    Measures, Replay, ResultEpisode, ResultFile, ResultJob, ResultRollout, ResultSettings,
    SealedResult, Verdict, Verification, VerifyOptions, WrittenResult, calculators,
    chance_of_missing, problems, record_path, verify, write_result,
};
pub use reward_source::RewardSource;
pub use rollout_kind::RolloutKind;
pub use runner::{EvaluationRow, RunOptions, RunSummary, run_jobs};
pub use running::{RunLabel, UnfinishedRun, read_run, read_unfinished_jobs};
pub use scale::Scale;
pub use solving::SolvingMeasure;
pub use statistics::{interquartile_mean, interquartile_mean_interval};
pub use table::{Table, are_numbers, shown_number};
pub use tables::Tables;
pub use verdict::{Certainty, Standing, TaskVerdict, task_verdicts};
