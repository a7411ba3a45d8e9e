//! A pair potential, as simple as a potential can be.

use crystalgym_crystal::Structure;
use crystalgym_potential::{InteratomicPotential, PotentialError, Prediction, Request};

/// `V(r) = 0.3 eV [(2.5/r)¹² − 2 (2.5/r)⁶] (1 − (r/7)²)³` up to 7 Å, for all elements.
pub(crate) struct Pairs;

fn pair(r: f64) -> (f64, f64) {
    let (s6, x2) = ((2.5 / r).powi(6), (r / 7.0).powi(2));
    let (well, slope) = (s6 * s6 - 2.0 * s6, (-12.0 * s6 * s6 + 12.0 * s6) / r);
    let window = (1.0 - x2).powi(3);
    let window_slope = -6.0 * r / 49.0 * (1.0 - x2).powi(2);
    (
        0.3 * well * window,
        0.3 * (slope * window + well * window_slope),
    )
}

impl InteratomicPotential for Pairs {
    fn name(&self) -> &str {
        "pairs"
    }

    fn evaluate(&self, crystal: &Structure, _: Request) -> Result<Prediction, PotentialError> {
        let sites = crystal.elements.len();
        let mut energy_ev = 0.0;
        let mut forces = vec![[0.0; 3]; sites];
        let mut virial = [[0.0; 3]; 3];
        for (i, force) in forces.iter_mut().enumerate() {
            for j in 0..sites {
                for n in 0..7 * 7 * 7 {
                    let image = [n / 49, n / 7 % 7, n % 7].map(|n| f64::from(n) - 3.0);
                    let (x, y) = (crystal.frac_coords[i], crystal.frac_coords[j]);
                    let f = std::array::from_fn(|k| {
                        let apart = x[k] - y[k];
                        apart - apart.round() - image[k]
                    });
                    let d = crystal.lattice.to_cart(f);
                    let r = d.iter().map(|d| d * d).sum::<f64>().sqrt();
                    if !(1e-8..7.0).contains(&r) {
                        continue;
                    }
                    let (value, slope) = pair(r);
                    energy_ev += value / 2.0;
                    for k in 0..3 {
                        force[k] -= slope * d[k] / r;
                        for l in 0..3 {
                            virial[k][l] += slope * d[k] * d[l] / r / 2.0;
                        }
                    }
                }
            }
        }
        let scale = 160.217_662_08 / crystal.lattice.volume();
        Ok(Prediction {
            energy_ev,
            forces_ev_ang: forces,
            stress_gpa: virial.map(|row| row.map(|x| x * scale)),
            site_energies_ev: None,
            magnetic_moments: None,
            features: None,
        })
    }
}
