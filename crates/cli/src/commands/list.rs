//! `crystalgym list`: skeletons, action sets, tasks, properties, calculators, failure and warning codes,
//! and the errors of the built-in pseudopotentials.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use crystalgym_crystal::Skeleton;
use crystalgym_environment::{ActionSet, named_tasks};
use crystalgym_evaluation::{FailureCode, GTH_ERRORS, Property, WarningCode};
use serde_json::{Value, json};

use crate::terminal;

/// Arguments of `crystalgym list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// What to list.
    what: Listing,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Listing {
    /// The seven benchmark skeletons.
    Skeletons,
    /// The action sets.
    Actions,
    /// The tasks of the paper.
    Tasks,
    /// The properties.
    Properties,
    /// The calculators.
    Calculators,
    /// Why a calculation can fail.
    Failures,
    /// What can be said against a value.
    Warnings,
    /// How far the built-in pseudopotentials are from convergence, by cutoff.
    Potentials,
}

pub(crate) fn run(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let (columns, rows) = match arguments.what {
        Listing::Skeletons => skeletons()?,
        Listing::Actions => actions()?,
        Listing::Tasks => tasks(),
        Listing::Properties => properties(),
        Listing::Calculators => calculators(),
        Listing::Failures => failures(),
        Listing::Warnings => warnings(),
        Listing::Potentials => potentials(),
    };
    let mut out = terminal::stdout();
    if arguments.json {
        let objects: Vec<Value> = rows
            .iter()
            .map(|row| {
                Value::Object(
                    columns
                        .iter()
                        .map(|c| (*c).to_owned())
                        .zip(row.iter().cloned())
                        .collect(),
                )
            })
            .collect();
        writeln!(out, "{}", terminal::json(&objects)?)?;
    } else {
        write_table(&mut out, &columns, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

type Table = (Vec<&'static str>, Vec<Vec<Value>>);

fn skeletons() -> anyhow::Result<Table> {
    let columns = vec![
        "label",
        "mp20_row",
        "name",
        "material",
        "space_group",
        "empty_space_group",
        "sites",
        "permutations",
        "bonds",
        "volume_ang3",
    ];
    let rows = Skeleton::builtins()?
        .iter()
        .map(|skeleton| {
            vec![
                json!(skeleton.label),
                json!(skeleton.source.mp20_row),
                json!(skeleton.source.name),
                json!(skeleton.source.material_id),
                json!(skeleton.source.space_group_number),
                json!(skeleton.symmetry.space_group_number),
                json!(skeleton.sites()),
                json!(skeleton.symmetry.site_permutations.len()),
                json!(skeleton.graph.bonds()),
                json!((skeleton.lattice.volume() * 1e3).round() / 1e3),
            ]
        })
        .collect();
    Ok((columns, rows))
}

fn actions() -> anyhow::Result<Table> {
    let rows = ActionSet::PUBLISHED
        .iter()
        .map(|(name, size)| {
            let set = ActionSet::published(name)?;
            let symbols: Vec<&str> = set.elements().iter().map(|e| e.symbol()).collect();
            Ok(vec![json!(name), json!(size), json!(symbols.join(" "))])
        })
        .collect::<anyhow::Result<_>>()?;
    Ok((vec!["name", "size", "elements"], rows))
}

fn tasks() -> Table {
    let rows = named_tasks()
        .into_iter()
        .map(|task| {
            vec![
                json!(task.name),
                json!(task.config.property.name()),
                json!(task.config.target),
                json!(task.config.property.unit()),
                json!(task.config.actions),
                json!(task.config.skeletons.join(" ")),
            ]
        })
        .collect();
    (
        vec!["name", "property", "target", "unit", "actions", "skeletons"],
        rows,
    )
}

fn properties() -> Table {
    let rows = Property::ALL.iter().map(|property| {
        let facts = property.facts();
        vec![json!(facts.name), json!(facts.unit), json!(facts.meaning)]
    });
    (vec!["name", "unit", "meaning"], rows.collect())
}

fn calculators() -> Table {
    const OF_DFT: &str = "band_gap bulk_modulus density shear_modulus energy formation_energy \
                          energy_above_hull";
    let rows = vec![
        vec![
            json!("rigid"),
            json!("density"),
            json!("mass over volume, no DFT; instant"),
        ],
        vec![
            json!("empirical"),
            json!("band_gap bulk_modulus density"),
            json!("textbook formulas of tabulated data, no DFT; instant"),
        ],
        vec![
            json!("native"),
            json!(OF_DFT),
            json!("the project's own plane-wave engine with built-in GTH pseudopotentials"),
        ],
        vec![
            json!("qe"),
            json!(OF_DFT),
            json!("Quantum ESPRESSO pw.x, which must be installed, with a pseudopotential family"),
        ],
        vec![
            json!("chgnet"),
            json!("bulk_modulus density energy formation_energy energy_above_hull"),
            json!(
                "the pretrained potential CHGNet 0.3.0, no DFT; `crystalgym model install chgnet` first"
            ),
        ],
        vec![
            json!("table"),
            json!("that of the table"),
            json!(
                "outcomes of an exhaustive table (`crystalgym table`), as its calculator made them"
            ),
        ],
    ];
    (vec!["name", "properties", "what"], rows)
}

fn failures() -> Table {
    let rows = FailureCode::ALL
        .iter()
        .map(|code| vec![json!(code.name()), json!(!code.depends_on_the_moment())])
        .collect();
    (vec!["code", "stored"], rows)
}

fn warnings() -> Table {
    let rows = WarningCode::ALL
        .iter()
        .map(|code| vec![json!(code.name()), json!(code.meaning())])
        .collect();
    (vec!["code", "meaning"], rows)
}

fn potentials() -> Table {
    let columns = vec![
        "element",
        "cutoff_ry",
        "energy_ev",
        "gap_ev",
        "pressure_gpa",
        "density_percent",
        "corrected_density_percent",
        "modulus_percent",
    ];
    let rows = GTH_ERRORS
        .iter()
        .map(|row| {
            vec![
                json!(row.symbol),
                json!(row.cutoff_ry),
                json!(row.energy_ev),
                json!(row.levels_ev),
                json!(row.pressure_gpa),
                json!(row.density_percent),
                json!(row.corrected_density_percent),
                json!(row.modulus_percent),
            ]
        })
        .collect();
    (columns, rows)
}

fn write_table(out: &mut dyn Write, columns: &[&str], rows: &[Vec<Value>]) -> io::Result<()> {
    let show = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let mut lines = vec![
        columns
            .iter()
            .map(|column| (*column).to_owned())
            .collect::<Vec<_>>(),
    ];
    lines.extend(rows.iter().map(|row| row.iter().map(show).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for line in lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{text:<width$}"))
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}
