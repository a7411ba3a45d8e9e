//! Band structures and densities of states for Python.

use crystalgym_evaluation::{BandStructure as InnerBands, ElectronicError, GapEdges, StatesPerEv};
use crystalgym_report::{band_plot, states_plot};
use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use serde_json::json;

use crate::{
    arrays::array2,
    errors::{dft_error, structure_error, to_python},
};

pub(crate) fn electronic_error(error: &ElectronicError) -> PyErr {
    match error {
        ElectronicError::Engine(error) => dft_error(error),
        ElectronicError::Path(error) => structure_error(error),
        other => pyo3::exceptions::PyRuntimeError::new_err(other.to_string()),
    }
}

/// The smallest difference between filled and empty bands in eV, 0 where they overlap or N is odd.
fn gap_ev(edges: Option<&GapEdges>) -> f64 {
    edges.map_or(0.0, GapEdges::gap_ev)
}

/// Bands along the high-symmetry path; made by `GroundState.band_structure`.
#[pyclass(frozen, module = "crystalgym")]
pub(crate) struct BandStructure {
    pub(crate) inner: InnerBands,
    pub(crate) name: String,
}

#[pymethods]
impl BandStructure {
    /// The kind of lattice by Setyawan and Curtarolo, such as `FCC`.
    #[getter]
    fn lattice(&self) -> &'static str {
        self.inner.lattice
    }

    /// The k-points in units of the reciprocal lattice vectors, shape (n_k, 3).
    #[getter]
    fn k_points<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let points: Vec<[f64; 3]> = self.inner.points.iter().map(|k| k.k_frac).collect();
        array2(py, &points)
    }

    /// Distance of each k-point along the path in 1/Å, 2π included, shape (n_k,); jumps have no length.
    #[getter]
    fn distances<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_iter(py, self.inner.points.iter().map(|k| k.distance_per_ang))
    }

    /// The name of each k-point that has one, `None` for the others.
    #[getter]
    fn labels(&self) -> Vec<Option<&'static str>> {
        self.inner.points.iter().map(|k| k.label).collect()
    }

    /// Which part of the path without a jump each k-point belongs to, shape (n_k,).
    #[getter]
    fn branches<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.inner.points.iter().map(|k| k.branch as i64))
    }

    /// Band energies in eV, ascending, shape (n_k, n_bands).
    #[getter]
    fn energies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        Ok(PyArray2::from_vec2(py, &self.inner.energies_ev)?)
    }

    /// What energies are measured from in plots, in eV: the top of the valence bands, or the Fermi level.
    #[getter]
    fn reference(&self) -> f64 {
        self.inner.reference_ev()
    }

    /// The gap between the bands on the path in eV, 0 where they overlap or the number of electrons is odd.
    #[getter]
    fn band_gap(&self) -> f64 {
        gap_ev(self.inner.edges().as_ref())
    }

    /// Where the bands next to the gap turn: `valence` and `conduction` with `energy_ev`, `k_frac` and
    /// `label`, and `direct_gap_ev`; `None` for an odd number of electrons.
    #[getter]
    fn edges<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &json!(self.inner.edges()))
    }

    /// A plot of the bands.
    ///
    /// Parameters
    /// ----------
    /// window : tuple of 2 float
    ///     Energies in eV above `reference`.
    ///
    /// Returns
    /// -------
    /// str
    ///     An SVG file.
    #[pyo3(signature = (window = [-10.0, 10.0]))]
    fn svg(&self, window: [f64; 2]) -> String {
        band_plot(&self.name, &self.inner, (window[0], window[1])).svg()
    }

    fn _repr_svg_(&self) -> String {
        self.svg([-10.0, 10.0])
    }

    fn __repr__(&self) -> String {
        format!(
            "BandStructure({}, {} k-points along the path of {})",
            self.name,
            self.inner.points.len(),
            self.inner.lattice
        )
    }
}

/// Electronic states by their energy; made by `GroundState.density_of_states`.
#[pyclass(frozen, module = "crystalgym")]
pub(crate) struct DensityOfStates {
    pub(crate) inner: StatesPerEv,
    pub(crate) name: String,
}

#[pymethods]
impl DensityOfStates {
    /// Energies in eV, ascending, shape (n,).
    #[getter]
    fn energies<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, &self.inner.energies_ev)
    }

    /// States of both spins per eV and cell at each energy, shape (n,).
    #[getter]
    fn states<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, &self.inner.states_per_ev)
    }

    /// Electrons in the cell that all states below each energy would hold, shape (n,).
    #[getter]
    fn electrons_below<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, &self.inner.electrons_below)
    }

    /// Divisions of the mesh.
    #[getter]
    fn k_mesh(&self) -> (u32, u32, u32) {
        let [a, b, c] = self.inner.k_mesh;
        (a, b, c)
    }

    /// The top of the valence bands where there is a gap, else where linear tetrahedra hold the electrons, in
    /// eV; `None` without an empty band.
    #[getter]
    fn fermi_level(&self) -> Option<f64> {
        self.inner.fermi_ev
    }

    /// The gap between the bands on the mesh in eV, 0 where they overlap or the number of electrons is odd.
    #[getter]
    fn band_gap(&self) -> f64 {
        gap_ev(self.inner.edges.as_ref())
    }

    /// A plot over the energies above `fermi_level`.
    ///
    /// Returns
    /// -------
    /// str
    ///     An SVG file.
    fn svg(&self) -> String {
        states_plot(&self.name, &self.inner).svg()
    }

    fn _repr_svg_(&self) -> String {
        self.svg()
    }

    fn __repr__(&self) -> String {
        format!(
            "DensityOfStates({}, {} energies)",
            self.name,
            self.inner.energies_ev.len()
        )
    }
}
