//! `crystalgym relax`: where a crystal comes to rest by a potential or by the engine, and how stable it
//! is there.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use crystalgym_crystal::{
    Crystal, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure, StructureFormat, write_atomically,
};
use crystalgym_evaluation::{Accuracy, CalculatorConfig, CancelToken, NativeCalculator};
use crystalgym_metrics::Composition;
use crystalgym_potential::{
    Chgnet, InteratomicPotential, Movable, Prediction, RelaxationEnd, RelaxationOptions, Relaxed,
    StepJudge, relax,
};
use crystalgym_stability::ReferenceSet;
use crystalgym_training::ConfigLayers;

use crate::{hint::UsageError, terminal};

/// Arguments of `crystalgym relax`.
#[derive(Debug, Args)]
pub(crate) struct RelaxArguments {
    /// Structure to start from, as `convert` reads them; `trajectory.extxyz@7` goes on from frame 7.
    input: PathBuf,
    /// File for the relaxed structure, its format by its name.
    output: PathBuf,
    /// What it comes to rest by. The engine relaxes the reduced cell; after CHGNet it starts where that
    /// ended.
    #[arg(long, value_enum, default_value = "chgnet")]
    by: Method,
    /// Pseudopotential family of the engine: a folder, or the name of an installed one; by default the
    /// built-in GTH potentials.
    #[arg(long)]
    pseudo: Option<String>,
    /// One setting of the engine, such as native.accuracy=converged; balanced is the default.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
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

/// Pressure that the engine's correction for its plane waves may add before volumes are doubtful.
const DOUBTFUL_GPA: f64 = 5.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// The pretrained potential CHGNet.
    Chgnet,
    /// The built-in plane-wave engine.
    Engine,
    /// CHGNet first, then the engine.
    Both,
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
    if arguments.references.is_some() && arguments.by != Method::Chgnet {
        let message =
            "--references has energies by CHGNet, which the engine's cannot be held against";
        return Err(UsageError(message.to_owned()).into());
    }
    let format = StructureFormat::from_path(&arguments.output)?;
    let start = Structure::from_file(&arguments.input)?;
    let chgnet = match arguments.by {
        Method::Engine => None,
        Method::Chgnet | Method::Both => Some(Chgnet::installed()?),
    };
    let engine = match arguments.by {
        Method::Chgnet => None,
        Method::Engine | Method::Both => Some(engine(arguments)?),
    };
    let references = match (&chgnet, &arguments.references) {
        (Some(chgnet), Some(folder)) => Some(reference_set(folder, chgnet)?),
        _ => None,
    };
    let mut trajectory = Trajectory::new(arguments.trajectory.as_deref());
    let mut out = terminal::stdout();
    let mut relaxed = None;
    if let Some(chgnet) = &chgnet {
        relaxed = Some(stage(chgnet, &start, &options, &mut trajectory, &mut out)?);
    }
    if let Some(engine) = &engine {
        let from = relaxed.as_ref().map_or(&start, |found| &found.structure);
        let skeleton = Skeleton::from_structure("relaxed", from, SYMMETRY_TOLERANCE_ANG)?;
        let crystal = Crystal::new(Arc::new(skeleton), from.elements.clone())?;
        let from = crystal.oriented_structure()?;
        let potential = engine.potential(&crystal, &CancelToken::default());
        let options = RelaxationOptions {
            judge: StepJudge::Work,
            ..options.clone()
        };
        relaxed = Some(stage(
            &potential,
            &from,
            &options,
            &mut trajectory,
            &mut out,
        )?);
        let correction_gpa = potential.basis_set_pressure_gpa();
        if correction_gpa.abs() > DOUBTFUL_GPA {
            eprintln!(
                "the plane waves of this cutoff add {correction_gpa:.1} GPa to the pressure: it is below what \
                 these elements need, and the volume is a rough one (a higher native.gth_cutoff_ry or \
                 native.ecutwfc_ry, or native.accuracy=converged, helps)"
            );
        }
    }
    if let Some((path, error)) = trajectory.trouble() {
        return Err(error).with_context(|| format!("file {}", path.display()));
    }
    let relaxed = relaxed.context("nothing to relax by")?;
    relaxed.structure.to_file_as(&arguments.output, format)?;
    if let Some(set) = references {
        stability(&mut out, &set, &relaxed)?;
    }
    Ok(match relaxed.is_converged() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// One relaxation, written down step by step and said.
fn stage(
    potential: &dyn InteratomicPotential,
    start: &Structure,
    options: &RelaxationOptions,
    trajectory: &mut Trajectory<'_>,
    out: &mut impl Write,
) -> anyhow::Result<Relaxed> {
    let mut first = None;
    let relaxed = relax(potential, start, options, |structure, prediction| {
        first.get_or_insert(prediction.energy_ev);
        trajectory.add(structure, prediction);
    })?;
    report(out, potential.name(), start, first, &relaxed)?;
    Ok(relaxed)
}

/// The engine, with the machine to itself.
fn engine(arguments: &RelaxArguments) -> anyhow::Result<NativeCalculator> {
    let mut layers = ConfigLayers::default();
    let cores = thread::available_parallelism()?.get() as i64;
    layers.set("calculator.name", "native");
    layers.set("calculator.native.threads", cores);
    layers.set("calculator.native.accuracy", Accuracy::Balanced.name());
    if let Some(family) = &arguments.pseudo {
        layers.set("calculator.pseudopotentials", family.as_str());
    }
    for assignment in &arguments.set {
        match assignment.starts_with("calculator.") {
            true => layers.add_assignment(assignment)?,
            false => layers.add_assignment(&format!("calculator.{assignment}"))?,
        }
    }
    let config = layers.resolve_table("calculator", &CalculatorConfig::default())?;
    Ok(config.build_native()?)
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
