//! Skeletons and crystals.

use std::{path::PathBuf, sync::Arc};

use crystalgym_crystal::{
    Crystal as InnerCrystal, SYMMETRY_TOLERANCE_ANG, Skeleton as Inner, Structure as InnerStructure,
};
use crystalgym_environment::{file_label, find_skeleton};
use numpy::PyArray2;
use pyo3::{prelude::*, types::PyDict};

use crate::{
    arrays::array2,
    engine::{self, WindUp},
    errors::{structure_error, task_error},
    graph::CrystalGraph,
    html,
    structure::{Structure, coerce, parse_elements},
};

/// The empty frame of a crystal: an exactly symmetric lattice and positions without elements.
///
/// Parameters
/// ----------
/// name : str or path
///     One of the benchmark by label (``C2``), MP-20 row, Materials Project identifier or name; or a
///     structure file, whose name without its ending is the label. :meth:`from_structure` makes one of
///     any structure.
///
/// Raises
/// ------
/// StructureError
///     If there is no such skeleton or file.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct Skeleton {
    pub(crate) inner: Arc<Inner>,
    /// What a skeleton that is not built in was made of.
    origin: Option<(InnerStructure, f64)>,
}

impl Skeleton {
    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        let source = &inner.source;
        let origin = source.mp20_row.is_none().then(|| {
            // Where the elements are not known, any will do.
            let unknown = || {
                let elements = vec![crystalgym_crystal::Element::all().next(); inner.sites()];
                elements.into_iter().flatten().collect()
            };
            let structure = InnerStructure {
                lattice: source.published_lattice,
                elements: source.elements.clone().unwrap_or_else(unknown),
                frac_coords: source.published_frac_coords.clone(),
            };
            (structure, SYMMETRY_TOLERANCE_ANG)
        });
        Self { inner, origin }
    }
}

impl Skeleton {
    /// A skeleton, the name of a built-in one, or the empty frame of a structure or its file.
    pub(crate) fn of_anything(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(skeleton) = object.cast::<Self>() {
            return Ok(skeleton.get().clone());
        }
        if let Ok(crystal) = object.cast::<Crystal>() {
            let inner = &crystal.get().0;
            let structure = inner.structure();
            let label = inner.skeleton().label.clone();
            let made = Inner::from_structure(&label, &structure, SYMMETRY_TOLERANCE_ANG);
            return made
                .map(|inner| Self::from_inner(Arc::new(inner)))
                .map_err(|error| structure_error(&error));
        }
        match object.extract::<PathBuf>() {
            Ok(name) => Self::new(object.py(), name),
            Err(_) => Self::from_structure(object, None, SYMMETRY_TOLERANCE_ANG),
        }
    }
}

#[pymethods]
impl Skeleton {
    /// A benchmark skeleton by name, or the empty frame of a structure file.
    #[new]
    fn new(py: Python<'_>, name: PathBuf) -> PyResult<Self> {
        let name = name.to_string_lossy().into_owned();
        let inner = engine::enter(py, WindUp::Leave, move |_| find_skeleton(&name))?;
        inner
            .map(Self::from_inner)
            .map_err(|error| task_error(&error))
    }

    /// The seven skeletons of the benchmark, C1 to C7.
    ///
    /// Returns
    /// -------
    /// list of Skeleton
    #[staticmethod]
    fn builtins() -> PyResult<Vec<Self>> {
        let all = Inner::builtins().map_err(|error| structure_error(&error))?;
        Ok(all
            .into_iter()
            .map(|inner| Self {
                inner,
                origin: None,
            })
            .collect())
    }

    /// The empty frame of a structure: Niggli-reduced, then made exactly symmetric.
    ///
    /// Parameters
    /// ----------
    /// structure : structure-like
    /// label : str, optional
    ///     By default the name of the file without its ending, or else the formula.
    /// tolerance : float
    ///     Distance in Å within which positions count as symmetric.
    ///
    /// Returns
    /// -------
    /// Skeleton
    ///     With the sites in the order of the structure's.
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     If the structure has no site, or two in one place.
    #[staticmethod]
    #[pyo3(signature = (structure, label = None, *, tolerance = 0.01))]
    pub(crate) fn from_structure(
        structure: &Bound<'_, PyAny>,
        label: Option<String>,
        tolerance: f64,
    ) -> PyResult<Self> {
        let py = structure.py();
        let label = match label {
            Some(label) => label,
            None => own_label(structure)?,
        };
        let structure = coerce(structure)?.0;
        let source = structure.clone();
        let inner = engine::enter(py, WindUp::Leave, move |_| {
            Inner::from_structure(&label, &source, tolerance)
        })?
        .map_err(|error| structure_error(&error))?;
        Ok(Self {
            inner: Arc::new(inner),
            origin: Some((structure, tolerance)),
        })
    }

    /// Unique label.
    #[getter]
    fn label(&self) -> &str {
        &self.inner.label
    }

