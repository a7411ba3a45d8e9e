//! `crystalgym bands`: the band structure of a crystal along its high-symmetry path.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use crystalgym_benchmark::csv_row;
use crystalgym_evaluation::{BandStructure, PATH_SPACING_PER_ANG};
use crystalgym_report::band_plot;
use serde_json::json;

use super::{
    crystal_arguments::CrystalArguments,
    electrons::{self, Electrons, OutputFormat, gap_line, levels_failed},
    evaluate::CalculatorArguments,
};
use crate::terminal;

/// Arguments of `crystalgym bands`.
#[derive(Debug, Args)]
pub(crate) struct BandsArguments {
    #[command(flatten)]
    crystal: CrystalArguments,
    #[command(flatten)]
    calculator: CalculatorArguments,
    /// Distance of neighbouring k-points along the path in Å⁻¹, 2π included.
    #[arg(long, default_value_t = PATH_SPACING_PER_ANG, value_name = "PER_ANG")]
    spacing: f64,
    /// Number of bands; by default a fifth more than are filled, and at least four more.
    #[arg(long)]
    bands: Option<usize>,
    /// Energies of the plot in eV, measured from the top of the valence bands or the Fermi level.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], allow_negative_numbers = true, default_values_t = [-10.0, 10.0])]
    window: Vec<f64>,
    /// Print the levels at the points of high symmetry, or all numbers.
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    format: OutputFormat,
    /// Write a plot.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(crate) fn run(arguments: &BandsArguments) -> anyhow::Result<ExitCode> {
    let window = electrons::window_ev(&arguments.window)?;
    let electrons = match electrons::converge(&arguments.crystal, &arguments.calculator)? {
        Ok(electrons) => electrons,
        Err(status) => return Ok(status),
    };
    let bands = electrons
        .calculator
        .band_structure(
            &electrons.state,
            arguments.spacing,
            arguments.bands,
            &electrons.cancel,
        )
        .map_err(|error| levels_failed(error, &electrons.cancel))?;
    if let Some(path) = &arguments.svg {
        electrons::write_svg(
            path,
            &electrons
                .with_note(band_plot(
                    &electrons.crystal.formula(),
                    &bands,
                    window.into(),
                ))
                .svg(),
        )?;
    }
    match arguments.format {
        OutputFormat::Table => print_table(&electrons, &bands)?,
        OutputFormat::Csv => terminal::data().write_all(csv(&bands).as_bytes())?,
        OutputFormat::Json => {
            let mut value = electrons.json();
            value["bands"] = json!({
                "lattice": bands.lattice,
                "labels": bands.points.iter().map(|p| p.label).collect::<Vec<_>>(),
                "branches": bands.points.iter().map(|p| p.branch).collect::<Vec<_>>(),
                "k_points_frac": bands.points.iter().map(|p| p.k_frac).collect::<Vec<_>>(),
                "distances_per_ang": bands.points.iter().map(|p| p.distance_per_ang).collect::<Vec<_>>(),
                "energies_ev": bands.energies_ev,
                "electrons": bands.electrons,
                "fermi_ev": bands.fermi_ev,
                "reference_ev": bands.reference_ev(),
                "edges": bands.edges(),
            });
            writeln!(terminal::stdout(), "{}", terminal::json(&value)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(electrons: &Electrons, bands: &BandStructure) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    writeln!(out, "{}", electrons.heading())?;
    writeln!(
        out,
        "{} bands at {} k-points along the path of the lattice {}",
        bands.energies_ev.first().map_or(0, Vec::len),
        bands.points.len(),
        bands.lattice
    )?;
    writeln!(out, "{}", gap_line(bands.edges().as_ref()))?;
    let reference = bands.reference_ev();
    writeln!(out, "energies in eV above {reference:.4} eV")?;
    let below = (bands.electrons / 2.0).ceil() as usize;
    writeln!(
        out,
        "\n{:<4} {:>8} {:>8} {:>8} {:>10} {:>10} {:>10}",
        "",
        "k1",
        "k2",
        "k3",
        "Å⁻¹",
        format!("band {below}"),
        format!("band {}", below + 1)
    )?;
    let mut branch = 0;
    for (point, energies) in bands.points.iter().zip(&bands.energies_ev) {
        let Some(label) = point.label else { continue };
        if point.branch != branch {
            branch = point.branch;
            writeln!(out)?;
        }
        let [k1, k2, k3] = point.k_frac;
        let level = |band: usize| match energies.get(band) {
            Some(energy) => format!("{:.4}", energy - reference),
            None => String::new(),
        };
        writeln!(
            out,
            "{label:<4} {k1:>8.4} {k2:>8.4} {k3:>8.4} {:>10.4} {:>10} {:>10}",
            point.distance_per_ang,
            level(below - 1),
            level(below)
        )?;
    }
    Ok(())
}

fn csv(bands: &BandStructure) -> String {
    let mut header: Vec<String> = ["branch", "label", "distance_per_ang", "k1", "k2", "k3"]
        .map(str::to_owned)
        .to_vec();
    let count = bands.energies_ev.first().map_or(0, Vec::len);
    header.extend((1..=count).map(|band| format!("band_{band}_ev")));
    let mut text = csv_row(&header);
    for (point, energies) in bands.points.iter().zip(&bands.energies_ev) {
        let mut row = vec![
            point.branch.to_string(),
            point.label.unwrap_or_default().to_owned(),
            format!("{:.8}", point.distance_per_ang),
        ];
        row.extend(point.k_frac.map(|x| format!("{x:.8}")));
        row.extend(energies.iter().map(|energy| format!("{energy:.6}")));
        text += &csv_row(&row);
    }
    text
}
