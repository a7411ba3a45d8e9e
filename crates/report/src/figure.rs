//! Figures as panels and tables.

use crystalgym_benchmark::csv_row;
use crystalgym_training::Algorithm;

use crate::{
    canvas::{Anchor, Canvas, escape, short},
    marks::mark,
    palette::style_of,
    style::file_rules,
};

/// A figure: panels that are laid out side by side, wherever it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// File name without extension.
    pub name: String,
    /// Which part of the report it belongs to.
    pub section: Section,
    /// Title, with the scale.
    pub title: String,
    /// What is drawn, and how it is defined.
    pub caption: String,
    /// What a person sees who cannot see it.
    pub alternative_text: String,
    /// Figures that differ in their x axis alone: what they share, and which axis this one has.
    pub choice: Option<(String, String)>,
    /// The numbers behind it.
    pub table: DataTable,
    pub(crate) panels: Vec<Panel>,
    pub(crate) legend: Vec<Algorithm>,
}

/// Part of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Learning curves.
    Learning,
    /// Returns at the end.
    Performance,
    /// Best crystals.
    Crystals,
    /// Distributions of properties.
    Properties,
    /// How many crystals are different, how many new.
    Uniqueness,
    /// Failures.
    Failures,
    /// Times.
    Times,
}

impl Section {
    pub(crate) const ALL: [Self; 7] = [
        Self::Learning,
        Self::Performance,
        Self::Crystals,
        Self::Properties,
        Self::Uniqueness,
        Self::Failures,
        Self::Times,
    ];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Learning => "Learning curves",
            Self::Performance => "Final performance",
            Self::Crystals => "Best crystals",
            Self::Properties => "What the agents make",
            Self::Uniqueness => "Different and new crystals",
            Self::Failures => "Failures",
            Self::Times => "Times",
        }
    }

    pub(crate) fn anchor(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Performance => "performance",
            Self::Crystals => "crystals",
            Self::Properties => "properties",
            Self::Uniqueness => "uniqueness",
            Self::Failures => "failures",
            Self::Times => "times",
        }
    }
}

/// Columns and rows behind a figure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataTable {
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
}

/// A drawing with its own axes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    pub(crate) canvas: Canvas,
    /// For a crystal: what the page needs to turn it.
    pub(crate) scene: Option<String>,
}

impl From<Canvas> for Panel {
    fn from(canvas: Canvas) -> Self {
        Self {
            canvas,
            scene: None,
        }
    }
}

const MARGIN: f64 = 20.0;
const GAP: f64 = 16.0;
/// Width of a file's figure that is filled before a new row begins.
const FILE_WIDTH: f64 = 1000.0;
/// Width of a panel that is alone in its figure, as wide as the card that it is shown on.
pub(crate) const WIDE_PANEL: f64 = 860.0;

impl Figure {
    /// The figure as an SVG file of its own: title, legend, panels in rows; its caption is
    /// written beside it.
    pub fn svg(&self) -> String {
        let mut rows: Vec<Vec<&Panel>> = Vec::new();
        let mut width = 0.0;
        for panel in &self.panels {
            match rows.last_mut() {
                Some(row) if width + GAP + panel.canvas.width <= FILE_WIDTH => {
                    width += GAP + panel.canvas.width;
                    row.push(panel);
                }
                _ => {
                    width = panel.canvas.width;
                    rows.push(vec![panel]);
                }
            }
        }
        let row_width = |row: &Vec<&Panel>| {
            let panels: f64 = row.iter().map(|panel| panel.canvas.width).sum();
            panels + GAP * (row.len().max(1) - 1) as f64
        };
        let inner = rows.iter().map(row_width).fold(560.0, f64::max);
        let mut canvas = Canvas::new(inner + 2.0 * MARGIN, 0.0);
        let mut y = MARGIN + 14.0;
        for line in wrap(&self.title, inner / 8.6) {
            canvas.text((MARGIN, y), Anchor::Start, "head", &line);
            y += 22.0;
        }
        if !self.legend.is_empty() {
            y += 4.0;
            self.draw_legend(&mut canvas, (MARGIN, y), inner);
            y += 10.0;
        }
        y += 6.0;
        for row in &rows {
            let mut x = MARGIN;
            let height = row
                .iter()
                .map(|panel| panel.canvas.height)
                .fold(0.0, f64::max);
            for panel in row {
                canvas.raw(&format!(
                    r#"<g transform="translate({} {})">{}</g>"#,
                    short(x),
                    short(y),
                    panel.canvas.body
                ));
                x += panel.canvas.width + GAP;
            }
            y += height + GAP;
        }
        canvas.height = y + 4.0;
        let (width, height) = (short(canvas.width), short(canvas.height));
        let (title, description) = (escape(&self.title), escape(&self.alternative_text));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{title}</title>\
             <desc>{description}</desc><style>{}</style>\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>{}</svg>\n",
            file_rules(),
            canvas.body
        )
    }

    /// Title and caption, to be written below the figure wherever it is used.
    pub fn caption_text(&self) -> String {
        format!("{}\n\n{}\n", self.title, self.caption)
    }

    fn draw_legend(&self, canvas: &mut Canvas, (left, y): (f64, f64), width: f64) {
        let mut x = left;
        for &algorithm in &self.legend {
            let style = style_of(algorithm);
            if x > left + width - 100.0 {
                break;
            }
            canvas.line(
                (x, y - 4.0),
                (x + 18.0, y - 4.0),
                &format!("l-{}", style.key),
            );
            mark(canvas, &style, (x + 9.0, y - 4.0), 4.2, false);
            canvas.text((x + 24.0, y), Anchor::Start, "text", style.name);
            x += 46.0 + 6.6 * style.name.len() as f64;
        }
    }
}

impl DataTable {
    /// Comma-separated values.
    pub fn csv(&self) -> String {
        let rows = self.rows.iter().map(|row| csv_row(row));
        csv_row(&self.columns) + &rows.collect::<String>()
    }
}

/// Lines of at most so many characters, broken between words.
fn wrap(text: &str, characters: f64) -> Vec<String> {
    let most = characters.max(20.0) as usize;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
