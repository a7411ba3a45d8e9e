//! The sections of the page.

use std::{collections::BTreeSet, fmt::Write as _};

use crystalgym_benchmark::{JobMeasure, Table, are_numbers};
use crystalgym_environment::target_text;

use super::{head, mode::PageMode};
use crate::{
    canvas::{escape, short},
    data::ReportData,
    figure::{DataTable, Figure, Section},
    figures::crystals::{PICTURE, TEXT_HEIGHT},
    marks::legend_mark,
    palette::style_of,
};

/// Panels wider than this scroll on narrow screens instead of shrinking until nobody can read them.
const WIDE: f64 = 600.0;

/// Room for panels on a wide screen.
const CARD_WIDTH: f64 = 1140.0;

/// Everything within the page that changes with the data.
pub(super) fn body(data: &ReportData, figures: &[Figure], mode: &PageMode) -> String {
    let mut sections: Vec<(&str, &str, String)> = Vec::new();
    if !data.verdicts.is_empty() {
        sections.push(("verdict", "Verdict", head::verdicts(data)));
    }
    if !data.unfinished.is_empty() {
        let all_trained = data.unfinished.iter().all(|run| run.trained);
        let heading = if all_trained { "Finished" } else { "Under way" };
        sections.push(("running", heading, running(data)));
    }
    for section in Section::ALL {
        let chosen: Vec<&Figure> = figures.iter().filter(|f| f.section == section).collect();
        if !chosen.is_empty() {
            let html = intro(section) + &section_figures(&chosen);
            sections.push((section.anchor(), section.heading(), html));
        }
    }
    if !data.tables.tables.is_empty() {
        let tables = data.tables.tables.iter().map(benchmark_table);
        sections.push(("tables", "Tables", tables.collect()));
    }
    if !data.jobs.is_empty() {
        sections.push(("settings", "Settings and versions", settings(&data.jobs)));
    }
    let mut html = head::header(data, mode);
    html += "<nav aria-label=\"Contents\"><ul>";
    for (anchor, heading, _) in &sections {
        let _ = write!(html, "<li><a href=\"#{anchor}\">{heading}</a></li>");
    }
    html += "</ul></nav>\n<main id=\"main\">\n";
    html += &left_out(data);
    if sections.is_empty() {
        html += "<p class=\"intro\">Nothing to show yet.</p>";
    }
    for (anchor, heading, content) in &sections {
        let _ = write!(
            html,
            "<section aria-labelledby=\"{anchor}\"><h2 id=\"{anchor}\">{heading}</h2>\n{content}\
             </section>\n"
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(
        html,
        "</main>\n<footer>Made by crystalgym {version} from the raw tables of the runs. Typeface: \
         Inter (SIL Open Font License).</footer>\n"
    );
    html
}

fn left_out(data: &ReportData) -> String {
    let left_out = &data.tables.left_out;
    if left_out.is_empty() {
        return String::new();
    }
    let table = DataTable {
        columns: vec!["job", "reason"],
        rows: left_out
            .iter()
            .map(|(folder, reason)| {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                // Where the folder lies on this machine is nobody else's business.
                let within = reason.replace(&format!("{}/", folder.display()), "");
                vec![name.into_owned(), within]
            })
            .collect(),
    };
    let count = left_out.len();
    let jobs = if count == 1 { "job is" } else { "jobs are" };
    format!(
        "<section class=\"notice\" aria-labelledby=\"left-out\"><h2 id=\"left-out\">{count} {jobs} left \
         out</h2><p>No table and no figure of finished jobs counts them.</p><div class=\"scroll\">{}\
         </div></section>\n",
        html_table(&table)
    )
}

fn running(data: &ReportData) -> String {
    let mut rows = String::new();
    for run in &data.unfinished {
        let curve = &run.training.curve;
        let steps = curve.length(crystalgym_benchmark::CurveAxis::Steps);
        let share = run.total_steps.map(|total| {
            let share = steps as f64 / total.max(1) as f64;
            (share.min(1.0), total)
        });
        let bar = match share {
            Some((share, total)) => format!(
                "<div class=\"bar\" role=\"img\" aria-label=\"{0:.0} per cent\"><span \
                 style=\"width:{0:.0}%\"></span></div> {1} of {2} steps",
                100.0 * share,
                steps,
                total
            ),
            None => format!("{steps} steps"),
        };
        let state = if run.trained { "finished" } else { "running" };
        let _ = write!(
            rows,
            "<tr><td>{}</td><td>{state}</td><td>{bar}</td><td>{}</td><td>{:.3}</td><td>{:.3}</td>\
             <td>{}</td></tr>",
            escape(&run.label.id),
            run.training.episodes,
            run.training.last_return,
            run.training.best_return,
            run.training.calculations,
        );
    }
    format!(
        "<div class=\"card\"><p class=\"note\">Training runs by themselves, and jobs that have not been \
         evaluated yet. Figures show them dashed; tables never count them.</p><div class=\"scroll\"><table><thead><tr><th>run</th>\
         <th>state</th><th>progress</th><th>episodes</th><th>return, last 100</th><th>best</th>\
         <th>calculations</th></tr></thead><tbody>{rows}</tbody></table></div></div>\n"
    )
}

fn intro(section: Section) -> String {
    let text = match section {
        Section::Learning => {
            "How the return grows while the agents learn. Choose what it is drawn over."
        }
        Section::Performance => {
            "What the trained agents are worth: returns of their greedy policies, the same over all \
             skeletons, and how soon they got there. What searches have instead, their best find, stands \
             in figures of its own."
        }
        Section::Crystals => {
            "Drag a crystal to turn it, or use the arrow keys; + and − zoom, Home or a double click \
             goes back."
        }
        Section::Properties => "The property of the crystals made, against its target.",
        Section::Uniqueness => {
            "Whether agents repeat themselves, and whether they find what is not known."
        }
        Section::Failures => "Which calculations fail, and with which elements.",
        Section::Times => "What a calculation costs.",
    };
    format!("<p class=\"intro\">{text}</p>\n")
}

/// Figures one below the other; those that differ in their x axis alone in one place, with a choice.
fn section_figures(figures: &[&Figure]) -> String {
    let mut html = String::new();
    let mut index = 0;
    while let Some(figure) = figures.get(index) {
        let Some((family, _)) = &figure.choice else {
            html += &format!("<div class=\"card\">{}</div>\n", figure_html(figure));
            index += 1;
            continue;
        };
        let same = figures[index..]
            .iter()
            .take_while(|other| matches!(&other.choice, Some((name, _)) if name == family));
        let same: Vec<&&Figure> = same.collect();
        html += "<div class=\"card choices\" role=\"group\" aria-label=\"What the curves are drawn over\">";
        for (place, figure) in same.iter().enumerate() {
            let label = figure.choice.as_ref().map_or("", |(_, label)| label);
            let label = label.strip_prefix("Environment ").unwrap_or(label);
            let (name, id) = (escape(family), escape(&figure.name));
            let checked = if place == 0 { " checked" } else { "" };
            let _ = write!(
                html,
                "<input type=\"radio\" name=\"{name}\" id=\"choose-{id}\" data-choice=\"{place}\"\
                 {checked}><label for=\"choose-{id}\">{label}</label>"
            );
        }
        for figure in &same {
            html += &figure_html(figure);
        }
        html += "</div>\n";
        index += same.len();
    }
    html
}

fn figure_html(figure: &Figure) -> String {
    let mut html = format!(
        "<figure id=\"{}\"><h3>{}</h3>",
        escape(&figure.name),
        escape(&figure.title)
    );
    if !figure.legend.is_empty() {
        html += "<ul class=\"legend\" aria-label=\"Algorithms\">";
        for algorithm in &figure.legend {
            let style = style_of(*algorithm);
            let _ = write!(html, "<li>{}{}</li>", legend_mark(&style), style.name);
        }
        html += "</ul>";
    }
    if figure.section == Section::Crystals {
        html += &crystals(figure);
    } else {
        let width = figure.panels.iter().map(|panel| panel.canvas.width);
        let width = width.fold(0.0, f64::max);
        let wide = if width > WIDE {
            " wide\" tabindex=\"0"
        } else {
            ""
        };
        let _ = write!(
            html,
            "<div class=\"panels{wide}\" style=\"--w:{}px;--n:{}\" role=\"img\" aria-label=\"{}\">",
            short(width),
            columns(figure.panels.len(), width),
            escape(&figure.alternative_text)
        );
        for panel in &figure.panels {
            let canvas = &panel.canvas;
            let _ = write!(
                html,
                "<svg viewBox=\"0 0 {} {}\">{}</svg>",
                short(canvas.width),
                short(canvas.height),
                canvas.body
            );
        }
        html += "</div>";
    }
    let _ = write!(
        html,
        "<p class=\"caption\">{}</p><details data-key=\"{}\"><summary>Numbers of this \
         figure</summary><div class=\"scroll\">{}</div></details></figure>",
        escape(&figure.caption),
        escape(&figure.name),
        html_table(&figure.table)
    );
    html
}

/// Columns of a wide screen: as many as fit, but no row with a single panel below full ones.
fn columns(panels: usize, width: f64) -> usize {
    let most = (CARD_WIDTH / width).floor().max(1.0) as usize;
    panels.div_ceil(panels.div_ceil(most).max(1)).max(1)
}

fn crystals(figure: &Figure) -> String {
    let mut html = String::from("<div class=\"crystals\">");
    let height = PICTURE.1 + TEXT_HEIGHT;
    let share = short(100.0 * PICTURE.1 / height);
    for (panel, row) in figure.panels.iter().zip(crystal_labels(figure)) {
        let _ = write!(
            html,
            "<div class=\"stage\" data-share=\"{share}\" data-label=\"{label}\"><svg viewBox=\"0 0 {} \
             {}\" role=\"img\" aria-label=\"{label}\">{}</svg>",
            short(panel.canvas.width),
            short(panel.canvas.height),
            panel.canvas.body,
            label = escape(&row),
        );
        if let Some(scene) = &panel.scene {
            let _ = write!(html, "<script type=\"application/json\">{scene}</script>");
        }
        html += "</div>";
    }
    html + "</div>"
}

/// `RbCaH3 on C2, 2.98`, one for each skeleton.
fn crystal_labels(figure: &Figure) -> Vec<String> {
    let mut skeletons = BTreeSet::new();
    let firsts = figure
        .table
        .rows
        .iter()
        .filter(|row| skeletons.insert(&row[0]));
    firsts
        .map(|row| format!("Crystal {} on {}, {}", row[1], row[0], row[3]))
        .collect()
}

fn benchmark_table(table: &Table) -> String {
    let shown = DataTable {
        columns: table.columns.clone(),
        rows: table.rows.clone(),
    };
    format!(
        "<div class=\"card\" id=\"table-{}\"><h3>{}</h3><p class=\"note\">{}</p><div \
         class=\"scroll\">{}</div></div>\n",
        escape(table.name),
        escape(&table.title),
        escape(table.note),
        html_table(&shown)
    )
}

fn settings(jobs: &[JobMeasure]) -> String {
    let calculators: BTreeSet<(String, &str)> = jobs
        .iter()
        .map(|job| {
            (
                job.manifest.property.to_string(),
                job.manifest.calculator.as_str(),
            )
        })
        .collect();
    let calculators = DataTable {
        columns: vec!["property", "calculator with its settings"],
        rows: calculators
            .into_iter()
            .map(|(property, calculator)| vec![property, calculator.to_owned()])
            .collect(),
    };
    let jobs = DataTable {
        columns: vec![
            "job", "scale", "target", "seed", "preset", "version", "episodes", "computed",
        ],
        rows: jobs
            .iter()
            .map(|job| {
                let m = &job.manifest;
                vec![
                    m.id.clone(),
                    m.scale.name().to_owned(),
                    format!(
                        "{} {}",
                        target_text(m.target, m.tolerance),
                        m.property.unit()
                    ),
                    m.seed.to_string(),
                    format!("{:?}", m.preset).to_lowercase(),
                    m.crystalgym_version.clone(),
                    job.training.episodes.to_string(),
                    job.training.calculations.to_string(),
                ]
            })
            .collect(),
    };
    format!(
        "<div class=\"card\"><h3>Calculators</h3><div class=\"scroll\">{}</div></div>\n<div \
         class=\"card\"><h3>Jobs</h3><div class=\"scroll\">{}</div></div>\n",
        html_table(&calculators),
        html_table(&jobs)
    )
}

fn html_table(table: &DataTable) -> String {
    let numeric: Vec<bool> = (0..table.columns.len())
        .map(|column| are_numbers(table.rows.iter().filter_map(|row| row.get(column))))
        .collect();
    let mut html = String::from("<table><thead><tr>");
    for (column, numeric) in table.columns.iter().zip(&numeric) {
        let class = if *numeric { " class=\"number\"" } else { "" };
        let _ = write!(html, "<th scope=\"col\"{class}>{}</th>", escape(column));
    }
    html += "</tr></thead><tbody>";
    for row in &table.rows {
        html += "<tr>";
        for (cell, numeric) in row.iter().zip(&numeric) {
            // Long texts may be broken, numbers not.
            let class = match () {
                () if *numeric => " class=\"number\"",
                () if cell.len() > 48 => " class=\"reason\"",
                () => "",
            };
            let _ = write!(html, "<td{class}>{}</td>", escape(cell));
        }
        html += "</tr>";
    }
    html + "</tbody></table>"
}
