use std::path::{Path, PathBuf};

use crystalgym_crystal::{
    CrystalError, CrystalGraph as Graph, Element, Lattice, Structure as Inner, StructureFormat,
    automatic_density,
};
use crystalgym_evaluation::Property;
use numpy::{PyArray2, PyArrayMethods};
use pyo3::{prelude::*, types::PyDict};

use crate::{errors::structure_error, graph::CrystalGraph};

/// A periodic structure: a lattice and occupied sites.
///
/// Parameters
/// ----------
/// lattice : array_like, shape (3, 3)
///     Lattice vectors as rows, in Å.
/// elements : list of str
///     Symbol of each site.
/// frac_coords : array_like, shape (n_sites, 3)
///     Fractional position of each site.
#[pyclass(frozen, eq, module = "crystalgym")]
#[derive(Clone, PartialEq)]
pub(crate) struct Structure(pub(crate) Inner);

/// Rows of three as an array of shape (n, 3).
pub(crate) fn array2<'py, T: numpy::Element + Copy>(
    py: Python<'py>,
    rows: &[[T; 3]],
) -> PyResult<Bound<'py, PyArray2<T>>> {
    numpy::PyArray1::from_slice(py, rows.as_flattened()).reshape([rows.len(), 3])
}

fn three(row: &[f64], what: &str) -> PyResult<[f64; 3]> {
    row.try_into().map_err(|_| {
        structure_error(&CrystalError::InvalidStructure(format!(
            "a row of {what} has {} numbers, expected 3",
            row.len()
        )))
    })
}

pub(crate) fn parse_elements(symbols: &[String]) -> PyResult<Vec<Element>> {
    symbols
        .iter()
        .map(|symbol| symbol.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|error| structure_error(&error))
}

#[pymethods]
impl Structure {
    #[new]
    fn new(
        lattice: Vec<Vec<f64>>,
        elements: Vec<String>,
        frac_coords: Vec<Vec<f64>>,
    ) -> PyResult<Self> {
        let rows: Vec<[f64; 3]> = lattice
            .iter()
            .map(|row| three(row, "lattice"))
            .collect::<PyResult<_>>()?;
        let vectors: [[f64; 3]; 3] = rows.try_into().map_err(|rows: Vec<_>| {
            structure_error(&CrystalError::InvalidLattice(format!(
                "{} vectors, expected 3",
                rows.len()
            )))
        })?;
        let lattice = Lattice::new(vectors).map_err(|error| structure_error(&error))?;
        let elements = parse_elements(&elements)?;
        let frac_coords: Vec<[f64; 3]> = frac_coords
            .iter()
            .map(|row| three(row, "frac_coords"))
            .collect::<PyResult<_>>()?;
        if elements.len() != frac_coords.len() {
            return Err(structure_error(&CrystalError::InvalidStructure(format!(
                "{} elements for {} positions",
                elements.len(),
                frac_coords.len()
            ))));
        }
        Ok(Self(Inner {
            lattice,
            elements,
            frac_coords,
        }))
    }

    /// Reads text in the format `cif`, `poscar`, `extxyz` or `json`.
    #[staticmethod]
    fn from_text(text: &str, format: &str) -> PyResult<Self> {
        format
            .parse()
            .and_then(|format| Inner::from_text(text, format))
            .map(Self)
            .map_err(|error| structure_error(&error))
    }

    /// Reads a file; its name tells the format unless `format` does.
    #[staticmethod]
    #[pyo3(signature = (path, format = None))]
    fn from_file(py: Python<'_>, path: PathBuf, format: Option<String>) -> PyResult<Self> {
        let format = chosen_format(&path, format.as_deref())?;
        py.detach(|| Inner::from_file_as(&path, format))
            .map(Self)
            .map_err(|error| structure_error(&error))
    }

    /// From a pymatgen `Structure`.
    #[staticmethod]
    fn from_pymatgen(structure: &Bound<'_, PyAny>) -> PyResult<Self> {
        interoperation(structure.py(), "from_pymatgen", structure)?.extract_structure()
    }

    /// From ASE `Atoms`.
    #[staticmethod]
    fn from_ase(atoms: &Bound<'_, PyAny>) -> PyResult<Self> {
        interoperation(atoms.py(), "from_ase", atoms)?.extract_structure()
    }

