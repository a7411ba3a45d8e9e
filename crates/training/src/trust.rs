//! What the configuration in somebody else's folder may start, set and make.

use std::path::Path;

use crystalgym_evaluation::{CalculatorConfig, CalculatorName, is_on_a_server};

use crate::{TrainingConfig, TrainingError, run_folder::RunFolder};

/// Programs that start others in parallel.
const LAUNCHERS: [&str; 3] = ["mpirun", "mpiexec", "srun"];
/// Options of theirs that take a number.
const LAUNCHER_NUMBERS: [&str; 4] = ["-np", "-n", "--np", "-c"];
/// Options of theirs that stand alone.
const LAUNCHER_FLAGS: [&str; 2] = ["--oversubscribe", "--allow-run-as-root"];
/// Options of Quantum ESPRESSO's programs that take a number.
const PARALLEL_LEVELS: [&str; 10] = [
    "-nk", "-npool", "-nb", "-nband", "-nt", "-ntg", "-nd", "-ndiag", "-ni", "-nimage",
];
/// Environment variables that change nothing but a number of threads.
const THREAD_VARIABLES: [&str; 3] = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"];

/// How far a configuration is believed that was found in a folder and not given by the user.
///
/// Such a configuration can name the program that is run in place of `pw.x`, its environment
/// (`LD_PRELOAD`, `PATH`), a folder for its scratch files and a store of results to be made. The
/// default `pw.x` and `ev.x` from the search path are innocent, and so are they behind `mpirun`,
/// `mpiexec` or `srun` with numbers of processes, pools and threads.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// What is innocent, and nothing else.
    Innocent,
    /// Also what this configuration names, which the user has given.
    Given(&'a TrainingConfig),
    /// Everything.
    All,
}

impl Trust<'_> {
    /// Whether a configuration found in `folder` may be acted on.
    ///
    /// # Errors
    /// [`TrainingError::Untrusted`] lists what it names.
    pub fn check(&self, config: &TrainingConfig, folder: &Path) -> Result<(), TrainingError> {
        let named = self.untrusted(config);
        match named.is_empty() {
            true => Ok(()),
            false => Err(TrainingError::Untrusted {
                path: folder.join(RunFolder::CONFIG),
                named,
            }),
        }
    }

    fn untrusted(&self, config: &TrainingConfig) -> Vec<String> {
        let given = match self {
            Self::All => return Vec::new(),
            Self::Given(given) => Some(given),
            Self::Innocent => None,
        };
        let mut named = Vec::new();
        let given_calculator = given.map(|given| &given.calculator);
        named.extend(programs_named(&config.calculator, given_calculator));
        let store = config.evaluation.store.as_str();
        let others = config.calculator.for_property.values();
        let takes_long = |calculator: &CalculatorConfig| {
            matches!(calculator.name, CalculatorName::Qe | CalculatorName::Native)
        };
        let makes_store = (takes_long(&config.calculator) || others.clone().any(takes_long))
            && !["default", "none"].contains(&store)
            && (is_on_a_server(Path::new(store)) || !Path::new(store).exists());
        if makes_store && given.map(|given| given.evaluation.store.as_str()) != Some(store) {
            let what = match is_on_a_server(Path::new(store)) {
                true => "a server that is to be asked",
                false => "which is to be made",
            };
            named.push(format!("evaluation.store = {store:?}, {what}"));
        }
        named
    }
}

/// The programs, variables and folders that the settings of a calculator and of those for single properties
/// name, each as a line; innocent ones and those that are `given` are left out.
pub fn programs_named(
    calculator: &CalculatorConfig,
    given: Option<&CalculatorConfig>,
) -> Vec<String> {
    let mut named = programs_of("calculator", calculator, given);
    for (property, other) in &calculator.for_property {
        let given = given.and_then(|given| given.for_property.get(property));
        let place = format!("calculator.for_property.{property}");
        named.extend(programs_of(&place, other, given));
    }
    named
}

/// What the settings of a calculator, found at `place`, may start and set that was not given.
fn programs_of(
    place: &str,
    calculator: &CalculatorConfig,
    given: Option<&CalculatorConfig>,
) -> Vec<String> {
    let mut named = Vec::new();
    if calculator.name != CalculatorName::Qe {
        return named;
    }
    let (qe, given) = (&calculator.qe, given.map(|given| &given.qe));
    if !is_innocent(&qe.command, "pw.x") && given.map(|g| &g.command) != Some(&qe.command) {
        named.push(format!("{place}.qe.command = {:?}", qe.command));
    }
    if !is_innocent(&qe.ev_command, "ev.x") && given.map(|g| &g.ev_command) != Some(&qe.ev_command)
    {
        named.push(format!("{place}.qe.ev_command = {:?}", qe.ev_command));
    }
    if given.map(|g| &g.environment) != Some(&qe.environment) {
        let variables = qe.environment.iter();
        let odd = variables.filter(|(name, value)| {
            !(THREAD_VARIABLES.contains(&name.as_str()) && is_number(value))
        });
        named.extend(
            odd.map(|(name, value)| format!("{place}.qe.environment.{name:?} = {value:?}")),
        );
    }
    if qe.scratch.is_some() && given.map(|g| &g.scratch) != Some(&qe.scratch) {
        let scratch = qe.scratch.as_deref().unwrap_or(Path::new(""));
        named.push(format!("{place}.qe.scratch = {scratch:?}"));
    }
    named
}

