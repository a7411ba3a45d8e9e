//! Language models from the command line: made, fine-tuned, stopped and resumed, trained on rewards.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .args(arguments)
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("CRYSTALGYM_NO_PROGRESS", "1")
        .output()
        .unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Salts in the columns of MP-20, with a row that is none.
fn crystals(path: &Path) {
    let mut text = "material_id,band_gap,cif\nmp-0,0,broken\n".to_owned();
    for (index, anion) in ["F", "Cl", "Br", "I"].iter().cycle().take(24).enumerate() {
        let length = 4.0 + 0.1 * index as f64;
        let cif = format!(
            "data_x\n_cell_length_a {length}\n_cell_length_b {length}\n_cell_length_c {length}\n\
             _cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n\
             _atom_site_type_symbol\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n\
             _atom_site_fract_z\nK K1 0 0 0\n{anion} X1 0.5 0.5 0.5\n"
        );
        text += &format!("mp-{},1.5,\"{cif}\"\n", index + 1);
    }
    fs::write(path, text).unwrap();
}

fn tuned(folder: &Path, output: &str, more: &[&str]) -> String {
    let arguments = [
        "llm",
        "sft",
        "--model",
        "model",
        "--data",
        "crystals.csv",
        "--output",
        output,
        "--batch",
        "5",
        "--epochs",
        "2",
        "--validation",
        "4",
        "--rank",
        "2",
        "--learning-rate",
        "0.01",
        "--checkpoint-every",
        "3",
        "--validate-every",
        "4",
    ];
    done(folder, &[&arguments[..], more].concat())
}

#[test]
fn a_model_is_made_fine_tuned_and_trained_on_rewards() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    crystals(&folder.join("crystals.csv"));
    let small = [
        "--hidden",
        "16",
        "--inner",
        "24",
        "--layers",
        "1",
        "--heads",
        "2",
        "--key-heads",
        "1",
    ];
    done(
        folder,
        &[&["llm", "new", "--output", "model"], &small[..]].concat(),
    );

    // Eight steps at once, or with a stop: the same adapter to the bit.
    let through = tuned(folder, "through", &[]);
    assert!(
        through.contains("20 crystals to learn from, 4 held out"),
        "{through}"
    );
    assert!(through.contains("step 8: validation loss"), "{through}");
    tuned(folder, "stopped", &["--stop-after", "4", "--threads", "1"]);
    let resumed = done(folder, &["llm", "sft", "--resume", "stopped"]);
    let last = |text: &str| text.lines().last().unwrap().to_owned();
    assert_eq!(last(&through), last(&resumed));
    for name in [
        "adapter_model.safetensors",
        "adapter_config.json",
        "tokenizer.json",
    ] {
        let read = |run: &str| fs::read(folder.join(run).join("adapter").join(name)).unwrap();
        assert!(read("through") == read("stopped"), "{name}");
    }
    assert!(!folder.join("stopped/checkpoint-4").exists());
    let output = run(
        folder,
        &[
            "llm",
            "sft",
            "--model",
            "model",
            "--data",
            "crystals.csv",
            "--output",
            "stopped",
        ],
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("go on with --resume"));

    // The same as a policy.
    let train = [
        "train",
        "--algorithm",
        "llm",
        "--set",
        "calculator.name=rigid",
        "--set",
        "task.property=density",
        "--set",
        "llm.model=model",
        "--set",
        "llm.adapter=through/adapter",
        "--set",
        "llm.total_steps=100",
        "--set",
        "llm.batch_episodes=8",
        "--set",
        "llm.environments=4",
        "--output",
        "run",
    ];
    done(folder, &train);
    let made = done(
        folder,
        &[
            "rollout",
            "run",
            "--skeletons",
            "C1,C6",
            "--target",
            "4",
            "--sampled",
        ],
    );
    assert!(made.contains("mean return"), "{made}");

    // What cannot be is said with its reason.
    for (more, expected) in [
        (vec!["--set", "llm.model=nowhere"], "nowhere"),
        (vec!["--set", "task.process=substitution"], "filling"),
        (vec!["--set", "llm.adapter=model"], "whole.safetensors"),
    ] {
        let arguments: Vec<&str> = train[..train.len() - 1]
            .iter()
            .copied()
            .chain(["bad"])
            .chain(more)
            .collect();
        let output = run(folder, &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(expected),
            "{said}"
        );
    }
    let none = [
        "train",
        "--algorithm",
        "llm",
        "--set",
        "calculator.name=rigid",
        "--set",
        "task.property=density",
        "--output",
        "none",
    ];
    let output = run(folder, &none);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--set llm.model=PATH"), "{said}");
}