    /// Plain name, Materials Project identifier, formula and space group of the source material.
    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let source = &self.inner.source;
        let dict = PyDict::new(py);
        dict.set_item("name", &source.name)?;
        dict.set_item("mp20_row", source.mp20_row)?;
        dict.set_item("material_id", &source.material_id)?;
        dict.set_item("formula", &source.formula)?;
        dict.set_item("space_group_number", source.space_group_number)?;
        Ok(dict)
    }

    /// Number of sites.
    #[getter]
    fn n_sites(&self) -> usize {
        self.inner.sites()
    }

    /// Lattice vectors as rows, in Å, shape (3, 3).
    #[getter]
    fn lattice<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        array2(py, &self.inner.lattice.vectors())
    }

    /// Exact fractional positions, shape (n_sites, 3).
    #[getter]
    fn frac_coords<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        array2(py, &self.inner.frac_coords)
    }

    /// Volume in Å³.
    #[getter]
    fn volume(&self) -> f64 {
        self.inner.lattice.volume()
    }

    /// Space-group number of the empty skeleton.
    #[getter]
    fn space_group_number(&self) -> u16 {
        self.inner.symmetry.space_group_number
    }

    /// Hermann–Mauguin symbol of the empty skeleton.
    #[getter]
    fn space_group_symbol(&self) -> &str {
        &self.inner.symmetry.space_group_symbol
    }

    /// Distinct permutations of the sites that the symmetry operations cause, each of n_sites.
    #[getter]
    fn site_permutations(&self) -> Vec<Vec<usize>> {
        self.inner.symmetry.site_permutations.clone()
    }

    /// The CrystalNN bonds.
    #[getter]
    fn graph(&self) -> CrystalGraph {
        let Inner {
            graph,
            lattice,
            frac_coords,
            ..
        } = &*self.inner;
        CrystalGraph::new(graph.clone(), lattice, frac_coords)
    }

    /// The sites that a name stands for.
    ///
    /// Parameters
    /// ----------
    /// name : str
    ///     A number counted from 0; an element of the source material; a Wyckoff position of it with or
    ///     without its multiplicity (``"4a"``, ``"a"``); or ``A``, ``B``, ``B2``, …, ``X``, its elements
    ///     from the most electropositive to the most electronegative.
    ///
    /// Returns
    /// -------
    /// list of int
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     That lists the names that there are.
    fn sites_named(&self, name: &str) -> PyResult<Vec<usize>> {
        let sites = self.inner.sites_named(name);
        sites.map_err(|error| structure_error(&error))
    }

    /// Puts an element on every site.
    ///
    /// Parameters
    /// ----------
    /// elements : list of str, n_sites of them
    ///     Symbols in the order of the sites.
    ///
    /// Returns
    /// -------
    /// Crystal
    ///
    /// Raises
    /// ------
    /// StructureError
    ///     If their number is wrong or one is unknown.
    fn fill(&self, elements: Vec<String>) -> PyResult<Crystal> {
        InnerCrystal::new(Arc::clone(&self.inner), parse_elements(&elements)?)
            .map(Crystal)
            .map_err(|error| structure_error(&error))
    }

    fn __len__(&self) -> usize {
        self.inner.sites()
    }

    fn __repr__(&self) -> String {
        let inner = &self.inner;
        format!(
            "Skeleton({:?}, {} sites, {})",
            inner.label,
            inner.sites(),
            inner.symmetry.space_group_symbol
        )
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let label = this.inner.label.clone();
        match &this.origin {
            None => (slf.get_type(), (label,))
                .into_pyobject(py)
                .map(Bound::into_any),
            Some((structure, tolerance)) => {
                let make = py
                    .import("crystalgym._interoperation")?
                    .getattr("skeleton_of")?;
                let arguments = (Structure(structure.clone()), label, *tolerance);
                (make, arguments).into_pyobject(py).map(Bound::into_any)
            }
        }
    }
}

/// The label of a structure of the user's own: the name of its file without the ending, or its formula.
pub(crate) fn own_label(structure: &Bound<'_, PyAny>) -> PyResult<String> {
    match structure.extract::<PathBuf>() {
        Ok(path) => Ok(file_label(&path)),
        Err(_) => Ok(coerce(structure)?.0.formula()),
    }
}

/// A skeleton with an element on every site; made by :meth:`Skeleton.fill`.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct Crystal(pub(crate) InnerCrystal);

#[pymethods]
impl Crystal {
    /// The skeleton.
    #[getter]
    fn skeleton(&self) -> Skeleton {
        Skeleton::from_inner(Arc::clone(self.0.skeleton()))
    }

    /// Symbol of each site.
    #[getter]
    fn elements(&self) -> Vec<&'static str> {
        self.0.elements().iter().map(|e| e.symbol()).collect()
    }

    /// Formula as chemists write it, in lowest terms.
    #[getter]
    fn formula(&self) -> String {
        self.0.formula()
    }

    /// The crystal in the skeleton's exact geometry.
    #[getter]
    fn structure(&self) -> Structure {
        Structure(self.0.structure())
    }

    /// The same crystal in the first of all site orders that symmetry makes equivalent.
    ///
    /// Returns
    /// -------
    /// Crystal
    fn canonical(&self) -> Self {
        Self(self.0.canonical())
    }

    fn __repr__(&self) -> String {
        format!(
            "Crystal({} on {})",
            self.0.formula(),
            self.0.skeleton().label
        )
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        html::of(slf.as_any(), "of_crystal")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let skeleton = this.skeleton().into_pyobject(slf.py())?;
        let make = skeleton.getattr("fill")?;
        (make, (this.elements(),))
            .into_pyobject(slf.py())
            .map(Bound::into_any)
    }
}
