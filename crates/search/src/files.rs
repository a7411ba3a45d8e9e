//! The files of a search: a table of all fillings and the best ones as CIF.

use std::{fmt::Write, fs, path::Path};

use crystalgym_crystal::{StructureFormat, write_atomically};

use crate::{Finding, SearchError, SearchResult};

/// Writes `ranking.csv` and the first `cifs` crystals as `01_Cs2AgBiBr6.cif`, … into a folder, which is
/// made; CIF files of an earlier ranking are removed.
///
/// # Errors
/// [`SearchError::Io`].
pub fn write_findings(
    result: &SearchResult,
    folder: &Path,
    cifs: usize,
) -> Result<(), SearchError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| SearchError::Io { path, source }
    };
    fs::create_dir_all(folder).map_err(io(folder))?;
    let table = folder.join("ranking.csv");
    write_atomically(&table, table_text(result).as_bytes()).map_err(io(&table))?;
    let mut names = Vec::new();
    let best = result
        .findings
        .iter()
        .filter(|finding| finding.value().is_some());
    for (rank, finding) in best.take(cifs).enumerate() {
        let name = format!("{:02}_{}.cif", rank + 1, finding.crystal.formula());
        let file = folder.join(&name);
        let text = finding.crystal.structure().to_text(StructureFormat::Cif);
        write_atomically(&file, text.as_bytes()).map_err(io(&file))?;
        names.push(name);
    }
    for entry in fs::read_dir(folder).map_err(io(folder))? {
        let entry = entry.map_err(io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_ranked(&name) && !names.contains(&name) {
            fs::remove_file(entry.path()).map_err(io(&entry.path()))?;
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
