//! The rows of a table, and the columns that they are written in.

use crystalgym_columns::{Cell, Kind};
use crystalgym_crystal::Element;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Failure, FailureCode, Outcome, Values};

/// What a filling came to.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// Elements in site order, canonical under the skeleton's symmetry.
    pub elements: Vec<Element>,
    /// How many fillings are this one up to symmetry.
    pub multiplicity: u32,
    /// The outcome, for the cell of the skeleton.
    pub outcome: Outcome,
}

/// A column of a table's file.
#[derive(Debug, Clone, Copy)]
pub struct TableColumn {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Meaning and unit.
    pub meaning: &'static str,
}

/// The outcome column's text for a value.
pub(super) const SUCCESS: &str = "success";

macro_rules! columns {
    ($($name:literal, $kind:ident, $meaning:literal;)*) => {
        /// The columns of a table's file, in order.
        pub static TABLE_COLUMNS: &[TableColumn] = &[
            $(TableColumn { name: $name, kind: Kind::$kind, meaning: $meaning },)*
        ];
    };
}

columns! {
    "elements", Text, "symbols in site order, separated by blanks: the canonical filling";
    "multiplicity", Integer, "how many fillings are this one up to the skeleton's symmetry";
    "outcome", Text, "success, or the code of the failure";
    "value", Number, "the property in its unit; missing for a failure";
    "total_energy_ev", Number, "total energy of the cell (eV)";
    "homo_ev", Number, "highest occupied level on the mesh (eV)";
    "lumo_ev", Number, "lowest unoccupied level on the mesh (eV)";
    "fermi_ev", Number, "Fermi level, for smeared occupations (eV)";
    "pressure_gpa", Number, "pressure, positive when the cell wants to expand (GPa)";
    "volume_ang3", Number, "volume of the unrelaxed cell (Å³)";
    "rigid_density_g_cm3", Number, "density of the unrelaxed cell (g/cm³)";
    "scf_iterations", Integer, "SCF iterations, summed over the calculations of the property";
    "symmetry_operations", Integer, "symmetry operations of the cell that was computed";
    "k_points", Integer, "irreducible k-points";
    "is_cell_step_limited", Integer, "1 if the step of the cell met its trust radius, else 0";
    "equation_of_state", Text, "the fitted equation of state (JSON)";
    "elastic_constants", Text, "the elastic constants (JSON)";
    "gap_edges", Text, "where the bands have their edges (JSON)";
    "seconds", Number, "wall time of the calculation (s)";
    "settings", Text, "cutoffs, mesh and pseudopotentials (JSON)";
    "warnings", Text, "what is to be said against the value (JSON)";
    "message", Text, "why it failed, for a person";
    "fingerprint", Integer, "which of the fingerprints in the metadata it has";
}

impl TableRow {
    /// The cells of the row, in the order of [`TABLE_COLUMNS`].
    pub(super) fn cells(&self, fingerprint: usize) -> Vec<Cell> {
        let symbols: Vec<&str> = self.elements.iter().map(|e| e.symbol()).collect();
        let number = |value: Option<f64>| value.map_or(Cell::Missing, Cell::Number);
        let integer = |value: Option<u32>| {
            let value = value.and_then(|value| i32::try_from(value).ok());
            value.map_or(Cell::Missing, Cell::Integer)
        };
        let head = [
            Cell::Text(symbols.join(" ")),
            integer(Some(self.multiplicity)),
        ];
        let body = match &self.outcome {
            Outcome::Success(values) => [
                Cell::Text(SUCCESS.to_owned()),
                Cell::Number(values.value),
                number(values.total_energy_ev),
                number(values.homo_ev),
                number(values.lumo_ev),
                number(values.fermi_ev),
                number(values.pressure_gpa),
                Cell::Number(values.volume_ang3),
                Cell::Number(values.rigid_density_g_cm3),
                integer(Some(values.scf_iterations)),
                integer(values.symmetry_operations),
                integer(values.k_points),
                integer(values.is_cell_step_limited.map(u32::from)),
                json(values.equation_of_state.as_ref()),
                json(values.elastic_constants.as_ref()),
                json(values.gap_edges.as_ref()),
                Cell::Number(values.seconds),
                json(values.settings.as_ref()),
                json(Some(&values.warnings).filter(|warnings| !warnings.is_empty())),
                Cell::Missing,
            ],
            Outcome::Failure(failure) => {
                let mut cells = [const { Cell::Missing }; 20];
                cells[0] = Cell::Text(failure.code.name().to_owned());
                cells[9] = integer(Some(failure.scf_iterations));
                cells[16] = Cell::Number(failure.seconds);
                cells[19] = Cell::Text(failure.message.clone());
                cells
            }
        };
        let template = integer(u32::try_from(fingerprint).ok());
        head.into_iter().chain(body).chain([template]).collect()
    }

