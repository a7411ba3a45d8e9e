//! `crystalgym converge`: a property over cutoff and mesh, and which settings reach a tolerance.

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use crystalgym_benchmark::csv_row;
use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{
    CalculationSettings, Calculator as _, CalculatorConfig, ConvergenceAxis, ConvergenceCurve,
    ConvergencePoint, ConvergenceSettings, Outcome, Property, Tolerance,
};
use crystalgym_report::{LinePlot, PlotLine, stacked_svg};
use crystalgym_training::open_store;
use serde_json::{Value, json};

use super::{
    crystal_arguments::CrystalArguments,
    electrons::{OutputFormat, write_svg},
    evaluate::CalculatorArguments,
};
use crate::{hint::UsageError, signals::StopFlag, terminal};

/// Multiples of the cutoff that the elements are said to need.
const CUTOFF_FACTORS: [f64; 5] = [0.5, 0.75, 1.0, 1.25, 1.5];
/// k-points per reciprocal atom.
const KPPA: [f64; 5] = [100.0, 300.0, 1000.0, 2000.0, 4000.0];
/// Where nothing else is said, of cutoffs in Ry.
const ROUND_RY: f64 = 5.0;

/// Arguments of `crystalgym converge`.
#[derive(Debug, Args)]
pub(crate) struct ConvergeArguments {
    #[command(flatten)]
    crystal: CrystalArguments,
    /// A property, as `crystalgym list properties` names them.
    #[arg(long)]
    property: Property,
    /// How far a value may be from that at the most accurate settings: in the unit of the property, or
    /// per cent (`1%`). By default 0.05 eV, 1 % of a density, 5 % of a modulus.
    #[arg(long, value_parser = parse_tolerance)]
    tolerance: Option<Tolerance>,
    /// Cutoffs of the wave functions in Ry, such as 20,30,40,60; by default from half to one and a half
    /// of what the elements need. That of the density follows in proportion.
    #[arg(long, value_delimiter = ',', value_name = "RY")]
    cutoffs: Option<Vec<f64>>,
    /// k-points per reciprocal atom, such as 100,1000,4000 (the default goes from 100 to 4000).
    #[arg(long, value_delimiter = ',', value_name = "KPPA")]
    meshes: Option<Vec<f64>>,
    #[command(flatten)]
    calculator: CalculatorArguments,
    /// `default`, `none`, or the file of a store: stopped, it goes on from there.
    #[arg(long, default_value = "default")]
    store: String,
    /// Print a table, or all numbers.
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    format: OutputFormat,
    /// Write a plot.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Status of a command that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(arguments: &ConvergeArguments) -> anyhow::Result<ExitCode> {
    let crystal = arguments.crystal.crystal()?;
    let config = arguments.calculator.single_calculation()?;
    let calculator = config.build_native()?;
    let property = arguments.property;
    calculator.check(crystal.elements(), property)?;
    let given = calculator
        .calculation_settings(&crystal.structure())
        .context("the cutoffs of these elements are not known")?;
    let tolerance = arguments.tolerance.unwrap_or(default_tolerance(property));
    let cutoffs = ascending("--cutoffs", arguments.cutoffs.clone(), || {
        default_cutoffs(&given)
    })?;
    let meshes = ascending("--meshes", arguments.meshes.clone(), || KPPA.to_vec())?;
    let store = open_store(&arguments.store, &calculator)?;
    let cancel = StopFlag::install()?.cancel_token();
    let compute = |axis, settings: &[ConvergenceSettings]| {
        let each = |point: &ConvergencePoint| show_progress(property, point);
        let (what, store) = ((&crystal, property), store.as_ref());
        ConvergenceCurve::compute(axis, settings, &config, store, what, &cancel, each)
    };
    let ratio = given.ecutrho_ry / given.ecutwfc_ry;
    let over_cutoff: Vec<ConvergenceSettings> = cutoffs
        .iter()
        .map(|&ecutwfc_ry| ConvergenceSettings {
            ecutwfc_ry,
            ecutrho_ry: ratio * ecutwfc_ry,
            kppa: given.kppa,
        })
        .collect();
    let cutoff_curve = compute(ConvergenceAxis::Cutoff, &over_cutoff)?;
    // The mesh is judged at the cutoff that is enough, else at the largest.
    let enough = cutoff_curve.converged(tolerance);
    let at = enough
        .map(|point| point.settings)
        .or(over_cutoff.last().copied());
    let over_mesh: Vec<ConvergenceSettings> = (at.into_iter())
        .flat_map(|settings| {
            meshes
                .iter()
                .map(move |&kppa| ConvergenceSettings { kppa, ..settings })
        })
        .collect();
    let mesh_curve = match cancel.is_cancelled() {
        true => ConvergenceCurve {
            axis: ConvergenceAxis::Mesh,
            points: Vec::new(),
        },
        false => compute(ConvergenceAxis::Mesh, &over_mesh)?,
    };
    let answer = Answer {
        crystal: &crystal,
        property,
        config: &config,
        given: &given,
        tolerance,
        curves: [cutoff_curve, mesh_curve],
    };
    if let Some(path) = &arguments.svg {
        write_svg(path, &answer.svg())?;
    }
    match arguments.format {
        OutputFormat::Table => answer.print()?,
        OutputFormat::Csv => terminal::data().write_all(answer.csv().as_bytes())?,
        OutputFormat::Json => {
            writeln!(terminal::stdout(), "{}", terminal::json(&answer.json())?)?;
        }
    }
    if cancel.is_cancelled() {
        eprintln!("stopped: the same command goes on from the store");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(
        match answer
            .curves
            .iter()
            .all(|c| c.converged(tolerance).is_some())
        {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
    )
}

fn show_progress(property: Property, point: &ConvergencePoint) {
    let settings = point.settings;
    let outcome = match &point.evaluation.outcome {
        Outcome::Success(values) => format!("{:.5} {}", values.value, property.unit()),
        Outcome::Failure(failure) => format!("failed, {}", failure.code),
    };
    eprintln!(
        "{} Ry, {}: {outcome} ({})",
        settings.ecutwfc_ry,
        mesh_text(point.k_mesh),
        point.evaluation.source.name()
    );
}

fn mesh_text(k_mesh: [u32; 3]) -> String {
    k_mesh.map(|d| d.to_string()).join("×")
}

fn default_tolerance(property: Property) -> Tolerance {
    let (absolute, relative) = match property {
        Property::BandGap => (0.05, 0.0),
        Property::Energy | Property::FormationEnergy | Property::EnergyAboveHull => (0.005, 0.0),
        Property::Density => (0.0, 0.01),
        Property::BulkModulus | Property::ShearModulus => (0.0, 0.05),
    };
    Tolerance { absolute, relative }
}

fn default_cutoffs(given: &CalculationSettings) -> Vec<f64> {
    let needed = given.needed_ecutwfc_ry.unwrap_or(given.ecutwfc_ry);
    CUTOFF_FACTORS
        .map(|factor| (factor * needed / ROUND_RY).round() * ROUND_RY)
        .to_vec()
}

/// Numbers in ascending order, at least two different ones.
fn ascending(
    option: &str,
    given: Option<Vec<f64>>,
    default: impl FnOnce() -> Vec<f64>,
) -> Result<Vec<f64>, UsageError> {
    let mut numbers = given.unwrap_or_else(default);
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    match numbers.len() >= 2 && numbers.iter().all(|x| x.is_finite() && *x > 0.0) {
        true => Ok(numbers),
        false => Err(UsageError(format!(
            "{option} is {numbers:?}, expected two or more different positive numbers"
        ))),
    }
}

fn parse_tolerance(text: &str) -> Result<Tolerance, String> {
    let (number, is_relative) = match text.strip_suffix('%') {
        Some(number) => (number, true),
        None => (text, false),
    };
    let number: f64 = (number.trim().parse().ok())
        .filter(|x: &f64| *x > 0.0 && x.is_finite())
        .ok_or_else(|| format!("'{text}', expected a positive number such as 0.05 or 1%"))?;
    Ok(match is_relative {
        true => Tolerance {
            absolute: 0.0,
            relative: number / 100.0,
        },
        false => Tolerance {
            absolute: number,
            relative: 0.0,
        },
    })
}

/// Both curves and what they say.
struct Answer<'a> {
    crystal: &'a Crystal,
    property: Property,
    config: &'a CalculatorConfig,
    given: &'a CalculationSettings,
    tolerance: Tolerance,
    curves: [ConvergenceCurve; 2],
}

impl Answer<'_> {
    fn tolerance_text(&self) -> String {
        match self.tolerance.relative > 0.0 {
            true => format!("{} %", 100.0 * self.tolerance.relative),
            false => format!("{} {}", self.tolerance.absolute, self.property.unit()),
        }
    }

