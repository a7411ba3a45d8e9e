//! The tables of a benchmark as Markdown, CSV and LaTeX.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use crate::{
    JobMeasure, JobsRead, interquartile_mean, interquartile_mean_interval,
    measure::mean,
    text::{self, csv_row},
};

/// A table in plain strings, to be written in any format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// File name without extension.
    pub name: &'static str,
    /// Title.
    pub title: String,
    /// What the columns mean.
    pub note: &'static str,
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
}

/// The tables of a benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// The tables.
    pub tables: Vec<Table>,
    /// What none of them counts: folder and reason.
    pub left_out: Vec<(PathBuf, String)>,
}

/// What jobs of different seeds share: experiment, property, skeletons, algorithm.
type Group<'a> = (&'a str, String, &'a str, &'static str);

impl Tables {
    /// The tables of what was read.
    pub fn of(read: &JobsRead) -> Self {
        let mut groups: BTreeMap<Group<'_>, Vec<&JobMeasure>> = BTreeMap::new();
        for job in &read.jobs {
            let m = &job.manifest;
            let group = (
                m.experiment.as_str(),
                m.property.to_string(),
                m.skeletons.as_str(),
                m.algorithm.name(),
            );
            groups.entry(group).or_default().push(job);
        }
        let scales: Vec<&str> = {
            let mut scales: Vec<&str> = (read.jobs.iter())
                .map(|job| job.manifest.scale.name())
                .collect();
            scales.sort_unstable();
            scales.dedup();
            scales
        };
        let stamp = format!("scale: {}", scales.join(", "));
        let left_out = read.left_out.iter();
        Self {
            tables: vec![
                performance(&groups, &stamp),
                aggregate(&groups, &stamp),
                cost(&groups, &stamp),
                failures(&groups, &stamp),
                failures_by_element(&read.jobs, &stamp),
            ],
            left_out: left_out
                .map(|job| (job.folder.clone(), job.reason.clone()))
                .collect(),
        }
    }

    /// Names and contents of files: each table as Markdown, CSV and LaTeX, and what was left out.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for table in &self.tables {
            for (extension, text) in [
                ("md", table.markdown()),
                ("csv", table.csv()),
                ("tex", table.latex()),
            ] {
                files.push((format!("{}.{extension}", table.name), text.into_bytes()));
            }
        }
        let mut text = String::from("folder,reason\n");
        for (folder, reason) in &self.left_out {
            text += &csv_row(&[folder.display().to_string(), reason.clone()]);
        }
        files.push(("left_out.csv".to_owned(), text.into_bytes()));
        files
    }
}

fn performance(groups: &BTreeMap<Group<'_>, Vec<&JobMeasure>>, stamp: &str) -> Table {
    let rows = groups.iter().map(|(group, jobs)| {
        let mut row = heads(group);
        row.push(jobs.len().to_string());
        let measures: [fn(&JobMeasure) -> Option<f64>; 6] = [
            |job| Some(job.greedy_return),
            |job| Some(job.sampled_return),
            |job| job.held_out_return,
            |job| Some(job.training.last_return),
            |job| Some(job.training.best_return),
            |job| Some(job.training.area_under_curve),
        ];
        for measure in measures {
            row.push(spread(jobs.iter().filter_map(|job| measure(job))));
        }
        let (distinct, all) = jobs.iter().fold((0, 0), |(distinct, all), job| {
            (
                distinct + job.unique_rollouts.0,
                all + job.unique_rollouts.1,
            )
        });
        row.push(format!("{distinct} of {all}"));
        row
    });
    Table {
        name: "performance",
        title: format!("Final performance and area under the curve ({stamp})"),
        note: "Mean over seeds (smallest to largest). Greedy, sampled and held out: returns of the \
               final rollouts, failures counted; last: mean return of the last 100 training \
               episodes; area: sum over episodes of (return - return of a failure) times the \
               environment steps since the last one. Distinct: different crystals among the final \
               rollouts, seed by seed.",
        columns: vec![
            "experiment",
            "property",
            "skeletons",
            "algorithm",
            "seeds",
            "greedy",
            "sampled",
            "held out",
            "last",
            "best",
            "area",
            "distinct",
        ],
        rows: rows.collect(),
    }
}

fn aggregate(groups: &BTreeMap<Group<'_>, Vec<&JobMeasure>>, stamp: &str) -> Table {
    // By experiment, property and algorithm: the greedy returns of each set of skeletons.
    let mut strata: BTreeMap<(&str, &str, &str), Vec<Vec<f64>>> = BTreeMap::new();
    for ((experiment, property, _, algorithm), jobs) in groups {
        let values = jobs.iter().map(|job| job.greedy_return).collect();
        let key = (*experiment, property.as_str(), *algorithm);
        strata.entry(key).or_default().push(values);
    }
    let rows = strata
        .iter()
        .map(|((experiment, property, algorithm), strata)| {
            let all = strata.concat();
            let interval = match interquartile_mean_interval(strata) {
                Some((low, high)) => format!("{low:.4} to {high:.4}"),
                None => "one seed".to_owned(),
            };
            vec![
                (*experiment).to_owned(),
                (*property).to_owned(),
                (*algorithm).to_owned(),
                all.len().to_string(),
                interquartile_mean(&all).map_or_else(String::new, |value| format!("{value:.4}")),
                interval,
            ]
        });
    Table {
        name: "interquartile_mean",
        title: format!("Interquartile mean of the final greedy return ({stamp})"),
        note: "Over all skeletons and seeds, with the 95 % interval of 2000 bootstrap samples drawn \
               within each set of skeletons.",
        columns: vec![
            "experiment",
            "property",
            "algorithm",
            "jobs",
            "mean",
            "interval",
        ],
        rows: rows.collect(),
    }
}

