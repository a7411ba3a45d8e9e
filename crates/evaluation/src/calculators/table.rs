//! Outcomes that were computed before, from the file of an exhaustive table.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Element, Skeleton};
use serde::{Deserialize, Serialize};

use crate::{
    Calculator, CalculatorError, CancelToken, Failure, FailureCode, Fingerprint, Outcome, Property,
    ResultTable, TableFileError, TableRow,
};

/// Settings of [`TableCalculator`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableSettings {
    /// The parquet file of a table, or the name of one that comes with the program.
    pub file: Option<String>,
}

/// Outcomes from an exhaustive table, in a microsecond.
///
/// Name and fingerprint are those of the calculator that made the table, so that a result is the same
/// result. A filling that is not in the table is refused: [`FailureCode::NotInTable`], which is no
/// outcome of the crystal and is never stored; whoever has more than one to ask for looks with
/// [`Calculator::check`] and [`Calculator::check_skeleton`] first.
#[derive(Debug, Clone)]
pub struct TableCalculator {
    table: Arc<ResultTable>,
}

impl TableCalculator {
    /// A calculator with the outcomes of a table.
    pub fn new(table: Arc<ResultTable>) -> Self {
        Self { table }
    }

    /// Opens the table that the settings name.
    ///
    /// # Errors
    /// [`TableFileError`], also where they name none.
    pub fn open(settings: &TableSettings) -> Result<Self, TableFileError> {
        match &settings.file {
            Some(file) => Ok(Self::new(Arc::new(ResultTable::open(file)?))),
            None => Err(TableFileError::Unnamed),
        }
    }

    /// The table.
    pub fn table(&self) -> &Arc<ResultTable> {
        &self.table
    }

    fn refuse(&self, message: String) -> CalculatorError {
        CalculatorError {
            calculator: format!("table {}", self.table.name()),
            message,
        }
    }
}

impl Calculator for TableCalculator {
    fn name(&self) -> &str {
        &self.table.description().calculator_name
    }

    fn fingerprint(&self, elements: &[Element], _property: Property) -> Fingerprint {
        // Elements that the table does not have are refused before a result could be known by this.
        (self.table.fingerprint(elements)).unwrap_or_else(|| Fingerprint(String::new()))
    }

    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        let description = self.table.description();
        if property != description.property {
            let has = description.property;
            return Err(self.refuse(format!("it holds {has}, and {property} is asked for")));
        }
        let strange = elements.iter().find(|e| !description.elements.contains(e));
        if let Some(element) = strange {
            let known: Vec<&str> = description.elements.iter().map(|e| e.symbol()).collect();
            let known = known.join(" ");
            return Err(self.refuse(format!(
                "it has no fillings with {element}, only with {known}"
            )));
        }
        match self.table.is_whole() {
            true => Ok(()),
            false => Err(self.refuse(format!(
                "it has {} of {} fillings, expected all",
                self.table.rows().len(),
                description.fillings
            ))),
        }
    }

    fn check_skeleton(&self, skeleton: &Skeleton) -> Result<(), CalculatorError> {
        let of = &self.table.description().skeleton;
        match of.is_that_of(skeleton) {
            true => Ok(()),
            false => Err(self.refuse(format!(
                "it holds fillings of the skeleton {}, and the geometry of {} is another",
                of.label, skeleton.label
            ))),
        }
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn keeps_the_cell(&self) -> bool {
        self.table.description().keeps_the_cell
    }

    fn looks_up(&self) -> bool {
        true
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, _cancel: &CancelToken) -> Outcome {
        let row = (property == self.table.description().property)
            .then(|| self.table.row(crystal))
            .flatten();
        if let Some(TableRow { outcome, .. }) = row {
            return outcome.clone();
        }
        let symbols: Vec<&str> = crystal.elements().iter().map(|e| e.symbol()).collect();
        Outcome::Failure(Failure::new(
            FailureCode::NotInTable,
            format!(
                "the table {} has no {property} of {} on {}",
                self.table.name(),
                symbols.join(" "),
                crystal.skeleton().label
            ),
        ))
    }
}