    /// A row by its cells, and which fingerprint it has.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn of_cells(cells: Vec<Cell>) -> Result<(Self, usize), String> {
        let mut cells = Cells {
            cells: cells.into_iter(),
            columns: TABLE_COLUMNS.iter(),
        };
        let elements = cells.text()?;
        let elements = elements.split_whitespace().map(str::parse::<Element>);
        let elements: Vec<Element> = elements
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let multiplicity = cells.integer()?;
        let outcome = cells.text()?;
        let [value, total_energy_ev, homo_ev, lumo_ev, fermi_ev] = [
            cells.maybe_number()?,
            cells.maybe_number()?,
            cells.maybe_number()?,
            cells.maybe_number()?,
            cells.maybe_number()?,
        ];
        let pressure_gpa = cells.maybe_number()?;
        let (volume_ang3, rigid_density_g_cm3) = (cells.maybe_number()?, cells.maybe_number()?);
        let scf_iterations = cells.integer()?;
        let (symmetry_operations, k_points) = (cells.maybe_integer()?, cells.maybe_integer()?);
        let is_cell_step_limited = cells.maybe_integer()?.map(|limited| limited != 0);
        let equation_of_state = cells.json()?;
        let elastic_constants = cells.json()?;
        let gap_edges = cells.json()?;
        let seconds = cells.maybe_number()?.unwrap_or_default();
        let settings = cells.json()?;
        let warnings = cells.json()?.unwrap_or_default();
        let message = cells.maybe_text()?;
        let fingerprint = cells.integer()? as usize;
        let outcome = match outcome.as_str() {
            SUCCESS => Outcome::Success(Values {
                value: value.ok_or("value is missing")?,
                total_energy_ev,
                homo_ev,
                lumo_ev,
                fermi_ev,
                pressure_gpa,
                volume_ang3: volume_ang3.unwrap_or_default(),
                rigid_density_g_cm3: rigid_density_g_cm3.unwrap_or_default(),
                scf_iterations,
                symmetry_operations,
                k_points,
                is_cell_step_limited,
                equation_of_state,
                elastic_constants,
                gap_edges,
                seconds,
                settings,
                warnings,
                terms: Vec::new(),
            }),
            code => Outcome::Failure(Failure {
                code: code.parse::<FailureCode>().map_err(|e| e.to_string())?,
                message: message.unwrap_or_default(),
                scf_iterations,
                seconds,
                terms: Vec::new(),
            }),
        };
        let row = Self {
            elements,
            multiplicity,
            outcome,
        };
        Ok((row, fingerprint))
    }
}

fn json<T: Serialize>(value: Option<&T>) -> Cell {
    let text = value.and_then(|value| serde_json::to_string(value).ok());
    text.map_or(Cell::Missing, Cell::Text)
}

/// Cells that are taken one after the other, each with its column.
struct Cells {
    cells: std::vec::IntoIter<Cell>,
    columns: std::slice::Iter<'static, TableColumn>,
}

impl Cells {
    fn next(&mut self) -> (Cell, &'static str) {
        let name = self.columns.next().map_or("", |column| column.name);
        (self.cells.next().unwrap_or(Cell::Missing), name)
    }

    fn maybe_text(&mut self) -> Result<Option<String>, String> {
        match self.next() {
            (Cell::Missing, _) => Ok(None),
            (Cell::Text(text), _) => Ok(Some(text)),
            (_, name) => Err(format!("{name} is no text")),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        let name = self.columns.as_slice().first().map_or("", |c| c.name);
        self.maybe_text()?
            .ok_or_else(|| format!("{name} is missing"))
    }

    fn maybe_number(&mut self) -> Result<Option<f64>, String> {
        match self.next() {
            (Cell::Missing, _) => Ok(None),
            (Cell::Number(number), _) if number.is_finite() => Ok(Some(number)),
            (_, name) => Err(format!("{name} is no finite number")),
        }
    }

    fn maybe_integer(&mut self) -> Result<Option<u32>, String> {
        match self.next() {
            (Cell::Missing, _) => Ok(None),
            (Cell::Integer(integer), name) => match u32::try_from(integer) {
                Ok(integer) => Ok(Some(integer)),
                Err(_) => Err(format!("{name} is {integer}, expected 0 or more")),
            },
            (_, name) => Err(format!("{name} is no integer")),
        }
    }

    fn integer(&mut self) -> Result<u32, String> {
        let name = self.columns.as_slice().first().map_or("", |c| c.name);
        self.maybe_integer()?
            .ok_or_else(|| format!("{name} is missing"))
    }

    fn json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, String> {
        let name = self.columns.as_slice().first().map_or("", |c| c.name);
        let Some(text) = self.maybe_text()? else {
            return Ok(None);
        };
        let read = serde_json::from_str(&text).map(Some);
        read.map_err(|error| format!("{name} cannot be read: {error}"))
    }
}