fn cost(groups: &BTreeMap<Group<'_>, Vec<&JobMeasure>>, stamp: &str) -> Table {
    let mut sums: BTreeMap<(&str, &str), (usize, usize, f64)> = BTreeMap::new();
    for ((_, property, skeletons, _), jobs) in groups {
        let sum = sums.entry((property.as_str(), skeletons)).or_default();
        for job in jobs {
            sum.0 += job.training.episodes;
            sum.1 += job.training.calculations;
            sum.2 += job.training.calculation_seconds;
        }
    }
    let rows = sums.iter().map(
        |((property, skeletons), (episodes, calculations, seconds))| {
            let mean = match calculations {
                0 => String::new(),
                _ => format!("{:.3}", seconds / *calculations as f64),
            };
            vec![
                (*property).to_owned(),
                (*skeletons).to_owned(),
                episodes.to_string(),
                calculations.to_string(),
                mean,
            ]
        },
    );
    Table {
        name: "calculations",
        title: format!("Calculations and their wall time ({stamp})"),
        note: "Seconds: mean wall time of the calculations that the training episodes made, \
               failures included; the other episodes found their result in the store.",
        columns: vec![
            "property",
            "skeletons",
            "episodes",
            "calculations",
            "seconds",
        ],
        rows: rows.collect(),
    }
}

fn failures(groups: &BTreeMap<Group<'_>, Vec<&JobMeasure>>, stamp: &str) -> Table {
    let mut counts: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut episodes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for ((_, property, _, algorithm), jobs) in groups {
        for job in jobs {
            *episodes.entry((property, algorithm)).or_default() += job.training.episodes;
            for (code, count) in &job.training.failures {
                *counts.entry((property, algorithm, code)).or_default() += count;
            }
        }
    }
    let rows = counts.iter().map(|((property, algorithm, code), count)| {
        let all = episodes.get(&(*property, *algorithm)).copied().unwrap_or(0);
        vec![
            (*property).to_owned(),
            (*algorithm).to_owned(),
            (*code).to_owned(),
            count.to_string(),
            percent(*count, all),
        ]
    });
    Table {
        name: "failures",
        title: format!("Failures by property, algorithm and code ({stamp})"),
        note: "Share of the training episodes.",
        columns: vec!["property", "algorithm", "code", "episodes", "share"],
        rows: rows.collect(),
    }
}

fn failures_by_element(jobs: &[JobMeasure], stamp: &str) -> Table {
    let mut counts: BTreeMap<(String, &str), (usize, usize)> = BTreeMap::new();
    for job in jobs {
        for (element, (failed, all)) in &job.training.failures_by_element {
            let key = (job.manifest.property.to_string(), element.as_str());
            let sum = counts.entry(key).or_default();
            sum.0 += failed;
            sum.1 += all;
        }
    }
    let rows = counts.iter().map(|((property, element), (failed, all))| {
        vec![
            property.clone(),
            (*element).to_owned(),
            all.to_string(),
            failed.to_string(),
            percent(*failed, *all),
        ]
    });
    Table {
        name: "failures_by_element",
        title: format!("Failures by element ({stamp})"),
        note: "Training episodes whose crystal holds the element, and how many of them failed.",
        columns: vec!["property", "element", "episodes", "failed", "share"],
        rows: rows.collect(),
    }
}

fn heads((experiment, property, skeletons, algorithm): &Group<'_>) -> Vec<String> {
    [experiment, property.as_str(), skeletons, algorithm]
        .map(str::to_owned)
        .to_vec()
}

/// `mean (smallest to largest)`; the mean alone of one value, nothing of none.
fn spread(values: impl Iterator<Item = f64> + Clone) -> String {
    let Some(mean) = mean(values.clone()) else {
        return String::new();
    };
    if values.clone().count() == 1 {
        return format!("{mean:.4}");
    }
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    format!("{mean:.4} ({low:.4} to {high:.4})")
}

fn percent(part: usize, whole: usize) -> String {
    match whole {
        0 => String::new(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}

impl Table {
    /// GitHub's Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.map(|cell| text::markdown(&cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let title = text::markdown(&self.title);
        let mut text = format!("### {title}\n\n{}\n\n", self.note);
        text += &line(&mut self.columns.iter().map(|&column| column.to_owned()));
        text += &line(&mut self.columns.iter().map(|_| "---".to_owned()));
        for row in &self.rows {
            text += &line(&mut row.iter().cloned());
        }
        text
    }

    /// Comma-separated values (RFC 4180), title and note left out.
    pub fn csv(&self) -> String {
        let mut text = csv_row(&self.columns);
        for row in &self.rows {
            text += &csv_row(row);
        }
        text
    }

    /// A LaTeX table.
    pub fn latex(&self) -> String {
        let line = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
        let mut table = String::new();
        let columns = "l".repeat(self.columns.len());
        let title = text::latex(&self.title);
        let _ = write!(
            table,
            "\\begin{{table}}\n\\caption{{{title}}}\n\\begin{{tabular}}{{{columns}}}\n\\hline\n"
        );
        table += &line(
            self.columns
                .iter()
                .map(|column| text::latex(column))
                .collect(),
        );
        table += "\\hline\n";
        for row in &self.rows {
            table += &line(row.iter().map(|cell| text::latex(cell)).collect());
        }
        table + "\\hline\n\\end{tabular}\n\\end{table}\n"
    }
}
