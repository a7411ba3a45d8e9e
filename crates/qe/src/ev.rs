//! Equations of state by QE's `ev.x`.

use std::{
    fs::{self, File},
    io::Read,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    EV_PER_RY, PwFailure, PwFailureKind,
    session::{Session, run_alone_in},
};

/// A Murnaghan fit as QE's `ev.x` prints it.
#[derive(Debug, Clone, PartialEq)]
pub struct EvFit {
    /// Equilibrium volume in Å³ of the cell that the lattice word means.
    pub equilibrium_volume_ang3: f64,
    /// Bulk modulus in GPa, to 0.1.
    pub bulk_modulus_gpa: f64,
    /// Its pressure derivative, to 0.01.
    pub bulk_modulus_derivative: f64,
    /// Root mean square residual in eV.
    pub rms_residual_ev: f64,
    /// Whether ev.x says that its minimisation succeeded. It writes a result either way, and away
    /// from equilibrium it stops before convergence more often than not.
    pub converged: bool,
}

const TIME_LIMIT: Duration = Duration::from_secs(30);
const ROWS_FILE: &str = "rows";
const FIT_FILE: &str = "fit";
const LOG_FILE: &str = "log";
const ERROR_FILE: &str = "errors";

impl EvFit {
    /// Runs `ev.x` on rows of lattice parameter (Å) and energy (Ry), six decimals each, with a
    /// lattice word (`sc`, `fcc`, `bcc`) and Murnaghan's equation of state.
    ///
    /// # Errors
    /// [`PwFailure`]: the program is missing, hangs, or writes no result that can be read.
    pub fn run(
        command: &[String],
        lattice_word: &str,
        rows: &[(f64, f64)],
    ) -> Result<Self, PwFailure> {
        let unavailable = |error: std::io::Error| {
            PwFailure::new(
                PwFailureKind::ScratchUnavailable,
                format!("scratch folder of ev.x: {error}"),
            )
        };
        let scratch = tempfile::Builder::new()
            .prefix("crystalgym-ev-")
            .tempdir()
            .map_err(unavailable)?;
        let path = |name: &str| scratch.path().join(name);
        let table: String = rows
            .iter()
            .map(|(length, energy)| format!("{length:.6} {energy:.6}\n"))
            .collect();
        let answers = format!("Ang\n{lattice_word}\n4\n{ROWS_FILE}\n{FIT_FILE}\n");
        fs::write(path(ROWS_FILE), table).map_err(unavailable)?;
        fs::write(path("answers"), answers).map_err(unavailable)?;
        let answers = File::open(path("answers")).map_err(unavailable)?;
        let log = File::create(path(LOG_FILE)).map_err(unavailable)?;
        let errors = File::create(path(ERROR_FILE)).map_err(unavailable)?;

        let (program, arguments) = command.split_first().ok_or_else(|| {
            PwFailure::new(PwFailureKind::ProgramNotFound, "the ev.x command is empty")
        })?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(answers)
            .stdout(log)
            .stderr(errors);
        run_alone_in(&mut command, scratch.path());
        let not_started = |error: std::io::Error| {
            PwFailure::new(
                PwFailureKind::ProgramNotFound,
                format!("cannot start '{program}': {error}"),
            )
        };
        let mut session = Session::start(command).map_err(not_started)?;
        let start = Instant::now();
        while !session.leader_has_ended() && start.elapsed() < TIME_LIMIT {
            thread::sleep(Duration::from_millis(2));
        }
        let is_late = !session.leader_has_ended();
        let status = session.end().map_err(not_started)?;

        let [fit, log, errors] =
            [FIT_FILE, LOG_FILE, ERROR_FILE].map(|name| read_start(&path(name)));
        Self::parse(&fit, &log).ok_or_else(|| match (is_late, status.success()) {
            (true, _) => PwFailure::new(
                PwFailureKind::TimeLimit,
                format!("ev.x had not ended after {} s", TIME_LIMIT.as_secs()),
            ),
            (false, false) => {
                let last = errors.lines().rfind(|line| !line.trim().is_empty());
                let last = last.map_or(String::new(), |line| format!(": {}", line.trim()));
                PwFailure::new(
                    PwFailureKind::Crashed,
                    format!("ev.x ended with {status}{last}"),
                )
            }
            (false, true) => PwFailure::new(
                PwFailureKind::UnreadableOutput,
                "ev.x wrote no bulk modulus that can be read",
            ),
        })
    }

