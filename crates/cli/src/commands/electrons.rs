//! What `crystalgym bands` and `crystalgym dos` share: the ground state, and how answers are written.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use clap::ValueEnum;
use crystalgym_crystal::{Crystal, write_atomically};
use crystalgym_evaluation::{
    CalculationSettings, Calculator as _, CancelToken, ElectronicError, Failure, GapEdges,
    GroundState, NativeCalculator, Property,
};
use crystalgym_report::LinePlot;
use serde_json::{Value, json};

use super::{crystal_arguments::CrystalArguments, evaluate::CalculatorArguments};
use crate::{hint::UsageError, signals::StopFlag};

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    Table,
    /// All numbers, a row for each k-point, energy or calculation.
    Csv,
    /// All numbers.
    Json,
}

/// A crystal's converged electrons.
pub(crate) struct Electrons {
    pub(crate) crystal: Crystal,
    pub(crate) calculator: NativeCalculator,
    pub(crate) state: GroundState,
    pub(crate) settings: CalculationSettings,
    pub(crate) cancel: CancelToken,
}

/// The ground state of a crystal, or the status after a failure, which is printed.
pub(crate) fn converge(
    crystal: &CrystalArguments,
    calculator: &CalculatorArguments,
) -> anyhow::Result<Result<Electrons, ExitCode>> {
    let crystal = crystal.crystal()?;
    let cancel = StopFlag::install()?.cancel_token();
    let calculator = calculator.single_calculation()?.build_native()?;
    calculator.check(crystal.elements(), Property::BandGap)?;
    let settings = calculator
        .calculation_settings(&crystal.structure())
        .context("the cutoffs of these elements are not known")?;
    Ok(match calculator.ground_state(&crystal, &cancel) {
        Ok(state) => Ok(Electrons {
            crystal,
            calculator,
            state,
            settings,
            cancel,
        }),
        Err(failure) => Err(failed(&failure)),
    })
}

fn failed(Failure { code, message, .. }: &Failure) -> ExitCode {
    eprintln!("failed: {code} ({message})");
    ExitCode::FAILURE
}

/// What went wrong with the levels themselves; being stopped is a failure like others.
pub(crate) fn levels_failed(error: ElectronicError, cancel: &CancelToken) -> anyhow::Error {
    match cancel.is_cancelled() {
        true => anyhow::anyhow!("cancelled"),
        false => error.into(),
    }
}

impl Electrons {
    /// `Si2 (2 sites), GTH-PBE, balanced, 20/80 Ry, 8×8×8 k-points`
    pub(crate) fn heading(&self) -> String {
        format!("{}, {}", self.crystal.formula(), self.settings)
    }

    /// The plot, which says what it was computed with.
    pub(crate) fn with_note(&self, mut plot: LinePlot) -> LinePlot {
        plot.notes.push(self.settings.to_string());
        plot
    }

    /// What every answer in JSON begins with.
    pub(crate) fn json(&self) -> Value {
        let symbols = self.crystal.elements().iter().map(|e| e.symbol());
        json!({
            "formula": self.crystal.formula(),
            "elements": symbols.collect::<Vec<_>>(),
            "lattice_ang": self.state.structure.lattice.vectors(),
            "settings": self.settings,
        })
    }
}

/// What lies between filled and empty bands, in words.
pub(crate) fn gap_line(edges: Option<&GapEdges>) -> String {
    edges.map_or_else(
        || "no band gap: an odd number of electrons".to_owned(),
        ToString::to_string,
    )
}

/// The two ends of `--window`.
pub(crate) fn window_ev(ends: &[f64]) -> anyhow::Result<[f64; 2]> {
    match *ends {
        [from, to] if from < to && from.is_finite() && to.is_finite() => Ok([from, to]),
        _ => {
            let ends: Vec<String> = ends.iter().map(f64::to_string).collect();
            let expected = "expected two energies in eV, the lower one first";
            let message = format!("--window is {}, {expected}", ends.join(" "));
            Err(UsageError(message).into())
        }
    }
}

/// Writes a plot, whole or not at all.
pub(crate) fn write_svg(path: &Path, svg: &str) -> anyhow::Result<()> {
    write_atomically(path, svg.as_bytes()).with_context(|| path.display().to_string())?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
