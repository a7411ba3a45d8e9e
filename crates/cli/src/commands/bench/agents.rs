//! `crystalgym bench agents`: how fast agents come near an optimum that is known.

use std::{io::Write, process::ExitCode, sync::Arc, time::Instant};

use anyhow::Context;
use clap::Args;
use crystalgym_environment::Task;
use crystalgym_training::{
    ConfigLayers, LearningMeasure, TrainingConfig, exact_optimum, measure_learning,
};

use crate::terminal;

/// Arguments of `crystalgym bench agents`.
#[derive(Debug, Args)]
pub(crate) struct AgentsArguments {
    /// Algorithms, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "dqn,rainbow,ppo,sac,random,genetic,local_search"
    )]
    algorithm: Vec<String>,
    /// `standard` or `paper`.
    #[arg(long, default_value = "standard")]
    preset: String,
    /// Skeletons with a target density in g/cm³, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "C2:3,C2:5,C6:3")]
    task: Vec<String>,
    /// Number of seeds.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Most episodes of a run; the whole run by default.
    #[arg(long)]
    episodes: Option<u64>,
    /// One setting, such as sac.n_step=1.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(arguments: &AgentsArguments) -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    writeln!(
        out,
        "| task | algorithm | episodes to 0.95, by seed | first crystal of 0.95, by seed | \
         greedy / optimum | sampled / optimum | s a seed |\n\
         |---|---|---|---|---|---|---|"
    )?;
    for task in &arguments.task {
        let mut optimum = None;
        for algorithm in &arguments.algorithm {
            let config = resolve(arguments, task, algorithm)?;
            let row = measure(arguments, &config, &mut optimum)?;
            writeln!(out, "| {task} | {} | {row} |", config.algorithm.name.name())?;
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn resolve(
    arguments: &AgentsArguments,
    task: &str,
    algorithm: &str,
) -> anyhow::Result<TrainingConfig> {
    let (skeleton, target) = task
        .split_once(':')
        .with_context(|| format!("--task {task}: expected SKELETON:TARGET, such as C2:3"))?;
    let mut layers = ConfigLayers::default();
    for assignment in [
        format!("task.skeletons=['{skeleton}']"),
        "task.property=density".to_owned(),
        format!("task.target={target}"),
        "calculator.name=rigid".to_owned(),
        format!("algorithm.name={algorithm}"),
        format!("algorithm.preset={}", arguments.preset),
    ]
    .iter()
    .chain(&arguments.set)
    {
        layers.add_assignment(assignment)?;
    }
    Ok(TrainingConfig::resolve(&layers, None)?)
}

/// The rest of the table's row, from all seeds; `optimum` is filled in by a task's first row.
fn measure(
    arguments: &AgentsArguments,
    config: &TrainingConfig,
    optimum: &mut Option<f64>,
) -> anyhow::Result<String> {
    let task = Arc::new(Task::new(&config.task)?);
    let evaluator = config.evaluator()?;
    let optimum = match *optimum {
        Some(optimum) => optimum,
        None => *optimum.insert(exact_optimum(&task, &evaluator)?),
    };
    let started = Instant::now();
    let most = arguments.episodes.unwrap_or(u64::MAX);
    let measures = (0..arguments.seeds)
        .map(|index| {
            let seed = arguments.first_seed.saturating_add(index);
            let agent = config.agent().with_seed(seed);
            Ok(measure_learning(&agent, &task, &evaluator, optimum, most)?)
        })
        .collect::<anyhow::Result<Vec<LearningMeasure>>>()?;
    let counts = |of: fn(&LearningMeasure) -> Option<u64>| {
        let cells = measures.iter().map(|measure| match of(measure) {
            Some(episodes) => episodes.to_string(),
            None => format!(">{}", measure.episodes),
        });
        cells.collect::<Vec<_>>().join(", ")
    };
    let mean = |of: fn(&LearningMeasure) -> f64| {
        measures.iter().map(of).sum::<f64>() / measures.len() as f64
    };
    Ok(format!(
        "{} | {} | {:.3} | {:.3} | {:.1}",
        counts(|measure| measure.reached),
        counts(|measure| measure.first_good_crystal),
        mean(|measure| measure.greedy),
        mean(|measure| measure.sampled),
        started.elapsed().as_secs_f64() / arguments.seeds as f64,
    ))
}
