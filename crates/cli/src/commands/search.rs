//! `crystalgym search`: elements for chosen sites of a structure, ranked by a property.

use std::{
    collections::BTreeMap, io::Write, num::NonZero, path::PathBuf, process::ExitCode, sync::Arc,
    thread,
};

use clap::Args;
use crystalgym_crystal::Skeleton;
use crystalgym_environment::{EnvironmentError, find_skeleton};
use crystalgym_evaluation::{Accuracy, Evaluation, Property, Source};
use crystalgym_search::{
    Finding, Geometry, Goal, SearchAlgorithm, SearchOptions, SearchProblem, SearchResult,
    SiteChoice, check_findings_folder, confirm, search, smaller_cell, write_findings,
};
use crystalgym_training::open_store;

use super::evaluate::CalculatorArguments;
use crate::{progress::CountBar, signals::StopFlag, terminal};

/// Arguments of `crystalgym search`.
#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// A structure file (.cif, POSCAR, .extxyz, .json), or a benchmark skeleton such as C2.
    structure: String,
    /// Elements by site, such as A=Cs,Rb X=Cl,Br: sites by number, by the element that the structure has
    /// there, by Wyckoff position (4a, a), or by A, B, B2, …, X in the order of the formula.
    #[arg(long, num_args = 1.., required = true, value_name = "NAME=ELEMENTS")]
    sites: Vec<SiteChoice>,
    /// Names whose sites are all alike.
    #[arg(long, num_args = 1.., value_delimiter = ',', value_name = "NAME")]
    tie: Vec<String>,
    /// Only fillings whose common oxidation states can sum to zero.
    #[arg(long)]
    charge_balanced: bool,
    /// A property, as `crystalgym list properties` names them.
    #[arg(long)]
    property: Property,
    /// The value that is wanted, or a range such as 1.4..1.6.
    #[arg(long, value_name = "VALUE|LOW..HIGH")]
    target: String,
    /// given: the cell of the file; volume: its volume scanned for each filling; relaxed: cell and positions
    /// relaxed first.
    #[arg(long, default_value = "given")]
    geometry: Geometry,
    /// given, or primitive: the primitive cell of the structure.
    #[arg(long, default_value = "given", value_parser = ["given", "primitive"])]
    cell: String,
    /// auto (all fillings if they are at most 200, or else surrogate), exhaustive, surrogate (by a model of
    /// the property that learns from every result), genetic or random.
    #[arg(long, default_value = "auto")]
    algorithm: SearchAlgorithm,
    /// Most fillings that are computed.
    #[arg(long, default_value_t = 200)]
    budget: usize,
    /// Seed of the search's random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Computes the best N again with --accuracy converged and ranks them by that.
    #[arg(long, value_name = "N", default_value_t = 0)]
    confirm: usize,
    /// How many are shown and written as CIF.
    #[arg(long, default_value_t = 10)]
    show: usize,
    /// Calculations at a time; all cores by default.
    #[arg(long)]
    workers: Option<NonZero<usize>>,
    /// Folder for ranking.csv and CIF files; searches/LABEL-PROPERTY by default.
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    calculator: CalculatorArguments,
    /// `default`, `none`, or the file of a store.
    #[arg(long, default_value = "default")]
    store: String,
}

