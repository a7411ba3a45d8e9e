//! The batch script: an array of nodes, each with a worker, and the command on the first.

use std::fmt::Write as _;

/// How often a program is begun again that was killed, and how often a job whose command was killed more
/// often goes back into Slurm's queue.
const WORKER_AGAIN: u32 = 50;
const COORDINATOR_AGAIN: u32 = 10;
const REQUEUED: u32 = 3;

/// The script behind its two functions.
const KEEP_GOING: &str = r#"# A signal interrupts `wait`; what it waits for is waited for again.
wait_for() {
  local status
  while :; do
    wait "$1"
    status=$?
    kill -0 "$1" 2>/dev/null || return "$status"
  done
}

# Begins a program again that was killed: by hand, or for want of memory. One that ends by itself, or was told
# to end, has ended.
keep_going() {
  local name=$1 most=$2 begun=0 ending= child= status
  trap 'ending=1; kill -TERM $child 2>/dev/null' TERM
  while :; do
    "$name" &
    child=$!
    [ -z "$ending" ] || kill -TERM "$child" 2>/dev/null
    wait_for "$child"
    status=$?
    if [ "$status" -le 128 ] || [ -n "$ending" ]; then
      exit "$status"
    fi
    begun=$((begun + 1))
    if [ "$begun" -gt "$most" ]; then
      echo "the $name was killed once more (status $status): it is not begun again" >&2
      exit "$status"
    fi
    echo "the $name was killed (status $status): it is begun again, time $begun of $most" >&2
    sleep 1
  done
}

keep_going worker WORKER_AGAIN &
worker=$!
trap 'ending=1; kill -TERM $worker ${coordinator:-} 2>/dev/null' TERM
if [ "$SLURM_ARRAY_TASK_ID" != 0 ]; then
  wait_for "$worker"
  exit
fi
keep_going coordinator COORDINATOR_AGAIN &
coordinator=$!
wait_for "$coordinator"
status=$?
if [ "$status" -gt 128 ] && [ -z "${ending:-}" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt REQUEUED ]; then
  echo "the job goes back into the queue, perhaps to a better node" >&2
  scontrol requeue "$SLURM_JOB_ID" && sleep 60