    /// The structure as text in the format `cif`, `poscar`, `extxyz` or `json`. Every number reads
    /// back to the same bits.
    fn to_text(&self, format: &str) -> PyResult<String> {
        let format = format.parse().map_err(|error| structure_error(&error))?;
        Ok(self.0.to_text(format))
    }

    /// Writes a file; its name tells the format unless `format` does. An existing file is replaced
    /// in one step.
    #[pyo3(signature = (path, format = None))]
    fn to(&self, py: Python<'_>, path: PathBuf, format: Option<String>) -> PyResult<()> {
        let format = chosen_format(&path, format.as_deref())?;
        py.detach(|| self.0.to_file_as(&path, format))
            .map_err(|error| structure_error(&error))
    }

    /// As a pymatgen `Structure`.
    fn to_pymatgen<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        interoperation(slf.py(), "to_pymatgen", slf)
    }

    /// As ASE `Atoms`.
    fn to_ase<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        interoperation(slf.py(), "to_ase", slf)
    }

    /// Lattice vectors as rows, in Å, shape (3, 3).
    #[getter]
    fn lattice<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        array2(py, &self.0.lattice.vectors())
    }

    /// Symbol of each site.
    #[getter]
    fn elements(&self) -> Vec<&'static str> {
        self.0.elements.iter().map(|e| e.symbol()).collect()
    }

    /// Fractional positions, shape (n_sites, 3).
    #[getter]
    fn frac_coords<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        array2(py, &self.0.frac_coords)
    }

    /// Cartesian positions in Å, shape (n_sites, 3).
    #[getter]
    fn cart_coords<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let lattice = &self.0.lattice;
        let cart: Vec<_> = self
            .0
            .frac_coords
            .iter()
            .map(|x| lattice.to_cart(*x))
            .collect();
        array2(py, &cart)
    }

    /// Lengths in Å and angles in degrees: (a, b, c, alpha, beta, gamma).
    #[getter]
    fn cell_parameters(&self) -> (f64, f64, f64, f64, f64, f64) {
        let ([a, b, c], [alpha, beta, gamma]) = (self.0.lattice.lengths(), self.0.lattice.angles());
        (a, b, c, alpha, beta, gamma)
    }

    /// Volume in Å³.
    #[getter]
    fn volume(&self) -> f64 {
        self.0.lattice.volume()
    }

    /// Mass density in g/cm³.
    #[getter]
    fn density(&self) -> f64 {
        self.0.density_g_cm3()
    }

    /// Formula with symbols in alphabetical order.
    #[getter]
    fn formula(&self) -> String {
        self.0.formula()
    }

    /// The CrystalNN bonds of the geometry; the elements play no part.
    fn graph(&self, py: Python<'_>) -> PyResult<CrystalGraph> {
        let (lattice, frac_coords) = (&self.0.lattice, &self.0.frac_coords);
        let graph = py
            .detach(|| Graph::crystal_nn(lattice, frac_coords))
            .map_err(|error| structure_error(&error))?;
        Ok(CrystalGraph::new(graph, lattice, frac_coords))
    }

    fn __len__(&self) -> usize {
        self.0.elements.len()
    }

    fn __repr__(&self) -> String {
        format!(
            "Structure({}, {} sites, {:.3} Å³)",
            self.0.formula(),
            self.0.elements.len(),
            self.0.lattice.volume()
        )
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (String, &'static str))> {
        let text = slf.get().0.to_text(StructureFormat::Json);
        Ok((slf.get_type().getattr("from_text")?, (text, "json")))
    }
}

fn chosen_format(path: &Path, format: Option<&str>) -> PyResult<StructureFormat> {
    match format {
        Some(name) => name.parse(),
        None => StructureFormat::from_path(path),
    }
    .map_err(|error| structure_error(&error))
}

/// Calls a converter of the pure Python layer, which imports the other library only then.
fn interoperation<'py>(
    py: Python<'py>,
    function: &str,
    argument: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    py.import("crystalgym._interoperation")?
        .call_method1(function, (argument,))
}

trait ExtractStructure {
    fn extract_structure(&self) -> PyResult<Structure>;
}

impl ExtractStructure for Bound<'_, PyAny> {
    fn extract_structure(&self) -> PyResult<Structure> {
        Ok(self.cast::<Structure>()?.get().clone())
    }
}

