//! `crystalgym worker`: computes what waits in the queue of a PostgreSQL store.

use std::{
    num::NonZeroUsize,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use clap::Args;
use crystalgym_evaluation::{
    CalculatorConfig, CalculatorName, MachineCalculators, MachineSettings, WorkerOptions,
    is_on_a_server, work,
};
use crystalgym_training::ConfigLayers;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use signal_hook::{
    consts::{SIGINT, SIGTERM, SIGUSR1},
    flag,
};

use crate::hint::UsageError;

/// Arguments of `crystalgym worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkerArguments {
    /// The store with the queue: postgres://host/database.
    #[arg(long)]
    store: String,
    /// Calculations at a time, each on cores of its own; by default one a core.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Calculators whose work is taken, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "native,qe")]
    calculators: Vec<String>,
    /// End when there has been nothing to do for so many seconds.
    #[arg(long, value_name = "SECONDS")]
    until_idle: Option<u32>,
    /// How many seconds what is under way may go on after SIGTERM, SIGINT or SIGUSR1; the rest is handed
    /// back.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    grace: u32,
    /// Folder of a pseudopotential family that is not installed; it is known by its name.
    #[arg(long, value_name = "DIR")]
    pseudo: Vec<String>,
    /// What only this machine decides: qe.command, qe.ev_command, qe.scratch, qe.keep_scratch,
    /// qe.environment or native.threads.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(arguments: &WorkerArguments) -> anyhow::Result<ExitCode> {
    if !is_on_a_server(arguments.store.as_ref()) {
        let message = "--store names no server: a queue needs postgres://host/database";
        return Err(UsageError(message.to_owned()).into());
    }
    for name in &arguments.calculators {
        let known = [CalculatorName::Native, CalculatorName::Qe].map(CalculatorName::name);
        if !known.contains(&name.as_str()) {
            let message =
                format!("--calculators {name}: no worker computes it, expected native or qe");
            return Err(UsageError(message).into());
        }
    }
    let makers = MachineCalculators::new(MachineSettings {
        calculator: machine(&arguments.set)?,
        pseudopotentials: arguments.pseudo.clone(),
    });
    // A second signal changes nothing: what is under way is handed back in time by itself.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGUSR1] {
        flag::register(signal, Arc::clone(&stop))?;
    }
    let cores = own_cores();
    let threads = arguments.threads.unwrap_or_else(|| {
        let count = thread::available_parallelism();
        NonZeroUsize::new(cores.len()).unwrap_or(count.unwrap_or(NonZeroUsize::MIN))
    });
    let summary = work(
        &arguments.store,
        &WorkerOptions {
            threads,
            calculators: arguments.calculators.clone(),
            until_idle: arguments.until_idle.map(|s| Duration::from_secs(s.into())),
            grace: Duration::from_secs(arguments.grace.into()),
            lease: None,
            makers: &makers,
            prepare_thread: &|number| bind(&cores, number, threads.get()),
            stop: &|| stop.load(Ordering::Acquire),
            report: &|message| eprintln!("{message}"),
        },
    )?;
    eprintln!(
        "{} calculations done in {:.0} s, {} handed back",
        summary.finished, summary.busy_seconds, summary.handed_back
    );
    Ok(ExitCode::SUCCESS)
}

/// Settings that only concern this machine.
fn machine(assignments: &[String]) -> anyhow::Result<CalculatorConfig> {
    let mut layers = ConfigLayers::default();
    for assignment in assignments {
        match assignment.starts_with("calculator.") {
            true => layers.add_assignment(assignment)?,
            false => layers.add_assignment(&format!("calculator.{assignment}"))?,
        }
    }
    let given: CalculatorConfig =
        layers.resolve_table("calculator", &CalculatorConfig::default())?;
    if CalculatorConfig::default().with_machine_of(&given) != given {
        let message = "--set: what decides numbers comes with the work, expected qe.command, \
                       qe.ev_command, qe.scratch, qe.keep_scratch, qe.environment or native.threads";
        return Err(UsageError(message.to_owned()).into());
    }
    Ok(given)
}

/// Cores that the process may use, as Slurm or `taskset` leaves them.
fn own_cores() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else {
        return Vec::new();
    };
    let all = 0..CpuSet::count();
    all.filter(|&core| set.is_set(core).unwrap_or(false))
        .collect()
}

/// Binds the calling thread, and the programs that it starts, to its share of the cores.
fn bind(cores: &[usize], number: usize, threads: usize) {
    let share = cores.len() / threads;
    if share == 0 {
        return;
    }
    let mut set = CpuSet::new();
    for &core in cores.iter().skip(number * share).take(share) {
        // A core of our own set is one of the set's.
        let _ = set.set(core);
    }
    // Where that is not allowed, the system shares the cores out.
    let _ = sched_setaffinity(Pid::from_raw(0), &set);
}
