//! The files of a search: a table of all fillings and the best ones as CIF.

use std::{fmt::Write, fs, io, path::Path};

use crystalgym_crystal::{EnclosedFolder, EntryKind, StructureFormat};

use crate::{Finding, SearchError, SearchResult, error::invalid};

/// The table of a search.
const TABLE: &str = "ranking.csv";
/// What it begins with.
const TABLE_START: &str = "rank,formula,";
/// The most that is looked at of a table that lies in a folder already.
const MOST_BYTES: u64 = 256 << 20;
/// The subfolder of relaxed cells.
const RELAXED: &str = "relaxed";

/// Whether findings may be written into a folder: one that is new or empty, or holds an earlier search.
///
/// # Errors
/// [`SearchError::Invalid`] for any other, whose files would be replaced or removed; [`SearchError::Io`].
pub fn check_findings_folder(folder: &Path) -> Result<(), SearchError> {
    let io = |source| SearchError::Io {
        path: folder.to_owned(),
        source,
    };
    let inside = EnclosedFolder::at(folder);
    let names = match inside.names() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names.map_err(io)?,
    };
    let is_made = |name: &String| match name.as_str() {
        RELAXED => matches!(inside.kind(name), Ok(EntryKind::Folder)),
        _ => crystalgym_crystal::is_unfinished_write(name, TABLE),
    };
    let is_begun = names.iter().all(is_made);
    let is_searched = || {
        let table = inside.read_text(TABLE, MOST_BYTES);
        table.is_ok_and(|text| text.starts_with(TABLE_START))
    };
    match is_begun || is_searched() {
        true => Ok(()),
        false => {
            let folder = folder.display();
            let message = format!(
                "{folder} holds other files, expected a new folder, an empty one, or that of an earlier \
                 search with its {TABLE}"
            );
            Err(invalid("output", message))
        }
    }
}

/// Writes `ranking.csv` and the first `cifs` crystals as `01_Cs2AgBiBr6.cif`, … into a folder, which is
/// made; CIF files of an earlier ranking are removed.
///
/// # Errors
/// As [`check_findings_folder`].
pub fn write_findings(
    result: &SearchResult,
    folder: &Path,
    cifs: usize,
) -> Result<(), SearchError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| SearchError::Io { path, source }
    };
    check_findings_folder(folder)?;
    fs::create_dir_all(folder).map_err(io(folder))?;
    let inside = EnclosedFolder::at(folder);
    let write = |name: &str, text: &str| {
        let written = inside.write(name, text.as_bytes());
        written.map_err(io(&inside.join(name)))
    };
    write(TABLE, &table_text(result))?;
    let mut names = Vec::new();
    let best = result
        .findings
        .iter()
        .filter(|finding| finding.value().is_some());
    for (rank, finding) in best.take(cifs).enumerate() {
        let name = format!("{:02}_{}.cif", rank + 1, finding.crystal.formula());
        let text = finding.crystal.structure().to_text(StructureFormat::Cif);
        write(&name, &text)?;
        names.push(name);
    }
    for name in inside.names().map_err(io(folder))? {
        let is_file = inside.kind(&name).map_err(io(folder))? != EntryKind::Folder;
        if is_file && is_ranked(&name) && !names.contains(&name) {
            inside.remove(&name).map_err(io(&inside.join(&name)))?;
        }
    }
    Ok(())
}

/// Whether a file has the name of a ranked crystal: digits, `_`, a formula, `.cif`.
fn is_ranked(name: &str) -> bool {
    let stem = name
        .strip_suffix(".cif")
        .and_then(|stem| stem.split_once('_'));
    stem.is_some_and(|(rank, formula)| {
        rank.len() >= 2
            && rank.chars().all(|c| c.is_ascii_digit())
            && !formula.is_empty()
            && formula.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

fn table_text(result: &SearchResult) -> String {
    let mut text = "rank,formula,elements,value,distance,failure,volume_ratio,confirmed,warnings,\
                    accuracy,ecutwfc_ry,k_mesh,pseudopotentials,space_group,source\n"
        .to_owned();
    for (rank, finding) in result.findings.iter().enumerate() {
        let _ = writeln!(text, "{}", row(rank + 1, finding, result));
    }
    text
}

fn row(rank: usize, finding: &Finding, result: &SearchResult) -> String {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let symbols: Vec<&str> = finding
        .crystal
        .elements()
        .iter()
        .map(|e| e.symbol())
        .collect();
    let latest = finding.latest();
    let warnings: Vec<&str> = finding.warnings().iter().map(|w| w.code.name()).collect();
    let settings = finding.settings();
    let cells = [
        rank.to_string(),
        finding.crystal.formula(),
        symbols.join(" "),
        number(finding.value()),
        number(finding.value().map(|value| result.goal.distance(value))),
        latest
            .outcome
            .failure()
            .map_or_else(String::new, |f| f.code.to_string()),
        finding.volume_ratio.to_string(),
        finding.confirmed.is_some().to_string(),
        warnings.join(" "),
        settings
            .and_then(|settings| settings.accuracy)
            .map_or_else(String::new, |accuracy| accuracy.name().to_owned()),
        number(settings.map(|settings| settings.ecutwfc_ry)),
        settings.map_or_else(String::new, |settings| {
            settings.k_mesh.map(|n| n.to_string()).join(" ")
        }),
        settings.map_or_else(String::new, |settings| settings.pseudopotentials.clone()),
        finding
            .crystal
            .skeleton()
            .source
            .space_group_number
            .to_string(),
        latest.source.name().to_owned(),
    ];
    // No cell holds a comma or a quotation mark but a family's name, whatever it is.
    cells
        .map(|cell| match cell.contains([',', '"', '\n']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell,
        })
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over_files_of_others() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("searches");
        check_findings_folder(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::create_dir(folder.join(RELAXED)).unwrap();
        check_findings_folder(&folder).unwrap();
        fs::write(folder.join("01_ZnO.cif"), "mine").unwrap();
        check_findings_folder(&folder).unwrap_err();
        fs::write(folder.join(TABLE), "my,own,table").unwrap();
        check_findings_folder(&folder).unwrap_err();
        fs::write(folder.join(TABLE), "rank,formula,elements\n").unwrap();
        check_findings_folder(&folder).unwrap();
        // A table elsewhere that a link in the folder leads to.
        let elsewhere = root.path().join("ranking.csv");
        fs::rename(folder.join(TABLE), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.join(TABLE)).unwrap();
        check_findings_folder(&folder).unwrap_err();
    }

    #[test]
    fn only_files_of_a_ranking_are_its_own() {
        for ours in ["01_Cs2AgBiBr6.cif", "100_ZnO.cif"] {
            assert!(is_ranked(ours), "{ours}");
        }
        for other in [
            "zno.cif",
            "1_ZnO.cif",
            "01_my-notes.cif",
            "01_.cif",
            "01_ZnO.txt",
        ] {
            assert!(!is_ranked(other), "{other}");
        }
    }
}