    /// Which settings are enough, or what to try.
    fn verdict(&self, curve: &ConvergenceCurve) -> String {
        let tolerance = self.tolerance_text();
        let (axis, option) = match curve.axis {
            ConvergenceAxis::Cutoff => ("cutoff", "--cutoffs"),
            ConvergenceAxis::Mesh => ("mesh", "--meshes"),
        };
        match curve.converged(self.tolerance) {
            Some(point) => match curve.axis {
                ConvergenceAxis::Cutoff => format!(
                    "within {tolerance} from {} Ry on: --set native.ecutwfc_ry={} --set \
                     native.ecutrho_ry={}",
                    point.settings.ecutwfc_ry, point.settings.ecutwfc_ry, point.settings.ecutrho_ry
                ),
                ConvergenceAxis::Mesh => format!(
                    "within {tolerance} from {} k-points on: --set native.kppa={}",
                    mesh_text(point.k_mesh),
                    point.settings.kppa
                ),
            },
            None => format!(
                "no {axis} before the last is within {tolerance} of it: give larger {option}"
            ),
        }
    }

    fn print(&self) -> anyhow::Result<()> {
        let mut out = terminal::stdout();
        writeln!(
            out,
            "{} of {}, {}, {}",
            self.property,
            self.crystal.formula(),
            self.given.pseudopotentials,
            self.config.native.accuracy
        )?;
        for curve in &self.curves {
            writeln!(
                out,
                "\n{:>8} {:>8} {:>8} {:>12} {:>12} {:>12}  {:<8}",
                "Ry",
                "Ry, ρ",
                "kppa",
                "k-points",
                self.property.unit(),
                "error",
                ""
            )?;
            for point in &curve.points {
                let settings = point.settings;
                let (value, error) = match (point.value(), curve.error(point)) {
                    (Some(value), Some(error)) => (format!("{value:.5}"), format!("{error:+.5}")),
                    (Some(value), None) => (format!("{value:.5}"), String::new()),
                    _ => (code(point), String::new()),
                };
                let is_enough = curve.converged(self.tolerance) == Some(point);
                writeln!(
                    out,
                    "{:>8} {:>8} {:>8} {:>12} {value:>12} {error:>12}  {}",
                    settings.ecutwfc_ry,
                    settings.ecutrho_ry,
                    settings.kppa,
                    mesh_text(point.k_mesh),
                    if is_enough { "enough" } else { "" }
                )?;
            }
            writeln!(out, "{}: {}", curve.axis.name(), self.verdict(curve))?;
        }
        Ok(())
    }

