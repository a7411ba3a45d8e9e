//! `crystalgym cluster`: a coordinator and workers as an ordinary batch job of Slurm.

mod script;

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use crystalgym_crystal::read_text;
use crystalgym_evaluation::{check_store_name, is_on_a_server};

use crate::hint::UsageError;
use script::BatchScript;

/// Arguments of `crystalgym cluster`.
#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    #[command(subcommand)]
    command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Submit a command with workers on all nodes; its calculations go to them through the store.
    Submit(SubmitArguments),
    /// Show jobs of `cluster submit` that wait or run.
    Status {
        /// Number of a job; by default all of this user with the name of `cluster submit`.
        job: Option<u64>,
        /// Name of the jobs.
        #[arg(long, default_value = "crystalgym")]
        name: String,
    },
    /// Cancel a job of `cluster submit`. Results stay, and the same command goes on from them.
    Cancel {
        /// Number of the job.
        job: u64,
    },
}

#[derive(Debug, Args)]
struct SubmitArguments {
    /// The store with the queue: postgres://host/database. The password comes from PGPASSFILE.
    #[arg(long)]
    store: String,
    /// Nodes; each has a worker, and the first one the command as well.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    nodes: u32,
    /// Wall time as Slurm writes it: minutes, H:MM:SS or D-H:MM:SS.
    #[arg(long)]
    time: String,
    /// Cores of each node.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    cores: Option<u32>,
    /// Calculations at a time on each node; by default one a core.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: Option<u32>,
    /// Name of the job.
    #[arg(long, default_value = "crystalgym")]
    name: String,
    /// File with lines of one's own: #SBATCH lines (partition, account) go to the head, all others
    /// (modules, variables) before the commands.
    #[arg(long)]
    template: Option<PathBuf>,
    /// Further arguments of every worker, such as "--pseudo" or "--set"; one each time.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    worker: Vec<String>,
    /// Print the script, and submit nothing.
    #[arg(long)]
    dry_run: bool,
    /// The command of crystalgym, such as: bench run paper-exp1 --scale smoke.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

pub(crate) fn run(arguments: &ClusterArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        ClusterCommand::Submit(arguments) => submit(arguments),
        ClusterCommand::Status { job, name } => status(*job, name),
        ClusterCommand::Cancel { job } => {
            let status = Command::new("scancel").arg(job.to_string()).status();
            let status =
                status.context("cannot start scancel: is this a machine of the cluster?")?;
            Ok(match status.success() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            })
        }
    }
}

fn submit(arguments: &SubmitArguments) -> anyhow::Result<ExitCode> {
    if !is_on_a_server(arguments.store.as_ref()) {
        let message = "--store names no server: nodes share a store by postgres://host/database";
        return Err(UsageError(message.to_owned()).into());
    }
    check_store_name(arguments.store.as_ref())?;
    let template = match &arguments.template {
        Some(file) => read_text(file)
            .with_context(|| format!("cannot read the template {}", file.display()))?,
        None => String::new(),
    };
    let program = std::env::current_exe().context("cannot find the program itself")?;
    let script = BatchScript {
        program: &program.to_string_lossy(),
        store: &arguments.store,
        nodes: arguments.nodes,
        time: &arguments.time,
        cores: arguments.cores,
        threads: arguments.threads,
        name: &arguments.name,
        template: &template,
        worker: &arguments.worker,
        command: &arguments.command,
    }
    .to_text()
    .map_err(UsageError)?;
    if arguments.dry_run {
        crate::terminal::stdout().write_all(script.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut sbatch = Command::new("sbatch")
        .arg("--parsable")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context(
            "cannot start sbatch: is this a machine of the cluster? --dry-run prints the script",
        )?;
    if let Some(mut input) = sbatch.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    let output = sbatch.wait_with_output()?;
    if !output.status.success() {
        bail!("sbatch refused the job");
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    // `--parsable` gives the number, and the cluster behind a semicolon.
    let job = answer
        .trim()
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    println!("{job}");
    eprintln!(
        "submitted; look with `crystalgym cluster status {job}` and `crystalgym watch '{}'`",
        arguments.store
    );
    Ok(ExitCode::SUCCESS)
}

fn status(job: Option<u64>, name: &str) -> anyhow::Result<ExitCode> {
    let mut squeue = Command::new("squeue");
    squeue.arg("--format=%.12i %.9P %.20j %.8T %.12M %.12L %.6D %R");
    match job {
        Some(job) => squeue.arg(format!("--jobs={job}")),
        None => squeue.arg("--me").arg(format!("--name={name}")),
    };
    let output = squeue
        .output()
        .context("cannot start squeue: is this a machine of the cluster?")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("Invalid job id") {
        println!("the job is no longer in the queue");
        return Ok(ExitCode::SUCCESS);
    }
    if !output.status.success() {
        bail!("squeue: {}", complaint.trim());
    }
    crate::terminal::stdout().write_all(&output.stdout)?;
    Ok(ExitCode::SUCCESS)
}
