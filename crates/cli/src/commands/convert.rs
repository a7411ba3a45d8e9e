use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use crystalgym_crystal::{Structure, StructureFormat};

/// Arguments of `crystalgym convert`.
#[derive(Debug, Args)]
pub(crate) struct ConvertArguments {
    /// Structure to read: .cif, POSCAR or .vasp, .extxyz or .xyz, .json; `file.xyz@3` is structure 3,
    /// counted from 0, of a file that holds several; `-` is standard input (needs --from).
    input: PathBuf,
    /// File to write, its format by its name; `-` for standard output (needs --to).
    output: PathBuf,
    /// Format of the input, if its name does not tell: cif, poscar, extxyz, json.
    #[arg(long)]
    from: Option<StructureFormat>,
    /// Format of the output, if its name does not tell.
    #[arg(long)]
    to: Option<StructureFormat>,
}

pub(crate) fn run(arguments: &ConvertArguments) -> anyhow::Result<ExitCode> {
    let format = |given: Option<StructureFormat>, path: &PathBuf| {
        given.map_or_else(|| StructureFormat::from_path(path), Ok)
    };
    let input_format = format(arguments.from, &arguments.input)?;
    let output_format = format(arguments.to, &arguments.output)?;
    let input = if arguments.input.as_os_str() == "-" {
        Path::new("/dev/stdin")
    } else {
        &arguments.input
    };
    let structure = Structure::from_file_as(input, input_format)?;
    if arguments.output.as_os_str() == "-" {
        crate::terminal::data().write_all(structure.to_text(output_format).as_bytes())?;
    } else {
        structure.to_file_as(&arguments.output, output_format)?;
    }
    Ok(ExitCode::SUCCESS)
}
