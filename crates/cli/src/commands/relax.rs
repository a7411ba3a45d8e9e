//! `crystalgym relax`: where a crystal comes to rest by a potential, and how stable it is there.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use crystalgym_crystal::{Structure, StructureFormat, write_atomically};
use crystalgym_metrics::Composition;
use crystalgym_potential::{
    Chgnet, InteratomicPotential, Movable, Prediction, RelaxationEnd, RelaxationOptions, Relaxed,
    relax,
};
use crystalgym_stability::ReferenceSet;

use crate::{hint::UsageError, terminal};

/// Arguments of `crystalgym relax`.
#[derive(Debug, Args)]
pub(crate) struct RelaxArguments {
    /// Structure to start from, as `convert` reads them; `trajectory.extxyz@7` goes on from frame 7.
    input: PathBuf,
    /// File for the relaxed structure, its format by its name.
    output: PathBuf,
    /// What moves.
    #[arg(long = "move", value_enum, default_value = "cell")]
    movable: MovableName,
    /// Largest force on an atom that is none, in eV/Å.
    #[arg(long, default_value_t = 0.02)]
    force_tolerance: f64,
    /// Largest stress that is none, in GPa.
    #[arg(long, default_value_t = 0.1)]
    stress_tolerance: f64,
    /// Most evaluations of the potential.
    #[arg(long, default_value_t = 300)]
    max_evaluations: usize,
    /// Let the crystal leave its space group.
    #[arg(long)]
    free_symmetry: bool,
    /// File for all steps, as extxyz with energies, written anew after each.
    #[arg(long)]
    trajectory: Option<PathBuf>,
    /// Folder of structures, elements among them: their energies by the same potential make the hull
    /// that the relaxed crystal is held against.
    #[arg(long)]
    references: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MovableName {
    /// Atoms in a fixed cell.
    Positions,
    /// Atoms and cell.
    Cell,
    /// The volume alone.
    Volume,
}

pub(crate) fn run(arguments: &RelaxArguments) -> anyhow::Result<ExitCode> {
    let options = options(arguments)?;
    let format = StructureFormat::from_path(&arguments.output)?;
    let start = Structure::from_file(&arguments.input)?;
    let chgnet = Chgnet::installed()?;
    let references = arguments
        .references
        .as_deref()
        .map(|folder| reference_set(folder, &chgnet))
        .transpose()?;
    let mut trajectory = Trajectory::new(arguments.trajectory.as_deref());
    let mut first = None;
    let relaxed = relax(&chgnet, &start, &options, |structure, prediction| {
        first.get_or_insert(prediction.energy_ev);
        trajectory.add(structure, prediction);
    })?;
    if let Some((path, error)) = trajectory.trouble() {
        return Err(error).with_context(|| format!("file {}", path.display()));
    }
    relaxed.structure.to_file_as(&arguments.output, format)?;
    let mut out = terminal::stdout();
    report(&mut out, chgnet.name(), &start, first, &relaxed)?;
    if let Some(set) = references {
        stability(&mut out, &set, &relaxed)?;
    }
    Ok(match relaxed.is_converged() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn options(arguments: &RelaxArguments) -> anyhow::Result<RelaxationOptions> {
    for (name, value) in [
        ("--force-tolerance", arguments.force_tolerance),
        ("--stress-tolerance", arguments.stress_tolerance),
    ] {
        if !(value.is_finite() && value > 0.0) {
            return Err(
                UsageError(format!("{name} is {value}, expected a positive number")).into(),
            );
        }
    }
    Ok(RelaxationOptions {
        movable: match arguments.movable {
            MovableName::Positions => Movable::Positions,
            MovableName::Cell => Movable::PositionsAndCell,
            MovableName::Volume => Movable::Volume,
        },
        force_tolerance_ev_ang: arguments.force_tolerance,
        stress_tolerance_gpa: arguments.stress_tolerance,
        max_evaluations: arguments.max_evaluations,
        keep_symmetry: !arguments.free_symmetry,
        ..RelaxationOptions::default()
    })
}

/// The structures of a folder as a reference set, in alphabetical order; other files are passed over.
fn reference_set(folder: &Path, chgnet: &Chgnet) -> anyhow::Result<ReferenceSet> {
    let context = || format!("folder {}", folder.display());
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .with_context(context)?;
    paths.retain(|path| StructureFormat::from_path(path).is_ok());
    paths.sort();
    let structures = paths
        .iter()
        .map(|path| {
            Structure::from_file(path).with_context(|| format!("reference {}", path.display()))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let name = folder.display().to_string();
    Ok(ReferenceSet::computed(name, chgnet, &structures)?)
}

fn report(
    out: &mut impl Write,
    potential: &str,
    start: &Structure,
    first: Option<f64>,
    relaxed: &Relaxed,
) -> io::Result<()> {
    let sites = start.elements.len() as f64;
    let end = match &relaxed.end {
        RelaxationEnd::Converged => "converged".to_owned(),
        RelaxationEnd::EvaluationsUsedUp => "not converged: evaluations used up".to_owned(),
        RelaxationEnd::Left(error) => format!("not converged: {error}"),
        _ => "not converged: no step lowers the energy".to_owned(),
    };
    let structure = &relaxed.structure;
    let prediction = &relaxed.prediction;
    let force = prediction
        .forces_ev_ang
        .iter()
        .map(|[x, y, z]| (x * x + y * y + z * z).sqrt())
        .fold(0.0, f64::max);
    let stress = prediction
        .stress_gpa
        .iter()
        .flatten()
        .fold(0.0, |most: f64, s| most.max(s.abs()));
    writeln!(
        out,
        "{} by {potential}: {end} after {} evaluations",
        start.formula(),
        relaxed.evaluations
    )?;
    if let Some(first) = first {
        writeln!(
            out,
            "energy          {:>12.6} eV/atom, {:.6} before",
            prediction.energy_ev / sites,
            first / sites
        )?;
    }
    writeln!(
        out,
        "volume          {:>12.4} Å³, {:.4} before",
        structure.lattice.volume(),
        start.lattice.volume()
    )?;
    writeln!(
        out,
        "density         {:>12.4} g/cm³",
        structure.density_g_cm3()
    )?;
    writeln!(out, "largest force   {force:>12.6} eV/Å")?;
    writeln!(out, "largest stress  {stress:>12.6} GPa")
}

fn stability(out: &mut impl Write, set: &ReferenceSet, relaxed: &Relaxed) -> anyhow::Result<()> {
    let elements = &relaxed.structure.elements;
    let composition = Composition::of(elements);
    let energy = relaxed.prediction.energy_ev / elements.len() as f64;
    let formation = set.formation_energy(&composition, energy)?;
    let hull = set.hull_at(&composition)?;
    let above = energy - hull.energy_ev_atom;
    writeln!(out, "formation       {formation:>12.6} eV/atom")?;
    let phases: Vec<String> = hull
        .phases
        .iter()
        .map(|(phase, share)| format!("{:.3} {}", share, phase.composition))
        .collect();
    writeln!(
        out,
        "above the hull  {above:>12.6} eV/atom, of {} ({})",
        phases.join(" + "),
        set.name()
    )?;
    Ok(())
}

/// The steps so far, and the file that holds them.
struct Trajectory<'a> {
    path: Option<&'a Path>,
    text: String,
    trouble: Option<io::Error>,
}

impl<'a> Trajectory<'a> {
    fn new(path: Option<&'a Path>) -> Self {
        Self {
            path,
            text: String::new(),
            trouble: None,
        }
    }

    fn add(&mut self, structure: &Structure, prediction: &Prediction) {
        let Some(path) = self.path else {
            return;
        };
        let energy = ("energy", format!("{:.8}", prediction.energy_ev));
        self.text.push_str(&structure.to_extxyz_with(&[energy]));
        if let Err(error) = write_atomically(path, self.text.as_bytes()) {
            self.trouble.get_or_insert(error);
        }
    }

    /// The first error of writing.
    fn trouble(self) -> Option<(&'a Path, io::Error)> {
        Some((self.path?, self.trouble?))
    }
}
