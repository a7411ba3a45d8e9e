//! Structures, and what can be turned into one.

use std::path::{Path, PathBuf};

use crystalgym_crystal::{
    CrystalError, CrystalGraph as Graph, Element, Lattice, Structure as Inner, StructureFormat,
    automatic_density, write_atomically,
};
use crystalgym_evaluation::Property;
use crystalgym_report::element_colour;
use numpy::PyArray2;
use pyo3::{exceptions::PyValueError, prelude::*, types::PyDict};

use crate::{
    arrays::array2,
    engine::{self, WindUp},
    errors::structure_error,
    graph::CrystalGraph,
};

/// A periodic structure: a lattice and occupied sites. It does not change.
///
/// Parameters
/// ----------
/// lattice : array_like, shape (3, 3)
///     Lattice vectors as rows, in Å.
/// elements : list of str
///     Symbol of each site.
/// frac_coords : array_like, shape (n_sites, 3)
///     Fractional position of each site.
///
/// Raises
/// ------
/// StructureError
///     If there is no site, two are within 0.5 Å, or one is within 0.5 Å of its own image.
#[pyclass(frozen, eq, module = "crystalgym")]
#[derive(Clone, PartialEq)]
pub(crate) struct Structure(pub(crate) Inner);

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
        Inner::new(lattice, elements, frac_coords)
            .map(Self)
            .map_err(|error| structure_error(&error))
    }

    /// Reads text.
    ///
    /// Parameters
    /// ----------
    /// text : str
    /// format : {'cif', 'poscar', 'extxyz', 'json'}
    /// index : int, optional
    ///     Which structure, counted from 0, if the text holds several.
    ///
    /// Returns
    /// -------
    /// Structure
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     That names the line, or how many structures there are if none was picked.
    #[staticmethod]
    #[pyo3(signature = (text, format, *, index = None))]
    fn from_text(text: &str, format: &str, index: Option<i64>) -> PyResult<Self> {
        let index = chosen_index(index)?;
        format
            .parse()
            .and_then(|format| match index {
                Some(index) => Inner::from_text_at(text, format, index),
                None => Inner::from_text(text, format),
            })
            .map(Self)
            .map_err(|error| structure_error(&error))
    }

    /// Reads a file.
    ///
    /// Parameters
    /// ----------
    /// path : path-like
    /// format : {'cif', 'poscar', 'extxyz', 'json'}, optional
    ///     What the file's name tells by default.
    /// index : int, optional
    ///     Which structure, counted from 0, if the file holds several; ``"file.xyz@3"`` says the same.
    ///
    /// Returns
    /// -------
    /// Structure
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     That names the file and the line, or how many structures there are if none was picked.
    #[staticmethod]
    #[pyo3(signature = (path, format = None, *, index = None))]
    fn from_file(
        py: Python<'_>,
        path: PathBuf,
        format: Option<String>,
        index: Option<i64>,
    ) -> PyResult<Self> {
        let format = chosen_format(&path, format.as_deref())?;
        let index = chosen_index(index)?;
        py.detach(|| match index {
            Some(index) => Inner::from_file_at(&path, format, index),
            None => Inner::from_file_as(&path, format),
        })
        .map(Self)
        .map_err(|error| structure_error(&error))
    }

    /// From pymatgen, to the last bit; oxidation states and site properties are left behind.
    ///
    /// Parameters
    /// ----------
    /// structure : pymatgen.core.Structure
    ///     With one element on each site, periodic along all three vectors.
    ///
    /// Returns
    /// -------
    /// Structure
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     If a site is partly occupied or a boundary is open.
    #[staticmethod]
    fn from_pymatgen(structure: &Bound<'_, PyAny>) -> PyResult<Self> {
        interoperation(structure.py(), "from_pymatgen", structure)?.extract_structure()
    }

    /// From ASE; magnetic moments, constraints and the calculator are left behind.
    ///
    /// Parameters
    /// ----------
    /// atoms : ase.Atoms
    ///     Periodic along all three directions.
    ///
    /// Returns
    /// -------
    /// Structure
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     If the atoms are not periodic.
    #[staticmethod]
    fn from_ase(atoms: &Bound<'_, PyAny>) -> PyResult<Self> {
        interoperation(atoms.py(), "from_ase", atoms)?.extract_structure()
    }

    /// The structure as text, in which every number reads back to the same bits.
    ///
    /// Parameters
    /// ----------
    /// format : {'cif', 'poscar', 'extxyz', 'json'}
    ///
    /// Returns
    /// -------
    /// str
    fn to_text(&self, format: &str) -> PyResult<String> {
        let format = format.parse().map_err(|error| structure_error(&error))?;
        Ok(self.0.to_text(format))
    }

    /// Writes a file; one that exists is replaced in one step, a pipe or device is written into.
    ///
    /// Parameters
    /// ----------
    /// path : path-like
    /// format : {'cif', 'poscar', 'extxyz', 'json'}, optional
    ///     What the file's name tells by default.
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     If it cannot be written.
    #[pyo3(signature = (path, format = None))]
    fn to(&self, py: Python<'_>, path: PathBuf, format: Option<String>) -> PyResult<()> {
        let format = chosen_format(&path, format.as_deref())?;
        py.detach(|| self.0.to_file_as(&path, format))
            .map_err(|error| structure_error(&error))
    }

    /// The structure for pymatgen, to the last bit.
    ///
    /// Returns
    /// -------
    /// pymatgen.core.Structure
    fn to_pymatgen<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        interoperation(slf.py(), "to_pymatgen", slf)
    }

    /// The structure for ASE, whose positions are Cartesian: fractional ones may move by rounding.
    ///
    /// Returns
    /// -------
    /// ase.Atoms
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

    /// Formula as chemists write it, in lowest terms.
    #[getter]
    fn formula(&self) -> String {
        self.0.formula()
    }

    /// The CrystalNN bonds of the geometry; the elements play no part.
    ///
    /// Returns
    /// -------
    /// CrystalGraph
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     If neighbours cannot be found.
    fn graph(&self, py: Python<'_>) -> PyResult<CrystalGraph> {
        let (lattice, frac_coords) = (self.0.lattice, self.0.frac_coords.clone());
        engine::enter(py, WindUp::Leave, move |_| {
            let graph = Graph::crystal_nn(&lattice, &frac_coords)?;
            Ok(CrystalGraph::new(graph, &lattice, &frac_coords))
        })?
        .map_err(|error: CrystalError| structure_error(&error))
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

fn chosen_index(index: Option<i64>) -> PyResult<Option<usize>> {
    index.map(usize::try_from).transpose().map_err(|_| {
        PyValueError::new_err(format!(
            "index is {}, expected 0 or more",
            index.unwrap_or_default()
        ))
    })
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

/// Reduces the cell of a structure after Niggli.
///
/// Parameters
/// ----------
/// structure : structure-like
///
/// Returns
/// -------
/// reduced : Structure
/// transformation : ndarray of int64, shape (3, 3)
///     ``transformation.T @ structure.lattice`` is the reduced lattice.
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

/// Finds the space group of a structure.
///
/// Parameters
/// ----------
/// structure : structure-like
/// tolerance : float
///     Distance in Å within which positions count as symmetric.
///
/// Returns
/// -------
/// number : int
/// symbol : str
///     After Hermann and Mauguin.
///
/// Raises
/// ------
/// StructureError
///     If the search fails.
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

/// Divisions of a k-mesh of a given density, as pymatgen's ``Kpoints.automatic_density``.
///
/// Parameters
/// ----------
/// structure : structure-like
/// points_per_reciprocal_atom : float
///     Points of the mesh times sites.
///
/// Returns
/// -------
/// tuple of 3 int
#[pyfunction]
#[pyo3(signature = (structure, points_per_reciprocal_atom = 1000.0))]
pub(crate) fn k_mesh(
    structure: &Bound<'_, PyAny>,
    points_per_reciprocal_atom: f64,
) -> PyResult<(u32, u32, u32)> {
    let structure = coerce(structure)?.0;
    let sites = structure.elements.len();
    if sites == 0 {
        return Err(structure_error(&CrystalError::InvalidStructure(
            "the structure has no site, expected at least one".to_owned(),
        )));
    }
    // The most that divisions can hold.
    if !(points_per_reciprocal_atom > 0.0 && points_per_reciprocal_atom <= 1e9) {
        return Err(PyValueError::new_err(format!(
            "points_per_reciprocal_atom is {points_per_reciprocal_atom}, expected a positive \
             number up to 1e9"
        )));
    }
    let [a, b, c] = automatic_density(&structure.lattice, sites, points_per_reciprocal_atom);
    Ok((a, b, c))
}

/// Writes a text file as all of this package's are written: replaced in one step, links followed,
/// mode and owner kept.
///
/// Parameters
/// ----------
/// path : path-like
/// text : str
///
/// Raises
/// ------
/// OSError
///     If it cannot be written.
#[pyfunction]
pub(crate) fn write_file(py: Python<'_>, path: PathBuf, text: &str) -> PyResult<()> {
    Ok(py.detach(|| write_atomically(&path, text.as_bytes()))?)
}

/// What is known of an element.
///
/// Parameters
/// ----------
/// symbol : str
///
/// Returns
/// -------
/// dict
///     ``symbol``, ``name``, ``atomic_number``, ``mass_u`` (u), ``group``, ``period``, ``block``,
///     ``valence_electrons``, ``electronegativity_pauling``, ``covalent_radius_ang``,
///     ``atomic_radius_ang``, ``van_der_waals_radius_ang`` (Å), ``oxidation_states`` and the ``colour`` in
///     pictures, ``#rrggbb``; ``None`` for
///     what is not known.
///
/// Raises
/// ------
/// StructureError
///     If there is no such element.
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
    dict.set_item("colour", element_colour(element))?;
    Ok(dict)
}

/// Properties that can be asked for.
///
/// Returns
/// -------
/// dict of str to str
///     Units by name.
#[pyfunction]
pub(crate) fn properties(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for property in Property::ALL {
        dict.set_item(property.name(), property.unit())?;
    }
    Ok(dict)
}
