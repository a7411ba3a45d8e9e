use std::{
    fs,
    path::{Path, PathBuf},
};

use crystalgym_crystal::write_atomically;

use crate::{Figure, PageMode, Rasterizer, ReportData, ReportError, figures, page};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// How many figures.
    pub figures: usize,
}

/// Writes tables (Markdown, CSV, LaTeX), figures (SVG, PNG and the numbers behind them as CSV) and
/// the page into a folder. Figures and tables of an earlier report that this one does not have are
/// removed first.
///
/// # Errors
/// [`ReportError`]; each file is whole or not there.
pub fn write_report(data: &ReportData, folder: &Path) -> Result<Written, ReportError> {
    data.tables.write(folder)?;
    let figures = figures(data);
    remove_old_figures(folder, &figures)?;
    let rasterizer = Rasterizer::default();
    for figure in &figures {
        let svg = figure.svg();
        let png = rasterizer.png(&figure.name, &svg)?;
        write(folder, figure, "svg", svg.as_bytes())?;
        write(folder, figure, "png", &png)?;
        let path = folder.join(format!("figure-{}.csv", figure.name));
        write_atomically(&path, figure.table.csv().as_bytes()).map_err(ReportError::io(path))?;
    }
    let path = folder.join("index.html");
    let html = page(data, &figures, &PageMode::File);
    write_atomically(&path, html.as_bytes()).map_err(ReportError::io(&path))?;
    Ok(Written {
        page: path,
        figures: figures.len(),
    })
}

fn write(folder: &Path, figure: &Figure, extension: &str, data: &[u8]) -> Result<(), ReportError> {
    let path = folder.join(format!("figure-{}.{extension}", figure.name));
    write_atomically(&path, data).map_err(ReportError::io(path))
}

/// A figure that is not made any more would be taken for one of this report.
fn remove_old_figures(folder: &Path, figures: &[Figure]) -> Result<(), ReportError> {
    for entry in fs::read_dir(folder).map_err(ReportError::io(folder))? {
        let path = entry.map_err(ReportError::io(folder))?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let Some(name) = stem.strip_prefix("figure-") else {
            continue;
        };
        if !figures.iter().any(|figure| figure.name == name) {
            fs::remove_file(&path).map_err(ReportError::io(&path))?;
        }
    }
    Ok(())
}
