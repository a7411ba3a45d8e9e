//! The table of what was found and what was solved, in calculations.

use std::collections::BTreeMap;

use crate::{JobMeasure, Table, shown_number, solving::goal};

/// The best return that is known of each task: the optimum of a table, or the best that any job of the
/// benchmark met.
pub(crate) fn best_known<'a>(
    jobs: impl Iterator<Item = &'a JobMeasure>,
) -> BTreeMap<(String, String, String), f64> {
    let mut best = BTreeMap::new();
    for job in jobs {
        let met = job.training.best_return;
        let known = job
            .exact
            .as_ref()
            .map_or(met, |exact| exact.training.optimum);
        let best = best.entry(task_of(job)).or_insert(f64::NEG_INFINITY);
        *best = known.max(*best);
    }
    best
}

/// What jobs of one task share.
pub(crate) fn task_of(job: &JobMeasure) -> (String, String, String) {
    let manifest = &job.manifest;
    (
        manifest.experiment.clone(),
        manifest.property.to_string(),
        manifest.skeletons.clone(),
    )
}

/// A row for the jobs of each algorithm on each task, which differ in their seed.
pub(crate) fn solved<'a>(
    groups: impl Iterator<Item = (Vec<String>, &'a [&'a JobMeasure])>,
    best_known: &BTreeMap<(String, String, String), f64>,
    stamp: &str,
) -> Table {
    let rows = groups.map(|(mut row, jobs)| {
        let best = jobs.first().and_then(|job| best_known.get(&task_of(job)));
        let best = best.copied().unwrap_or(f64::NAN);
        let goal = |job: &JobMeasure| goal(job.manifest.property, best);
        let solved = |job: &JobMeasure| job.training.solving.calls_to_solved(goal(job));
        let looked = jobs
            .iter()
            .any(|job| !job.training.solving.looks.is_empty());
        let in_the_end = jobs.iter().filter(|job| job.greedy_return >= goal(job));
        row.extend([
            jobs.len().to_string(),
            middle(jobs.iter().map(|job| job.training.found.distinct as f64)),
            reached(jobs, |job| job.training.solving.calls_to_hit),
            match looked {
                true => reached(jobs, solved),
                false => String::new(),
            },
            format!("{} of {}", in_the_end.count(), jobs.len()),
            middle(jobs.iter().map(|job| job.greedy_return)),
            middle(jobs.iter().map(|job| job.training.best_return)),
            shown_number(best),
            middle(jobs.iter().map(|job| job.training.solving.solutions as f64)),
            middle(jobs.iter().map(|job| job.training.solving.failures as f64)),
        ]);
        row
    });
    Table {
        name: "solved",
        title: format!("Found and solved ({stamp})"),
        note: NOTE,
        columns: vec![
            "experiment",
            "property",
            "skeletons",
            "algorithm",
            "seeds",
            "calls",
            "to first hit",
            "to solved",
            "solved",
            "greedy",
            "best",
            "best known",
            "solutions",
            "failures",
        ],
        rows: rows.collect(),
    }
}

const NOTE: &str = "Median over seeds (smallest to largest). Calls: different crystals asked for, which \
    are the calculations that a job makes on a store of its own; > says that it had not happened in so \
    many. First hit: a value within the task's tolerance, or else within 0.1 eV of the target of a gap \
    and 5 % of it of all else. Solved: five greedy rollouts from random starts have at least 0.95 of the \
    best return known on the mean, at two looks in a row; what the looks themselves asked for is not \
    counted; where no looks were taken, in the end alone. Best known: the optimum of a table, or the \
    best that any of these jobs met. Solutions and failures: different crystals that hit the target, \
    and that failed. Searches repeat their best find in the end.";

/// `median (smallest to largest)`.
pub(crate) fn middle(values: impl Iterator<Item = f64>) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.as_slice() {
        [] => String::new(),
        [only] => shown_number(*only),
        [least, .., most] => {
            let [median, least, most] = [median(&values), *least, *most].map(shown_number);
            format!("{median} ({least} to {most})")
        }
    }
}

/// Of values in their order: the middle one, or the mean of both.
pub(crate) fn median(values: &[f64]) -> f64 {
    let half = values.len() / 2;
    match values.len() % 2 {
        1 => values[half],
        _ => 0.5 * (values[half - 1] + values[half]),
    }
}

/// The same of what need not have happened.
fn reached(jobs: &[&JobMeasure], calls: impl Fn(&JobMeasure) -> Option<u64>) -> String {
    let mut all: Vec<(bool, u64)> = (jobs.iter())
        .map(|job| match calls(job) {
            Some(calls) => (false, calls),
            None => (true, job.training.found.distinct),
        })
        .collect();
    all.sort_unstable();
    let shown = |(never, calls): (bool, u64)| match never {
        true => format!(">{calls}"),
        false => calls.to_string(),
    };
    // The lower one of two in the middle, since there need not be a mean.
    match all.as_slice() {
        [] => String::new(),
        [only] => shown(*only),
        [least, .., most] => {
            let median = all[(all.len() - 1) / 2];
            format!("{} ({} to {})", shown(median), shown(*least), shown(*most))
        }
    }
}
