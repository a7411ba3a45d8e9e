//! `crystalgym train`: starts a training run, or goes on with one.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use crystalgym_crystal::Element;
use crystalgym_environment::{Task, target_text};
use crystalgym_evaluation::{CalculatorName, TableCalculator};
use crystalgym_table::Judge;
use crystalgym_training::{ConfigLayers, RunEnd, RunFolder, TrainingConfig, TrainingRun};

use crate::{
    progress::{TrainingBar, message},
    signals::StopFlag,
    terminal,
    trust::TrustArguments,
};

/// Arguments of `crystalgym train`.
#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    /// A task of the paper, such as density-C2-easy-small (`crystalgym list tasks`).
    #[arg(long, conflicts_with = "resume")]
    task: Option<String>,
    /// What learns: dqn, rainbow, ppo, sac, gflownet, surrogate, llm, or one of the searches random, genetic, local_search.
    #[arg(long, conflicts_with = "resume")]
    algorithm: Option<String>,
    /// Settings to start from: standard (ours) or paper (as the published runs).
    #[arg(long, conflicts_with = "resume")]
    preset: Option<String>,
    /// Settings from a TOML file; may be given more than once, the last one wins.
    #[arg(long, conflicts_with = "resume")]
    config: Vec<PathBuf>,
    /// One setting, such as dqn.seed=2 or calculator.name=qe; wins over files.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    set: Vec<String>,
    /// Folder of the run; a new one in runs/ by default.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Go on with the run in this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "output")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArguments,
    /// Print the resolved configuration and stop.
    #[arg(long)]
    show_config: bool,
}

