//! `crystalgym evaluate`: one property of one crystal.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::Args;
use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{
    Accuracy, BUILT_IN, CalculatorConfig, CalculatorName, CancelToken, Evaluation, Outcome,
    Property, Values, evaluate,
};
use crystalgym_training::{ConfigLayers, open_store};
use serde_json::json;

use super::crystal_arguments::CrystalArguments;
use crate::{hint::UsageError, signals::StopFlag, terminal};

/// From this cutoff on, softer pseudopotentials are recommended.
const HARD_RY: f64 = 120.0;

/// Arguments of `crystalgym evaluate`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    #[command(flatten)]
    crystal: CrystalArguments,
    /// A property, as `crystalgym list properties` names them.
    #[arg(long)]
    property: Property,
    #[command(flatten)]
    calculator: CalculatorArguments,
    /// `default`, `none`, the file of a store, or postgres://….
    #[arg(long, default_value = "default")]
    store: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which calculator, and its settings.
#[derive(Debug, Args)]
pub(crate) struct CalculatorArguments {
    /// native, qe, chgnet, table, rigid or empirical.
    #[arg(long, default_value = "native")]
    calculator: String,
    /// Pseudopotential family: a folder, or the name of an installed one. By default the built-in
    /// GTH potentials for native, SSSP 1.3.0 PBE efficiency for qe.
    #[arg(long)]
    pseudo: Option<String>,
    /// fast (what training takes), balanced (the cheapest whose measured error is small) or converged,
    /// for native: cutoffs, mesh and stress, each unless it is set by itself.
    #[arg(long)]
    accuracy: Option<Accuracy>,
    /// What comes before: none, own (cell and positions at rest by the calculator's forces and stress) or
    /// chgnet (by that potential's).
    #[arg(long)]
    relaxation: Option<String>,
    /// What energies above the hull are measured from: a CSV file of energies, for chgnet also a folder
    /// of structures.
    #[arg(long)]
    references: Option<PathBuf>,
    /// Settings from a TOML file (its table [calculator]).
    #[arg(long)]
    config: Vec<PathBuf>,
    /// One setting of the calculator, such as calculator.native.ecutwfc_ry=40; native.ecutwfc_ry=40
    /// is the same.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl CalculatorArguments {
    /// The calculator's table for a single calculation: balanced, and with the machine to itself.
    pub(crate) fn single_calculation(&self) -> anyhow::Result<CalculatorConfig> {
        let cores = thread::available_parallelism()?;
        self.config(&[
            format!("native.threads={cores}"),
            format!("native.accuracy={}", Accuracy::Balanced),
        ])
    }

    /// Name of the calculator, as given.
    pub(crate) fn name(&self) -> &str {
        &self.calculator
    }

    /// The calculator's table of the configuration, under the options that name its parts;
    /// `defaults` are assignments that everything else wins over.
    pub(crate) fn config(&self, defaults: &[String]) -> anyhow::Result<CalculatorConfig> {
        self.config_at(defaults, self.accuracy)
    }

    /// The same at another accuracy.
    pub(crate) fn config_at(
        &self,
        defaults: &[String],
        accuracy: Option<Accuracy>,
    ) -> anyhow::Result<CalculatorConfig> {
        let mut layers = ConfigLayers::default();
        for assignment in defaults {
            layers.add_assignment(&format!("calculator.{assignment}"))?;
        }
        for file in &self.config {
            layers.add_file(file)?;
        }
        layers.set("calculator.name", self.calculator.as_str());
        if let Some(family) = &self.pseudo {
            layers.set("calculator.pseudopotentials", family.as_str());
        }
        if let Some(accuracy) = accuracy {
            if self.calculator != CalculatorName::Native.name() {
                let message = format!(
                    "--accuracy is a setting of native, not of {}",
                    self.calculator
                );
                return Err(UsageError(message).into());
            }
            layers.set("calculator.native.accuracy", accuracy.name());
        }
        if let Some(relaxation) = &self.relaxation {
            layers.set("calculator.relaxation", relaxation.as_str());
        }
        if let Some(references) = &self.references {
            let path = references.to_string_lossy();
            layers.set("calculator.stability.references", path.as_ref());
        }
        for assignment in &self.set {
            // `native.kppa`, `calculator.native.kppa` and `kppa`'s neighbours such as `name` are one thing.
            match assignment.starts_with("calculator.") {
                true => layers.add_assignment(assignment)?,
                false => layers.add_assignment(&format!("calculator.{assignment}"))?,
            }
        }
        Ok(layers.resolve_table("calculator", &CalculatorConfig::default())?)
    }
}

