//! `crystalgym bench dft`: values and times of the built-in engine beside those of pw.x.

use std::{
    fs,
    io::Write,
    num::NonZeroUsize,
    process::{Command, ExitCode},
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_dft::pseudo::GthParameters;
use crystalgym_evaluation::{
    Calculator, NativeCalculator, NativeSettings, Outcome, Property, QeCalculator, QeSettings,
    SpeciesSource, VolumeBasis,
};
use crystalgym_pseudopotential::PseudopotentialFamily;
use crystalgym_qe::PwSettings;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

use super::coverage::evaluate_until;
use crate::{signals::StopFlag, terminal};

/// Arguments of `crystalgym bench dft`.
#[derive(Debug, Args)]
pub(crate) struct DftArguments {
    /// Properties, as `crystalgym list properties` names them, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "band_gap,bulk_modulus,density"
    )]
    property: Vec<Property>,
    /// Crystals as SKELETON:ELEMENTS, such as C6:Na-Cl-F-Li, separated by commas.
    #[arg(
        long = "crystal",
        value_delimiter = ',',
        default_value = "C2:Rb-Ca-H-H-H,C6:Na-Cl-F-Li,C7:Si-Cl-Cl-Cl-Cl"
    )]
    crystals: Vec<String>,
    /// Pseudopotential family for both: a folder, or the name of an installed one; by default the
    /// built-in GTH potentials, written as UPF files.
    #[arg(long)]
    pseudo: Option<String>,
    /// Cutoffs and k-mesh of the published decks (50 and 400 Ry, 1000 points per reciprocal atom)
    /// instead of small ones (25 and 100 Ry, 200).
    #[arg(long)]
    full: bool,
    /// Cutoff of the wave functions in Ry.
    #[arg(long)]
    ecutwfc: Option<f64>,
    /// Cutoff of the density in Ry.
    #[arg(long)]
    ecutrho: Option<f64>,
    /// k-points per reciprocal atom.
    #[arg(long)]
    kppa: Option<f64>,
    /// Threads of the engine, and ranks and k-point pools of pw.x.
    #[arg(long, default_value = "2")]
    cores: NonZeroUsize,
    /// The pw.x to compare with; `mpirun -np CORES` comes before it and `-nk CORES` after it unless
    /// there is but one core.
    #[arg(long, default_value = "pw.x")]
    program: String,
}

/// What both programs are given.
struct Comparison {
    family: Arc<PseudopotentialFamily>,
    native: NativeSettings,
    qe: QeSettings,
}

