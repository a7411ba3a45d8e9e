//! The search itself: proposals, calculations side by side, a ranking.

use std::{
    collections::{HashSet, VecDeque},
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use crystalgym_crystal::{Crystal, Element};
use crystalgym_evaluation::{Calculator, CancelToken, Evaluation, FailureCode, ResultStore};

use crate::{
    Finding, Genes, Geometry, Goal, SearchAlgorithm, SearchError, SearchProblem, SearchResult,
    algorithm::strategy, geometry::measure, laboratory::Laboratory, relaxed::RelaxedCells,
};

/// Proposals of known fillings in a row after which there is nothing new to be found.
const MOST_REPEATS: usize = 2000;

/// How a search goes.
#[derive(Debug, Clone, Copy)]
pub struct SearchOptions<'a> {
    /// The algorithm.
    pub algorithm: SearchAlgorithm,
    /// In which cell fillings are computed.
    pub geometry: Geometry,
    /// Most fillings that are computed.
    pub budget: usize,
    /// Of the random numbers.
    pub seed: u64,
    /// Calculations at a time; 0 computes on the caller's thread.
    pub workers: usize,
    /// Where relaxed cells are kept.
    pub relaxed_cells: Option<&'a Path>,
}

/// How far a search has come, after each filling.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// Fillings looked at.
    pub done: usize,
    /// How many there will be, at most.
    pub most: usize,
    /// The latest one.
    pub latest: &'a Finding,
}

/// Searches, and ranks what was found.
///
/// Every calculation goes through the store, so that a search that was stopped goes on where it was
/// when it is started again. A calculation that was cancelled is no finding.
///
/// # Errors
/// [`SearchError`] for an algorithm that cannot be used, and a folder that cannot be made.
pub fn search(
    problem: &SearchProblem,
    goal: &Goal,
    calculator: &dyn Calculator,
    store: Option<&ResultStore>,
    options: SearchOptions<'_>,
    cancel: &CancelToken,
    mut watch: impl FnMut(&Progress<'_>),
) -> Result<SearchResult, SearchError> {
    let (algorithm, mut strategy) = strategy(options.algorithm, problem, *goal, options.seed)?;
    let relaxed = RelaxedCells::keeping(options.relaxed_cells)?;
    let laboratory = Laboratory {
        calculator,
        store,
        property: goal.property,
        cancel,
    };
    let fillings = problem.fillings()?.map(|fillings| fillings.len());
    let most = fillings.map_or(options.budget, |fillings| fillings.min(options.budget));
    let place = |crystal: &Crystal| measure(&laboratory, options.geometry, &relaxed, crystal);
    let given_volume_ang3 = problem.skeleton().lattice.volume();
    let mut known: HashSet<Vec<Element>> = HashSet::new();
    let mut findings: Vec<Finding> = Vec::new();
    let mut is_exhausted = false;
    while !is_exhausted && findings.len() < most && !cancel.is_cancelled() {
        let mut round: Vec<(Genes, Vec<Element>, Crystal)> = Vec::new();
        let (mut repeats, wanted) = (0, strategy.round().min(most - findings.len()));
        let mut in_round = HashSet::new();
        while round.len() < wanted {
            let Some(genes) = strategy.propose(problem) else {
                is_exhausted = true;
                break;
            };
            let canonical = problem.canonical(&genes)?;
            if known.contains(&canonical) || !in_round.insert(canonical.clone()) {
                repeats += 1;
            } else {
                round.push((genes.clone(), canonical, problem.crystal(&genes)?));
            }
            if repeats >= MOST_REPEATS {
                is_exhausted = true;
                break;
            }
        }
        let crystals = round
            .iter()
            .map(|(_, _, crystal)| crystal.clone())
            .collect();
        let done = findings.len();
        let mut count = done;
        let measured = measure_all(
            &place,
            &laboratory,
            crystals,
            options.workers,
            |crystal, evaluation| {
                let finding =
                    Finding::new(given_volume_ang3, crystal.clone(), evaluation.clone(), goal);
                count += 1;
                watch(&Progress {
                    done: count,
                    most,
                    latest: &finding,
                });
            },
        );
        for ((genes, canonical, _), result) in round.into_iter().zip(measured) {
            let Some((crystal, evaluation)) = result else {
                continue;
            };
            let finding = Finding::new(given_volume_ang3, crystal, evaluation, goal);
            strategy.learn(problem, &genes, &finding.evaluation.outcome);
            known.insert(canonical);
            findings.push(finding);
        }
    }
    let mut result = SearchResult {
        goal: *goal,
        findings,
        fillings,
        algorithm,
        is_complete: !cancel.is_cancelled(),
    };
    result.sort();
    Ok(result)
}

/// Computes the best `count` findings again, in the cells in which they were computed, and ranks them
/// by what came of it, before all others.
pub fn confirm(
    result: &mut SearchResult,
    count: usize,
    calculator: &dyn Calculator,
    store: Option<&ResultStore>,
    workers: usize,
    cancel: &CancelToken,
    mut watch: impl FnMut(&Crystal, &Evaluation),
) {
    let laboratory = Laboratory {
        calculator,
        store,
        property: result.goal.property,
        cancel,
    };
    let has_value = |finding: &&Finding| finding.distance.is_some();
    let best: Vec<Crystal> = (result.findings.iter().filter(has_value))
        .take(count)
        .map(|finding| finding.crystal.clone())
        .collect();
    let again = |crystal: &Crystal| {
        let evaluation = laboratory.evaluate(crystal, laboratory.property);
        (crystal.clone(), evaluation)
    };
    let measured = measure_all(&again, &laboratory, best, workers, |c, e| watch(c, e));
    for (finding, result) in result.findings.iter_mut().zip(measured) {
        finding.confirmed = result.map(|(_, evaluation)| evaluation);
    }
    result.is_complete &= !cancel.is_cancelled();
    result.sort();
}

type Measured = Option<(Crystal, Evaluation)>;

/// What came of each crystal, in their order, `None` where it was cancelled; `watch` hears of them as
/// they are ready.
fn measure_all(
    measure: &(impl Fn(&Crystal) -> (Crystal, Evaluation) + Sync),
    laboratory: &Laboratory<'_>,
    crystals: Vec<Crystal>,
    workers: usize,
    mut watch: impl FnMut(&Crystal, &Evaluation),
) -> Vec<Measured> {
    let mut results: Vec<Measured> = crystals.iter().map(|_| None).collect();
    let mut take = |index: usize, (crystal, evaluation): (Crystal, Evaluation)| {
        let failure = evaluation.outcome.failure();
        if failure.is_none_or(|failure| failure.code != FailureCode::Cancelled) {
            watch(&crystal, &evaluation);
            results[index] = Some((crystal, evaluation));
        }
    };
    if workers == 0 || laboratory.calculator.is_instant() {
        for (index, crystal) in crystals.iter().enumerate() {
            if laboratory.cancel.is_cancelled() {
                break;
            }
            take(index, measure(crystal));
        }
        return results;
    }
    let queue: Mutex<VecDeque<(usize, Crystal)>> =
        Mutex::new(crystals.into_iter().enumerate().collect());
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || {
                loop {
                    let next = queue
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    let Some((index, crystal)) = next else { break };
                    if laboratory.cancel.is_cancelled()
                        || sender.send((index, measure(&crystal))).is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, measured) in receiver {
            take(index, measured);
        }
    });
    results
}
