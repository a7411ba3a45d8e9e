//! A table that was built, as a file with its data card.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

use crystalgym_crystal::{read_text, write_atomically};
use crystalgym_evaluation::{
    Calculator, CalculatorConfig, CancelToken, ResultStore, ResultTable, Source, StoreKey,
    TABLE_COLUMNS, TableRow, TableSource, evaluate, markdown, markdown_code,
};

use crate::{TableError, TablePlan, summary::Summary};

impl TablePlan {
    /// The rows that a store has of the table, in the order of their atomic numbers, each as
    /// [`evaluate`] gives it to who asks for the filling.
    ///
    /// # Errors
    /// [`TableError::Store`] if it cannot be read.
    pub fn rows(
        &self,
        calculator: &dyn Calculator,
        store: &ResultStore,
    ) -> Result<Vec<TableRow>, TableError> {
        let mut rows = Vec::new();
        for filling in self.fillings() {
            let crystal = self.crystal(filling)?;
            let key = StoreKey::new(&crystal, self.property(), calculator);
            if store.get(&key)?.is_none() {
                continue;
            }
            let cancel = CancelToken::default();
            let found = evaluate(calculator, Some(store), &crystal, self.property(), &cancel);
            if found.source == Source::Store {
                rows.push(TableRow {
                    elements: filling.elements.clone(),
                    multiplicity: filling.multiplicity,
                    outcome: found.outcome,
                });
            }
        }
        Ok(rows)
    }

    /// The table with what a store has of it.
    ///
    /// # Errors
    /// [`TableError::Store`] if it cannot be read, [`TableError::File`] if no file can hold it.
    pub fn table(
        &self,
        name: &str,
        config: &CalculatorConfig,
        calculator: &dyn Calculator,
        store: &ResultStore,
    ) -> Result<ResultTable, TableError> {
        let source = TableSource {
            skeleton: self.skeleton(),
            elements: self.elements(),
            property: self.property(),
            settings: &config.described(),
            calculator,
            fillings: self.fillings().len(),
        };
        Ok(ResultTable::new(
            name,
            &source,
            self.rows(calculator, store)?,
        )?)
    }
}

/// What every data card says.
const MADE_BY: &str = "The table was made with the Rust implementation of CrystalGym";

/// Writes a whole table as a parquet file, and its data card beside it: `NAME.parquet`, `NAME.md`.
/// Each file appears whole or not at all. Returns the card's path.
///
/// # Errors
/// [`TableError::Incomplete`] if fillings are missing; [`TableError::NotOurs`] if something else than a
/// card stands where the card goes; [`TableError::Io`].
pub fn write_table(table: &ResultTable, file: &Path) -> Result<PathBuf, TableError> {
    let (found, fillings) = (table.rows().len(), table.description().fillings);
    if !table.is_whole() {
        return Err(TableError::Incomplete {
            missing: fillings - found.min(fillings),
            fillings,
        });
    }
    let path = file.with_extension("md");
    let is_free = match read_text(&path) {
        Ok(text) => text.contains(MADE_BY),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if !is_free {
        return Err(TableError::NotOurs { path });
    }
    write_atomically(file, &table.to_bytes()?).map_err(TableError::io(file))?;
    write_atomically(&path, card(table, file).as_bytes()).map_err(TableError::io(&path))?;
    Ok(path)
}

/// What a table holds, how it was computed, and what its columns mean.
fn card(table: &ResultTable, file: &Path) -> String {
    let of = table.description();
    let facts = of.property.facts();
    let symbols: Vec<&str> = of.elements.iter().map(|e| e.symbol()).collect();
    // What the table says of itself may be somebody else's words.
    let name = markdown(&file.file_stem().unwrap_or_default().to_string_lossy());
    let label = markdown(&of.skeleton.label);
    let mut text = format!(
        "# {name}\n\n\
         {} of every filling of the skeleton {} with {} elements ({}): {} rows, one for each filling \
         up to symmetry, each computed once. {} ({}). Failed calculations are rows like any other. \
         Nothing is relaxed: lattice and positions are those of the skeleton, and most fillings are \
         not stable.\n\n",
        facts.title,
        label,
        of.elements.len(),
        symbols.join(" "),
        of.fillings,
        facts.meaning,
        facts.unit,
    );
    let _ = write!(
        text,
        "## Outcomes\n\n| outcome | rows |\n|---|---|\n{}\n",
        of.counts
            .iter()
            .fold(String::new(), |mut rows, (outcome, count)| {
                let _ = writeln!(rows, "| {} | {count} |", markdown(outcome));
                rows
            })
    );
    let summary = Summary::of(table.rows());
    if let Some((least, most)) = summary.range() {
        let _ = writeln!(
            text,
            "Values from {least:.4} to {most:.4} {}, median {:.4}.\n",
            facts.unit,
            summary.median().unwrap_or(f64::NAN),
        );
    }
    let _ = write!(
        text,
        "## How it was computed\n\nBy {}, with these settings: {}\n\n",
        markdown_code(&of.calculator_name),
        markdown_code(&of.calculator.to_string())
    );
    let potentials = of.pseudopotentials();
    if !potentials.is_empty() {
        let list: Vec<String> = potentials
            .iter()
            .map(|(element, identity)| markdown(&format!("{element} {identity}")))
            .collect();
        let _ = writeln!(text, "Pseudopotentials: {}.\n", list.join(", "));
    }
    let _ = writeln!(
        text,
        "SHA-256 of the rows, wall times aside: `{}`.\n\n\
         ## Columns\n\n| column | meaning |\n|---|---|",
        of.rows_sha256
    );
    for column in TABLE_COLUMNS {
        let _ = writeln!(text, "| `{}` | {} |", column.name, column.meaning);
    }
    let _ = write!(
        text,
        "\n## Licence\n\nThe lattices of C1 to C7 are from the Materials Project (CC BY 4.0; A. Jain et \
         al., APL Materials 1, 011002 (2013), doi:10.1063/1.4812323). {MADE_BY}, version {}.\n",
        markdown(&of.crystalgym_version)
    );
    text
}
