//! Reports of small benchmarks: their files, their numbers, what they leave out.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, path::Path, process::Command};

use common::finished_benchmark;
use crystalgym_report::{Reference, ReportData, ReportError, write_report};

fn recompute(script: &Path, folder: &Path) -> Option<(bool, String)> {
    let python = crystalgym_testing::python_with(&["csv", "json"])?;
    let output = Command::new(python)
        .arg(script)
        .arg(folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), text))
}

/// Oracle: `scripts/recompute_tables.py`, which shares no code with the program, on the raw files.
#[test]
fn every_number_of_the_tables_is_recomputed_from_the_raw_files() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = finished_benchmark(folder.path());
    fs::write(
        jobs[0].folder(folder.path()).join("evaluation.csv"),
        "mode\n",
    )
    .unwrap();
    let data = ReportData::of_benchmark(folder.path()).unwrap();
    assert_eq!(
        (data.jobs.len(), data.tables.left_out.len()),
        (jobs.len() - 1, 1)
    );
    let report = folder.path().join("report");
    write_report(&data, &report).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/recompute_tables.py");
    let Some((agrees, text)) = recompute(&script, folder.path()) else {
        return;
    };
    assert!(agrees, "{text}");
    assert!(text.contains(" 0 differences"), "{text}");
    // It would notice: another number, and a row that is missing.
    let table = report.join("failures_by_element.csv");
    let sound = fs::read_to_string(&table).unwrap();
    let (before, _) = sound.trim_end().rsplit_once('\n').unwrap();
    fs::write(&table, before).unwrap();
    let (agrees, text) = recompute(&script, folder.path()).unwrap();
    assert!(!agrees && text.contains("on one side only"), "{text}");
    fs::write(&table, sound).unwrap();
    let table = report.join("searches.csv");
    let sound = fs::read_to_string(&table).unwrap();
    fs::write(&table, sound.replacen("0.", "0.1", 1)).unwrap();
    let (agrees, text) = recompute(&script, folder.path()).unwrap();
    assert!(!agrees && text.contains("searches"), "{text}");
}

