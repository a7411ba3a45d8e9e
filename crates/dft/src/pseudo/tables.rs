//! Form factors on a fine mesh in q, for inner loops.

use std::{
    f64::consts::PI,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    radial::{RadialMesh, spherical_bessel_all},
    types::Pseudopotential,
};

/// Spacing in q of all tables, bohr⁻¹; the one `pw.x` uses.
const SPACING: f64 = 0.01;

/// A function of q ≥ 0 on an even mesh, interpolated by cubics through four points.
///
/// q lies in the first of the three intervals, as in `pw.x`. The error is at most h⁴/24 max|f⁗| with
/// h = 0.01 bohr⁻¹: measured, below 2e-8 of the largest value for projectors and about 3e-7 for
/// orbitals, which reach further.
#[derive(Debug, Clone, PartialEq)]
pub struct RadialTable {
    values: Vec<f64>,
}

impl RadialTable {
    /// Tabulates `f` so that [`value`](Self::value) holds up to `q_max` in bohr⁻¹.
    pub fn new(q_max: f64, f: impl Fn(f64) -> f64) -> Self {
        Self {
            values: (0..Self::count(q_max))
                .map(|i| f(i as f64 * SPACING))
                .collect(),
        }
    }

    /// Tables of 4π ∫ r² f(r) j_l(qr) dr for many f on one mesh.
    ///
    /// Each j_l(qr) is computed once for all functions of that l; equal to direct integration of
    /// one function after the other up to rounding.
    fn of_radial_functions(
        mesh: &RadialMesh,
        q_max: f64,
        functions: &[Integrand<'_>],
    ) -> Vec<Self> {
        let l_max = functions.iter().map(|f| f.l).max().unwrap_or(0);
        let weighted: Vec<Vec<f64>> = functions.iter().map(|f| f.weighted(mesh)).collect();
        let points = weighted.iter().map(Vec::len).max().unwrap_or(0);
        let mut tables: Vec<Self> = functions
            .iter()
            .map(|_| Self { values: Vec::new() })
            .collect();
        let mut bessel = vec![vec![0.0; points]; l_max + 1];
        let mut at_one_point = vec![0.0; l_max + 1];
        for i in 0..Self::count(q_max) {
            let q = i as f64 * SPACING;
            for (k, &r) in mesh.r[..points].iter().enumerate() {
                spherical_bessel_all(q * r, &mut at_one_point);
                for (row, &value) in bessel.iter_mut().zip(&at_one_point) {
                    row[k] = value;
                }
            }
            for ((table, f), weighted) in tables.iter_mut().zip(functions).zip(&weighted) {
                let products = weighted.iter().zip(&bessel[f.l]).map(|(w, j)| w * j);
                table.values.push(products.sum());
            }
        }
        tables
    }

    /// Number of nodes for a table up to `q_max`.
    fn count(q_max: f64) -> usize {
        (q_max / SPACING).ceil() as usize + Cubic::NODES
    }

    /// Largest q that the table holds, in bohr⁻¹.
    pub fn q_max(&self) -> f64 {
        (self.values.len() - Cubic::NODES) as f64 * SPACING
    }

    /// f(q); beyond the table the last cubic goes on.
    pub fn value(&self, q: f64) -> f64 {
        let cubic = Cubic::new(q, self.values.len());
        self.combined(cubic.first, cubic.value_weights())
    }

    /// df/dq of the interpolating cubic.
    pub fn derivative(&self, q: f64) -> f64 {
        let cubic = Cubic::new(q, self.values.len());
        self.combined(cubic.first, cubic.derivative_weights())
    }

    /// f at the nodes of the mesh.
    pub(crate) fn nodes(&self) -> &[f64] {
        &self.values
    }

    fn combined(&self, first: usize, weights: [f64; Cubic::NODES]) -> f64 {
        let nodes = &self.values[first..first + Cubic::NODES];
        nodes
            .iter()
            .zip(weights)
            .map(|(f, weight)| f * weight)
            .sum()
    }
}

/// The cubic through four nodes of a table of which one interval holds q.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cubic {
    /// The first of the nodes.
    pub(crate) first: usize,
    /// Place of q behind it in units of the spacing.
    t: f64,
}

impl Cubic {
    pub(crate) const NODES: usize = 4;

    /// For a table of so many nodes.
    pub(crate) fn new(q: f64, nodes: usize) -> Self {
        let position = q / SPACING;
        let first = (position as usize).min(nodes - Self::NODES);
        Self {
            first,
            t: position - first as f64,
        }
    }

    /// Shares of the four nodes in f(q): Lagrange's polynomials through t = 0, 1, 2, 3.
    pub(crate) fn value_weights(self) -> [f64; Self::NODES] {
        let t = self.t;
        let (u, v, w) = (1.0 - t, 2.0 - t, 3.0 - t);
        [
            u * v * w / 6.0,
            t * v * w / 2.0,
            -t * u * w / 2.0,
            t * u * v / 6.0,
        ]
    }

    /// Shares of the four nodes in df/dq.
    pub(crate) fn derivative_weights(self) -> [f64; Self::NODES] {
        let t = self.t;
        let (u, v, w) = (1.0 - t, 2.0 - t, 3.0 - t);
        [
            -(u * v + v * w + u * w) / 6.0 / SPACING,
            (v * w - t * w - t * v) / 2.0 / SPACING,
            -(u * w - t * w - t * u) / 2.0 / SPACING,
            (u * v - t * v - t * u) / 6.0 / SPACING,
        ]
    }
}

