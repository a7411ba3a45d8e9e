//! Which table a name means.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crystalgym_evaluation::{Calculator, ResultStore, ResultTable, ShippedTable, is_on_a_server};
use crystalgym_table::{TableFolder, TablePlan, TableRecipe};
use crystalgym_training::{TrainingError, Trust, default_store_path, programs_named};

use crate::{hint::UsageError, trust::TrustArguments};

/// Where tables are made unless their name is a path.
const TABLES: &str = "tables";

/// The folder of a table: `tables/NAME`, or NAME itself where it is a path.
pub(super) fn folder(name: &str) -> TableFolder {
    let path = match name.contains('/') {
        true => PathBuf::from(name),
        false => Path::new(TABLES).join(name),
    };
    TableFolder::at(path)
}

/// A table by its name: one that comes with the program, a parquet file, or what there is of one that
/// is being made.
pub(super) fn open(name: &str, trust: &TrustArguments) -> anyhow::Result<ResultTable> {
    let is_file = ShippedTable::named(name).is_some() || Path::new(name).is_file();
    if is_file {
        return Ok(ResultTable::open(name)?);
    }
    being_made(name, trust)
}

/// What the store has of a table that is being made. Its recipe may be somebody else's: programs are asked
/// for their versions and servers for results only if the user says so.
fn being_made(name: &str, trust: &TrustArguments) -> anyhow::Result<ResultTable> {
    let place = folder(name);
    if !place.exists() {
        let message = format!(
            "no table {name}: expected the name of one that comes with the program, a parquet file, \
             or a table that `crystalgym table build` has begun in {}",
            place.path().display()
        );
        return Err(UsageError(message).into());
    }
    let recipe = place.recipe()?;
    let mut named = programs_named(&recipe.calculator, None);
    if is_on_a_server(recipe.store.as_ref()) {
        named.push(format!(
            "store = {:?}, a server that is to be asked",
            recipe.store
        ));
    }
    trust.with(|trust| match (trust, named.is_empty()) {
        (Trust::All, _) | (_, true) => Ok(()),
        _ => Err(TrainingError::Untrusted {
            path: place.path().join(TableFolder::RECIPE),
            named: named.clone(),
        }),
    })?;
    let plan = TablePlan::of(&recipe)?;
    let calculator: Arc<dyn Calculator> = recipe.calculator.build()?;
    let store = ResultStore::open_read_only(&store_path(&recipe)?)?;
    let stem = place.path().file_name().unwrap_or_default();
    let stem = stem.to_string_lossy();
    Ok(plan.table(&stem, &recipe.calculator, calculator.as_ref(), &store)?)
}

fn store_path(recipe: &TableRecipe) -> anyhow::Result<PathBuf> {
    Ok(match recipe.store.as_str() {
        "default" => default_store_path()?,
        path => PathBuf::from(path),
    })
}