    /// Line 1: `chisq =`; line 2: `dk0 =`; line 3: `k0 =` in GPa and `V0 =` in Å³.
    fn parse(fit: &str, log: &str) -> Option<Self> {
        let mut lines = fit.lines();
        let (first, second, third) = (lines.next()?, lines.next()?, lines.next()?);
        // Mean square residual in Ry².
        let chi_squared = number_after(first, "chisq =")?;
        let (_, angstrom_volume) = third.rsplit_once("V0 =")?;
        Some(Self {
            equilibrium_volume_ang3: number_after(&format!("V0 ={angstrom_volume}"), "V0 =")?,
            bulk_modulus_gpa: number_after(third, " k0 =")?,
            bulk_modulus_derivative: number_after(second, "dk0 =")?,
            rms_residual_ev: chi_squared.sqrt() * EV_PER_RY,
            converged: log.contains("Minimization succeeded"),
        })
    }
}

fn number_after(line: &str, key: &str) -> Option<f64> {
    let (_, rest) = line.split_once(key)?;
    rest.split_whitespace()
        .next()?
        .replace('D', "E")
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

fn read_start(path: &std::path::Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        // What could not be read will be missed by the parser.
        let _ = file.take(1 << 16).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read_and_stars_are_not() {
        let text = "# equation of state: murnaghan.        chisq =   0.1956D-09
# a0 =  8.7713 a.u., k0 = 1405 kbar, dk0 =  0.00 d2k0 =  0.000 emin =    0.00002
# a0 =  4.64156 Ang, k0 = 140.6 GPa,  V0 =   674.82 (a.u.)^3,  V0 =  100.00 A^3 
";
        let fit = EvFit::parse(text, "Minimization succeeded").unwrap();
        assert_eq!(fit.bulk_modulus_gpa, 140.6);
        assert_eq!(fit.bulk_modulus_derivative, 0.0);
        assert_eq!(fit.equilibrium_volume_ang3, 100.0);
        assert!((fit.rms_residual_ev / EV_PER_RY - 0.1956e-9f64.sqrt()).abs() < 1e-15);
        assert!(fit.converged);
        let glued = text.replace("k0 = 140.6", "k0 =1405.6");
        assert_eq!(EvFit::parse(&glued, "").unwrap().bulk_modulus_gpa, 1405.6);
        for bad in ["k0 =******", "k0 =   NaN"] {
            assert_eq!(EvFit::parse(&text.replace("k0 = 140.6", bad), ""), None);
        }
        assert_eq!(EvFit::parse("", ""), None);
    }

    /// Oracle: `ev.x` itself on a parabola about 100 Å³ with B = 0.9 eV/Å³ (144.2 GPa); the fcc
    /// word divides the cube of the length by four.
    #[test]
    fn the_program_is_run() {
        if crystalgym_testing::program("ev.x").is_none() {
            return;
        }
        let rows = [0.98, 0.99, 1.0, 1.01, 1.02].map(|factor: f64| {
            let energy_ev = 0.5 * 0.9 * 100.0 * (factor - 1.0).powi(2);
            ((100.0 * factor).cbrt(), energy_ev / EV_PER_RY)
        });
        let command = ["ev.x".to_owned()];
        let fit = EvFit::run(&command, "sc", &rows).unwrap();
        assert!((fit.equilibrium_volume_ang3 - 100.0).abs() < 0.1, "{fit:?}");
        assert!((fit.bulk_modulus_gpa - 144.2).abs() < 6.0, "{fit:?}");
        let fit = EvFit::run(&command, "fcc", &rows).unwrap();
        assert!((fit.equilibrium_volume_ang3 - 25.0).abs() < 0.1, "{fit:?}");
        let missing = EvFit::run(&["no-such-ev.x".to_owned()], "sc", &rows).unwrap_err();
        assert_eq!(missing.kind, PwFailureKind::ProgramNotFound);
    }

    /// A program that breaks down says nothing about the crystal, one that ends without a result does.
    #[test]
    fn a_crash_is_no_fit_that_failed() {
        let run = |program: &str| EvFit::run(&[program.to_owned()], "sc", &[]).unwrap_err();
        let crash = run("false");
        assert_eq!(crash.kind, PwFailureKind::Crashed);
        assert!(
            crash.message.contains("exit status: 1"),
            "{}",
            crash.message
        );
        assert_eq!(run("true").kind, PwFailureKind::UnreadableOutput);
    }
}
