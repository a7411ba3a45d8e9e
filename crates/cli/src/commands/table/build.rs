//! `crystalgym table build`: computes what the store lacks of a table.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    path::Path,
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use crystalgym_crystal::Element;
use crystalgym_evaluation::{Property, check_store_name, is_on_a_server};
use crystalgym_table::{BuildOptions, BuildProgress, TableFolder, TablePlan, TableRecipe, build};
use crystalgym_training::{open_store, programs_named};

use super::names::folder;
use crate::{
    commands::evaluate::CalculatorArguments, hint::UsageError, progress::TableBar,
    signals::StopFlag,
};

/// Time between two lines where no bar can be shown.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Arguments of `crystalgym table build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// Name of the table, whose recipe is kept in tables/NAME, or a folder. The name alone goes on
    /// with a table that was begun.
    name: String,
    /// A benchmark skeleton, such as C6, or the empty frame of a structure file.
    #[arg(long, requires = "property")]
    skeleton: Option<String>,
    /// A property, as `crystalgym list properties` names them.
    #[arg(long, requires = "skeleton")]
    property: Option<Property>,
    /// Elements to choose from: small, medium or large.
    #[arg(long, default_value = "small", conflicts_with = "elements")]
    actions: String,
    /// Elements of one's own to choose from, such as Li,Na,F,Cl.
    #[arg(long, value_delimiter = ',')]
    elements: Vec<String>,
    /// Seed of the order in which the fillings are computed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Calculations at the same time; as many as there are cores by default.
    #[arg(long)]
    workers: Option<usize>,
    #[command(flatten)]
    calculator: CalculatorArguments,
    /// `default`, or the file of the store that keeps the results.
    #[arg(long, default_value = "default")]
    store: String,
    /// Print how much there is to do, and stop.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(arguments: &BuildArguments) -> anyhow::Result<ExitCode> {
    // Until the flag is there, Ctrl-C ends the program at once: nothing is under way yet.
    let place = folder(&arguments.name);
    let (recipe, is_new) = recipe(arguments, &place)?;
    let plan = TablePlan::of(&recipe)?;
    let calculator = recipe.calculator.build()?;
    if calculator.is_instant() {
        let name = recipe.calculator.name.name();
        let message = format!("the calculator {name} takes microseconds: no table is needed");
        return Err(UsageError(message).into());
    }
    calculator.check(plan.elements(), plan.property())?;
    let Some(store) = open_store(&recipe.store, calculator.as_ref())?.map(Arc::new) else {
        let message = "--store none: a table is made of stored results, expected a file";
        return Err(UsageError(message.to_owned()).into());
    };
    let cores = thread::available_parallelism()?.get();
    let workers = arguments.workers.unwrap_or(cores);
    if arguments.dry_run {
        let survey = plan.survey(calculator.as_ref(), &store)?;
        println!(
            "{}: {} fillings of {} with {} elements, {} of them in the store; about {} for the rest \
             with {workers} workers",
            arguments.name,
            plan.fillings().len(),
            plan.skeleton().label,
            plan.elements().len(),
            survey.known,
            duration(
                survey.forecast_seconds(plan.property().facts().core_seconds) / workers as f64
            ),
        );
        return Ok(ExitCode::SUCCESS);
    }
    if is_new {
        place.keep(&recipe)?;
    }
    let stop = StopFlag::install()?;
    let bar = TableBar::new(plan.fillings().len() as u64);
    let shows_lines = !std::io::stderr().is_terminal();
    let mut last_line: Option<Instant> = None;
    let progress = build(
        &plan,
        &calculator,
        &store,
        BuildOptions {
            workers,
            seed: recipe.seed,
            stop: &|| stop.is_set(),
            report: &mut |progress| {
                let text = line(progress, workers);
                if shows_lines && last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    eprintln!("{text}");
                    last_line = Some(Instant::now());
                }
                bar.report(progress.done as u64, text);
            },
        },
    );
    bar.finish();
    let progress = progress?;
    eprintln!("{}", line(&progress, workers));
    if let Some(error) = &progress.store_error {
        eprintln!("warning: the store gave trouble: {error}");
    }
    let name = &arguments.name;
    if progress.missing() == 0 {
        eprintln!("the table is whole; write it with: crystalgym table export {name}");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("go on with: crystalgym table build {name}");
    Ok(ExitCode::FAILURE)
}

