//! The batch script: an array of nodes, each with a worker, and the command on the first.

use std::fmt::Write as _;

/// What a batch script is made of.
pub(super) struct BatchScript<'a> {
    pub(super) program: &'a str,
    pub(super) store: &'a str,
    pub(super) nodes: u32,
    pub(super) time: &'a str,
    pub(super) cores: Option<u32>,
    pub(super) threads: Option<u32>,
    pub(super) name: &'a str,
    pub(super) template: &'a str,
    /// Further arguments of the workers.
    pub(super) worker: &'a [String],
    pub(super) command: &'a [String],
}

impl BatchScript<'_> {
    /// The script, every word of a user in quotes that a shell leaves alone.
    ///
    /// # Errors
    /// What no directive of Slurm can hold, or no command that has a store.
    pub(super) fn to_text(&self) -> Result<String, String> {
        check_directive("--time", self.time, ":-")?;
        check_directive("--name", self.name, "-_.")?;
        let command = self.with_store()?;
        let (directives, lines) = self.own_lines();
        let last = self.nodes - 1;
        let mut text = format!(
            "#!/bin/bash\n\
             # Written by `crystalgym cluster submit`. Node 0 runs the command, whose calculations go\n\
             # through the store to the workers on all nodes.\n\
             #SBATCH --job-name={}\n\
             #SBATCH --array=0-{last}\n\
             #SBATCH --nodes=1\n\
             #SBATCH --ntasks=1\n\
             #SBATCH --time={}\n\
             #SBATCH --output={}-%A_%a.log\n\
             # A node that fails is replaced; the command goes on from what it has written.\n\
             #SBATCH --requeue\n\
             # The warning before the end, in time to hand calculations back.\n\
             #SBATCH --signal=B:TERM@60\n",
            self.name, self.time, self.name
        );
        if let Some(cores) = self.cores {
            let _ = writeln!(text, "#SBATCH --cpus-per-task={cores}");
        }
        for directive in directives {
            let _ = writeln!(text, "{directive}");
        }
        text += "\n";
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
        let program = quoted(self.program);
        let mut worker = format!("{program} worker --store {} --grace 45", quoted(self.store));
        if let Some(threads) = self.threads {
            let _ = write!(worker, " --threads {threads}");
        }
        for argument in self.worker {
            let _ = write!(worker, " {}", quoted(argument));
        }
        let _ = write!(
            text,
            "{worker} &\n\
             worker=$!\n\
             trap 'kill -TERM \"$worker\" ${{command:-}} 2>/dev/null' TERM\n\
             # A signal interrupts `wait`; what it waits for is waited for again.\n\
             wait_for() {{\n  \
               while kill -0 \"$1\" 2>/dev/null; do wait \"$1\"; done\n  \
               wait \"$1\"\n\
             }}\n\
             \n\
             if [ \"$SLURM_ARRAY_TASK_ID\" != 0 ]; then\n  \
               wait_for \"$worker\"\n  \
               exit\n\
             fi\n\
             \n"
        );
        let _ = write!(
            text,
            "{}command=$!\n\
             wait_for \"$command\"\n\
             status=$?\n\
             kill -TERM \"$worker\"\n\
             wait_for \"$worker\"\n",
            self.command_lines(&command)?
        );
        if last > 0 {
            let _ = write!(
                text,
                "# Unless it was told to end and is to go on elsewhere, nobody needs the other nodes.\n\
                 scancel \"${{SLURM_ARRAY_JOB_ID}}_[1-{last}]\"\n"
            );
        }
        text += "exit $status\n";
        Ok(text)
    }

    /// The command in the background; a training run that has begun is gone on with.
    fn command_lines(&self, command: &[String]) -> Result<String, String> {
        let program = quoted(self.program);
        let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
        let whole = format!("{program} {}", words.join(" "));
        if command.first().map(String::as_str) != Some("train") {
            return Ok(format!("{whole} &\n"));
        }
        let at = command.iter().position(|word| word == "--output");
        let output = at.and_then(|at| command.get(at + 1)).ok_or_else(|| {
            "train needs --output FOLDER here, so that a job that is begun again goes on with it"
                .to_owned()
        })?;
        let folder = quoted(output);
        Ok(format!(
            "if [ -e {folder}/config.toml ]; then\n  \
               {program} train --resume {folder} --trust &\n\
             else\n  \
               {whole} &\n\
             fi\n"
        ))
    }

    /// The command with the store, unless it names one itself.
    fn with_store(&self) -> Result<Vec<String>, String> {
        let mut command = self.command.to_vec();
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let names_store = words.iter().any(|word| {
            *word == "--store"
                || word.starts_with("--store=")
                || word.starts_with("evaluation.store=")
                || word.starts_with("--set=evaluation.store=")
        });
        let options = match words.as_slice() {
            ["train", ..] => [
                "--set".to_owned(),
                format!("evaluation.store={}", self.store),
            ],
            ["bench", "run", ..]
            | ["table", "build", ..]
            | ["search" | "evaluate" | "converge", ..] => {
                ["--store".to_owned(), self.store.to_owned()]
            }
            _ => {
                return Err(format!(
                    "'{}' gives workers nothing to do: expected bench run, table build, train, search, \
                     evaluate or converge",
                    words.join(" ")
                ));
            }
        };
        if !names_store {
            command.extend(options);
        }
        Ok(command)
    }

    /// Lines of the template: directives, and all others.
    fn own_lines(&self) -> (Vec<&str>, Vec<&str>) {
        let lines = self.template.lines().filter(|line| !line.starts_with("#!"));
        lines.partition(|line| line.starts_with("#SBATCH"))
    }
}

