//! `crystalgym bench run`: runs experiments, or says what they would cost.

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;
use crystalgym_benchmark::{
    BenchmarkFolder, Experiment, FIGURE_13, FIGURE_18, FIGURE_19, FIGURE_20, FIGURE_22,
    FIGURE_22_SKELETONS, FIGURE_23, Job, JobStatus, LEARNED_SKELETONS, RunOptions, Scale,
    Selection, experiments, figure_13, forecast, language_figure, learned_figure, run_jobs,
};
use crystalgym_evaluation::{Property, check_store_name};
use crystalgym_training::{Algorithm, ConfigLayers, Preset};
use serde::de::{DeserializeOwned, IntoDeserializer, value::StrDeserializer};

use crate::{progress::JobsBar, signals::StopFlag, terminal};

/// Arguments of `crystalgym bench run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Experiments, such as paper-exp1; `solve` is solve-easy and solve-hard; paper-figure13 stands for four
    /// (with PPO alone unless algorithms are named), paper-figure22 and paper-figure23 for the language model
    /// on single crystals and on five at once (density and band gap, --set llm.model=…), paper-figure18 to
    /// paper-figure20 for dqn on a learned reward (band gap, --set learned_reward.data=…).
    #[arg(required = true)]
    pub(super) experiments: Vec<String>,
    #[command(flatten)]
    pub(super) options: RunOptionArguments,
}

/// What is compared by how soon it solves a task.
const SOLVING_ALGORITHMS: [&str; 8] = [
    "surrogate",
    "genetic",
    "random_search",
    "rainbow",
    "dqn",
    "ppo",
    "sac",
    "gflownet",
];

