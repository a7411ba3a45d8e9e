//! `crystalgym pseudo`: checks, installs and writes pseudopotentials.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use crystalgym_crystal::{Element, write_atomically};
use crystalgym_dft::pseudo::{GthParameters, gth_elements};
use crystalgym_pseudopotential::{
    ArchiveSource, Installation, Manifest, PseudopotentialFamily, default_folder, upf::read_file,
};

use crate::terminal;

const DEFAULT_FAMILY: &str = "SSSP-1.3.0-PBE-efficiency";

/// Arguments of `crystalgym pseudo`.
#[derive(Debug, Args)]
pub(crate) struct PseudoArguments {
    #[command(subcommand)]
    command: PseudoCommand,
}

#[derive(Debug, Subcommand)]
enum PseudoCommand {
    /// Verify every file of a family: element, MD5 sum, valence, cutoffs.
    Check {
        /// Folder of UPF files, or the name of an installed family.
        family: String,
        /// Compare with a family known by name, whatever the folder says of itself.
        #[arg(long)]
        against: Option<String>,
    },
    /// Download a family's public archive, verify it and unpack it.
    Install {
        /// Name of the family.
        #[arg(default_value = DEFAULT_FAMILY)]
        family: String,
        /// Another address of the archive.
        #[arg(long, conflicts_with = "file")]
        url: Option<String>,
        /// An archive that is here already.
        #[arg(long)]
        file: Option<PathBuf>,
        /// Folder to unpack into; the user's data folder by default.
        #[arg(long)]
        folder: Option<PathBuf>,
        /// Replace a folder that is there already.
        #[arg(long)]
        replace: bool,
    },
    /// Write the built-in GTH-PBE potentials as UPF files, for pw.x and other programs.
    Gth {
        /// Folder to write ELEMENT.upf into; made if need be.
        folder: PathBuf,
        /// Elements, separated by commas; all of the table by default.
        #[arg(long, value_delimiter = ',')]
        elements: Vec<Element>,
        /// Replace files that are there already and hold something else.
        #[arg(long)]
        force: bool,
    },
}

pub(crate) fn run(arguments: &PseudoArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        PseudoCommand::Check { family, against } => check(family, against.as_deref()),
        PseudoCommand::Install {
            family,
            url,
            file,
            folder,
            replace,
        } => {
            let manifest = Manifest::built_in_named(family)?;
            let folder = match folder {
                Some(folder) => folder.clone(),
                None => default_folder(&manifest.name)?,
            };
            let mut installation = Installation::new(manifest, folder);
            installation.replace = *replace;
            installation.source = url
                .clone()
                .map(ArchiveSource::Url)
                .or_else(|| file.clone().map(ArchiveSource::File));
            install(&installation)
        }
        PseudoCommand::Gth {
            folder,
            elements,
            force,
        } => write_gth(folder, elements, *force),
    }
}

fn write_gth(folder: &Path, elements: &[Element], force: bool) -> anyhow::Result<ExitCode> {
    let elements = match elements {
        [] => gth_elements().collect(),
        some => some.to_vec(),
    };
    let mut files = Vec::with_capacity(elements.len());
    for element in elements {
        let parameters = GthParameters::pbe(element)?;
        let path = folder.join(format!("{element}.upf"));
        let text = parameters.to_upf();
        // All are looked at before the first is written.
        if !force && fs::symlink_metadata(&path).is_ok() && !holds(&path, text.as_bytes()) {
            bail!(
                "{} is there already and holds something else: name another folder, or replace it \
                 with --force",
                path.display()
            );
        }
        files.push((element, parameters, path, text));
    }
    fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    let mut out = terminal::stdout();
    for (element, parameters, path, text) in files {
        write_atomically(&path, text.as_bytes())
            .with_context(|| format!("file {}", path.display()))?;
        writeln!(
            out,
            "{element:<3} {:>5.0} Ry recommended  {}",
            parameters.recommended_cutoff_ry(),
            path.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn holds(path: &Path, content: &[u8]) -> bool {
    read_file(path).is_ok_and(|found| found == content)
}

fn check(family: &str, against: Option<&str>) -> anyhow::Result<ExitCode> {
    let opened = PseudopotentialFamily::open(family)?;
    let report = match against {
        Some(name) => Manifest::built_in_named(name)?.check(opened.folder())?,
        None => opened.check()?,
    };
    let mut out = terminal::stdout();
    writeln!(out, "{} in {}", report.name, report.folder.display())?;
    for row in &report.elements {
        match &row.result {
            Ok(found) => {
                let cutoffs = found.cutoffs.map_or(String::new(), |cutoffs| {
                    format!("{:>5} / {:<5} Ry", cutoffs.ecutwfc_ry, cutoffs.ecutrho_ry)
                });
                let file = found.path.file_name().unwrap_or_default().to_string_lossy();
                writeln!(
                    out,
                    "{:<3} ok   Z_val {:<4} {} {cutoffs}  {file}",
                    row.element, found.z_valence, found.md5
                )?;
            }
            Err(error) => writeln!(out, "{:<3} BAD  {error}", row.element)?,
        }
    }
    for file in &report.unused_files {
        writeln!(out, "unused: {}", file.display())?;
    }
    if report.is_complete() {
        writeln!(
            out,
            "{} elements, all files as they should be",
            report.elements.len()
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{} of {} elements have a problem",
        report.problems().count(),
        report.elements.len()
    )?;
    Ok(ExitCode::FAILURE)
}

fn install(installation: &Installation) -> anyhow::Result<ExitCode> {
    let bar = crate::progress::byte_bar();
    let report = installation.run(&mut |done, total| {
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    let mut out = terminal::stdout();
    if report.already_installed {
        writeln!(out, "{} is installed and complete", report.folder.display())?;
    } else {
        writeln!(
            out,
            "installed {} in {}",
            installation.manifest.name,
            report.folder.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