/// Every figure is there as SVG, PNG and numbers, carries the scale, and the page holds it all
/// without an address of anything outside.
#[test]
fn a_report_is_complete_and_self_contained() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = finished_benchmark(folder.path());
    let energies = "elements,skeleton,formation_energy_ev_per_atom\nNa Cl F Li,C6,-1.5\n";
    fs::write(
        jobs[1].folder(folder.path()).join("formation_energies.csv"),
        energies,
    )
    .unwrap();
    let report = folder.path().join("report");
    fs::create_dir_all(&report).unwrap();
    fs::write(report.join("figure-of_another_time.svg"), "").unwrap();
    fs::write(
        report.join("files.txt"),
        "figure-of_another_time.svg\n../a\n",
    )
    .unwrap();
    // Of a person's own.
    fs::write(report.join("figure-thesis.svg"), "mine").unwrap();
    fs::write(folder.path().join("a"), "mine").unwrap();
    let data = ReportData::of_benchmark(folder.path()).unwrap();
    let written = write_report(&data, &report).unwrap();
    assert!(!report.join("figure-of_another_time.svg").exists());
    for kept in [report.join("figure-thesis.svg"), folder.path().join("a")] {
        assert_eq!(fs::read_to_string(kept).unwrap(), "mine");
    }
    let own = folder.path().join("own");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("index.html"), "mine").unwrap();
    let error = write_report(&data, &own).unwrap_err().to_string();
    assert!(
        error.contains("own/index.html") && error.contains("not replaced"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&own).unwrap().count(), 1);
    fs::remove_file(own.join("index.html")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("a"), own.join("index.html")).unwrap();
    assert!(write_report(&data, &own).is_err());
    assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "mine");
    // Its own it replaces.
    write_report(&data, &report).unwrap();

    let page = fs::read_to_string(&written.page).unwrap();
    for kind in [
        "learning_curves-paper-exp1-density-calculations",
        "best_finds-paper-exp1",
        "area_under_curve-paper-exp5",
        "interquartile_mean_searches",
        "best_crystals-paper-exp1-band_gap",
        "properties-paper-exp5-density",
        "formation_energies",
        "uniqueness",
        "failures",
        "failures_by_element",
    ] {
        let svg = fs::read_to_string(report.join(format!("figure-{kind}.svg"))).unwrap();
        assert!(svg.contains("scale: smoke"), "{kind}");
        assert!(svg.starts_with("<svg ") && !svg.contains("NaN"), "{kind}");
        let png = fs::read(report.join(format!("figure-{kind}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{kind}");
        let numbers = fs::read_to_string(report.join(format!("figure-{kind}.csv"))).unwrap();
        assert!(numbers.lines().count() > 1, "{kind}");
        // The caption stands beside the picture, not in it.
        let caption = fs::read_to_string(report.join(format!("figure-{kind}.txt"))).unwrap();
        let words: Vec<&str> = caption.lines().last().unwrap().split(' ').collect();
        assert!(
            words.len() > 5 && !svg.contains(&words[..5].join(" ")),
            "{kind}"
        );
        assert!(page.contains(&format!("id=\"{kind}\"")), "{kind}");
    }
    for outside in ["src=\"http", "href=\"http", "url(http", "@import", "//cdn"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
    for text in [
        "Σ (R̄ − R₀) Δs over the arrivals",
        "a maximum, not to be compared with the mean of a policy",
        "no DFT: textbook formulas",
        "says nothing about which agent is better",
        "new: not among",
    ] {
        let found = page.to_lowercase().contains(&text.to_lowercase());
        assert!(found, "{text}");
    }
    let again = ReportData::of_benchmark(folder.path()).unwrap();
    let second = folder.path().join("again");
    write_report(&again, &second).unwrap();
    assert_eq!(
        fs::read(second.join("index.html")).unwrap(),
        page.as_bytes()
    );
}

/// Names and reasons come from files that anybody may have written.
#[test]
fn text_of_a_folder_is_shown_and_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = finished_benchmark(folder.path());
    let job = jobs[0].folder(folder.path());
    let text = fs::read_to_string(job.join("job.json")).unwrap();
    let evil = "<script>alert(1)</script><img src=x>";
    let text = text.replace("\"finished\"", "\"failed\"");
    let text = text.replace("\"reason\": null", &format!("\"reason\": \"{evil}\""));
    fs::write(job.join("job.json"), text).unwrap();
    let job = jobs[1].folder(folder.path());
    let text = fs::read_to_string(job.join("job.json")).unwrap();
    let text = text.replace("\"paper-exp1\"", &format!("\"../../{evil}\""));
    fs::write(job.join("job.json"), text).unwrap();
    let data = ReportData::of_benchmark(folder.path()).unwrap();
    let page = write_report(&data, &folder.path().join("report"))
        .unwrap()
        .page;
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"));
    assert!(!page.contains("<img"));
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["jobs", "report"]);
}

#[test]
fn a_list_of_known_compositions_says_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("known.txt");
    fs::write(&path, "# from a data base\nNaCl\n\nRb Ca H3\n").unwrap();
    let reference = Reference::read(&path).unwrap();
    assert_eq!(reference.compositions.len(), 2);
    let salt = crystalgym_benchmark::reduced_elements(&"Na2Cl2".parse().unwrap());
    assert!(reference.compositions.contains(&salt));
    fs::write(&path, "NaCl\nsalt\n").unwrap();
    let error = Reference::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("known.txt, line 2") && error.contains("RbCaH3"),
        "{error}"
    );
    assert_eq!(Reference::sources_of_the_skeletons().compositions.len(), 7);
    let error = ReportData::as_it_stands(folder.path()).unwrap_err();
    assert!(matches!(error, ReportError::NoRuns(_)), "{error}");
}