pub(crate) fn run(arguments: &EvaluateArguments) -> anyhow::Result<ExitCode> {
    // Until the flag is there, Ctrl-C ends the program at once: nothing is under way yet.
    let crystal = arguments.crystal.crystal()?;
    let stop = StopFlag::install()?;
    let calculator = arguments.calculator.single_calculation()?.build()?;
    calculator.check(crystal.elements(), arguments.property)?;
    calculator.check_skeleton(crystal.skeleton())?;
    if let Some(settings) = calculator.calculation_settings(&crystal.structure())
        && settings.pseudopotentials == BUILT_IN
        && settings.ecutwfc_ry >= HARD_RY
    {
        eprintln!(
            "note: the built-in pseudopotentials of these elements need {} Ry, which can take minutes; \
             `crystalgym pseudo install` gets softer ones, for `--pseudo SSSP-1.3.0-PBE-efficiency`",
            settings.ecutwfc_ry
        );
    }
    let store = open_store(&arguments.store, calculator.as_ref())?;
    let cancel = CancelToken::default();
    let evaluation = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            evaluate(
                calculator.as_ref(),
                store.as_ref(),
                &crystal,
                arguments.property,
                &cancel,
            )
        });
        while !worker.is_finished() {
            if stop.is_set() {
                cancel.cancel();
            }
            thread::sleep(Duration::from_millis(if calculator.is_instant() {
                1
            } else {
                20
            }));
        }
        worker.join()
    });
    let evaluation = evaluation.map_err(|_| anyhow::anyhow!("the evaluation panicked"))?;
    if let Some(error) = &evaluation.store_error {
        eprintln!("warning: the result could not be stored: {error}");
    }
    print(arguments, &crystal, calculator.name(), &evaluation)?;
    Ok(match evaluation.outcome {
        Outcome::Success(_) => ExitCode::SUCCESS,
        Outcome::Failure(_) => ExitCode::FAILURE,
    })
}

fn print(
    arguments: &EvaluateArguments,
    crystal: &Crystal,
    calculator: &str,
    evaluation: &Evaluation,
) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    let property = arguments.property;
    let symbols: Vec<&str> = crystal.elements().iter().map(|e| e.symbol()).collect();
    if arguments.json {
        let value = json!({
            "skeleton": crystal.skeleton().label,
            "elements": symbols,
            "formula": crystal.formula(),
            "property": property.name(),
            "unit": property.unit(),
            "calculator": calculator,
            "source": evaluation.source.name(),
            "outcome": evaluation.outcome,
        });
        writeln!(out, "{}", terminal::json(&value)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "{} on {} ({}), {calculator}, {}",
        crystal.formula(),
        crystal.skeleton().label,
        symbols.join(" "),
        evaluation.source.name()
    )?;
    match &evaluation.outcome {
        Outcome::Success(values) => print_values(&mut out, property, values)?,
        Outcome::Failure(failure) => {
            writeln!(out, "failed: {} ({})", failure.code, failure.message)?;
        }
    }
    Ok(())
}

fn print_values(out: &mut dyn Write, property: Property, values: &Values) -> io::Result<()> {
    const RY_PER_EV: f64 = 1.0 / 13.605_693_122_994;
    let mut row = |name: &str, value: Option<f64>, digits: usize, unit: &str| match value {
        Some(value) => writeln!(out, "{name:<22} {value:>16.digits$} {unit}"),
        None => Ok(()),
    };
    row(property.name(), Some(values.value), 5, property.unit())?;
    row("total energy", values.total_energy_ev, 6, "eV")?;
    row(
        "",
        values.total_energy_ev.map(|energy| energy * RY_PER_EV),
        8,
        "Ry",
    )?;
    if let Some(edges) = &values.gap_edges {
        row("direct gap", Some(edges.direct_gap_ev), 5, "eV")?;
        if let Some(k_mesh) = edges.k_mesh {
            let mesh = k_mesh.map(|d| d.to_string()).join("×");
            writeln!(out, "{:<22} the path and {mesh} k-points", "levels of")?;
        }
    }
    let mut row = |name: &str, value: Option<f64>, digits: usize, unit: &str| match value {
        Some(value) => writeln!(out, "{name:<22} {value:>16.digits$} {unit}"),
        None => Ok(()),
    };
    row("HOMO", values.homo_ev, 4, "eV")?;
    row("LUMO", values.lumo_ev, 4, "eV")?;
    row("Fermi level", values.fermi_ev, 4, "eV")?;
    row("pressure", values.pressure_gpa, 3, "GPa")?;
    row("volume", Some(values.volume_ang3), 4, "Å³")?;
    row(
        "rigid density",
        Some(values.rigid_density_g_cm3),
        5,
        "g/cm³",
    )?;
    if let Some(fit) = &values.equation_of_state {
        row("V0", Some(fit.equilibrium_volume_ang3), 4, "Å³")?;
        row("B0'", Some(fit.bulk_modulus_derivative), 3, "")?;
        row("rms of the fit", Some(1e3 * fit.rms_residual_ev), 4, "meV")?;
        row(
            "V d²E/dV² at the cell",
            Some(fit.modulus_at_reference_gpa),
            3,
            "GPa",
        )?;
    }
    row(
        "symmetry operations",
        values.symmetry_operations.map(f64::from),
        0,
        "",
    )?;
    row(
        "irreducible k-points",
        values.k_points.map(f64::from),
        0,
        "",
    )?;
    row(
        "SCF iterations",
        Some(f64::from(values.scf_iterations)),
        0,
        "",
    )?;
    row("wall time", Some(values.seconds), 2, "s")?;
    if let Some(settings) = &values.settings {
        writeln!(out, "{:<22} {settings}", "computed with")?;
        if let Some(error) = &settings.stated_error {
            writeln!(out, "{:<22} {error}", "error of the cutoff")?;
        }
    }
    for warning in &values.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}
