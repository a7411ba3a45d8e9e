//! Verified results ranked side by side.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crystalgym_table::Judgement;
use serde::Serialize;

use super::{
    file::{ResultFile, ResultJob},
    groups::ranked_groups,
    identity::run_identity,
    read::SealedResult,
    verification::Verification,
};
use crate::{
    BenchmarkError, ExactMeasure, LeftOut, RolloutKind, Table, exact::KnownTables,
    interquartile_mean, interquartile_mean_interval, shown_number, statistics::mean,
};

/// Verified results side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leaderboard {
    /// The best first within each experiment, property, set of skeletons, scale, calculator and kind:
    /// policies are not ranked with the best finds of searches.
    pub rows: Vec<LeaderboardRow>,
    /// Files that are not ranked, and why.
    #[serde(serialize_with = "left_out_as_pairs")]
    pub left_out: Vec<LeftOut>,
}

/// What one algorithm of one file achieved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeaderboardRow {
    /// Experiment.
    pub experiment: String,
    /// Property.
    pub property: String,
    /// Labels of the skeletons, or `mixed`: who has done the easy ones only is not ranked with who
    /// has done all.
    pub skeletons: String,
    /// Scale.
    pub scale: String,
    /// Calculator with its settings.
    pub calculator: String,
    /// Place among those that are alike so far, from 1.
    pub rank: usize,
    /// Whose result.
    pub name: String,
    /// Algorithm and preset.
    pub algorithm: String,
    /// `greedy policy`, or the `best find` of a search: these are ranked apart.
    pub what: &'static str,
    /// Seeds.
    pub seeds: usize,
    /// Interquartile mean of that return over skeletons and seeds.
    pub interquartile_mean: f64,
    /// Its 95 % bootstrap interval; absent with one seed.
    pub interval: Option<(f64, f64)>,
    /// The same mean on held-out skeletons.
    pub held_out: Option<f64>,
    /// Mean over jobs of the distinct crystals evaluated: the calculations of a job with an empty
    /// store.
    pub calculations_per_job: f64,
    /// Mean over jobs of the best reward that there is less the best that training found, where a table
    /// that comes with the program holds all fillings of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regret: Option<f64>,
    /// Jobs whose training found a crystal near its target, and all, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets_hit: Option<(usize, usize)>,
    /// Jobs of the row whose training was repeated, and all.
    pub replayed: (usize, usize),
    /// The file.
    pub file: String,
    #[serde(skip)]
    kind: RolloutKind,
    /// What its jobs did, whoever writes it down.
    #[serde(skip)]
    identity: BTreeSet<String>,
}

/// What rows must share to be ranked together.
type Class = (String, String, String, String, String, RolloutKind);