/// Whether a command is `program` from the search path, alone or in parallel.
fn is_innocent(command: &[String], program: &str) -> bool {
    let mut words = command.iter().map(String::as_str).peekable();
    if words.next_if(|word| LAUNCHERS.contains(word)).is_some() {
        while let Some(option) = words.next_if(|word| *word != program) {
            let sound = LAUNCHER_FLAGS.contains(&option)
                || (LAUNCHER_NUMBERS.contains(&option) && words.next().is_some_and(is_number))
                || (option == "--bind-to"
                    && words
                        .next()
                        .is_some_and(|to| ["none", "core", "socket"].contains(&to)));
            if !sound {
                return false;
            }
        }
    }
    if words.next() != Some(program) {
        return false;
    }
    while let Some(option) = words.next() {
        if !(PARALLEL_LEVELS.contains(&option) && words.next().is_some_and(is_number)) {
            return false;
        }
    }
    true
}

fn is_number(word: impl AsRef<str>) -> bool {
    let word = word.as_ref();
    !word.is_empty() && word.len() <= 6 && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigLayers;

    fn config(assignments: &[&str]) -> TrainingConfig {
        let mut layers = ConfigLayers::default();
        for assignment in assignments {
            layers.add_assignment(assignment).unwrap();
        }
        TrainingConfig::resolve(&layers, None).unwrap()
    }

    #[test]
    fn plain_pw_x_needs_no_question_and_anything_else_does() {
        let innocent = [
            r#"["pw.x"]"#,
            r#"["mpirun", "-np", "4", "--bind-to", "none", "pw.x", "-nk", "2"]"#,
            r#"["srun", "-n", "16", "pw.x", "-npool", "4"]"#,
        ];
        let odd = [
            "[]",
            r#"["/tmp/pw.x"]"#,
            r#"["./pw.x"]"#,
            r#"["sh", "-c", "pw.x"]"#,
            r#"["pw.x", "-in", "x"]"#,
            r#"["pw.x", "-nk", "x"]"#,
            r#"["mpirun", "-np", "4", "--mca", "a", "b", "pw.x"]"#,
            r#"["mpirun", "--bind-to", "pw.x"]"#,
            r#"["mpirun", "-np", "4"]"#,
            r#"["env", "LD_PRELOAD=x", "pw.x"]"#,
            r#"["pw.x", "pw.x"]"#,
            r#"["ev.x"]"#,
        ];
        let named = |command: &str| {
            let command = format!("calculator.qe.command={command}");
            let config = config(&["calculator.name=qe", &command]);
            Trust::Innocent.untrusted(&config)
        };
        for command in innocent {
            assert_eq!(named(command), Vec::<String>::new(), "{command}");
        }
        for command in odd {
            assert_eq!(named(command).len(), 1, "{command}");
        }
    }

    #[test]
    fn everything_that_reaches_outside_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("evaluation.store={}/s.sqlite", folder.path().display());
        let odd = config(&[
            "calculator.name=qe",
            "calculator.qe.ev_command=['x']",
            "calculator.qe.environment={LD_PRELOAD='x.so', OMP_NUM_THREADS='2', PATH='.'}",
            "calculator.qe.scratch=/somewhere",
            &store,
        ]);
        let named = Trust::Innocent.untrusted(&odd);
        for (line, expected) in named.iter().zip([
            "ev_command = [\"x\"]",
            "environment.\"LD_PRELOAD\" = \"x.so\"",
            "environment.\"PATH\" = \".\"",
            "scratch = \"/somewhere\"",
            "s.sqlite\", which is to be made",
        ]) {
            assert!(line.contains(expected), "{line}");
        }
        assert_eq!(named.len(), 5, "{named:?}");
        assert!(Trust::All.untrusted(&odd).is_empty());
        assert!(Trust::Given(&odd).untrusted(&odd).is_empty());
        // The calculator of one property reaches as far.
        let nested = config(&[
            "calculator.for_property.band_gap={name='qe', qe={command=['x'], scratch='/s'}}",
            &store,
        ]);
        let named = Trust::Innocent.untrusted(&nested);
        assert_eq!(named.len(), 3, "{named:?}");
        assert!(
            named[0].starts_with("calculator.for_property.band_gap.qe.command"),
            "{named:?}"
        );
        assert!(Trust::Given(&nested).untrusted(&nested).is_empty());
        let plain = config(&["calculator.name=qe"]);
        assert_eq!(Trust::Given(&plain).untrusted(&odd).len(), 5);
        // Another calculator runs no program.
        let native = config(&["calculator.qe.command=['x']", "evaluation.store=none"]);
        assert!(Trust::Innocent.untrusted(&native).is_empty());
    }
}
