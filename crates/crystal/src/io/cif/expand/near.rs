//! A grid of boxes that finds the nearest of many atoms within [`CLOSEST_SITES_ANG`].

use std::collections::HashMap;

use crate::{
    Lattice,
    coincidence::CLOSEST_SITES_ANG,
    matrix::{dot, subtract},
};

/// Boxes per axis at most; beyond it they are wider than they need to be.
const MOST_BOXES: f64 = 1e6;

/// Atoms by the box that they lie in.
pub(super) struct Near<'a> {
    lattice: &'a Lattice,
    boxes: [i64; 3],
    atoms: HashMap<[i64; 3], Vec<u32>>,
}

impl<'a> Near<'a> {
    pub(super) fn new(lattice: &'a Lattice) -> Self {
        // The distance between lattice planes is the inverse length of a reciprocal vector.
        let boxes = lattice.reciprocal().map(|v| {
            let spacing = 1.0 / dot(v, v).sqrt();
            (spacing / CLOSEST_SITES_ANG).floor().clamp(1.0, MOST_BOXES) as i64
        });
        Self {
            lattice,
            boxes,
            atoms: HashMap::new(),
        }
    }

    fn box_of(&self, frac: [f64; 3]) -> [i64; 3] {
        std::array::from_fn(|axis| {
            let x = frac[axis] - frac[axis].floor();
            let count = self.boxes[axis];
            ((x * count as f64) as i64).clamp(0, count - 1)
        })
    }

    pub(super) fn insert(&mut self, index: usize, frac: [f64; 3]) {
        self.atoms
            .entry(self.box_of(frac))
            .or_default()
            .push(index as u32);
    }

    /// The nearest atom closer than [`CLOSEST_SITES_ANG`], and its distance in Å.
    pub(super) fn closest(&self, frac_coords: &[[f64; 3]], frac: [f64; 3]) -> Option<(usize, f64)> {
        let home = self.box_of(frac);
        let neighbours = |axis: usize| {
            let count = self.boxes[axis];
            let mut around: Vec<i64> = (-1..=1)
                .map(|step| (home[axis] + step).rem_euclid(count))
                .collect();
            around.sort_unstable();
            around.dedup();
            around
        };
        let mut nearest: Option<(usize, f64)> = None;
        for i in neighbours(0) {
            for j in neighbours(1) {
                for k in neighbours(2) {
                    for &atom in self.atoms.get(&[i, j, k]).into_iter().flatten() {
                        let atom = atom as usize;
                        let delta = subtract(frac, frac_coords[atom]).map(|d| d - d.round());
                        let cart = self.lattice.to_cart(delta);
                        let distance = dot(cart, cart).sqrt();
                        if distance < nearest.map_or(CLOSEST_SITES_ANG, |(_, known)| known) {
                            nearest = Some((atom, distance));
                        }
                    }
                }
            }
        }
        nearest
    }
}
