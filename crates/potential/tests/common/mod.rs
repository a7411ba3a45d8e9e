//! What the tests of CHGNet share: weights by lot, crystals, numbers by lot.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

pub(crate) mod package;
pub(crate) mod pairs;
pub(crate) mod plain;

use std::collections::BTreeMap;

use crystalgym_crystal::{Lattice, Structure};
use crystalgym_potential::{Tensor, Weights};

/// Numbers by lot, the same for the same seed.
pub(crate) struct Lot(pub(crate) u64);

impl Lot {
    /// Uniform from −1 to 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    pub(crate) fn vector(&mut self) -> [f64; 3] {
        std::array::from_fn(|_| self.next())
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.next() + 1.0) / 2.0 * n as f64) as usize % n
    }
}

/// Weights by lot, of the size that trained ones have.
pub(crate) fn random_weights(seed: u64) -> Weights {
    let mut lot = Lot(seed);
    let mut tensors = BTreeMap::new();
    for (name, shape) in Weights::shapes() {
        let count: usize = shape.iter().product();
        let fan_in = *shape.last().unwrap() as f64;
        let is_norm = name.contains(".bn") || name.starts_with("readout_norm");
        let values = (0..count)
            .map(|k| {
                let x = lot.next();
                let value = if name.ends_with("rbf_expansion_ag.frequencies")
                    || name.ends_with("rbf_expansion_bg.frequencies")
                {
                    std::f64::consts::PI * (k + 1) as f64 + 0.1 * x
                } else if name.ends_with("frequencies") {
                    (k + 1) as f64 + 0.05 * x
                } else if is_norm && name.ends_with("weight") {
                    1.0 + 0.3 * x
                } else if name.ends_with("bias") {
                    0.3 * x
                } else if name.starts_with("composition_model") {
                    -5.0 + 3.0 * x
                } else if name.starts_with("atom_embedding") {
                    x
                } else {
                    1.7 * x / fan_in.sqrt()
                };
                value as f32
            })
            .collect();
        tensors.insert(name, Tensor { shape, values });
    }
    Weights::new(tensors, "by lot").unwrap()
}

pub(crate) fn structure(rows: [[f64; 3]; 3], sites: &[(&str, [f64; 3])]) -> Structure {
    Structure::new(
        Lattice::new(rows).unwrap(),
        sites
            .iter()
            .map(|(symbol, _)| symbol.parse().unwrap())
            .collect(),
        sites.iter().map(|(_, x)| *x).collect(),
    )
    .unwrap()
}

pub(crate) fn cubic(a: f64) -> [[f64; 3]; 3] {
    [[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]]
}

pub(crate) fn fcc(a: f64) -> [[f64; 3]; 3] {
    let h = a / 2.0;
    [[0.0, h, h], [h, 0.0, h], [h, h, 0.0]]
}

/// Small crystals with every kind of surroundings: dense, open, skewed, without angles, one site.
pub(crate) fn small_crystals() -> Vec<Structure> {
    vec![
        structure(fcc(3.61), &[("Cu", [0.0; 3])]),
        structure(
            [[0.0, 2.715, 2.715], [2.75, 0.03, 2.715], [2.715, 2.69, 0.0]],
            &[("Si", [0.0; 3]), ("C", [0.26, 0.25, 0.24])],
        ),
        structure(
            cubic(3.9),
            &[
                ("Sr", [0.01, 0.0, 0.02]),
                ("Ti", [0.5, 0.52, 0.5]),
                ("O", [0.5, 0.5, 0.03]),
                ("O", [0.48, 0.0, 0.5]),
                ("O", [0.0, 0.51, 0.47]),
            ],
        ),
        structure(
            [[4.2, 0.1, 0.0], [-1.9, 3.7, 0.2], [0.3, -0.4, 5.1]],
            &[("Na", [0.1, 0.2, 0.3]), ("Cl", [0.6, 0.75, 0.8])],
        ),
        // Neighbours, but none within 3 Å.
        structure(cubic(4.5), &[("K", [0.0; 3])]),
    ]
}
