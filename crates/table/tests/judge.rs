//! Exact judgement against trying everything.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use crystalgym_crystal::{Element, Skeleton};
use crystalgym_environment::{
    ProcessName, RewardForm, StartCrystal, State, Task, TaskConfig, random::uniform_below,
};
use crystalgym_evaluation::{
    CalculatorConfig, CalculatorName, Failure, FailureCode, Outcome, Property, ResultTable,
    TableRow, TableSource, Values,
};
use crystalgym_table::{Judge, TablePlan};
use rand::SeedableRng;
use rand_pcg::Pcg64;

const SYMBOLS: [&str; 4] = ["Li", "Na", "F", "Cl"];

fn elements() -> Vec<Element> {
    SYMBOLS.map(|symbol| symbol.parse().unwrap()).to_vec()
}

/// Values that no physics has: drawn, with failures among them.
fn table() -> Arc<ResultTable> {
    let skeleton = Skeleton::builtin("C6").unwrap();
    let plan = TablePlan::new(skeleton, elements(), Property::BandGap).unwrap();
    let mut rng = Pcg64::seed_from_u64(3);
    let rows = plan.fillings().iter().map(|filling| TableRow {
        elements: filling.elements.clone(),
        multiplicity: filling.multiplicity,
        outcome: match uniform_below(&mut rng, 5) {
            0 => Outcome::Failure(Failure::new(FailureCode::ScfNotConverged, "")),
            _ => Outcome::Success(Values {
                value: uniform_below(&mut rng, 2000) as f64 / 1000.0,
                ..Values::default()
            }),
        },
    });
    let config = CalculatorConfig {
        name: CalculatorName::Empirical,
        ..CalculatorConfig::default()
    };
    let calculator = config.build().unwrap();
    let source = TableSource {
        skeleton: plan.skeleton(),
        elements: plan.elements(),
        property: plan.property(),
        settings: &config.described(),
        calculator: calculator.as_ref(),
        fillings: plan.fillings().len(),
    };
    let rows = rows.collect();
    Arc::new(ResultTable::new("drawn", &source, rows).unwrap())
}

fn config() -> TaskConfig {
    TaskConfig {
        skeletons: vec!["C6".to_owned()],
        elements: elements(),
        property: Property::BandGap,
        target: 1.12,
        ..TaskConfig::default()
    }
}

fn judge(config: &TaskConfig) -> (Arc<Task>, Judge) {
    let task = Arc::new(Task::new(config).unwrap());
    let judge = Judge::new(&task, &table()).unwrap();
    (task, judge)
}

/// All ends of all episodes from a start, by taking every action.
fn ends(task: &Task, state: &State, found: &mut Vec<State>) {
    if task.is_terminal(state) {
        found.push(state.clone());
        return;
    }
    for action in 0..task.n_actions() as i64 {
        let mut next = state.clone();
        if task.apply(&mut next, action).is_ok() {
            ends(task, &next, found);
        }
    }
}

/// Oracle: the best of every end of every episode, by the task's own steps and rewards.
#[test]
fn the_optimal_return_is_that_of_trying_everything() {
    let symbols =
        |text: &str| -> Vec<Element> { text.split(' ').map(|s| s.parse().unwrap()).collect() };
    let start = StartCrystal::Elements(symbols("Li Na F Cl"));
    let substitution = TaskConfig {
        process: ProcessName::Substitution,
        start_crystal: start.clone(),
        steps: Some(2),
        ..config()
    };
    let improvement = TaskConfig {
        process: ProcessName::Improvement,
        start_crystal: start,
        steps: Some(2),
        reward_form: RewardForm::Difference,
        ..config()
    };
    let masked = TaskConfig {
        allowed: [
            ("1".to_owned(), symbols("F Cl")),
            ("2".to_owned(), symbols("Li")),
        ]
        .into(),
        ..config()
    };
    let table = table();
    for config in [config(), masked, substitution, improvement] {
        let (task, judge) = judge(&config);
        let target = task.target();
        let value = |state: &State| {
            let crystal = task.crystal(0, &state.node_types).unwrap();
            let outcome = &table.row(&crystal).unwrap().outcome;
            task.objective().reward().of_outcome(target, outcome)
        };
        let mut optimum = f64::NEG_INFINITY;
        let optima = judge.start_optima();
        assert_eq!(optima.len(), 4);
        for (site, known) in optima.iter().enumerate() {
            assert_eq!(known.start_site, site);
            let mut start = task.initial_state(&mut Pcg64::seed_from_u64(0));
            start.start = site as u16;
            let mut all = Vec::new();
            ends(&task, &start, &mut all);
            let best = all.iter().map(&value).fold(f64::NEG_INFINITY, f64::max);
            optimum = optimum.max(best);
            let expected = match config.reward_form {
                RewardForm::Final => best,
                RewardForm::Difference => best - value(&start),
            };
            assert_eq!(known.optimal_return, expected, "{config:?}");
        }
        assert_eq!(judge.optimum(), optimum);
    }
}

/// Oracle: counted over the rows by hand of loops.
#[test]
fn regret_rank_and_hits_are_those_of_counting() {
    let (task, judge) = judge(&config());
    let table = table();
    let rewards: Vec<f64> = table
        .rows()
        .iter()
        .map(|row| task.objective().reward().of_outcome(1.12, &row.outcome))
        .collect();
    let best = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let near = |row: &&TableRow| {
        let value = row.outcome.value();
        value.is_some_and(|value| (value - 1.12).abs() <= 0.1)
    };
    let hits = table.rows().iter().filter(near).count();
    assert!(hits > 0);
    // One that misses twice, in two orders, then one that hits.
    let miss = table.rows().iter().find(|row| !near(row)).unwrap();
    let hit = table.rows().iter().find(near).unwrap();
    let mut turned = miss.elements.clone();
    turned.reverse();
    let crystals = [&miss.elements, &turned, &hit.elements, &miss.elements];
    let found = judge.judge(crystals.map(Vec::as_slice));
    let reward = task.objective().reward().of_outcome(1.12, &hit.outcome);
    assert_eq!((found.fillings, found.fillings_within), (35, hits));
    assert_eq!((found.calls, found.calls_to_hit), (2, Some(2)));
    assert_eq!(found.episodes_to_hit, Some(3));
    assert_eq!(found.best, Some(reward));
    assert_eq!(found.regret, Some(best - reward));
    let better = rewards.iter().filter(|other| **other > reward).count();
    assert_eq!(found.rank, Some(better + 1));
    assert_eq!(judge.best(1)[0].0, best);
    let nothing = judge.judge([]);
    assert_eq!(
        (nothing.calls, nothing.regret, nothing.rank),
        (0, None, None)
    );
}

#[test]
fn tasks_that_the_table_does_not_hold_are_refused() {
    let refuse = |config: TaskConfig| {
        let task = Arc::new(Task::new(&config).unwrap());
        Judge::new(&task, &table())
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    let several = TaskConfig {
        skeletons: vec!["C6".to_owned(), "C4".to_owned()],
        ..config()
    };
    assert!(refuse(several).contains("several skeletons"));
    let other = TaskConfig {
        elements: vec!["K".parse().unwrap()],
        ..config()
    };
    assert!(refuse(other).contains("no fillings with K"));
    let density = TaskConfig {
        property: Property::Density,
        ..config()
    };
    assert!(refuse(density).contains("band_gap"));
    // A range is its own tolerance.
    let (_, judge) = judge(&TaskConfig {
        target: 1.5,
        tolerance: 0.5,
        ..config()
    });
    assert_eq!(judge.tolerance(), 0.5);
}
