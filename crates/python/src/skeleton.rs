//! Skeletons and crystals.

use std::{path::Path, sync::Arc};

use crystalgym_crystal::{
    Crystal as InnerCrystal, CrystalError, SYMMETRY_TOLERANCE_ANG, Skeleton as Inner,
    Structure as InnerStructure,
};
use numpy::PyArray2;
use pyo3::{prelude::*, types::PyDict};
use serde_json::json;

use crate::{
    arrays::array2,
    engine::{self, WindUp},
    errors::{Raised, raised, structure_error},
    graph::CrystalGraph,
    structure::{Structure, coerce, parse_elements},
};

/// The empty frame of a crystal: an exactly symmetric lattice and positions without elements.
///
/// Parameters
/// ----------
/// name : str
///     One of the benchmark by label (``C2``), MP-20 row, Materials Project identifier or name;
///     :meth:`from_structure` makes one of any structure.
///
/// Raises
/// ------
/// StructureError
///     If there is no such skeleton.
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
            // The elements of the source are not kept, and play no part.
            let elements = vec![crystalgym_crystal::Element::all().next(); inner.sites()];
            let structure = InnerStructure {
                lattice: source.published_lattice,
                elements: elements.into_iter().flatten().collect(),
                frac_coords: source.published_frac_coords.clone(),
            };
            (structure, SYMMETRY_TOLERANCE_ANG)
        });
        Self { inner, origin }
    }
}

#[pymethods]
impl Skeleton {
    /// A benchmark skeleton by label (`C2`), MP-20 row, Materials Project identifier or name.
    #[new]
    fn new(name: &str) -> PyResult<Self> {
        let inner = Inner::builtin(name).map_err(|error| match error {
            CrystalError::UnknownSkeleton(_) if Path::new(name).is_file() => raised(&Raised {
                class: "StructureError",
                code: "unknown_skeleton",
                message: format!(
                    "'{name}' is a file and no built-in skeleton: Skeleton.from_structure makes one \
                     of it"
                ),
                values: json!({ "name": name }),
            }),
            error => structure_error(&error),
        })?;
        Ok(Self {
            inner,
            origin: None,
        })
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
    /// label : str
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
    #[pyo3(signature = (structure, label = "custom".to_owned(), *, tolerance = 0.01))]
    pub(crate) fn from_structure(
        structure: &Bound<'_, PyAny>,
        label: String,
        tolerance: f64,
    ) -> PyResult<Self> {
        let py = structure.py();
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

    /// Formula with symbols in alphabetical order.
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

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let skeleton = this.skeleton().into_pyobject(slf.py())?;
        let make = skeleton.getattr("fill")?;
        (make, (this.elements(),))
            .into_pyobject(slf.py())
            .map(Bound::into_any)
    }
}
