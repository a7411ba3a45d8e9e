//! Writes a report into a folder, and nothing over what is somebody else's.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crystalgym_crystal::{EnclosedFolder, EntryKind};

use crate::{PageMode, Rasterizer, ReportData, ReportError, figures, page};

/// Lists what a report wrote, a name a line, so that the next one replaces nothing else.
const LIST: &str = "files.txt";
/// Largest list that is read.
const MOST_LIST_BYTES: u64 = 1 << 20;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// How many figures.
    pub figures: usize,
}

/// Writes tables (Markdown, CSV, LaTeX), figures (SVG, PNG, the caption and the numbers
/// behind them as CSV) and
/// the page into a folder, with a list of their names. What an earlier report wrote and this one does
/// not have is removed; files that no report wrote are neither replaced nor removed, and nothing is
/// written through a link.
///
/// # Errors
/// [`ReportError`]; each file is whole or not there. [`ReportError::Foreign`], before anything is
/// written, if a file of somebody else has the name of one of the report.
pub fn write_report(data: &ReportData, folder: &Path) -> Result<Written, ReportError> {
    fs::create_dir_all(folder).map_err(ReportError::io(folder))?;
    let inside = EnclosedFolder::at(folder);
    let figures = figures(data);
    let rasterizer = Rasterizer::default();
    let mut files: Vec<(String, Vec<u8>)> = data.tables.files();
    for figure in &figures {
        let svg = figure.svg();
        let png = rasterizer.png(&figure.name, &svg)?;
        let parts = [
            ("svg", svg.into_bytes()),
            ("png", png),
            ("csv", figure.table.csv().into_bytes()),
            ("txt", figure.caption_text().into_bytes()),
        ];
        let name = |extension| format!("figure-{}.{extension}", figure.name);
        files.extend(parts.map(|(extension, content)| (name(extension), content)));
    }
    let html = page(data, &figures, &PageMode::File);
    files.push((PAGE.to_owned(), html.into_bytes()));

    let earlier = earlier_files(&inside)?;
    let now: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for name in &now {
        let kind = inside
            .kind(name)
            .map_err(ReportError::io(inside.join(name)))?;
        if kind != EntryKind::Missing && !earlier.contains(*name) {
            return Err(ReportError::Foreign {
                path: inside.join(name),
            });
        }
    }
    // The names of both first: whatever happens then, they are known to be a report's.
    let listed: BTreeSet<&str> = now
        .iter()
        .copied()
        .chain(earlier.iter().map(String::as_str))
        .collect();
    write(&inside, LIST, list(&listed).as_bytes())?;
    for name in earlier.iter().filter(|name| !now.contains(name.as_str())) {
        // A list of somebody else could name anything: folders are none of a report's files.
        if inside.kind(name).is_ok_and(|kind| kind == EntryKind::File) {
            inside
                .remove(name)
                .map_err(ReportError::io(inside.join(name)))?;
        }
    }
    for (name, content) in &files {
        write(&inside, name, content)?;
    }
    write(&inside, LIST, list(&now).as_bytes())?;
    Ok(Written {
        page: inside.join(PAGE),
        figures: figures.len(),
    })
}

const PAGE: &str = "index.html";

fn write(folder: &EnclosedFolder, name: &str, content: &[u8]) -> Result<(), ReportError> {
    folder
        .write(name, content)
        .map_err(ReportError::io(folder.join(name)))
}

fn list(names: &BTreeSet<&str>) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}

/// Names that an earlier report wrote.
fn earlier_files(folder: &EnclosedFolder) -> Result<BTreeSet<String>, ReportError> {
    let failed = |error| ReportError::io(folder.join(LIST))(error);
    match folder.kind(LIST).map_err(failed)? {
        EntryKind::Missing => Ok(BTreeSet::new()),
        _ => {
            let text = folder.read_text(LIST, MOST_LIST_BYTES).map_err(failed)?;
            Ok(text.lines().map(str::to_owned).collect())
        }
    }
}
