use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use crystalgym_report::WatchServer;

use crate::signals::StopFlag;

/// Arguments of `crystalgym watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Folder of a benchmark or of a training run; it may be under way.
    folder: PathBuf,
    /// Port on 127.0.0.1; 0 for any that is free.
    #[arg(long, default_value_t = 8640)]
    port: u16,
}

pub(crate) fn run(arguments: &WatchArguments) -> anyhow::Result<ExitCode> {
    let stop = StopFlag::install()?;
    let server = WatchServer::start(&arguments.folder, arguments.port)?;
    println!("{}", server.url());
    eprintln!("open this address in a browser on this machine; Ctrl-C ends");
    server.serve(&|| stop.is_set())?;
    Ok(ExitCode::SUCCESS)
}
