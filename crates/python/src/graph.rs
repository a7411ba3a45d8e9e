//! The graph of bonds.

use crystalgym_crystal::{CrystalGraph as Graph, Lattice};
use numpy::{PyArray1, PyArray2};
use pyo3::{exceptions::PyIndexError, prelude::*};

use crate::{arrays::array2, whole::whole};

/// Directed bonds of a geometry, both directions of each: edge ``2k`` and ``2k + 1`` are one bond.
///
/// The bond vector of an edge is ``x[source] + image @ lattice - x[target]``.
#[pyclass(frozen, module = "crystalgym")]
pub(crate) struct CrystalGraph {
    graph: Graph,
    vectors: Vec<[f64; 3]>,
}

impl CrystalGraph {
    pub(crate) fn new(graph: Graph, lattice: &Lattice, frac_coords: &[[f64; 3]]) -> Self {
        let vectors = bond_vectors(&graph, lattice, frac_coords);
        Self { graph, vectors }
    }
}

/// `x_source + image · lattice − x_target` of each edge in Å.
pub(crate) fn bond_vectors(
    graph: &Graph,
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
) -> Vec<[f64; 3]> {
    graph
        .edges
        .iter()
        .map(|edge| {
            lattice.to_cart(std::array::from_fn(|axis| {
                frac_coords[edge.source][axis] + f64::from(edge.image[axis])
                    - frac_coords[edge.target][axis]
            }))
        })
        .collect()
}

#[pymethods]
impl CrystalGraph {
    /// Number of sites.
    #[getter]
    fn n_sites(&self) -> usize {
        self.graph.sites
    }

    /// Number of directed edges, twice that of bonds.
    #[getter]
    fn n_edges(&self) -> usize {
        self.graph.edges.len()
    }

    /// Sending site of each edge, int64, shape (n_edges,).
    #[getter]
    fn sources<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        let edges = self.graph.edges.iter();
        PyArray1::from_iter(py, edges.map(|edge| edge.source as i64))
    }

    /// Receiving site of each edge, int64, shape (n_edges,).
    #[getter]
    fn targets<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        let edges = self.graph.edges.iter();
        PyArray1::from_iter(py, edges.map(|edge| edge.target as i64))
    }

    /// Lattice translation of the source seen from the target at home, int64, shape (n_edges, 3).
    #[getter]
    fn images<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i64>>> {
        let images: Vec<[i64; 3]> = self
            .graph
            .edges
            .iter()
            .map(|edge| edge.image.map(i64::from))
            .collect();
        array2(py, &images)
    }

    /// Bond lengths in Å, shape (n_edges,).
    #[getter]
    fn distances<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        let edges = self.graph.edges.iter();
        PyArray1::from_iter(py, edges.map(|edge| edge.distance))
    }

    /// Bond vectors in Å, shape (n_edges, 3).
    #[getter]
    fn vectors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        array2(py, &self.vectors)
    }

    /// Sites in breadth-first order, in which an episode fills them.
    ///
    /// Parameters
    /// ----------
    /// start : int
    ///     First site.
    ///
    /// Returns
    /// -------
    /// list of int
    ///     Each site once; in site order if the graph is not connected.
    ///
    /// Raises
    /// ------
    /// IndexError, TypeError, ValueError
    ///     If there is no such site.
    fn breadth_first(&self, start: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
        let start: usize = whole("start", start, 0, u64::MAX)?;
        if start >= self.graph.sites {
            return Err(PyIndexError::new_err(format!(
                "start is {start}, expected a site below {}",
                self.graph.sites
            )));
        }
        Ok(self.graph.breadth_first(start))
    }

    fn __repr__(&self) -> String {
        format!(
            "CrystalGraph(n_sites={}, n_edges={})",
            self.graph.sites,
            self.graph.edges.len()
        )
    }
}
