//! The bonds of a skeleton as a graph.

use std::collections::VecDeque;

use crate::{CrystalError, Lattice, crystal_nn::crystal_nn_bonds};

/// One direction of a bond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectedEdge {
    /// Site that sends.
    pub source: usize,
    /// Site that receives.
    pub target: usize,
    /// Lattice translation of the source as seen from the target at home: the bond vector is
    /// `x_source + image · lattice − x_target`.
    pub image: [i32; 3],
    /// Bond length in Å.
    pub distance: f64,
}

/// The bonds of a skeleton, both directions of each, independent of the elements.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CrystalGraph {
    /// Number of sites.
    pub sites: usize,
    /// Directed edges: 2k and 2k+1 are the two directions of undirected edge k, sorted by its
    /// sites (lower first) and the image of the higher one.
    pub edges: Vec<DirectedEdge>,
}

impl CrystalGraph {
    /// The CrystalNN graph of a geometry: a bond exists if either end counts the other among its
    /// neighbours.
    ///
    /// # Errors
    /// [`CrystalError::InvalidStructure`] if the Voronoi cell of a site does not close.
    pub fn crystal_nn(lattice: &Lattice, frac_coords: &[[f64; 3]]) -> Result<Self, CrystalError> {
        let bonds = crystal_nn_bonds(lattice, frac_coords)?;
        let edges = bonds
            .into_iter()
            .flat_map(|bond| {
                let shifted: [f64; 3] = std::array::from_fn(|axis| {
                    frac_coords[bond.second][axis] + f64::from(bond.image[axis])
                        - frac_coords[bond.first][axis]
                });
                let distance = lattice
                    .to_cart(shifted)
                    .iter()
                    .map(|d| d * d)
                    .sum::<f64>()
                    .sqrt();
                let (first, second, image) = (bond.first, bond.second, bond.image);
                [
                    DirectedEdge {
                        source: second,
                        target: first,
                        image,
                        distance,
                    },
                    DirectedEdge {
                        source: first,
                        target: second,
                        image: image.map(|i| -i),
                        distance,
                    },
                ]
            })
            .collect();
        Ok(Self {
            sites: frac_coords.len(),
            edges,
        })
    }

    /// Number of undirected bonds.
    pub fn bonds(&self) -> usize {
        self.edges.len() / 2
    }

    /// Number of bonds that end at `site`.
    pub fn degree(&self, site: usize) -> usize {
        self.edges.iter().filter(|edge| edge.target == site).count()
    }

    /// Sites in breadth-first order from `start`: queue order, then edge order. If the graph is
    /// not connected, 0, 1, … as in the published environment.
    pub fn breadth_first(&self, start: usize) -> Vec<usize> {
        let mut seen = vec![false; self.sites];
        let mut order = Vec::with_capacity(self.sites);
        let mut queue = VecDeque::from([start]);
        if let Some(first) = seen.get_mut(start) {
            *first = true;
        }
        while let Some(site) = queue.pop_front() {
            order.push(site);
            for edge in self.edges.iter().filter(|edge| edge.source == site) {
                if !std::mem::replace(&mut seen[edge.target], true) {
                    queue.push_back(edge.target);
                }
            }
        }
        if order.len() == self.sites {
            order
        } else {
            (0..self.sites).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Skeleton;

    #[test]
    fn breadth_first_order_visits_every_site_once_and_neighbours_first() {
        let graph = &Skeleton::builtin("C7").unwrap().graph;
        assert_eq!(graph.breadth_first(0), [0, 1, 2, 3, 4]);
        assert_eq!(graph.breadth_first(3), [3, 0, 1, 2, 4]);
    }

    #[test]
    fn a_disconnected_graph_falls_back_to_site_order() {
        let graph = CrystalGraph {
            sites: 3,
            edges: Vec::new(),
        };
        assert_eq!(graph.breadth_first(2), [0, 1, 2]);
    }
}