pub(crate) fn run(arguments: &SearchArguments) -> anyhow::Result<ExitCode> {
    let goal = Goal::parse(arguments.property, &arguments.target)?;
    let skeleton = find_skeleton(&arguments.structure).map_err(|error| match error {
        // A wrong name is wrong usage, whoever looked it up.
        EnvironmentError::Crystal(error) => anyhow::Error::from(error),
        error => error.into(),
    })?;
    let skeleton = chosen_cell(skeleton, &arguments.cell)?;
    let (sites, ties) = (&arguments.sites, &arguments.tie);
    let problem = SearchProblem::new(skeleton, sites, ties, arguments.charge_balanced)?;
    let defaults = [format!("native.accuracy={}", Accuracy::Balanced)];
    let calculator = arguments.calculator.config(&defaults)?.build()?;
    calculator.check(&problem.elements(), goal.property)?;
    let confirming = match arguments.confirm {
        0 => None,
        _ => {
            let config = arguments
                .calculator
                .config_at(&[], Some(Accuracy::Converged))?;
            Some(config.build()?)
        }
    };
    let store = open_store(&arguments.store, calculator.as_ref())?;
    let stop = StopFlag::install()?;
    let cancel = stop.cancel_token();
    let label = &problem.skeleton().label;
    let folder = arguments
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from("searches").join(format!("{label}-{}", goal.property)));
    check_findings_folder(&folder)?;
    let relaxed = folder.join("relaxed");
    let workers = match arguments.workers {
        Some(workers) => workers.get(),
        None => thread::available_parallelism()?.get(),
    };
    announce(&problem, &goal)?;
    let options = SearchOptions {
        algorithm: arguments.algorithm,
        geometry: arguments.geometry,
        budget: arguments.budget,
        seed: arguments.seed,
        workers,
        relaxed_cells: (arguments.geometry == Geometry::Relaxed).then_some(relaxed.as_path()),
    };
    let bar = CountBar::new("fillings");
    let mut result = search(
        &problem,
        &goal,
        calculator.as_ref(),
        store.as_ref(),
        options,
        &cancel,
        |progress| bar.report(progress.done, progress.most, &said(progress.latest)),
    )?;
    if let Some(confirming) = &confirming {
        let count = arguments.confirm.min(result.successes());
        let mut done = 0;
        confirm(
            &mut result,
            count,
            confirming.as_ref(),
            store.as_ref(),
            workers,
            &cancel,
            |crystal, _| {
                done += 1;
                bar.report(done, count, &format!("confirmed {}", crystal.formula()));
            },
        );
    }
    bar.finish();
    warn_of_store(&result);
    write_findings(&result, &folder, arguments.show)?;
    print(arguments, &result)?;
    eprintln!("written to {}", folder.display());
    if !result.is_complete {
        eprintln!("stopped; the same command goes on from here");
    }
    Ok(match result.is_complete && result.successes() > 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The given cell, or the primitive one; offers it where the given one is a supercell.
fn chosen_cell(skeleton: Arc<Skeleton>, cell: &str) -> anyhow::Result<Arc<Skeleton>> {
    match smaller_cell(&skeleton)? {
        None => Ok(skeleton),
        Some(primitive) if cell == "primitive" => Ok(Arc::new(primitive)),
        Some(primitive) => {
            eprintln!(
                "note: {} is a supercell of {} sites, its primitive cell has {}: --cell primitive \
                 searches that",
                skeleton.label,
                skeleton.sites(),
                primitive.sites()
            );
            Ok(skeleton)
        }
    }
}

fn announce(problem: &SearchProblem, goal: &Goal) -> anyhow::Result<()> {
    let combinations = problem.combinations();
    let count = match problem.fillings()? {
        Some(fillings) => format!("{} different fillings of {combinations}", fillings.len()),
        None => format!("{combinations} combinations"),
    };
    eprintln!(
        "{}: {count}, {} of {}",
        problem.skeleton().label,
        goal.property,
        goal.text()
    );
    Ok(())
}

fn said(finding: &Finding) -> String {
    let formula = finding.crystal.formula();
    let outcome = &finding.evaluation.outcome;
    match (outcome.value(), outcome.failure()) {
        (Some(value), _) => format!("{formula} {value:.3}"),
        (None, Some(failure)) => format!("{formula} {}", failure.code),
        (None, None) => formula,
    }
}

fn warn_of_store(result: &SearchResult) {
    let errors = result
        .findings
        .iter()
        .filter_map(|f| f.evaluation.store_error.as_ref());
    if let Some(error) = errors.into_iter().next() {
        eprintln!("warning: results could not be stored: {error}");
    }
}

fn print(arguments: &SearchArguments, result: &SearchResult) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    let (goal, findings) = (&result.goal, &result.findings);
    let from_store = |finding: &&Finding| finding.evaluation.source == Source::Store;
    writeln!(
        out,
        "{} of {}: {} of {} by the {} search, {} known before, {} failures",
        goal.property,
        goal.text(),
        findings.len(),
        match result.fillings {
            Some(fillings) => format!("{fillings} fillings"),
            None => "many fillings".to_owned(),
        },
        result.algorithm.name(),
        findings.iter().filter(from_store).count(),
        findings.len() - result.successes()
    )?;
    writeln!(
        out,
        "\nrank  {:>10}  {:>9}  formula",
        goal.property.unit(),
        "off by"
    )?;
    let mut first_of_code = BTreeMap::new();
    for (rank, finding) in findings.iter().take(arguments.show).enumerate() {
        writeln!(out, "{:>4}  {}", rank + 1, line(finding, goal))?;
        let codes: Vec<&str> = finding.warnings().iter().map(|w| w.code.name()).collect();
        if !codes.is_empty() {
            writeln!(out, "{:>27}  warnings: {}", "", codes.join(", "))?;
        }
        for warning in finding.warnings() {
            let formula = finding.crystal.formula();
            first_of_code
                .entry(warning.code.name())
                .or_insert((formula, warning));
        }
    }
    for (formula, warning) in first_of_code.values() {
        writeln!(out, "\n{formula}: {warning}")?;
    }
    if let Some(settings) = findings.first().and_then(Finding::settings) {
        writeln!(out, "\nthe first computed with {settings}")?;
        if let Some(error) = &settings.stated_error {
            writeln!(out, "error of its cutoff {error}")?;
        }
    }
    Ok(())
}

fn line(finding: &Finding, goal: &Goal) -> String {
    let symbols: Vec<&str> = finding
        .crystal
        .elements()
        .iter()
        .map(|e| e.symbol())
        .collect();
    let result = match finding.value() {
        Some(value) => format!("{value:>10.4}  {:>9.4}", goal.distance(value)),
        None => {
            let failure = finding.latest().outcome.failure();
            let code = failure.map_or_else(String::new, |failure| failure.code.to_string());
            format!("{code:>21}")
        }
    };
    let cell = match (finding.volume_ratio - 1.0).abs() > 1e-9 {
        true => format!(", volume {:.3} of the given", finding.volume_ratio),
        false => String::new(),
    };
    let before = |evaluation: &Evaluation| {
        let value = evaluation.outcome.value();
        value.map_or_else(String::new, |value| {
            format!(", confirmed ({value:.4} before)")
        })
    };
    let confirmed = match finding.confirmed {
        Some(_) => before(&finding.evaluation),
        None => String::new(),
    };
    format!(
        "{result}  {} ({}){cell}{confirmed}",
        finding.crystal.formula(),
        symbols.join(" ")
    )
}