/// What `bench run` and `bench --preset` share.
#[derive(Debug, Args)]
pub(crate) struct RunOptionArguments {
    /// Properties, separated by commas; by default density, band_gap and bulk_modulus, of the language
    /// model's figures the first two.
    #[arg(long, value_delimiter = ',')]
    properties: Vec<Property>,
    /// Algorithms, separated by commas; gflownet, surrogate, random_search, genetic and local_search are known too.
    /// By default ppo, sac, dqn and rainbow; of `solve` all but local_search; of the language model's figures
    /// llm, of a learned reward's dqn.
    #[arg(long, value_delimiter = ',')]
    algorithms: Vec<String>,
    /// Skeletons of the experiments that are not mixed, separated by commas; by default C1 to C7, of
    /// paper-figure22 C1, C2, C4 and C6.
    #[arg(long, value_delimiter = ',')]
    skeletons: Vec<String>,
    /// How many seeds, or a list of them such as 3,7; by default as many as the scale has.
    #[arg(long)]
    seeds: Option<String>,
    /// Hyper-parameters: standard (ours) or paper (as the published runs).
    #[arg(long, default_value = "standard")]
    hyperparameters: String,
    /// smoke (minutes), small (hours) or paper (as long as the hyper-parameters say).
    #[arg(long, default_value = "paper")]
    scale: Scale,
    /// Folder of the benchmark; what it holds as finished is not done again.
    #[arg(long, default_value = "benchmark")]
    output: PathBuf,
    /// The store of results, a file or postgres://…; store.sqlite in the folder of the benchmark by
    /// default.
    #[arg(long)]
    store: Option<PathBuf>,
    /// Jobs side by side.
    #[arg(long, default_value_t = 1)]
    parallel: usize,
    /// Settings of all jobs from a TOML file.
    #[arg(long)]
    config: Vec<PathBuf>,
    /// One setting of all jobs, such as calculator.pseudopotentials=DIR; wins over files.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the jobs and what they would cost, and stop.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(names: &[String], arguments: &RunOptionArguments) -> anyhow::Result<ExitCode> {
    let selection = selection(names, arguments)?;
    let store = match &arguments.store {
        Some(store) => store.clone(),
        None => BenchmarkFolder::at(&arguments.output).store()?,
    };
    check_store_name(&store)?;
    let jobs = selection.jobs(&store)?;
    if arguments.dry_run {
        return dry_run(&jobs);
    }
    let stop = StopFlag::install()?;
    let left: Vec<&Job> = (jobs.iter())
        .filter(|job| !job.is_finished(&arguments.output))
        .collect();
    let steps = left.iter().map(|job| job.config.agent().total_steps());
    let bar = JobsBar::new(left.len(), steps.sum());
    let options = RunOptions {
        parallel: arguments.parallel,
        stop: &|| stop.is_set(),
        report: &|manifest| {
            let end = match (manifest.status, &manifest.reason) {
                (JobStatus::Failed, Some(reason)) => format!("failed: {reason}"),
                _ => "finished".to_owned(),
            };
            bar.ended(&format!("{}  {end}", manifest.id));
        },
        progress: &|manifest, steps, statistics| bar.report(&manifest.id, steps, statistics),
    };
    let summary = run_jobs(&arguments.output, &jobs, &options);
    bar.finish();
    let summary = summary?;
    let folder = arguments.output.display();
    eprintln!(
        "{} jobs finished, {} failed, {} left; tables: crystalgym bench report {folder}",
        summary.finished, summary.failed, summary.left
    );
    if summary.elsewhere > 0 {
        eprintln!(
            "{} jobs are under way in other processes",
            summary.elsewhere
        );
    }
    if summary.left > 0 {
        eprintln!("the same command goes on with what is left");
    }
    Ok(match summary.failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn selection(names: &[String], arguments: &RunOptionArguments) -> anyhow::Result<Selection> {
    let mut layers = ConfigLayers::default();
    for file in &arguments.config {
        layers.add_file(file)?;
    }
    for assignment in &arguments.set {
        layers.add_assignment(assignment)?;
    }
    let experiments = chosen_experiments(names)?;
    let all = |known: &[&str]| names.iter().all(|name| known.contains(&name.as_str()));
    let is_language = all(&[FIGURE_22, FIGURE_23]);
    let is_learned = experiments.iter().all(|one| one.learned.is_some());
    let usual: &[&str] = if is_language {
        &["llm"]
    } else if is_learned {
        &["dqn"]
    } else if experiments.iter().all(Experiment::is_about_solving) {
        &SOLVING_ALGORITHMS
    } else if all(&[FIGURE_13]) {
        &["ppo"]
    } else {
        &["ppo", "sac", "dqn", "rainbow"]
    };
    let named_ones = arguments.algorithms.iter().map(String::as_str);
    let algorithms: Vec<&str> = match arguments.algorithms.is_empty() {
        true => usual.to_vec(),
        false => named_ones.collect(),
    };
    Ok(Selection {
        experiments,
        properties: match arguments.properties.is_empty() {
            true if is_language => vec![Property::Density, Property::BandGap],
            true if is_learned => vec![Property::BandGap],
            true => vec![Property::Density, Property::BandGap, Property::BulkModulus],
            false => arguments.properties.clone(),
        },
        algorithms: algorithms
            .into_iter()
            .map(|name| named::<Algorithm>("--algorithms", name))
            .collect::<Result<_, _>>()?,
        skeletons: match arguments.skeletons.is_empty() {
            true if is_language => FIGURE_22_SKELETONS.map(str::to_owned).to_vec(),
            true if is_learned => LEARNED_SKELETONS.map(str::to_owned).to_vec(),
            true => (1..=7).map(|number| format!("C{number}")).collect(),
            false => arguments.skeletons.clone(),
        },
        seeds: match &arguments.seeds {
            Some(text) => seeds(text)?,
            None => arguments.scale.seeds(),
        },
        preset: named::<Preset>("--hyperparameters", &arguments.hyperparameters)?,
        scale: arguments.scale,
        layers,
    })
}

fn chosen_experiments(names: &[String]) -> anyhow::Result<Vec<Experiment>> {
    let known = experiments();
    let list = known.map(|experiment| experiment.name).join(", ");
    if names.is_empty() {
        bail!("which experiments? name some of {list}: crystalgym bench run paper-exp1");
    }
    let mut chosen = Vec::new();
    for name in names {
        match name.as_str() {
            FIGURE_13 => chosen.extend(figure_13()),
            FIGURE_22 | FIGURE_23 => chosen.extend(language_figure(name)),
            "solve" => chosen.extend(known.into_iter().filter(Experiment::is_about_solving)),
            name if learned_figure(name).is_some() => chosen.extend(learned_figure(name)),
            _ => {
                let found = known.iter().find(|experiment| experiment.name == *name);
                chosen.push(*found.with_context(|| {
                    format!(
                        "unknown experiment '{name}', expected one of {list}, {FIGURE_13}, {FIGURE_18}, {FIGURE_19}, {FIGURE_20}, {FIGURE_22}, {FIGURE_23}, solve"
                    )
                })?);
            }
        }
    }
    Ok(chosen)
}

/// `5` for 1 to 5, `3,7` for these.
fn seeds(text: &str) -> anyhow::Result<Vec<u64>> {
    let expected = || format!("--seeds {text}: expected a number of seeds, or a list such as 3,7");
    let numbers: Vec<u64> = text
        .split(',')
        .map(|part| part.trim().parse())
        .collect::<Result<_, _>>()
        .with_context(expected)?;
    Ok(match numbers.as_slice() {
        [0] => bail!(expected()),
        [count] => (1..=*count).collect(),
        list => list.to_vec(),
    })
}

/// A value by the name that configurations use.
fn named<T: DeserializeOwned>(option: &str, name: &str) -> anyhow::Result<T> {
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
    T::deserialize(deserializer).with_context(|| format!("{option} {name}"))
}

fn dry_run(jobs: &[Job]) -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    for job in jobs {
        let steps = job.config.agent().total_steps();
        writeln!(out, "{}  {steps} steps", job.manifest.id)?;
    }
    let expected = forecast(jobs)?;
    writeln!(
        out,
        "\n{} jobs, {:.0} episodes; on an empty store, if crystals were drawn at random: {:.0} DFT \
         calculations, {:.0} store hits, about {:.1} core hours (agents that learn repeat crystals \
         and need fewer; the time assumes 1 s a gap, 4 s a density, 10 s a bulk modulus, as with \
         the built-in potentials at 30 Ry)",
        expected.jobs,
        expected.episodes,
        expected.calculations,
        expected.store_hits(),
        expected.core_hours,
    )?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_count_or_a_list() {
        assert_eq!(seeds("3").unwrap(), [1, 2, 3]);
        assert_eq!(seeds("3,7").unwrap(), [3, 7]);
        assert!(seeds("0").is_err() && seeds("x").is_err());
    }

    #[test]
    fn names_are_those_of_configurations() {
        assert_eq!(
            named::<Algorithm>("", "rainbow").unwrap(),
            Algorithm::Rainbow
        );
        let error = named::<Algorithm>("--algorithms", "a2c").unwrap_err();
        assert!(format!("{error:#}").contains("dqn"), "{error:#}");
        assert!(chosen_experiments(&["paper-exp9".to_owned()]).is_err());
        let solving = chosen_experiments(&["solve".to_owned()]).unwrap();
        assert!(solving.len() == 2 && solving.iter().all(Experiment::is_about_solving));
    }
}