/// A run of somebody else, and folders that are no runs.
#[test]
fn a_folder_of_fine_tuning_is_not_trusted() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let tiny = ["--hidden", "16", "--inner", "16", "--layers", "1"];
    let new = [&["llm", "new", "--output", "model"], &tiny[..]].concat();
    done(folder, &new);
    let refused = |arguments: &[&str], expected: &str| {
        let output = run(folder, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        let status = output.status.code();
        assert!(matches!(status, Some(1 | 2)), "{status:?} {said}");
        assert!(said.contains(expected), "{said}");
    };
    // Files of a person's own are not replaced.
    refused(&new, "holds files");
    fs::create_dir(folder.join("mine")).unwrap();
    fs::write(folder.join("mine/settings.toml"), "precious").unwrap();
    fs::create_dir(folder.join("mine/checkpoint-7")).unwrap();
    crystals(&folder.join("crystals.csv"));
    let sft = [
        "llm",
        "sft",
        "--model",
        "model",
        "--data",
        "crystals.csv",
        "--validation",
        "4",
    ];
    let into = |output| [&sft[..], &["--output", output]].concat();
    refused(&into("mine"), "holds other files");
    let absurd = u64::MAX.to_string();
    refused(
        &[&into("x")[..], &["--micro-batch-tokens", &absurd]].concat(),
        "micro_batch_tokens is",
    );

    tuned(folder, "run", &["--stop-after", "2"]);
    let saved = fs::read_to_string(folder.join("run/latest.json")).unwrap();
    let settings = fs::read_to_string(folder.join("run/settings.toml")).unwrap();
    let resume = ["llm", "sft", "--resume", "run"];
    for (from, to, expected) in [
        ("threads = 2", "threads = 1000000", "threads is 1000000"),
        (
            "validate_every = 4",
            "validate_every = 0",
            "validate_every is 0",
        ),
        (
            "checkpoint_every = 3",
            "checkpoint_every = 0",
            "checkpoint_every is 0",
        ),
    ] {
        assert!(settings.contains(from), "{settings}");
        fs::write(folder.join("run/settings.toml"), settings.replace(from, to)).unwrap();
        refused(&resume, expected);
    }
    fs::write(folder.join("run/settings.toml"), &settings).unwrap();
    for name in ["..", "/", "checkpoint-2/..", "elsewhere"] {
        let text = saved.replace("checkpoint-2", name);
        fs::write(folder.join("run/latest.json"), text).unwrap();
        refused(&resume, "run/");
    }
    fs::write(folder.join("run/latest.json"), &saved).unwrap();
    // Links that the folder brought along.
    let victim = folder.join("victim");
    fs::write(&victim, "precious").unwrap();
    for name in ["settings.toml", "latest.json", "adapter/tokenizer.json"] {
        let place = folder.join("run").join(name);
        let before = fs::read(&place).unwrap();
        fs::remove_file(&place).unwrap();
        symlink(&victim, &place).unwrap();
        refused(&resume, "run/");
        fs::remove_file(&place).unwrap();
        fs::write(&place, before).unwrap();
    }
    let elsewhere = folder.join("elsewhere");
    for name in ["checkpoint-2", "adapter"] {
        let place = folder.join("run").join(name);
        fs::rename(&place, &elsewhere).unwrap();
        symlink(&elsewhere, &place).unwrap();
        refused(&resume, name);
        fs::remove_file(&place).unwrap();
        fs::rename(&elsewhere, &place).unwrap();
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    let left = [
        "run/.latest.json.AAAAAA.tmp",
        "run/adapter/.tokenizer.json.AAAAAA.tmp",
    ];
    for name in left {
        fs::write(folder.join(name), "{").unwrap();
    }
    done(folder, &resume);
    for name in left {
        assert!(!folder.join(name).exists(), "{name}");
    }
    // What has ended is not written again: a kill now leaves its checkpoint whole.
    let last: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("run/latest.json")).unwrap()).unwrap();
    let last = folder.join("run").join(last["folder"].as_str().unwrap());
    let written = fs::metadata(&last).unwrap().modified().unwrap();
    done(folder, &resume);
    assert_eq!(fs::metadata(&last).unwrap().modified().unwrap(), written);
    assert_eq!(
        fs::read_to_string(folder.join("mine/settings.toml")).unwrap(),
        "precious"
    );
}

/// Where there is a GPU nothing is said of it.
#[test]
fn a_missing_gpu_and_what_it_does_not_do_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(
        folder,
        &["llm", "new", "--output", "model", "--hidden", "32"],
    );
    crystals(&folder.join("crystals.csv"));
    let sft = [
        "llm",
        "sft",
        "--model",
        "model",
        "--data",
        "crystals.csv",
        "--output",
        "x",
        "--device",
        "cuda",
        "--validation",
        "4",
        "--stop-after",
        "1",
    ];
    let said = |more: &[&str]| {
        let output = run(folder, &[&sft[..], more].concat());
        (
            output.status.success(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for (more, expected) in [
        (&[][..], "'dropout' is 0.05"),
        (&["--whole"], "'whole' is true"),
    ] {
        let (done, text) = said(more);
        assert!(!done && text.contains(expected), "{text}");
    }
    let (done, text) = said(&["--dropout", "0"]);
    assert!(done || text.contains("no CUDA driver"), "{text}");
}

#[test]
fn the_figures_of_the_language_model_are_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = |name: &str| {
        let sets = ["--seeds", "1", "--set", "llm.model=model", "--dry-run"];
        let text = done(
            folder.path(),
            &[&["bench", "run", name][..], &sets].concat(),
        );
        let ids = text.lines().take_while(|line| !line.is_empty());
        ids.map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        jobs("paper-figure22"),
        ["density", "band_gap"]
            .into_iter()
            .flat_map(|property| {
                ["C1", "C2", "C4", "C6"].map(|one| format!("exp1-{property}-{one}-llm-seed1"))
            })
            .collect::<Vec<_>>()
    );
    assert_eq!(
        jobs("paper-figure23"),
        [
            "exp4-density-mixed-llm-seed1",
            "exp4-band_gap-mixed-llm-seed1"
        ]
    );
}