pub(crate) fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let stop = StopFlag::install()?;
    let run = match &arguments.resume {
        Some(folder) => (arguments.trust).with(|trust| TrainingRun::resume(folder, trust))?,
        None => {
            let config = resolve(arguments)?;
            if arguments.show_config {
                terminal::data().write_all(config.to_toml()?.as_bytes())?;
                return Ok(ExitCode::SUCCESS);
            }
            match &arguments.output {
                Some(folder) => TrainingRun::start(config, folder)?,
                None => TrainingRun::start_in_new_folder(config, Path::new("runs"))?,
            }
        }
    };
    for note in run.notes() {
        eprintln!("warning: {}", note.escape_debug());
    }
    let folder = run.folder().to_owned();
    let calculator = run.config().calculator.name.name();
    let screening = run.config().screening.as_ref();
    let screening = screening.map_or_else(String::new, |screening| {
        format!(", crystals looked at by {} before", screening.name.name())
    });
    let task = &run.config().task;
    eprintln!(
        "training in {}: {} of {} with {} elements, target {} {}, rewards by {calculator}{}{screening}",
        folder.display(),
        task.property,
        task.skeletons.join(" "),
        task.action_set().map_or(0, |set| set.len()),
        target_text(task.target, task.tolerance),
        task.property.unit(),
        if calculator == "rigid" {
            " (mass over volume, no DFT)"
        } else {
            ""
        },
    );
    let is_search = run.config().algorithm.name.is_search();
    let config = run.config().clone();
    let bar = TrainingBar::new(run.total_steps());
    let end = run.run(&|| stop.is_set(), &mut |steps, statistics| {
        bar.report(steps, statistics)
    });
    bar.finish();
    let end = end?;
    print_end(&end, is_search)?;
    print_exact(&config, &folder)?;
    if let Some(error) = &end.store_error {
        eprintln!("warning: results could not be shared: {error}");
    }
    if end.finished {
        eprintln!("done; everything is in {}", folder.display());
    } else {
        eprintln!(
            "stopped; go on with: crystalgym train --resume {}",
            folder.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// How far from the optimum the run came, where a table knows it.
fn print_exact(config: &TrainingConfig, folder: &Path) -> anyhow::Result<()> {
    if config.calculator.name != CalculatorName::Table {
        return Ok(());
    }
    let calculator = TableCalculator::open(&config.calculator.table)?;
    let judge = Judge::new(&Arc::new(Task::new(&config.task)?), calculator.table())?;
    let episodes = RunFolder::at(folder).read_episodes()?;
    let crystals: Vec<Vec<Element>> = episodes
        .iter()
        .map(|row| row.elements.split_whitespace().map(str::parse).collect())
        .collect::<Result<_, _>>()?;
    let found = judge.judge(crystals.iter().map(Vec::as_slice));
    let mut out = terminal::stdout();
    writeln!(
        out,
        "\nexact: optimum {:.5} of {} different fillings, {} of them within {} {} of the target",
        found.optimum,
        found.fillings,
        found.fillings_within,
        found.tolerance,
        config.task.property.unit()
    )?;
    if let (Some(best), Some(regret), Some(rank)) = (found.best, found.regret, found.rank) {
        writeln!(
            out,
            "best find {best:.5}: regret {regret:.5}, rank {rank} of {}; {} different fillings \
             asked for",
            found.fillings, found.calls
        )?;
    }
    match (found.calls_to_hit, found.episodes_to_hit) {
        (Some(calls), Some(episodes)) => writeln!(
            out,
            "first within the tolerance: after {calls} different fillings, in episode {episodes}"
        )?,
        _ => writeln!(out, "none found within the tolerance")?,
    }
    let optima = judge.start_optima();
    let text = |optimal: f64| format!("{optimal:.5}");
    let mut distinct: Vec<String> = optima.iter().map(|o| text(o.optimal_return)).collect();
    distinct.dedup();
    match distinct.as_slice() {
        [] => {}
        [same] => writeln!(out, "return of the optimal policy: {same} from every start")?,
        _ => {
            let each: Vec<String> = (optima.iter())
                .map(|o| format!("{} from site {}", text(o.optimal_return), o.start_site))
                .collect();
            writeln!(out, "return of the optimal policy: {}", each.join(", "))?;
        }
    }
    Ok(())
}

fn resolve(arguments: &TrainArguments) -> anyhow::Result<TrainingConfig> {
    let mut layers = ConfigLayers::default();
    for file in &arguments.config {
        layers.add_file(file)?;
    }
    let chosen = [
        ("name", &arguments.algorithm),
        ("preset", &arguments.preset),
    ];
    for (field, value) in chosen {
        if let Some(value) = value {
            layers.add_assignment(&format!("algorithm.{field}={value}"))?;
        }
    }
    for assignment in &arguments.set {
        layers.add_assignment(assignment)?;
    }
    Ok(TrainingConfig::resolve(&layers, arguments.task.as_deref())?)
}

fn print_end(end: &RunEnd, is_search: bool) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    writeln!(out, "{}", message(&end.statistics))?;
    let best = end.statistics.best.as_slice();
    if best.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nrank  return    value      skeleton  crystal (elements in site order)"
    )?;
    for (rank, crystal) in best.iter().enumerate() {
        let symbols: Vec<&str> = crystal.elements.iter().map(|e| e.symbol()).collect();
        writeln!(
            out,
            "{:>4}  {:<8.5}  {:<9.5}  {:<8}  {} ({})",
            rank + 1,
            crystal.episodic_return,
            crystal.value,
            crystal.skeleton,
            crystal.formula(),
            symbols.join(" ")
        )?;
    }
    if !end.rollouts.is_empty() {
        let returns: Vec<f64> = end.rollouts.iter().map(|rollout| rollout.reward).collect();
        let mean = returns.iter().sum::<f64>() / returns.len() as f64;
        let crystals: Vec<String> = end
            .rollouts
            .iter()
            .map(|rollout| rollout.crystal.formula())
            .collect();
        let what = match is_search {
            false => "final policy, greedy: mean return",
            true => "best find, repeated (a search learns no policy): mean return",
        };
        writeln!(out, "\n{what} {mean:.5} ({})", crystals.join(", "))?;
    }
    Ok(())
}