impl Leaderboard {
    /// Reads all results of a folder. Those without a complete verification of this very file by
    /// this version in which everything held are listed apart, and so is what another file has
    /// already: the same jobs are ranked once, under whatever name and however they are written
    /// down.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`] if the folder cannot be read.
    pub fn read(folder: &Path) -> Result<Self, BenchmarkError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(BenchmarkError::io(folder))? {
            let path = entry.map_err(BenchmarkError::io(folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_result = name.ends_with(".json") || name.ends_with(".json.gz");
            if is_result && !name.ends_with(".verified.json") && path.is_file() {
                files.push(path);
            }
        }
        files.sort();
        let mut board = Self {
            rows: Vec::new(),
            left_out: Vec::new(),
        };
        let mut tables = KnownTables::default();
        let mut seen: BTreeMap<BTreeSet<String>, String> = BTreeMap::new();
        for path in files {
            let mut leave_out = |reason: String| {
                board.left_out.push(LeftOut {
                    folder: path.clone(),
                    reason,
                });
            };
            let (result, record) = match verified(&path) {
                Ok(verified) => verified,
                Err(reason) => {
                    leave_out(reason);
                    continue;
                }
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            for row in rows(&result.file, &record, &name, &mut tables) {
                match seen.get(&row.identity) {
                    Some(first) => leave_out(format!(
                        "{}, {}, {}: the same jobs as in {first}",
                        row.experiment, row.property, row.algorithm
                    )),
                    None => {
                        seen.insert(row.identity.clone(), name.clone().into_owned());
                        board.rows.push(row);
                    }
                }
            }
        }
        board.rank();
        Ok(board)
    }

    fn rank(&mut self) {
        self.rows.sort_by(|a, b| {
            let by_mean = b.interquartile_mean.total_cmp(&a.interquartile_mean);
            let by_cost = a.calculations_per_job.total_cmp(&b.calculations_per_job);
            let by_name = (&a.name, &a.algorithm, &a.file).cmp(&(&b.name, &b.algorithm, &b.file));
            a.class()
                .cmp(&b.class())
                .then(by_mean)
                .then(by_cost)
                .then(by_name)
        });
        let mut last: Option<Class> = None;
        let mut rank = 0;
        for row in &mut self.rows {
            let class = row.class();
            rank = if last.as_ref() == Some(&class) {
                rank + 1
            } else {
                1
            };
            row.rank = rank;
            last = Some(class);
        }
    }

    /// One table for each class of comparable rows.
    pub fn tables(&self) -> Vec<Table> {
        let mut classes: BTreeMap<Class, Vec<&LeaderboardRow>> = BTreeMap::new();
        for row in &self.rows {
            classes.entry(row.class()).or_default().push(row);
        }
        classes
            .into_iter()
            .map(|(class, rows)| table(&class, &rows))
            .collect()
    }
}

impl LeaderboardRow {
    fn class(&self) -> Class {
        (
            self.experiment.clone(),
            self.property.clone(),
            self.skeletons.clone(),
            self.scale.clone(),
            self.calculator.clone(),
            self.kind,
        )
    }
}

/// A file with the record of a complete verification of it in which everything held; else the reason.
fn verified(path: &Path) -> Result<(SealedResult, Verification), String> {
    let result = ResultFile::read(path).map_err(|error| error.to_string())?;
    let record = Verification::read(path).map_err(|error| error.to_string())?;
    let Some(record) = record else {
        return Err("is not verified".to_owned());
    };
    record.covers(&result)?;
    Ok((result, record))
}

/// How far from the optimum jobs came; nothing unless that is known of all.
fn judged(jobs: &[&ResultJob], tables: &mut KnownTables) -> Option<Vec<Judgement>> {
    let mut judgements = Vec::with_capacity(jobs.len());
    for job in jobs {
        let judge = tables.judge(&job.settings.task, &job.fingerprint)?;
        let crystals = job.episodes.iter().map(|episode| episode.elements.as_str());
        let exact = ExactMeasure::of(&judge, crystals, std::iter::empty(), f64::NAN);
        judgements.push(exact.training);
    }
    Some(judgements)
}

fn rows(
    file: &ResultFile,
    record: &Verification,
    file_name: &str,
    tables: &mut KnownTables,
) -> Vec<LeaderboardRow> {
    let replayed: BTreeSet<&str> = (record.replays.iter())
        .filter(|replay| replay.difference.is_none())
        .map(|replay| replay.job.as_str())
        .collect();
    let groups = ranked_groups(file);
    let rows = groups.into_iter().map(
        |((experiment, property, scale, calculator, algorithm), jobs)| {
            let skeletons: BTreeSet<&str> = jobs.iter().map(|job| job.skeletons.as_str()).collect();
            let strata: Vec<Vec<f64>> = skeletons
                .iter()
                .map(|&skeleton| {
                    let jobs = jobs.iter().filter(|job| job.skeletons == skeleton);
                    jobs.map(|job| job.measures.greedy_return).collect()
                })
                .collect();
            let held_out: Vec<f64> = jobs
                .iter()
                .filter_map(|job| job.measures.held_out_return)
                .collect();
            let kind = RolloutKind::of(jobs[0].algorithm);
            let judged = judged(&jobs, tables).unwrap_or_default();
            let regrets = judged.iter().filter_map(|judgement| judgement.regret);
            let hit = judged.iter().filter(|one| one.calls_to_hit.is_some());
            let crystals: usize = jobs.iter().map(|job| job.measures.distinct_crystals).sum();
            LeaderboardRow {
                experiment,
                property,
                skeletons: skeletons.into_iter().collect::<Vec<_>>().join(" "),
                scale,
                calculator,
                rank: 0,
                name: file.name.clone(),
                algorithm,
                what: kind.name(),
                kind,
                seeds: jobs
                    .iter()
                    .map(|job| job.seed)
                    .collect::<BTreeSet<_>>()
                    .len(),
                interquartile_mean: interquartile_mean(&strata.concat()).unwrap_or(f64::NAN),
                interval: interquartile_mean_interval(&strata),
                held_out: interquartile_mean(&held_out),
                calculations_per_job: crystals as f64 / jobs.len() as f64,
                regret: mean(regrets),
                targets_hit: (!judged.is_empty()).then(|| (hit.count(), judged.len())),
                replayed: (
                    (jobs.iter())
                        .filter(|job| replayed.contains(job.id.as_str()))
                        .count(),
                    jobs.len(),
                ),
                file: file_name.to_owned(),
                identity: jobs.iter().map(|job| run_identity(job)).collect(),
            }
        },
    );
    rows.collect()
}

fn table(
    (experiment, property, skeletons, scale, calculator, kind): &Class,
    rows: &[&LeaderboardRow],
) -> Table {
    let is_judged = rows.iter().any(|row| row.regret.is_some());
    let rows = rows.iter().map(|row| {
        let number = |value: Option<f64>| value.map_or_else(String::new, shown_number);
        let mut cells = vec![
            row.rank.to_string(),
            row.name.clone(),
            row.algorithm.clone(),
            row.seeds.to_string(),
            number(Some(row.interquartile_mean)),
            match row.interval {
                Some((low, high)) => format!("{} to {}", shown_number(low), shown_number(high)),
                None => "one seed".to_owned(),
            },
            number(row.held_out),
            format!("{:.1}", row.calculations_per_job),
            format!("{} of {}", row.replayed.0, row.replayed.1),
            row.file.clone(),
        ];
        if is_judged {
            cells.push(number(row.regret));
            let hits = row.targets_hit.map(|(hit, all)| format!("{hit} of {all}"));
            cells.push(hits.unwrap_or_default());
        }
        cells
    });
    Table {
        name: "leaderboard",
        title: format!(
            "{}: {experiment}, {property}, {skeletons} (scale: {scale}; calculator: {calculator})",
            kind.group()
        ),
        note: match kind {
            RolloutKind::Policy => POLICY_NOTE,
            RolloutKind::BestFind => SEARCH_NOTE,
        },
        columns: columns(*kind, is_judged),
        rows: rows.collect(),
    }
}

fn columns(kind: RolloutKind, is_judged: bool) -> Vec<&'static str> {
    let mut columns = vec![
        "rank",
        "name",
        "algorithm",
        "seeds",
        kind.name(),
        "interval",
        "held out",
        "calculations",
        "trained again",
        "file",
    ];
    if is_judged {
        columns.extend(["regret", "targets hit"]);
    }
    columns
}

const POLICY_NOTE: &str = "Interquartile mean of the return of the greedy policy over skeletons and \
    seeds, with the 95 % interval of 2000 bootstrap samples; the same mean on held-out skeletons; \
    calculations of a job with an empty store, mean over the jobs; jobs whose training was repeated.";

const SEARCH_NOTE: &str = "Searches learn no policy and repeat their best find: interquartile mean of \
    its return over skeletons and seeds, a mean of maxima that is not ranked with policies; interval, \
    held out, calculations and repeated jobs as for these.";

fn left_out_as_pairs<S: serde::Serializer>(
    left_out: &[LeftOut],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Pair<'a> {
        file: String,
        reason: &'a str,
    }
    serializer.collect_seq(left_out.iter().map(|one| Pair {
        file: one.folder.display().to_string(),
        reason: &one.reason,
    }))
}
