//! A store on a read-only medium: what it holds is used, and what is computed beside it is not lost.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and says why it is skipped"
)]

use std::{
    path::Path,
    process::{Command, Output},
};

/// Runs the program where the folder `medium` can only be read; `None` where that cannot be had.
fn crystalgym(folder: &Path, arguments: &str) -> Option<Output> {
    let script = "mount --bind medium medium && mount -o remount,ro,bind medium || exit 77
                  exec \"$@\"";
    let output = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(env!("CARGO_BIN_EXE_crystalgym"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let refused = output.status.code() == Some(77) || text.contains("unshare:");
    if refused {
        eprintln!("skipped: no namespace for a read-only mount here: {text}");
        return None;
    }
    Some(output)
}

fn evaluate(elements: &str) -> String {
    format!(
        "evaluate --property band_gap --skeleton C6 --elements {elements} --store medium/s.sqlite \
         --set native.gth_cutoff_ry=6 --set native.kppa=10"
    )
}

#[test]
fn results_of_a_read_only_store_are_used() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("medium")).unwrap();
    let first = Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .args(evaluate("Na,Cl,F,Li").split_whitespace())
        .current_dir(root.path())
        .output()
        .unwrap();
    assert!(first.status.success(), "{first:?}");
    let text = |output: &Output| {
        let (out, error) = (&output.stdout, &output.stderr);
        String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(error)
    };

    let Some(known) = crystalgym(root.path(), &evaluate("Na,Cl,F,Li")) else {
        return;
    };
    assert!(known.status.success(), "{}", text(&known));
    assert!(text(&known).contains("store\n"), "{}", text(&known));

    let computed = crystalgym(root.path(), &evaluate("K,Cl,F,Li")).unwrap();
    assert!(computed.status.success(), "{}", text(&computed));
    assert!(
        text(&computed).contains("could not be stored"),
        "{}",
        text(&computed)
    );
    assert!(text(&computed).contains("read-only"), "{}", text(&computed));

    let train = "train --algorithm random_search --output run --set task.property=band_gap \
        --set task.target=1.12 --set calculator.native.gth_cutoff_ry=6 \
        --set calculator.native.kppa=1 --set evaluation.store=medium/s.sqlite \
        --set random_search.total_steps=40";
    let trained = crystalgym(root.path(), train).unwrap();
    assert!(trained.status.success(), "{}", text(&trained));
    assert!(
        text(&trained).contains("results could not be shared"),
        "{}",
        text(&trained)
    );
}
