//! Exact judgement: what a task's optimum is, and how far from it something came.

use std::{collections::HashSet, sync::Arc};

use crystalgym_crystal::{Crystal, Element};
use crystalgym_environment::{RewardForm, State, Task};
use crystalgym_evaluation::{Calculator as _, Outcome, ResultTable, TableCalculator, TableRow};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::{TableError, summary::hit_tolerance};

/// Draws by which a random start is told from a fixed one.
const DRAWS: u64 = 8;

/// A task whose every filling is known: rewards of all of them, in order.
///
/// The reward of a filling is Φ of its outcome ([`Reward`](crystalgym_environment::Reward)), whatever
/// form the episode's return has: where that is a difference, what the start is worth is the same in
/// the best return and in the achieved one, and cancels in a regret.
#[derive(Debug)]
pub struct Judge {
    task: Arc<Task>,
    table: Arc<ResultTable>,
    tolerance: f64,
    /// Reward and place of each filling that the task can end with, the best first.
    ranked: Vec<(f64, usize)>,
    within: usize,
}

/// How far from the optimum a list of crystals came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Different fillings that the task can end with.
    pub fillings: usize,
    /// The best reward among them.
    pub optimum: f64,
    /// How far from the target a value counts as hit, in the property's unit.
    pub tolerance: f64,
    /// Different fillings that hit.
    pub fillings_within: usize,
    /// Different fillings that were asked for.
    pub calls: usize,
    /// The best reward that was found.
    pub best: Option<f64>,
    /// The optimum less that.
    pub regret: Option<f64>,
    /// How many fillings are better than the best that was found, and one.
    pub rank: Option<usize>,
    /// Different fillings asked for until the first hit, itself included; the calculations that an
    /// empty store would have seen.
    pub calls_to_hit: Option<usize>,
    /// Episodes until then.
    pub episodes_to_hit: Option<usize>,
}

/// The best return from a start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartOptimum {
    /// Site at which the traversal starts.
    pub start_site: usize,
    /// The return of the optimal policy.
    pub optimal_return: f64,
}

impl Judge {
    /// Ranks all fillings that a task can end with.
    ///
    /// # Errors
    /// [`TableError::Task`] for a task on several skeletons, and one that can end with no filling;
    /// [`TableError::Calculator`] for one whose fillings the table does not hold.
    pub fn new(task: &Arc<Task>, table: &Arc<ResultTable>) -> Result<Self, TableError> {
        let [skeleton] = task.skeletons() else {
            let message = "it has several skeletons, and a table is of one";
            return Err(TableError::Task(message.to_owned()));
        };
        if task.terms().is_some() {
            let message = "its objective has several terms, and a table is of one property";
            return Err(TableError::Task(message.to_owned()));
        }
        let calculator = TableCalculator::new(Arc::clone(table));
        calculator.check(task.elements().elements(), task.property())?;
        calculator.check_skeleton(skeleton)?;
        let objective = task.objective();
        let target = task.target();
        let mut judge = Self {
            task: Arc::clone(task),
            table: Arc::clone(table),
            tolerance: match objective.tolerance() > 0.0 {
                true => objective.tolerance(),
                false => hit_tolerance(task.property(), target),
            },
            ranked: Vec::new(),
            within: 0,
        };
        let starts = judge.starts();
        for (place, row) in table.rows().iter().enumerate() {
            if judge.can_end_with(row, &starts) {
                judge.within += usize::from(judge.is_hit(&row.outcome));
                judge.ranked.push((judge.reward(row), place));
            }
        }
        judge.ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        match judge.ranked.is_empty() {
            false => Ok(judge),
            true => Err(TableError::Task("no filling can be reached".to_owned())),
        }
    }

    /// The best reward that there is.
    pub fn optimum(&self) -> f64 {
        self.ranked.first().map_or(f64::NAN, |(reward, _)| *reward)
    }

    /// How far from the target a value counts as hit.
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// The `count` best fillings with their rewards.
    pub fn best(&self, count: usize) -> Vec<(f64, &TableRow)> {
        let best = self.ranked.iter().take(count);
        best.map(|&(reward, place)| (reward, &self.table.rows()[place]))
            .collect()
    }

    /// How many fillings have a better reward, and one.
    pub fn rank(&self, reward: f64) -> usize {
        1 + self.ranked.partition_point(|(other, _)| *other > reward)
    }

    /// The reward of a filling; `None` if it is none of the table's.
    pub fn reward_of(&self, elements: &[Element]) -> Option<f64> {
        let crystal =
            Crystal::new(Arc::clone(&self.task.skeletons()[0]), elements.to_vec()).ok()?;
        Some(self.reward(self.table.row(&crystal)?))
    }