    fn csv(&self) -> String {
        let mut text = csv_row(&[
            "axis",
            "ecutwfc_ry",
            "ecutrho_ry",
            "kppa",
            "k_mesh",
            self.property.name(),
            "error",
            "failure",
            "is_enough",
            "pseudopotentials",
            "accuracy",
        ]);
        for curve in &self.curves {
            for point in &curve.points {
                let settings = point.settings;
                let number = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:.8}"));
                text += &csv_row(&[
                    curve.axis.name().to_owned(),
                    settings.ecutwfc_ry.to_string(),
                    settings.ecutrho_ry.to_string(),
                    settings.kppa.to_string(),
                    mesh_text(point.k_mesh),
                    number(point.value()),
                    number(curve.error(point)),
                    code(point),
                    (curve.converged(self.tolerance) == Some(point)).to_string(),
                    self.given.pseudopotentials.clone(),
                    self.config.native.accuracy.to_string(),
                ]);
            }
        }
        text
    }

    fn json(&self) -> Value {
        let point_json = |curve: &ConvergenceCurve, point: &ConvergencePoint| {
            json!({
                "ecutwfc_ry": point.settings.ecutwfc_ry,
                "ecutrho_ry": point.settings.ecutrho_ry,
                "kppa": point.settings.kppa,
                "k_mesh": point.k_mesh,
                "value": point.value(),
                "error": curve.error(point),
                "outcome": point.evaluation.outcome,
                "source": point.evaluation.source.name(),
            })
        };
        let curves = self.curves.iter().map(|curve| {
            let points = curve.points.iter().map(|point| point_json(curve, point));
            let enough = curve.converged(self.tolerance);
            json!({
                "axis": curve.axis.name(),
                "points": points.collect::<Vec<_>>(),
                "enough": enough.map(|point| point_json(curve, point)),
            })
        });
        json!({
            "formula": self.crystal.formula(),
            "property": self.property.name(),
            "unit": self.property.unit(),
            "pseudopotentials": self.given.pseudopotentials,
            "accuracy": self.config.native.accuracy,
            "tolerance": {
                "absolute": self.tolerance.absolute,
                "relative": self.tolerance.relative,
            },
            "curves": curves.collect::<Vec<_>>(),
        })
    }

    fn svg(&self) -> String {
        let formula = self.crystal.formula();
        let plot = |curve: &ConvergenceCurve| {
            let place = |point: &ConvergencePoint| match curve.axis {
                ConvergenceAxis::Cutoff => point.settings.ecutwfc_ry,
                ConvergenceAxis::Mesh => point.settings.kppa,
            };
            let points = curve.points.iter();
            let points = points.filter_map(|point| Some((place(point), point.value()?)));
            let reference = curve.reference();
            let margin = reference.map(|reference| (reference, self.tolerance.at(reference)));
            let levels = margin.into_iter().flat_map(|(reference, tolerance)| {
                let text = format!("± {}", self.tolerance_text());
                [
                    (reference + tolerance, text),
                    (reference - tolerance, String::new()),
                ]
            });
            let x_label = match curve.axis {
                ConvergenceAxis::Cutoff => "cutoff of the wave functions in Ry",
                ConvergenceAxis::Mesh => "k-points per reciprocal atom",
            };
            LinePlot {
                title: format!(
                    "{} of {formula} over the {}",
                    self.property,
                    curve.axis.name()
                ),
                x_label: x_label.to_owned(),
                notes: vec![self.verdict(curve)],
                y_label: format!("{} in {}", self.property, self.property.unit()),
                lines: vec![PlotLine {
                    series: 0,
                    points: points.collect(),
                }],
                levels: levels.collect(),
                has_dots: true,
                ..LinePlot::default()
            }
        };
        let plots: Vec<LinePlot> = (self.curves.iter())
            .filter(|curve| !curve.points.is_empty())
            .map(plot)
            .collect();
        stacked_svg(&plots)
    }
}

/// The code of a failure, nothing after a success.
fn code(point: &ConvergencePoint) -> String {
    let failure = point.evaluation.outcome.failure();
    failure.map_or_else(String::new, |failure| failure.code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances() {
        let parsed = |text| parse_tolerance(text).map(|t| (t.absolute, t.relative));
        assert_eq!(parsed("0.05"), Ok((0.05, 0.0)));
        assert_eq!(parsed("2%"), Ok((0.0, 0.02)));
        assert_eq!(parsed("2 %"), Ok((0.0, 0.02)));
        for wrong in ["", "%", "-1", "0", "nan", "inf", "x%"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_sorted_and_checked() {
        let sorted = |given: &[f64]| ascending("--cutoffs", Some(given.to_vec()), Vec::new);
        assert_eq!(sorted(&[40.0, 20.0, 20.0]).unwrap(), [20.0, 40.0]);
        for wrong in [&[20.0][..], &[20.0, -1.0], &[20.0, f64::NAN], &[]] {
            assert!(sorted(wrong).is_err(), "{wrong:?}");
        }
    }
}