/// The tables of the functions that meet wavefunctions.
///
/// Projectors, orbitals and augmentation charges are tabulated, as in `pw.x`; the other form factors
/// are needed once per shell of the reciprocal lattice and are integrated directly.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveTables {
    /// β_i(q) for each projector.
    pub projectors: Vec<RadialTable>,
    /// χ_i(q) for each atomic orbital.
    pub orbitals: Vec<RadialTable>,
}

impl WaveTables {
    /// Tabulates up to `q_max` (of |k + G|) in bohr⁻¹.
    pub fn new(potential: &Pseudopotential, q_max: f64) -> Self {
        let Some(f) = potential.radial_functions() else {
            return Self {
                projectors: (0..potential.projector_count())
                    .map(|i| RadialTable::new(q_max, |q| potential.projector(i, q)))
                    .collect(),
                orbitals: (0..potential.orbitals().len())
                    .map(|i| RadialTable::new(q_max, |q| potential.orbital(i, q)))
                    .collect(),
            };
        };
        let projectors = f.projectors.iter().zip(potential.projector_l());
        let mut functions: Vec<Integrand<'_>> = projectors
            .map(|(values, &l)| Integrand {
                values,
                power: 1,
                l,
                points: f.projector_points,
            })
            .collect();
        let orbitals = f.orbitals.iter().zip(potential.orbitals());
        functions.extend(orbitals.map(|(values, orbital)| Integrand {
            values,
            power: 1,
            l: orbital.l,
            points: f.mesh.integration_points(),
        }));
        let mut projectors = RadialTable::of_radial_functions(&f.mesh, q_max, &functions);
        let orbitals = projectors.split_off(potential.projector_count());
        Self {
            projectors,
            orbitals,
        }
    }
}

/// Q^L_ij(q) up to `q_max` (of |G|) in bohr⁻¹ for each augmentation function; empty without any.
pub fn augmentation_tables(potential: &Pseudopotential, q_max: f64) -> Vec<RadialTable> {
    let Some(f) = potential.radial_functions() else {
        return Vec::new();
    };
    let charges: Vec<Integrand<'_>> = f
        .augmentation
        .iter()
        .flat_map(|augmentation| &augmentation.functions)
        .map(|function| Integrand {
            values: &function.values,
            power: 2,
            l: function.l,
            points: f.projector_points,
        })
        .collect();
    RadialTable::of_radial_functions(&f.mesh, q_max, &charges)
}

/// Tables that are made when they are first needed, and again when they must reach further.
#[derive(Debug, Default)]
pub(super) struct TableCache {
    wave: Mutex<Option<(f64, Arc<WaveTables>)>>,
    augmentation: Mutex<Option<(f64, Arc<Vec<RadialTable>>)>>,
}

/// Tables reach to the next whole bohr⁻¹, so that nearly the same cutoffs share them.
fn found_or_made<T>(
    cached: &Mutex<Option<(f64, Arc<T>)>>,
    q_max: f64,
    make: impl FnOnce(f64) -> T,
) -> Arc<T> {
    let mut cached = cached.lock().unwrap_or_else(PoisonError::into_inner);
    match &*cached {
        Some((reach, tables)) if *reach >= q_max => Arc::clone(tables),
        _ => {
            let reach = q_max.ceil();
            let tables = Arc::new(make(reach));
            *cached = Some((reach, Arc::clone(&tables)));
            tables
        }
    }
}

impl Clone for TableCache {
    fn clone(&self) -> Self {
        Self {
            wave: Mutex::new(copy_of(&self.wave)),
            augmentation: Mutex::new(copy_of(&self.augmentation)),
        }
    }
}

fn copy_of<T: Clone>(cached: &Mutex<T>) -> T {
    cached
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// What is cached follows from the potential.
impl PartialEq for TableCache {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Pseudopotential {
    /// The tables of projectors and orbitals up to at least `q_max` in bohr⁻¹; computed once and
    /// kept. Their values do not depend on how far they reach.
    pub fn wave_tables(&self, q_max: f64) -> Arc<WaveTables> {
        found_or_made(&self.tables.wave, q_max, |reach| {
            WaveTables::new(self, reach)
        })
    }

    /// The tables of augmentation charges, likewise.
    pub fn augmentation_tables(&self, q_max: f64) -> Arc<Vec<RadialTable>> {
        let cached = &self.tables.augmentation;
        found_or_made(cached, q_max, |reach| augmentation_tables(self, reach))
    }
}

/// r^power f(r) of angular momentum l, integrated over the first `points` points.
struct Integrand<'a> {
    values: &'a [f64],
    power: i32,
    l: usize,
    points: usize,
}

impl Integrand<'_> {
    /// 4π w_i r_i² f(r_i) with Simpson's weights.
    fn weighted(&self, mesh: &RadialMesh) -> Vec<f64> {
        mesh.weights(self.points)
            .into_iter()
            .enumerate()
            .map(|(i, weight)| 4.0 * PI * weight * mesh.r[i].powi(2 - self.power) * self.values[i])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: the function itself and its derivative, with the stated bounds of interpolation.
    #[test]
    fn interpolation_keeps_its_accuracy() {
        let table = RadialTable::new(3.0, |q| (2.0 * q).sin());
        for step in 0..3000 {
            let q = 1e-3 * f64::from(step);
            let bound = 1e-8 * 16.0 / 24.0;
            assert!((table.value(q) - (2.0 * q).sin()).abs() < bound);
            assert!((table.derivative(q) - 2.0 * (2.0 * q).cos()).abs() < 5e-6);
        }
        assert!(table.q_max() >= 3.0);
    }
}