/// A structure, or what can be made into one: pymatgen's, ASE's, a crystal, a path.
pub(crate) fn coerce(object: &Bound<'_, PyAny>) -> PyResult<Structure> {
    if let Ok(structure) = object.cast::<Structure>() {
        return Ok(structure.get().clone());
    }
    interoperation(object.py(), "to_structure", object)?.extract_structure()
}

/// The Niggli-reduced structure and the integer matrix `T` with `reduced = T.T @ lattice`.
///
/// Raises
/// ------
/// StructureError
///     If the reduction does not end.
#[pyfunction]
pub(crate) fn niggli_reduce<'py>(
    structure: &Bound<'py, PyAny>,
) -> PyResult<(Structure, Bound<'py, PyArray2<i64>>)> {
    let py = structure.py();
    let structure = coerce(structure)?.0;
    let (lattice, transformation) = crystalgym_crystal::niggli_reduce(&structure.lattice)
        .map_err(|error| structure_error(&error))?;
    let frac_coords = structure
        .frac_coords
        .iter()
        .map(|x| {
            lattice
                .to_frac(structure.lattice.to_cart(*x))
                .map(|y| y - y.floor())
        })
        .collect();
    let reduced = Inner {
        lattice,
        elements: structure.elements,
        frac_coords,
    };
    let transformation = transformation.map(|row| row.map(i64::from));
    Ok((Structure(reduced), array2(py, &transformation)?))
}

/// Space-group number and Hermann–Mauguin symbol.
///
/// Parameters
/// ----------
/// structure : structure-like
/// tolerance : float
///     Distance in Å within which positions count as symmetric.
#[pyfunction]
#[pyo3(signature = (structure, *, tolerance = 0.01))]
pub(crate) fn space_group(structure: &Bound<'_, PyAny>, tolerance: f64) -> PyResult<(u16, String)> {
    let Inner {
        lattice,
        elements,
        frac_coords,
    } = coerce(structure)?.0;
    let kinds: Vec<i32> = elements.iter().map(|e| e.atomic_number().into()).collect();
    structure
        .py()
        .detach(|| crystalgym_crystal::space_group(&lattice, &frac_coords, &kinds, tolerance))
        .map_err(|error| structure_error(&error))
}

/// Divisions of the k-mesh with about `points_per_reciprocal_atom` points, as pymatgen's
/// `Kpoints.automatic_density`.
#[pyfunction]
#[pyo3(signature = (structure, points_per_reciprocal_atom = 1000.0))]
pub(crate) fn k_mesh(
    structure: &Bound<'_, PyAny>,
    points_per_reciprocal_atom: f64,
) -> PyResult<(u32, u32, u32)> {
    let structure = coerce(structure)?.0;
    let [a, b, c] = automatic_density(
        &structure.lattice,
        structure.elements.len(),
        points_per_reciprocal_atom,
    );
    Ok((a, b, c))
}

/// What is known of an element: name, mass, radii, electronegativity, …
#[pyfunction]
pub(crate) fn element_data<'py>(py: Python<'py>, symbol: &str) -> PyResult<Bound<'py, PyDict>> {
    let element: Element = symbol.parse().map_err(|error| structure_error(&error))?;
    let data = element.data();
    let dict = PyDict::new(py);
    dict.set_item("symbol", data.symbol)?;
    dict.set_item("name", data.name)?;
    dict.set_item("atomic_number", element.atomic_number())?;
    dict.set_item("mass_u", data.mass_u)?;
    dict.set_item("group", data.group)?;
    dict.set_item("period", data.period)?;
    dict.set_item("block", data.block.to_string())?;
    dict.set_item("valence_electrons", data.valence_electrons)?;
    dict.set_item("electronegativity_pauling", data.electronegativity_pauling)?;
    dict.set_item("covalent_radius_ang", data.covalent_radius_ang)?;
    dict.set_item("atomic_radius_ang", data.atomic_radius_ang)?;
    dict.set_item("van_der_waals_radius_ang", data.van_der_waals_radius_ang)?;
    dict.set_item(
        "oxidation_states",
        data.oxidation_states
            .iter()
            .map(|x| i64::from(*x))
            .collect::<Vec<_>>(),
    )?;
    Ok(dict)
}

/// Properties that can be asked for, with their units.
#[pyfunction]
pub(crate) fn properties(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for property in Property::ALL {
        dict.set_item(property.name(), property.unit())?;
    }
    Ok(dict)
}