/// The recipe that the arguments make, or that was kept, and whether it is to be kept.
fn recipe(arguments: &BuildArguments, place: &TableFolder) -> anyhow::Result<(TableRecipe, bool)> {
    let (Some(skeleton), Some(property)) = (&arguments.skeleton, arguments.property) else {
        if !place.exists() {
            let message = format!(
                "no table {}: expected --skeleton and --property to begin one",
                place.path().display()
            );
            return Err(UsageError(message).into());
        }
        let recipe = place.recipe()?;
        refuse_what_was_not_given(&recipe, place)?;
        return Ok((recipe, false));
    };
    check_store_name(Path::new(&arguments.store))?;
    let elements = arguments.elements.iter();
    let recipe = TableRecipe {
        skeleton: skeleton.clone(),
        actions: arguments.actions.clone(),
        elements: elements
            .map(|symbol| symbol.trim().parse::<Element>())
            .collect::<Result<_, _>>()?,
        property,
        seed: arguments.seed,
        store: arguments.store.clone(),
        calculator: arguments.calculator.config(&[])?,
    };
    if place.exists() {
        place.keep(&recipe)?;
    }
    Ok((recipe, true))
}

/// A recipe that lies in a folder may be somebody else's: programs that it names are not run, and no
/// store is made where it says, unless the user says the same.
fn refuse_what_was_not_given(recipe: &TableRecipe, place: &TableFolder) -> anyhow::Result<()> {
    let names_program = !programs_named(&recipe.calculator, None).is_empty();
    let store = Path::new(&recipe.store);
    let makes_store = recipe.store != "default" && (is_on_a_server(store) || !store.exists());
    let named = match (names_program, makes_store) {
        (true, _) => "a program to run",
        (_, true) => "a store to be made or a server",
        (false, false) => return Ok(()),
    };
    let file = place.path().join(TableFolder::RECIPE);
    let message = format!(
        "{} names {named} that you have not given: give the whole command again",
        file.display()
    );
    Err(UsageError(message).into())
}

/// `3120/5985 fillings, 214 computed here, 1540 odd_electron_count; about 2 h left`.
fn line(progress: &BuildProgress, workers: usize) -> String {
    let mut text = format!(
        "{}/{} fillings, {} computed here",
        progress.done, progress.fillings, progress.computed
    );
    let mut add = |failures: &BTreeMap<String, usize>, remark: &str| {
        for (code, count) in failures {
            text += &format!(", {count} {code}{remark}");
        }
    };
    add(&progress.failures, "");
    add(&progress.passing_failures, " (not stored)");
    if progress.missing() > 0
        && let Some(seconds) = progress.forecast_seconds(workers)
    {
        text += &format!("; about {} left", duration(seconds));
    }
    text
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: written out by hand.
    #[test]
    fn a_line_says_how_far_it_is() {
        let mut progress = BuildProgress {
            fillings: 35,
            done: 20,
            computed: 10,
            seconds: 50.0,
            ..BuildProgress::default()
        };
        progress.failures.insert("odd_electron_count".to_owned(), 7);
        progress.passing_failures.insert("time_limit".to_owned(), 2);
        assert_eq!(
            line(&progress, 2),
            "20/35 fillings, 10 computed here, 7 odd_electron_count, 2 time_limit (not stored); \
             about 31 s left"
        );
        assert_eq!(duration(7200.0), "2.0 h");
    }
}
