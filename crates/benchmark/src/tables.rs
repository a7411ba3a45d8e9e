//! The tables of a benchmark.

use std::{collections::BTreeMap, path::PathBuf};

use crystalgym_evaluation::csv_row;

use crate::{
    ExactMeasure, JobMeasure, JobsRead, RolloutKind, Table, interquartile_mean,
    interquartile_mean_interval,
    learned_table::learned,
    published_cost, shown_number,
    solved::{best_known, solved},
    statistics::mean,
};

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
type Groups<'a> = BTreeMap<Group<'a>, Vec<&'a JobMeasure>>;

impl Tables {
    /// The tables of what was read.
    pub fn of(read: &JobsRead) -> Self {
        let mut groups = Groups::new();
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
        let mut tables = Vec::new();
        for kind in RolloutKind::ALL {
            let of_kind = |jobs: &Vec<&JobMeasure>| {
                let mut jobs = jobs.iter();
                jobs.any(|job| job.rollout_kind() == kind)
            };
            let chosen = groups.iter().filter(|(_, jobs)| of_kind(jobs));
            let chosen: Groups<'_> = chosen
                .map(|(group, jobs)| (group.clone(), jobs.clone()))
                .collect();
            if !chosen.is_empty() {
                tables.push(performance(&chosen, kind, &stamp));
                tables.push(aggregate(&chosen, kind, &stamp));
            }
        }
        let best = best_known(read.jobs.iter());
        let with_heads = groups.iter();
        let with_heads = with_heads.map(|(group, jobs)| (heads(group), jobs.as_slice()));
        tables.push(solved(with_heads, &best, &stamp));
        let with_heads = groups.iter();
        let with_heads = with_heads.map(|(group, jobs)| (heads(group), jobs.as_slice()));
        tables.extend(learned(with_heads, &stamp));
        tables.extend([
            cost(&groups, &stamp),
            beside_the_paper(&read.jobs, &stamp),
            failures(&groups, &stamp),
            failures_by_element(&read.jobs, &stamp),
        ]);
        tables.extend(exact(&groups, &stamp));
        let left_out = read.left_out.iter();
        Self {
            tables,
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

/// How far from the optimum, where that is known: `None` without a job on a table.
fn exact(groups: &Groups<'_>, stamp: &str) -> Option<Table> {
    let mut rows = Vec::new();
    for (group, jobs) in groups {
        let judged: Vec<&ExactMeasure> = jobs.iter().filter_map(|job| job.exact.as_ref()).collect();
        let Some(first) = judged.first() else {
            continue;
        };
        let of = |measure: fn(&ExactMeasure) -> Option<f64>| {
            spread(judged.iter().filter_map(|exact| measure(exact)))
        };
        let hit = judged
            .iter()
            .filter(|exact| exact.training.calls_to_hit.is_some());
        let (rollouts_hit, rollouts) = judged.iter().fold((0, 0), |(hit, all), exact| {
            (hit + exact.rollouts_hit.0, all + exact.rollouts_hit.1)
        });
        let mut row = heads(group);
        row.extend([
            judged.len().to_string(),
            shown_number(first.training.optimum),
            of(|exact| exact.greedy_regret),
            of(|exact| exact.training.regret),
            of(|exact| exact.training.rank.map(|rank| rank as f64)),
            format!("{} of {}", hit.count(), judged.len()),
            of(|exact| exact.training.calls_to_hit.map(|calls| calls as f64)),
            format!("{rollouts_hit} of {rollouts}"),
            format!(
                "{} of {}",
                first.training.fillings_within, first.training.fillings
            ),
        ]);
        rows.push(row);
    }
    (!rows.is_empty()).then(|| Table {
        name: "exact",
        title: format!("Distance from the optimum ({stamp})"),
        note: EXACT_NOTE,
        columns: vec![
            "experiment",
            "property",
            "skeletons",
            "algorithm",
            "seeds",
            "optimum",
            "greedy regret",
            "regret",
            "rank",
            "jobs that hit",
            "calls",
            "rollouts that hit",
            "fillings near",
        ],
        rows,
    })
}

const EXACT_NOTE: &str = "Every filling of these tasks was computed. Optimum: the best reward that there \
    is. Greedy regret: return of the optimal policy, mean over starts, less that of the greedy rollouts; \
    regret: the optimum less the best reward that training found; rank: different fillings that are \
    better than that, and one. A value hits that is within the task's tolerance, or else within 0.1 eV \
    of the target for gaps and 5 % of it for all else. Calls: different fillings asked for up to the \
    first hit, for jobs with one. Fillings near: different fillings that hit, of all. Mean over seeds \
    (smallest to largest).";

fn performance(groups: &Groups<'_>, kind: RolloutKind, stamp: &str) -> Table {
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
    let (name, note) = match kind {
        RolloutKind::Policy => ("performance", POLICY_NOTE),
        RolloutKind::BestFind => ("searches", SEARCH_NOTE),
    };
    Table {
        name,
        title: format!("Returns of the {} ({stamp})", kind.group()),
        note,
        columns: vec![
            "experiment",
            "property",
            "skeletons",
            "algorithm",
            "seeds",
            kind.name(),
            kind.sampled_name(),
            "held out",
            "last",
            "best",
            "area",
            "distinct",
        ],
        rows: rows.collect(),
    }
}

const POLICY_NOTE: &str = "Mean over seeds (smallest to largest). Greedy policy: mean return of five \
    rollouts of the trained policy from random starts, failures counted; sampled policy: the same as \
    the agent acts while it learns; held out: greedy on skeletons that it has never seen. Last: mean \
    return of the last 100 training episodes; best: largest return of a training episode; area: sum \
    over arrivals of (mean return of the episodes that arrived at one step - return of a failure) \
    times the environment steps since the arrival before. Distinct: different crystals among the \
    final rollouts, seed by seed.";

const SEARCH_NOTE: &str = "Searches learn no policy. Best find: return of the best crystal of the \
    whole search, which it repeats in the end; a maximum, not to be compared with the mean of a \
    policy. As it searches: mean return of five further proposals. Held out: what it proposes for \
    skeletons that it has never searched. Last, best, area and distinct as for the agents that learn; \
    these are of training episodes and can be compared.";

fn aggregate(groups: &Groups<'_>, kind: RolloutKind, stamp: &str) -> Table {
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
                Some((low, high)) => format!("{} to {}", shown_number(low), shown_number(high)),
                None => "one seed".to_owned(),
            };
            vec![
                (*experiment).to_owned(),
                (*property).to_owned(),
                (*algorithm).to_owned(),
                all.len().to_string(),
                interquartile_mean(&all).map_or_else(String::new, shown_number),
                interval,
            ]
        });
    let (name, note) = match kind {
        RolloutKind::Policy => ("interquartile_mean", POLICY_MEAN_NOTE),
        RolloutKind::BestFind => ("interquartile_mean_searches", SEARCH_MEAN_NOTE),
    };
    Table {
        name,
        title: format!("Interquartile mean of the {} ({stamp})", kind.name()),
        note,
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

const POLICY_MEAN_NOTE: &str = "Return of the greedy policy over all skeletons and seeds, with the 95 % \
    interval of 2000 bootstrap samples drawn within each set of skeletons.";

const SEARCH_MEAN_NOTE: &str = "Return of the best find of each search over all skeletons and seeds, \
    with the 95 % interval of 2000 bootstrap samples drawn within each set of skeletons; a mean of \
    maxima, not to be compared with the mean of a policy.";

fn cost(groups: &Groups<'_>, stamp: &str) -> Table {
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
                _ => shown_number(seconds / *calculations as f64),
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

/// Times and failures of the paper (Table 4) beside those of these jobs.
fn beside_the_paper(jobs: &[JobMeasure], stamp: &str) -> Table {
    let mut properties: BTreeMap<String, Vec<&JobMeasure>> = BTreeMap::new();
    for job in jobs {
        let of_property = properties.entry(job.manifest.property.to_string());
        of_property.or_default().push(job);
    }
    let rows = properties.into_iter().map(|(property, jobs)| {
        let paper = published_cost(jobs[0].manifest.property);
        let sum = |of: fn(&JobMeasure) -> usize| jobs.iter().map(|&job| of(job)).sum::<usize>();
        let calculations = sum(|job| job.training.calculations);
        let seconds: f64 = (jobs.iter())
            .map(|job| job.training.calculation_seconds)
            .sum();
        let (distinct, rollouts) = (
            sum(|job| job.unique_rollouts.0),
            sum(|job| job.unique_rollouts.1),
        );
        vec![
            property,
            paper.map_or_else(String::new, |paper| shown_number(paper.seconds)),
            match calculations {
                0 => String::new(),
                _ => shown_number(seconds / calculations as f64),
            },
            paper.map_or_else(String::new, |paper| paper.failures.to_owned()),
            percent(
                sum(|job| job.training.failures.values().sum()),
                sum(|job| job.training.episodes),
            ),
            percent(distinct, rollouts),
        ]
    });
    Table {
        name: "beside_the_paper",
        title: format!("Beside the paper's Table 4 ({stamp})"),
        note: "Paper: pw.x 7.1 on one GPU, SSSP at 50/400 Ry, 1000 k-points per reciprocal atom, all \
               algorithms; failures are shares of its calculations. Here: seconds a calculation that \
               these jobs made themselves, failures as a share of the training episodes, and different \
               crystals among the final rollouts (paper: 48.5 % over all tasks). Times without DFT, or \
               with other settings, are no comparison.",
        columns: vec![
            "property",
            "seconds, paper",
            "seconds",
            "failures, paper",
            "failures",
            "distinct",
        ],
        rows: rows.collect(),
    }
}

fn failures(groups: &Groups<'_>, stamp: &str) -> Table {
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
        return shown_number(mean);
    }
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let [mean, low, high] = [mean, low, high].map(shown_number);
    format!("{mean} ({low} to {high})")
}

fn percent(part: usize, whole: usize) -> String {
    match whole {
        0 => String::new(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}
