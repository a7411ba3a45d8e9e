//! Exact judgement of jobs on tasks whose every filling is known.

use std::sync::Arc;

use crystalgym_crystal::Element;
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_evaluation::{CalculatorConfig, CalculatorName, ResultTable, SHIPPED_TABLES};
use crystalgym_table::{Judge, Judgement};

/// How far from the optimum a job came.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactMeasure {
    /// Of its training episodes.
    pub training: Judgement,
    /// The optimal policy's mean return over the starts less that of the greedy rollouts; absent
    /// where episodes start from random crystals.
    pub greedy_regret: Option<f64>,
    /// Rollouts whose crystal hits the target, and all.
    pub rollouts_hit: (usize, usize),
}

impl ExactMeasure {
    /// Judges a job by its crystals in their order; an element list that is none counts for nothing.
    pub(crate) fn of<'a>(
        judge: &Judge,
        episodes: impl Iterator<Item = &'a str>,
        rollouts: impl Iterator<Item = &'a str>,
        greedy_return: f64,
    ) -> Self {
        let crystals: Vec<Vec<Element>> = episodes.map(elements).collect();
        let rollouts: Vec<Vec<Element>> = rollouts.map(elements).collect();
        let hits = rollouts.iter().filter(|crystal| {
            let alone = judge.judge([crystal.as_slice()]);
            alone.calls_to_hit.is_some()
        });
        let optima = judge.start_optima();
        let sum: f64 = optima.iter().map(|start| start.optimal_return).sum();
        let optimum = (!optima.is_empty()).then(|| sum / optima.len() as f64);
        Self {
            rollouts_hit: (hits.count(), rollouts.len()),
            greedy_regret: optimum
                .filter(|_| greedy_return.is_finite())
                .map(|optimum| optimum - greedy_return),
            training: judge.judge(crystals.iter().map(Vec::as_slice)),
        }
    }
}

fn elements(text: &str) -> Vec<Element> {
    let symbols = text.split_whitespace().map(str::parse);
    symbols.collect::<Result<_, _>>().unwrap_or_default()
}

/// The judge of a run whose rewards come from a table, `None` for every other run and where the table
/// is gone.
pub(crate) fn judge_of_run(task: &TaskConfig, calculator: &CalculatorConfig) -> Option<Judge> {
    if calculator.name != CalculatorName::Table {
        return None;
    }
    let file = calculator.table.file.as_deref()?;
    let table = Arc::new(ResultTable::open(file).ok()?);
    Judge::new(&Arc::new(Task::new(task).ok()?), &table).ok()
}

/// Tables that come with the program, each read once, to judge results by whichever calculator's
/// numbers they hold.
#[derive(Default)]
pub(crate) struct KnownTables(Option<Vec<Arc<ResultTable>>>);

impl KnownTables {
    /// The judge of results of a task with this fingerprint of all its elements, if one of the tables
    /// holds them.
    pub(crate) fn judge(&mut self, task: &TaskConfig, fingerprint: &str) -> Option<Judge> {
        let tables = self.0.get_or_insert_with(|| {
            let tables = SHIPPED_TABLES.iter();
            let tables = tables.filter_map(|table| ResultTable::open(table.name).ok());
            tables.map(Arc::new).collect()
        });
        let elements = task.action_set().ok()?.elements().to_vec();
        let holds_it = |table: &&Arc<ResultTable>| {
            table.description().property == task.property
                && table
                    .fingerprint(&elements)
                    .is_some_and(|own| own.0 == fingerprint)
        };
        let candidates = tables.iter().filter(holds_it);
        let task = Arc::new(Task::new(task).ok()?);
        candidates
            .filter_map(|table| Judge::new(&task, table).ok())
            .next()
    }
}
