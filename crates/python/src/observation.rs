//! Observations as NumPy arrays of fixed shapes, one row an environment.

use std::f64::consts::PI;

use crystalgym_crystal::Skeleton;
use crystalgym_environment::{Observation, Task};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::{prelude::*, types::PyDict};

use crate::task::largest;

/// Numbers of the graph-level vector `state`.
pub(crate) const STATE_SIZE: usize = 10;

/// Shapes that every environment of a batch is padded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shapes {
    pub(crate) sites: usize,
    pub(crate) edges: usize,
    pub(crate) actions: usize,
}

impl Shapes {
    pub(crate) fn of<'a>(tasks: impl Iterator<Item = &'a Task>) -> Self {
        tasks.fold(
            Self {
                sites: 0,
                edges: 0,
                actions: 0,
            },
            |shapes, task| Self {
                sites: shapes.sites.max(largest(task, Skeleton::sites)),
                edges: shapes
                    .edges
                    .max(largest(task, |skeleton| skeleton.graph.edges.len())),
                actions: shapes.actions.max(task.n_actions()),
            },
        )
    }
}

/// What of an observation depends on the skeleton alone, padded.
pub(crate) struct SkeletonRow {
    node_mask: Vec<i8>,
    edge_sources: Vec<i64>,
    edge_targets: Vec<i64>,
    edge_distances: Vec<f32>,
    edge_mask: Vec<i8>,
    /// The graph-level vector without target and progress.
    geometry: [f32; STATE_SIZE - 2],
}

fn padded<T: Clone>(values: impl Iterator<Item = T>, size: usize, fill: T) -> Vec<T> {
    let mut row: Vec<T> = values.collect();
    row.resize(size, fill);
    row
}

impl SkeletonRow {
    pub(crate) fn new(skeleton: &Skeleton, shapes: Shapes) -> Self {
        let edges = &skeleton.graph.edges;
        let (sites, lattice) = (skeleton.sites(), &skeleton.lattice);
        let [a, b, c] = lattice.lengths();
        let [alpha, beta, gamma] = lattice.angles().map(|degrees| degrees * PI / 180.0);
        let site_density = sites as f64 / lattice.volume();
        let space_group = f64::from(skeleton.symmetry.space_group_number) / 230.0;
        let geometry = [a, b, c, alpha, beta, gamma, site_density, space_group];
        Self {
            node_mask: padded((0..sites).map(|_| 1), shapes.sites, 0),
            edge_sources: padded(edges.iter().map(|e| e.source as i64), shapes.edges, 0),
            edge_targets: padded(edges.iter().map(|e| e.target as i64), shapes.edges, 0),
            edge_distances: padded(edges.iter().map(|e| e.distance as f32), shapes.edges, 0.0),
            edge_mask: padded(edges.iter().map(|_| 1), shapes.edges, 0),
            geometry: geometry.map(|x| x as f32),
        }
    }
}

/// Rows of observations under construction.
pub(crate) struct Rows {
    shapes: Shapes,
    count: usize,
    nodes: Vec<i64>,
    node_mask: Vec<i8>,
    edge_sources: Vec<i64>,
    edge_targets: Vec<i64>,
    edge_distances: Vec<f32>,
    edge_mask: Vec<i8>,
    state: Vec<f32>,
    focus: Vec<i64>,
    skeleton: Vec<i64>,
    action_mask: Vec<i8>,
}

impl Rows {
    pub(crate) fn with_capacity(count: usize, shapes: Shapes) -> Self {
        let Shapes {
            sites,
            edges,
            actions,
        } = shapes;
        Self {
            shapes,
            count: 0,
            nodes: Vec::with_capacity(count * sites),
            node_mask: Vec::with_capacity(count * sites),
            edge_sources: Vec::with_capacity(count * edges),
            edge_targets: Vec::with_capacity(count * edges),
            edge_distances: Vec::with_capacity(count * edges),
            edge_mask: Vec::with_capacity(count * edges),
            state: Vec::with_capacity(count * STATE_SIZE),
            focus: Vec::with_capacity(count),
            skeleton: Vec::with_capacity(count),
            action_mask: Vec::with_capacity(count * actions),
        }
    }

    pub(crate) fn push(&mut self, seen: &Observation<'_>, skeletons: &[SkeletonRow]) {
        let row = &skeletons[seen.skeleton];
        self.count += 1;
        self.nodes
            .extend(seen.node_types.iter().map(|&node| i64::from(node)));
        let blank = seen.elements.len() as i64;
        self.nodes.resize(self.count * self.shapes.sites, blank);
        self.node_mask.extend_from_slice(&row.node_mask);
        self.edge_sources.extend_from_slice(&row.edge_sources);
        self.edge_targets.extend_from_slice(&row.edge_targets);
        self.edge_distances.extend_from_slice(&row.edge_distances);
        self.edge_mask.extend_from_slice(&row.edge_mask);
        self.state.push(seen.target as f32);
        self.state.push(seen.step as f32 / seen.steps as f32);
        self.state.extend_from_slice(&row.geometry);
        self.focus.push(seen.focus as i64);
        self.skeleton.push(seen.skeleton as i64);
        let allowed = seen.allowed.iter();
        self.action_mask
            .extend(allowed.map(|&allowed| i8::from(allowed)));
    }

    /// The observations by name; `n` environments give arrays of shape `(n, …)`.
    pub(crate) fn into_dict(self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let Shapes {
            sites,
            edges,
            actions,
        } = self.shapes;
        let count = self.count;
        let dict = PyDict::new(py);
        let wide =
            |values: Vec<i64>, width: usize| PyArray1::from_vec(py, values).reshape([count, width]);
        let small =
            |values: Vec<i8>, width: usize| PyArray1::from_vec(py, values).reshape([count, width]);
        let real =
            |values: Vec<f32>, width: usize| PyArray1::from_vec(py, values).reshape([count, width]);
        dict.set_item("action_mask", small(self.action_mask, actions)?)?;
        dict.set_item("edge_distances", real(self.edge_distances, edges)?)?;
        dict.set_item("edge_mask", small(self.edge_mask, edges)?)?;
        dict.set_item("edge_sources", wide(self.edge_sources, edges)?)?;
        dict.set_item("edge_targets", wide(self.edge_targets, edges)?)?;
        dict.set_item("focus", PyArray1::from_vec(py, self.focus))?;
        dict.set_item("node_mask", small(self.node_mask, sites)?)?;
        dict.set_item("nodes", wide(self.nodes, sites)?)?;
        dict.set_item("skeleton", PyArray1::from_vec(py, self.skeleton))?;
        dict.set_item("state", real(self.state, STATE_SIZE)?)?;
        Ok(dict)
    }
}
