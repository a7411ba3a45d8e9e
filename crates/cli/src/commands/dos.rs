//! `crystalgym dos`: the electronic density of states of a crystal.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use crystalgym_benchmark::csv_row;
use crystalgym_evaluation::{DENSE_SPACING_PER_ANG, StatesOptions, StatesPerEv};
use crystalgym_report::states_plot;
use serde_json::json;

use super::{
    crystal_arguments::CrystalArguments,
    electrons::{self, Electrons, OutputFormat, gap_line, levels_failed},
    evaluate::CalculatorArguments,
};
use crate::{hint::UsageError, terminal};

/// Arguments of `crystalgym dos`.
#[derive(Debug, Args)]
pub(crate) struct DosArguments {
    #[command(flatten)]
    crystal: CrystalArguments,
    #[command(flatten)]
    calculator: CalculatorArguments,
    /// Distance of neighbouring k-points of the mesh along each reciprocal vector in Å⁻¹, 2π included;
    /// divisions are even.
    #[arg(long, default_value_t = DENSE_SPACING_PER_ANG, value_name = "PER_ANG")]
    spacing: f64,
    /// Divisions of the mesh instead, such as 12,12,12.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "N1,N2,N3",
        conflicts_with = "spacing"
    )]
    mesh: Option<Vec<u32>>,
    /// Step of the energies in eV.
    #[arg(long, default_value_t = 0.02, value_name = "EV")]
    step: f64,
    /// First and last energy in eV; by default from below the lowest level to where the highest band begins.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], allow_negative_numbers = true)]
    window: Option<Vec<f64>>,
    /// Width of a Gaussian for each level in eV, instead of linear tetrahedra.
    #[arg(long, value_name = "EV")]
    gaussian: Option<f64>,
    /// Number of bands; by default a fifth more than are filled, and at least four more.
    #[arg(long)]
    bands: Option<usize>,
    /// Print a summary, or all numbers.
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    format: OutputFormat,
    /// Write a plot.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Steps of energy that a table is printed in, in eV.
const TABLE_STEP_EV: f64 = 1.0;

pub(crate) fn run(arguments: &DosArguments) -> anyhow::Result<ExitCode> {
    let wanted = options(arguments)?;
    let electrons = match electrons::converge(&arguments.crystal, &arguments.calculator)? {
        Ok(electrons) => electrons,
        Err(status) => return Ok(status),
    };
    let states = electrons
        .calculator
        .density_of_states(
            &electrons.state,
            &wanted,
            arguments.bands,
            &electrons.cancel,
        )
        .map_err(|error| levels_failed(error, &electrons.cancel))?;
    if let Some(path) = &arguments.svg {
        electrons::write_svg(
            path,
            &electrons
                .with_note(states_plot(&electrons.crystal.formula(), &states))
                .svg(),
        )?;
    }
    match arguments.format {
        OutputFormat::Table => print_table(&electrons, &states)?,
        OutputFormat::Csv => {
            let mut text = csv_row(&["energy_ev", "states_per_ev", "electrons_below"]);
            for (place, energy) in states.energies_ev.iter().enumerate() {
                let (density, below) = (states.states_per_ev[place], states.electrons_below[place]);
                text += &csv_row(&[
                    format!("{energy:.6}"),
                    format!("{density:.8}"),
                    format!("{below:.8}"),
                ]);
            }
            terminal::data().write_all(text.as_bytes())?;
        }
        OutputFormat::Json => {
            let mut value = electrons.json();
            value["density_of_states"] = json!({
                "energies_ev": states.energies_ev,
                "states_per_ev": states.states_per_ev,
                "electrons_below": states.electrons_below,
                "electrons": states.electrons,
                "k_mesh": states.k_mesh,
                "irreducible_k_points": states.k_points,
                "gaussian_ev": wanted.gaussian_ev,
                "fermi_ev": states.fermi_ev,
                "edges": states.edges,
            });
            writeln!(terminal::stdout(), "{}", terminal::json(&value)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: &DosArguments) -> anyhow::Result<StatesOptions> {
    let k_mesh = match arguments.mesh.as_deref() {
        None => None,
        Some(&[a, b, c]) => Some([a, b, c]),
        Some(other) => {
            let message = format!("--mesh has {} numbers, expected three", other.len());
            return Err(UsageError(message).into());
        }
    };
    let is_positive = |x: f64| x > 0.0 && x.is_finite();
    if !is_positive(arguments.spacing) {
        let message = format!("--spacing is {}, expected more than 0", arguments.spacing);
        return Err(UsageError(message).into());
    }
    Ok(StatesOptions {
        k_mesh,
        spacing_per_ang: arguments.spacing,
        step_ev: arguments.step,
        window_ev: match &arguments.window {
            Some(ends) => Some(electrons::window_ev(ends)?),
            None => None,
        },
        gaussian_ev: arguments.gaussian,
    })
}

fn print_table(electrons: &Electrons, states: &StatesPerEv) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    writeln!(out, "{}", electrons.heading())?;
    let mesh = states.k_mesh.map(|d| d.to_string()).join("×");
    writeln!(
        out,
        "states on {mesh} k-points, {} of them irreducible",
        states.k_points
    )?;
    writeln!(out, "{}", gap_line(states.edges.as_ref()))?;
    if let Some(fermi) = states.fermi_ev {
        writeln!(out, "energies in eV above {fermi:.4} eV")?;
    }
    writeln!(
        out,
        "\n{:>10} {:>14} {:>16}",
        "eV", "states per eV", "electrons below"
    )?;
    let reference = states.reference_ev();
    let mut next = f64::NEG_INFINITY;
    for (place, energy) in states.energies_ev.iter().enumerate() {
        let above = energy - reference;
        if above < next - 1e-9 {
            continue;
        }
        next = (above / TABLE_STEP_EV).floor() * TABLE_STEP_EV + TABLE_STEP_EV;
        writeln!(
            out,
            "{above:>10.3} {:>14.4} {:>16.4}",
            states.states_per_ev[place], states.electrons_below[place]
        )?;
    }
    Ok(())
}
