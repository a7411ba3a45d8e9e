//! The density of states of a crystal.

use std::f64::consts::PI;

use super::mesh_bands::MeshBands;
use crate::DftError;

/// How levels on a mesh become a density.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Broadening {
    /// Bands are linear within the tetrahedra between the points of the mesh.
    Tetrahedra,
    /// Each level is `exp(−x²) / (√π w)` with `x = (E − ε)/w`, as in Quantum ESPRESSO's `dos.x`.
    Gaussian {
        /// w in hartree.
        width_ha: f64,
    },
}

/// Electronic states of both spins by their energy.
#[derive(Debug, Clone, PartialEq)]
pub struct DensityOfStates {
    /// Energies in hartree, ascending.
    pub energies_ha: Vec<f64>,
    /// States per hartree and cell at each of them.
    pub states_per_ha: Vec<f64>,
    /// Electrons in the cell that all states below would hold.
    pub electrons_below: Vec<f64>,
}

/// Most energies that a density of states is asked for.
const MOST_ENERGIES: f64 = 1e6;

impl DensityOfStates {
    /// At energies in equal steps from `from_ha` to `to_ha`, `g(E) = 2 Σ_n ∫ δ(E − ε_n(k)) dk / Ω_BZ`.
    ///
    /// # Errors
    /// [`DftError::InvalidSetting`] for a step or a width that is not positive, or more than a million
    /// energies.
    pub fn of(
        bands: &MeshBands,
        [from_ha, to_ha]: [f64; 2],
        step_ha: f64,
        broadening: Broadening,
    ) -> Result<Self, DftError> {
        let invalid = |setting, found: f64, expected| {
            Err(DftError::InvalidSetting {
                setting,
                found: found.to_string(),
                expected,
            })
        };
        let steps = ((to_ha - from_ha) / step_ha + 1e-9).floor();
        if !(step_ha > 0.0 && (0.0..MOST_ENERGIES).contains(&steps)) {
            let expected = "a positive step, of which up to a million fit between the energies";
            return invalid("step_ha", step_ha, expected);
        }
        let energies_ha: Vec<f64> = (0..=steps as usize)
            .map(|step| from_ha + step as f64 * step_ha)
            .collect();
        let mut density = vec![0.0; energies_ha.len()];
        let mut states = vec![0.0; energies_ha.len()];
        match broadening {
            Broadening::Tetrahedra => {
                let (levels, at) = (&bands.energies_ha, &energies_ha);
                bands
                    .tetrahedra
                    .add_states(levels, at, &mut density, &mut states);
            }
            Broadening::Gaussian { width_ha } if width_ha > 0.0 => {
                for (k, levels) in bands.k_points.iter().zip(&bands.energies_ha) {
                    for level in levels {
                        for (place, energy) in energies_ha.iter().enumerate() {
                            let x = (energy - level) / width_ha;
                            density[place] += k.weight * (-x * x).exp() / (PI.sqrt() * width_ha);
                            states[place] += k.weight * 0.5 * libm::erfc(-x);
                        }
                    }
                }
            }
            Broadening::Gaussian { width_ha } => {
                return invalid("width_ha", width_ha, "a positive width in hartree");
            }
        }
        let both_spins = |one: Vec<f64>| one.into_iter().map(|x| 2.0 * x).collect();
        Ok(Self {
            energies_ha,
            states_per_ha: both_spins(density),
            electrons_below: both_spins(states),
        })
    }
}