/// A directive ends with its line, and words of it with blanks: neither is let in.
fn check_directive(option: &str, value: &str, others: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    match !value.is_empty() && value.len() <= 64 && value.chars().all(is_allowed) {
        true => Ok(()),
        false => Err(format!(
            "{option} is {value:?}, expected letters, digits and any of {others:?}"
        )),
    }
}

/// A word that a POSIX shell takes as it is.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script<'a>(command: &'a [String], template: &'a str) -> BatchScript<'a> {
        BatchScript {
            program: "/opt/crystal gym/crystalgym",
            store: "postgres://u@db/results?sslmode=require&compute=workers",
            nodes: 3,
            time: "1-00:00:00",
            cores: Some(64),
            threads: None,
            name: "crystalgym",
            template,
            worker: &[],
            command,
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    /// Oracle: bash, which prints each word that it was given.
    #[test]
    fn a_shell_gives_every_word_back() {
        let nasty = [
            "a b",
            "$(touch x)",
            "`x`",
            "'",
            "\"",
            "\\",
            "*",
            "",
            "a\nb",
            ";&|",
            "!x",
            "~",
        ];
        let line = nasty.map(quoted).join(" ");
        let printed = std::process::Command::new("bash")
            .args(["-c", &format!("printf '%s\\0' {line}")])
            .output()
            .unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        let printed: Vec<&str> = printed.trim_end_matches('\0').split('\0').collect();
        assert_eq!(printed, nasty);
    }

    #[test]
    fn the_script_is_readable_and_sound() {
        let command = words("bench run paper-exp1 --output $(x)");
        let template = "#!/bin/bash\n#SBATCH --partition=long\nmodule load qe\n";
        let text = script(&command, template).to_text().unwrap();
        for line in [
            "#SBATCH --array=0-2",
            "#SBATCH --time=1-00:00:00",
            "#SBATCH --cpus-per-task=64",
            "#SBATCH --partition=long",
            "module load qe",
            "'/opt/crystal gym/crystalgym' bench run paper-exp1 --output '$(x)' --store \
             'postgres://u@db/results?sslmode=require&compute=workers' &",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let head = text.split("\n\n").next().unwrap();
        assert!(head.contains("partition") && !head.contains("module"));
        let checked = std::process::Command::new("bash")
            .args(["-n", "-c", &text])
            .output()
            .unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }

    #[test]
    fn what_slurm_or_workers_cannot_take_is_refused() {
        let good = words("bench run paper-exp1");
        for time in ["", "1 day", "1\n#SBATCH --wrap=x", "$(x)"] {
            let bad = BatchScript {
                time,
                ..script(&good, "")
            };
            assert!(bad.to_text().is_err(), "{time:?}");
        }
        for command in ["list", "bench list", "train --task x"] {
            assert!(script(&words(command), "").to_text().is_err(), "{command}");
        }
        let command = words("train --task x --output run");
        let text = script(&command, "").to_text().unwrap();
        assert!(text.contains("train --resume run --trust &"), "{text}");
        assert!(
            text.contains("--set 'evaluation.store=postgres://u@db/results?"),
            "{text}"
        );
        let command = words("table build t --store postgres://other/x");
        let text = script(&command, "").to_text().unwrap();
        assert!(text.contains("t --store postgres://other/x &"), "{text}");
    }
}
