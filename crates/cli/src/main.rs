//! The `crystalgym` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    crystalgym_cli::run(std::env::args_os())
}
