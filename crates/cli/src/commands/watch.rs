use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use crystalgym_evaluation::{ResultStore, is_on_a_server};
use crystalgym_report::WatchServer;

use crate::signals::StopFlag;

/// Arguments of `crystalgym watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Folder of a benchmark or of a training run, which may be under way; or postgres://… for the queue
    /// of a server and its workers.
    #[arg(value_name = "FOLDER|URL")]
    watched: PathBuf,
    /// Port on 127.0.0.1; 0 for any that is free.
    #[arg(long, default_value_t = 8640)]
    port: u16,
}

pub(crate) fn run(arguments: &WatchArguments) -> anyhow::Result<ExitCode> {
    let stop = StopFlag::install()?;
    let server = match is_on_a_server(&arguments.watched) {
        true => {
            let store = ResultStore::open_read_only(&arguments.watched)?;
            WatchServer::start_for_queue(store, arguments.port)?
        }
        false => WatchServer::start(&arguments.watched, arguments.port)?,
    };
    println!("{}", server.url());
    eprintln!("open this address in a browser on this machine; Ctrl-C ends");
    server.serve(&|| stop.is_set())?;
    Ok(ExitCode::SUCCESS)
}