fi
kill -TERM "$worker" 2>/dev/null
wait_for "$worker"
"#;

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
            "# A server that is away when something begins is waited for, in seconds.\n\
             export PGCONNECT_TIMEOUT=\"${{PGCONNECT_TIMEOUT:-3600}}\"\n\n\
             worker() {{\n  exec {worker}\n}}\n\n\
             coordinator() {{\n{}}}\n\n{}",
            self.command_lines(&command)?,
            KEEP_GOING
                .replace("WORKER_AGAIN", &WORKER_AGAIN.to_string())
                .replace("COORDINATOR_AGAIN", &COORDINATOR_AGAIN.to_string())
                .replace("REQUEUED", &REQUEUED.to_string())
        );
        if last > 0 {
            let _ = write!(
                text,
                "# The other nodes have nothing more to do.\n\
                 scancel \"${{SLURM_ARRAY_JOB_ID}}_[1-{last}]\"\n"
            );
        }
        text += "exit $status\n";
        Ok(text)
    }

    /// What becomes the command; a training run that has begun is gone on with.
    fn command_lines(&self, command: &[String]) -> Result<String, String> {
        let program = quoted(self.program);
        let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
        let whole = format!("{program} {}", words.join(" "));
        if command.first().map(String::as_str) != Some("train") {
            return Ok(format!("  exec {whole}\n"));
        }
        let at = command.iter().position(|word| word == "--output");
        let output = at.and_then(|at| command.get(at + 1)).ok_or_else(|| {
            "train needs --output FOLDER here, so that a job that is begun again goes on with it"
                .to_owned()
        })?;
        let folder = quoted(output);
        Ok(format!(
            "  if [ -e {folder}/config.toml ]; then\n    \
                 exec {program} train --resume {folder} --trust\n  \
               fi\n  \
               exec {whole}\n"
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
            "  exec '/opt/crystal gym/crystalgym' bench run paper-exp1 --output '$(x)' --store \
             'postgres://u@db/results?sslmode=require&compute=workers'",
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
        assert!(text.contains("train --resume run --trust\n"), "{text}");
        assert!(
            text.contains("--set 'evaluation.store=postgres://u@db/results?"),
            "{text}"
        );
        let command = words("table build t --store postgres://other/x");
        let text = script(&command, "").to_text().unwrap();
        assert!(text.contains("t --store postgres://other/x\n"), "{text}");
    }

    /// Runs a script with a program and commands of Slurm that are shell scripts; its status and what it
    /// said. The program's scripts see `$FOLDER`.
    fn run(program: &str, restarts: &str) -> (Option<i32>, String, String) {
        use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let write = |name: &str, text: &str| {
            let file = path.join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            file.to_string_lossy().into_owned()
        };
        let program = write("crystal gym", &format!("#!/bin/bash\n{program}"));
        write(
            "scancel",
            "#!/bin/bash\necho scancel \"$@\" >>\"$FOLDER/slurm\"\n",
        );
        // The pauses of the script, and not those of the program.
        write(
            "sleep",
            "#!/bin/bash\n[ \"$1\" = 1 ] && set 0.05\nexec /bin/sleep \"$@\"\n",
        );
        // It would end the job.
        write(
            "scontrol",
            "#!/bin/bash\necho scontrol \"$@\" >>\"$FOLDER/slurm\"\nexit 1\n",
        );
        let command = words("bench run paper-exp1");
        let script = BatchScript {
            program: &program,
            ..script(&command, "")
        };
        let output = Command::new("timeout")
            .args(["100", "bash", "-c", &script.to_text().unwrap()])
            .env("FOLDER", path)
            .env(
                "PATH",
                format!("{}:{}", path.display(), std::env::var("PATH").unwrap()),
            )
            .env("SLURM_ARRAY_TASK_ID", "0")
            .env("SLURM_ARRAY_JOB_ID", "7")
            .env("SLURM_JOB_ID", "8")
            .env("SLURM_RESTART_COUNT", restarts)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let slurm = fs::read_to_string(path.join("slurm")).unwrap_or_default();
        (output.status.code(), said, slurm)
    }

    /// A worker that is killed twice and a command that is killed once are begun again; the command's end
    /// is the worker's.
    #[test]
    fn what_is_killed_is_begun_again() {
        let program = r#"
            echo x >>"$FOLDER/$1"
            times=$(wc -l <"$FOLDER/$1")
            if [ "$1" = worker ]; then
              [ "$times" -gt 2 ] || kill -9 $$
              trap 'touch "$FOLDER/told"; exit 0' TERM
              while :; do sleep 0.1; done
            fi
            [ "$times" -gt 1 ] || kill -9 $$
            while [ "$(wc -l <"$FOLDER/worker")" -lt 3 ]; do sleep 0.1; done
            sleep 0.3
            exit 5
        "#;
        let (status, said, slurm) = run(program, "0");
        assert_eq!(status, Some(5), "{said}");
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("the "))
            .collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert!(
            said.contains("the worker was killed (status 137): it is begun again, time 2 of 50")
        );
        assert!(
            said.contains(
                "the coordinator was killed (status 137): it is begun again, time 1 of 10"
            )
        );
        assert_eq!(slurm, "scancel 7_[1-2]\n");
    }

    /// A command that is killed again and again goes back into the queue, but not for ever.
    #[test]
    fn what_is_killed_too_often_is_requeued_and_then_given_up() {
        let program = r#"
            [ "$1" != worker ] || exec sleep 1000
            kill -9 $$
        "#;
        let (requeued, given_up) = std::thread::scope(|scope| {
            let requeued = scope.spawn(|| run(program, "2"));
            (requeued.join().unwrap(), run(program, "3"))
        });
        let (status, said, slurm) = requeued;
        assert_eq!(status, Some(137), "{said}");
        assert!(
            said.contains("killed once more (status 137): it is not begun again"),
            "{said}"
        );
        assert!(slurm.starts_with("scontrol requeue 8\n"), "{slurm}");
        let (status, said, slurm) = given_up;
        assert_eq!(status, Some(137), "{said}");
        assert!(!slurm.contains("scontrol"), "{slurm}");
    }
}