pub(crate) fn run(arguments: &DftArguments) -> anyhow::Result<ExitCode> {
    let stop = StopFlag::install()?;
    let crystals = arguments
        .crystals
        .iter()
        .map(|text| parse_crystal(text))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let scratch = tempfile::tempdir()?;
    let family = match &arguments.pseudo {
        Some(family) => PseudopotentialFamily::open(family)?,
        None => {
            for element in crystals.iter().flat_map(Crystal::elements) {
                let path = scratch.path().join(format!("{element}.upf"));
                fs::write(path, GthParameters::pbe(*element)?.to_upf())?;
            }
            PseudopotentialFamily::open_folder(scratch.path())?
        }
    };
    let comparison = Comparison::new(arguments, family);
    let mut out = terminal::stdout();
    writeln!(
        out,
        "{} and {} Ry, {} points per reciprocal atom, {} cores, {}, pw.x {} with {}\n",
        comparison.qe.pw.ecutwfc_ry,
        comparison.qe.pw.ecutrho_ry,
        comparison.qe.pw.kppa,
        arguments.cores,
        match &arguments.pseudo {
            Some(family) => family,
            None => "GTH-PBE as UPF files",
        },
        comparison.pw_x()?.program_version()?,
        blas_of(&arguments.program).unwrap_or_else(|| "a BLAS that it does not name".to_owned()),
    )?;
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "This program is built without the optimisations of a release (cargo build --release): its times \
             are some 1.4 times as long as a user's.\n"
        )?;
    }
    writeln!(
        out,
        "| property | crystal | engine | pw.x | engine s | pw.x s | ratio | engine CPU s | pw.x CPU s | CPU ratio |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    )?;
    let mut summary = Vec::new();
    for &property in &arguments.property {
        let mut ratios = Vec::new();
        for crystal in &crystals {
            // A new one for each crystal: reading and tabulating the files is part of the time.
            let engine = comparison.engine()?;
            if let Err(error) = engine.check(crystal.elements(), property) {
                eprintln!("left out: {error}");
                continue;
            }
            let pw_x = comparison.pw_x()?;
            let evaluated = |calculator: &dyn Calculator, who: UsageWho| -> anyhow::Result<_> {
                let before = user_seconds(who)?;
                let record = evaluate_until(&stop, calculator, None, crystal, property)?;
                Ok((record.outcome, user_seconds(who)? - before))
            };
            let (ours, our_cpu) = evaluated(&engine, UsageWho::RUSAGE_SELF)?;
            let (theirs, their_cpu) = evaluated(&pw_x, UsageWho::RUSAGE_CHILDREN)?;
            if stop.is_set() {
                return Ok(ExitCode::FAILURE);
            }
            let ratio = theirs.seconds() / ours.seconds();
            let cpu_ratio = their_cpu / our_cpu;
            if ours.value().is_some() && theirs.value().is_some() {
                ratios.push((ratio, cpu_ratio));
            }
            writeln!(
                out,
                "| {property} | {} {} | {} | {} | {:.2} | {:.2} | {ratio:.1} | {our_cpu:.2} | \
                 {their_cpu:.2} | {cpu_ratio:.1} |",
                crystal.skeleton().label,
                crystal.formula(),
                shown(&ours),
                shown(&theirs),
                ours.seconds(),
                theirs.seconds(),
            )?;
            out.flush()?;
        }
        summary.push((property, ratios));
    }
    writeln!(
        out,
        "\n| property | cases | geometric mean of pw.x / engine | of their CPU times |\n|---|---|---|---|"
    )?;
    for (property, ratios) in summary.iter().filter(|(_, ratios)| !ratios.is_empty()) {
        let (ratios, cpu_ratios): (Vec<f64>, Vec<f64>) = ratios.iter().copied().unzip();
        let (mean, cpu_mean) = (geometric_mean(&ratios), geometric_mean(&cpu_ratios));
        writeln!(
            out,
            "| {property} | {} | {mean:.1} | {cpu_mean:.1} |",
            ratios.len()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// User time of this process, or of its children that have ended, in seconds.
fn user_seconds(who: UsageWho) -> anyhow::Result<f64> {
    let time = getrusage(who)?.user_time();
    Ok(time.num_microseconds() as f64 * 1e-6)
}

/// The file of the BLAS that the loader finds for a program.
fn blas_of(program: &str) -> Option<String> {
    let path = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())?;
    let listed = Command::new("ldd").arg(path).output().ok()?.stdout;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let line = listed.lines().find(|line| line.contains("blas"))?;
    let file = line.split("=>").nth(1)?.split_whitespace().next()?;
    Some(fs::canonicalize(file).ok()?.display().to_string())
}

impl Comparison {
    fn new(arguments: &DftArguments, family: PseudopotentialFamily) -> Self {
        let (ecutwfc, ratio, kppa) = if arguments.full {
            (50.0, 8.0, 1000.0)
        } else {
            (25.0, 4.0, 200.0)
        };
        let pw = PwSettings {
            ecutwfc_ry: arguments.ecutwfc.unwrap_or(ecutwfc),
            kppa: arguments.kppa.unwrap_or(kppa),
            ..PwSettings::default()
        };
        let pw = PwSettings {
            ecutrho_ry: arguments.ecutrho.unwrap_or(ratio * pw.ecutwfc_ry),
            ..pw
        };
        let cores = arguments.cores.to_string();
        let words: Vec<&str> = match arguments.cores.get() {
            1 => vec![&arguments.program],
            _ => vec!["mpirun", "-np", &cores, &arguments.program, "-nk", &cores],
        };
        Self {
            family: Arc::new(family),
            native: NativeSettings {
                ecutwfc_ry: Some(pw.ecutwfc_ry),
                ecutrho_ry: Some(pw.ecutrho_ry),
                kppa: Some(pw.kppa),
                degauss_ry: pw.degauss_ry,
                convergence_ry: pw.conv_thr_ry,
                derivative_convergence_ry: pw.equation_of_state_conv_thr_ry,
                // As pw.x: the same five calculations on the same plane waves.
                volume_basis: VolumeBasis::FixedCutoff,
                threads: arguments.cores,
                ..NativeSettings::default()
            },
            qe: QeSettings {
                command: words.into_iter().map(str::to_owned).collect(),
                // One thread a rank: OpenBLAS threads on top of ranks slow both down.
                environment: [("OMP_NUM_THREADS".to_owned(), "1".to_owned())].into(),
                pw,
                ..QeSettings::default()
            },
        }
    }

    fn engine(&self) -> anyhow::Result<NativeCalculator> {
        let source = SpeciesSource::Family(Arc::clone(&self.family));
        Ok(NativeCalculator::new(self.native.clone(), source)?)
    }

    fn pw_x(&self) -> anyhow::Result<QeCalculator> {
        Ok(QeCalculator::new(
            self.qe.clone(),
            Arc::clone(&self.family),
        )?)
    }
}

/// `C6:Na-Cl-F-Li`
fn parse_crystal(text: &str) -> anyhow::Result<Crystal> {
    let (skeleton, symbols) = text.split_once(':').with_context(|| {
        format!("--crystal {text}: expected SKELETON:ELEMENTS, as C6:Na-Cl-F-Li")
    })?;
    let elements = symbols
        .split('-')
        .map(|symbol| symbol.trim().parse::<Element>())
        .collect::<Result<_, _>>()?;
    Ok(Crystal::new(Skeleton::builtin(skeleton)?, elements)?)
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Success(values) => format!("{:.4}", values.value),
        Outcome::Failure(failure) => failure.code.to_string(),
    }
}

fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: √(2·8) = 4.
    #[test]
    fn ratios_are_averaged_geometrically() {
        assert!((geometric_mean(&[2.0, 8.0]) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn a_crystal_is_skeleton_and_elements() {
        let crystal = parse_crystal("C6:Na-Cl-F-Li").unwrap();
        assert_eq!(crystal.formula(), "NaLiClF");
        assert!(parse_crystal("C6").is_err());
        assert!(parse_crystal("C6:Na-Cl").is_err());
    }
}
