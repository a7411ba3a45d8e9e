//! The columns of the table of results, with their meanings.

use crystalgym_columns::{Cell, Kind};
use crystalgym_crystal::{Structure, StructureFormat};
use crystalgym_evaluation::{Outcome, Property, StoredResult, Values};

use crate::DatasetError;

/// A column of the table: its contents are described in the data card by the same entry.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Meaning and unit.
    pub meaning: &'static str,
    get: fn(&Row<'_>) -> Cell,
}

/// A result with its structure.
pub(crate) struct Row<'a> {
    result: &'a StoredResult,
    structure: Structure,
}

impl<'a> Row<'a> {
    pub(crate) fn of(result: &'a StoredResult) -> Result<Self, DatasetError> {
        let structure = Structure::from_text(&result.structure, StructureFormat::Json);
        Ok(Self {
            result,
            structure: structure.map_err(|error| DatasetError::Result {
                key: result.key.clone(),
                message: error.to_string(),
            })?,
        })
    }

    fn values(&self) -> Option<&Values> {
        match &self.result.outcome {
            Outcome::Success(values) => Some(values),
            Outcome::Failure(_) => None,
        }
    }

    fn number(&self, get: fn(&Values) -> Option<f64>) -> Cell {
        self.values()
            .and_then(get)
            .map_or(Cell::Missing, Cell::Number)
    }

    fn integer(&self, get: fn(&Values) -> Option<u32>) -> Cell {
        let value = self
            .values()
            .and_then(get)
            .and_then(|value| i32::try_from(value).ok());
        value.map_or(Cell::Missing, Cell::Integer)
    }
}

impl Column {
    pub(crate) fn cell(&self, row: &Row<'_>) -> Cell {
        (self.get)(row)
    }
}

