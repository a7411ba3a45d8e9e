//! Benchmarks on an exhaustive table: their results are those of the calculator that made it, and how
//! far from the optimum they came is known.

use std::{fs, path::Path};

use crystalgym_benchmark::{ResultFile, Tables, read_jobs};
use crystalgym_crystal::{Crystal, Skeleton};
use crystalgym_environment::{ActionSet, Reward};
use crystalgym_evaluation::{
    CalculatorConfig, CalculatorName, CancelToken, Property, ResultTable, TableRow, TableSource,
    evaluate,
};
use crystalgym_table::TablePlan;
use crystalgym_training::Algorithm;

use crate::support::{Benchmark, result_of, verified};

/// Gaps of C6 with the small set by textbook formulas.
fn table(file: &Path) -> ResultTable {
    let config = CalculatorConfig {
        name: CalculatorName::Empirical,
        ..CalculatorConfig::default()
    };
    let calculator = config.build().unwrap();
    let elements = ActionSet::published("small").unwrap().elements().to_vec();
    let skeleton = Skeleton::builtin("C6").unwrap();
    let plan = TablePlan::new(skeleton, elements, Property::BandGap).unwrap();
    let row = |filling: &crystalgym_crystal::CanonicalFilling| {
        let crystal = Crystal::new(plan.skeleton().clone(), filling.elements.clone()).unwrap();
        let cancel = CancelToken::default();
        let found = evaluate(
            calculator.as_ref(),
            None,
            &crystal,
            Property::BandGap,
            &cancel,
        );
        TableRow {
            elements: filling.elements.clone(),
            multiplicity: filling.multiplicity,
            outcome: found.outcome,
        }
    };
    let source = TableSource {
        skeleton: plan.skeleton(),
        elements: plan.elements(),
        property: plan.property(),
        settings: &config.described(),
        calculator: calculator.as_ref(),
        fillings: plan.fillings().len(),
    };
    let rows = plan.fillings().iter().map(row).collect();
    let table = ResultTable::new("empirical", &source, rows).unwrap();
    fs::write(file, table.to_bytes().unwrap()).unwrap();
    table
}

/// Oracles: the same benchmark on the calculator itself, and the best reward counted over all rows.
#[test]
fn results_of_a_table_are_those_of_its_calculator() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gaps.parquet");
    let table = table(&file);
    let setting = format!("table.file={}", file.display());
    let benchmark = |settings: &[&str], name: &str| {
        let benchmark = Benchmark {
            properties: &[Property::BandGap],
            algorithms: &[Algorithm::RandomSearch, Algorithm::Dqn],
            skeletons: &["C6"],
            seeds: &[1, 2],
            mixed: false,
            settings,
        };
        result_of(folder.path(), name, &benchmark)
    };
    let looked_up = benchmark(&["calculator.name=table", &setting], "table");
    let computed = benchmark(&["calculator.name=empirical"], "computed");
    let [mut looked_up_result, computed_result] =
        [&looked_up, &computed].map(|file| ResultFile::read(file).unwrap().file);
    looked_up_result.name.clone_from(&computed_result.name);
    assert_eq!(looked_up_result, computed_result);
    // Whoever verifies it needs no table.
    fs::remove_file(&file).unwrap();
    assert!(verified(&looked_up).holds);
    fs::write(&file, table.to_bytes().unwrap()).unwrap();

    let read = read_jobs(&folder.path().join("table-runs")).unwrap();
    let reward = Reward::of(Property::BandGap);
    let rewards = table
        .rows()
        .iter()
        .map(|row| reward.of_outcome(1.12, &row.outcome));
    let optimum = rewards.fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(read.jobs.len(), 4);
    for job in &read.jobs {
        let exact = job.exact.as_ref().unwrap();
        assert_eq!(
            (exact.training.optimum, exact.training.fillings),
            (optimum, 5985)
        );
        let regret = optimum - job.training.best_return;
        assert_eq!(exact.training.regret, Some(regret));
        assert_eq!(exact.greedy_regret, Some(optimum - job.greedy_return));
        let text = &job.rewards.as_ref().unwrap().text;
        assert_eq!(text, "no DFT: textbook formulas, table gaps");
    }
    let is_exact = |read| {
        Tables::of(read)
            .tables
            .iter()
            .any(|table| table.name == "exact")
    };
    assert!(is_exact(&read));
    let others = read_jobs(&folder.path().join("computed-runs")).unwrap();
    assert!(others.jobs.iter().all(|job| job.exact.is_none()) && !is_exact(&others));
}