    /// The return of the optimal policy from a start; `None` if it leads to no filling.
    pub fn optimal_return(&self, start: &State) -> Option<f64> {
        let mut ranked = self.ranked.iter();
        let reachable = |row: &TableRow| {
            let mut images = self.images(row);
            images.any(|filling| self.leads_to(start, &filling))
        };
        let (best, _) = ranked.find(|(_, place)| reachable(&self.table.rows()[*place]))?;
        match self.task.objective().form() {
            RewardForm::Final => Some(*best),
            RewardForm::Difference => {
                let elements = self.task.elements().elements();
                let filling = start.node_types.iter();
                let filling: Option<Vec<Element>> = filling
                    .map(|&node_type| elements.get(usize::from(node_type)).copied())
                    .collect();
                Some(best - self.reward_of(&filling?)?)
            }
        }
    }

    /// The return of the optimal policy from each site at which an episode can start, where what the
    /// sites hold then is fixed; none where it is random.
    pub fn start_optima(&self) -> Vec<StartOptimum> {
        let optimum = |start: State| {
            Some(StartOptimum {
                start_site: start.start.into(),
                optimal_return: self.optimal_return(&start)?,
            })
        };
        self.starts().into_iter().filter_map(optimum).collect()
    }

    /// Judges crystals in the order in which they were made.
    pub fn judge<'a>(&self, crystals: impl IntoIterator<Item = &'a [Element]>) -> Judgement {
        let mut judgement = Judgement {
            fillings: self.ranked.len(),
            optimum: self.optimum(),
            tolerance: self.tolerance,
            fillings_within: self.within,
            calls: 0,
            best: None,
            regret: None,
            rank: None,
            calls_to_hit: None,
            episodes_to_hit: None,
        };
        let mut asked: HashSet<*const TableRow> = HashSet::new();
        for (episode, elements) in crystals.into_iter().enumerate() {
            let skeleton = Arc::clone(&self.task.skeletons()[0]);
            let crystal = Crystal::new(skeleton, elements.to_vec()).ok();
            let Some(row) = crystal.and_then(|crystal| self.table.row(&crystal)) else {
                continue;
            };
            if !asked.insert(std::ptr::from_ref(row)) {
                continue;
            }
            let reward = self.reward(row);
            judgement.best = Some(judgement.best.map_or(reward, |best| best.max(reward)));
            if judgement.calls_to_hit.is_none() && self.is_hit(&row.outcome) {
                judgement.calls_to_hit = Some(asked.len());
                judgement.episodes_to_hit = Some(episode + 1);
            }
        }
        judgement.calls = asked.len();
        judgement.regret = judgement.best.map(|best| judgement.optimum - best);
        judgement.rank = judgement.best.map(|best| self.rank(best));
        judgement
    }

    fn reward(&self, row: &TableRow) -> f64 {
        let reward = self.task.objective().reward();
        reward.of_outcome(self.task.target(), &row.outcome)
    }

    fn is_hit(&self, outcome: &Outcome) -> bool {
        let value = outcome.value();
        value.is_some_and(|value| (value - self.task.target()).abs() <= self.tolerance)
    }

    /// The starts of episodes; none where what the sites hold is random.
    fn starts(&self) -> Vec<State> {
        let board = self.task.board();
        let draw = |seed: u64| {
            let mut rng = Pcg64::seed_from_u64(seed);
            self.task.process().initial_sites(board, 0, &mut rng)
        };
        let first = draw(0);
        if (1..DRAWS).any(|seed| draw(seed) != first) {
            return Vec::new();
        }
        let sites = match board.start_site() {
            Some(site) => site..site + 1,
            None => 0..board.sites(0),
        };
        sites
            .map(|site| State {
                skeleton: 0,
                start: site as u16,
                step: 0,
                node_types: first.clone(),
            })
            .collect()
    }

    fn can_end_with(&self, row: &TableRow, starts: &[State]) -> bool {
        self.images(row).any(|filling| match starts.is_empty() {
            // A random start can be the filling itself.
            true => self.task.board().obeys(0, &filling),
            false => starts.iter().any(|start| self.leads_to(start, &filling)),
        })
    }

    fn leads_to(&self, start: &State, filling: &[u8]) -> bool {
        let process = self.task.process();
        process.history(self.task.board(), start, filling).is_some()
    }

    /// The fillings that a row stands for, as node types; some more than once.
    fn images<'a>(&'a self, row: &'a TableRow) -> impl Iterator<Item = Vec<u8>> + 'a {
        let known = self.task.elements();
        let types = row.elements.iter().map(|&element| known.action_of(element));
        let types: Option<Vec<u8>> = types.collect();
        let permutations = &self.task.skeletons()[0].symmetry.site_permutations;
        permutations.iter().filter_map(move |permutation| {
            let types = types.as_ref()?;
            Some(permutation.iter().map(|&from| types[from]).collect())
        })
    }
}