const fn column(
    name: &'static str,
    kind: Kind,
    meaning: &'static str,
    get: fn(&Row<'_>) -> Cell,
) -> Column {
    Column {
        name,
        kind,
        meaning,
        get,
    }
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

/// The columns of the table, in order.
pub static COLUMNS: &[Column] = &[
    column(
        "key",
        Kind::Text,
        "SHA-256 of all that the outcome depends on; unique",
        |row| text(&row.result.key),
    ),
    column(
        "skeleton",
        Kind::Text,
        "label of the lattice with its positions that was asked for first",
        |row| text(&row.result.skeleton),
    ),
    column(
        "formula",
        Kind::Text,
        "formula as chemists write it, in lowest terms",
        |row| text(&row.result.formula),
    ),
    column(
        "elements",
        Kind::Text,
        "symbols in the order of frac_coords, not of the skeleton's sites, separated by blanks",
        |row| text(&row.result.elements),
    ),
    column(
        "atomic_numbers",
        Kind::Integers,
        "atomic numbers in the order of frac_coords",
        |row| {
            let elements = row.structure.elements.iter();
            Cell::Integers(
                elements
                    .map(|element| element.atomic_number().into())
                    .collect(),
            )
        },
    ),
    column(
        "lattice_ang",
        Kind::Numbers,
        "lattice vectors a, b, c one after another (9 numbers, Å)",
        |row| Cell::Numbers(row.structure.lattice.vectors().concat()),
    ),
    column(
        "frac_coords",
        Kind::Numbers,
        "fractional positions site by site (3 numbers each)",
        |row| Cell::Numbers(row.structure.frac_coords.concat()),
    ),
    column(
        "property",
        Kind::Text,
        "band_gap, bulk_modulus, density or shear_modulus: what was asked for",
        |row| text(&row.result.property),
    ),
    column("unit", Kind::Text, "unit of the value", |row| {
        let property = row.result.property.parse::<Property>();
        property.map_or(Cell::Missing, |property| text(property.unit()))
    }),
    column(
        "value",
        Kind::Number,
        "the property in its unit; missing after a failure",
        |row| row.number(|values| Some(values.value)),
    ),
    column(
        "failure",
        Kind::Text,
        "code of the failure; missing after a success",
        |row| {
            let failure = row.result.outcome.failure();
            failure.map_or(Cell::Missing, |failure| text(failure.code.name()))
        },
    ),
    column(
        "failure_message",
        Kind::Text,
        "what happened, for people",
        |row| {
            let failure = row.result.outcome.failure();
            failure.map_or(Cell::Missing, |failure| text(&failure.message))
        },
    ),
    column(
        "total_energy_ev",
        Kind::Number,
        "total energy of the cell that was computed (eV)",
        |row| row.number(|values| values.total_energy_ev),
    ),
    column(
        "homo_ev",
        Kind::Number,
        "highest occupied level on the k-mesh (eV)",
        |row| row.number(|values| values.homo_ev),
    ),
    column(
        "lumo_ev",
        Kind::Number,
        "lowest unoccupied level on the k-mesh (eV)",
        |row| row.number(|values| values.lumo_ev),
    ),
    column(
        "fermi_ev",
        Kind::Number,
        "Fermi level with smeared occupations (eV)",
        |row| row.number(|values| values.fermi_ev),
    ),
    column(
        "pressure_gpa",
        Kind::Number,
        "pressure, positive if the cell wants to expand (GPa)",
        |row| row.number(|values| values.pressure_gpa),
    ),
    column(
        "volume_ang3",
        Kind::Number,
        "volume of the cell that was computed (Å³)",
        |row| Cell::Number(row.structure.lattice.volume()),
    ),
    column(
        "rigid_density_g_cm3",
        Kind::Number,
        "mass density of the cell as it is (g/cm³)",
        |row| Cell::Number(row.structure.density_g_cm3()),
    ),
    column(
        "equation_of_state",
        Kind::Text,
        "volumes, energies and fit of a bulk modulus (JSON)",
        |row| {
            let fit = row
                .values()
                .and_then(|values| values.equation_of_state.as_ref());
            let json = fit.and_then(|fit| serde_json::to_string(fit).ok());
            json.map_or(Cell::Missing, Cell::Text)
        },
    ),
    column(
        "scf_iterations",
        Kind::Integer,
        "SCF iterations, summed over the calculations",
        |row| {
            let iterations = match &row.result.outcome {
                Outcome::Success(values) => values.scf_iterations,
                Outcome::Failure(failure) => failure.scf_iterations,
            };
            i32::try_from(iterations).map_or(Cell::Missing, Cell::Integer)
        },
    ),
    column("k_points", Kind::Integer, "irreducible k-points", |row| {
        row.integer(|values| values.k_points)
    }),
    column(
        "seconds",
        Kind::Number,
        "wall time of the calculation (s)",
        |row| Cell::Number(row.result.outcome.seconds()),
    ),
    column("calculator", Kind::Text, "name of the calculator", |row| {
        text(&row.result.calculator)
    }),
    column(
        "pseudopotentials",
        Kind::Text,
        "name of the pseudopotential family; GTH-PBE is the built-in table",
        |row| {
            let settings = row.result.settings.as_ref();
            settings.map_or(Cell::Missing, |settings| text(&settings.pseudopotentials))
        },
    ),
    column(
        "accuracy",
        Kind::Text,
        "fast, balanced or converged, as it was asked for; missing where that is not known",
        |row| {
            let settings = row.result.settings.as_ref();
            let accuracy = settings.and_then(|settings| settings.accuracy);
            accuracy.map_or(Cell::Missing, |accuracy| text(accuracy.name()))
        },
    ),
    column(
        "ecutwfc_ry",
        Kind::Number,
        "cutoff of the wave functions (Ry)",
        |row| {
            let settings = row.result.settings.as_ref();
            settings.map_or(Cell::Missing, |settings| Cell::Number(settings.ecutwfc_ry))
        },
    ),
    column(
        "ecutrho_ry",
        Kind::Number,
        "cutoff of the density (Ry)",
        |row| {
            let settings = row.result.settings.as_ref();
            settings.map_or(Cell::Missing, |settings| Cell::Number(settings.ecutrho_ry))
        },
    ),
    column(
        "k_mesh",
        Kind::Integers,
        "divisions of the mesh of k-points (3 numbers; none for a calculator without)",
        |row| {
            let settings = row.result.settings.as_ref();
            let divisions = settings.map_or_else(Vec::new, |settings| settings.k_mesh.to_vec());
            let whole = divisions.into_iter().filter_map(|d| i32::try_from(d).ok());
            Cell::Integers(whole.collect())
        },
    ),
    column(
        "warnings",
        Kind::Text,
        "codes of what is to be said against the value, separated by blanks; empty if nothing",
        |row| {
            let codes = row.values().map_or_else(Vec::new, |values| {
                values.warnings.iter().map(|w| w.code.name()).collect()
            });
            Cell::Text(codes.join(" "))
        },
    ),
    column(
        "fingerprint",
        Kind::Text,
        "its settings and pseudopotential checksums (JSON)",
        |row| text(&row.result.fingerprint),
    ),
    column("created", Kind::Text, "when it was stored (UTC)", |row| {
        text(&row.result.created)
    }),
    column(
        "version",
        Kind::Text,
        "version of the program that stored it",
        |row| text(&row.result.version),
    ),
];
