//! One-centre energies of PAW (P. E. Blöchl, Phys. Rev. B 50, 17953 (1994); G. Kresse and
//! D. Joubert, Phys. Rev. B 59, 1758 (1999)): inside the sphere of each atom the Hartree and
//! exchange–correlation energies of the all-electron density less those of the pseudo-density,
//! `E = Σ_atoms E_H[ρ¹] − E_H[ρ̃¹] + E_xc[ρ¹ + ρ_c] − E_xc[ρ̃¹ + ρ̃_c]`.
//!
//! What is linear in the occupations (kinetic energy, nucleus and core) is in the file's D_ij.

mod exchange_correlation;
mod hartree;
mod mirrors;

use std::num::NonZeroUsize;

use exchange_correlation::{Directions, SphereXc};
use hartree::interaction;
use mirrors::{Mirrors, mirrors_of_atoms};

use crate::{
    DftError,
    cancellation::Cancellation,
    model::{Atom, Model},
    parallel::parallel_map,
    pseudo::{PawData, Pseudopotential, RadialFunctions},
    symmetry::SymmetryOperation,
    terms::{
        pair_expansion::PairExpansion, projector_channels::projector_sides,
        projector_matrices::ProjectorMatrices,
    },
    xc::Functional,
};

/// The one-centre terms of all PAW atoms of a model.
#[derive(Debug, Clone)]
pub(crate) struct OneCentreTerms {
    species: Vec<Option<OneCentre>>,
    atoms: Vec<Site>,
    sides: Vec<usize>,
}

/// One atom: its species, and for PAW the directions in which its density is looked at.
#[derive(Debug, Clone)]
struct Site {
    species: usize,
    directions: Option<Directions>,
}

/// An energy in hartree and its derivative by the occupations.
#[derive(Debug, Clone)]
pub(crate) struct OneCentreEnergy {
    pub(crate) energy_ha: f64,
    pub(crate) coupling: ProjectorMatrices,
}

impl OneCentreTerms {
    /// For occupations that have the symmetry of these operations; `None` if no species is PAW.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        model: &Model,
        operations: &[SymmetryOperation],
        cancellation: Cancellation<'_>,
    ) -> Result<Option<Self>, DftError> {
        let mut species = Vec::with_capacity(model.species.len());
        for potential in &model.species {
            cancellation.check()?;
            species.push(OneCentre::new(potential, model.functional));
        }
        if species.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mirrors = mirrors_of_atoms(model, operations);
        let site = |(atom, mirrors): (&Atom, Mirrors)| {
            let one_centre: Option<&OneCentre> = species[atom.species].as_ref();
            Site {
                species: atom.species,
                directions: one_centre.map(|s| Directions::new(s.expansion.l_max(), &mirrors)),
            }
        };
        Ok(Some(Self {
            atoms: model.atoms.iter().zip(mirrors).map(site).collect(),
            sides: projector_sides(model),
            species,
        }))
    }

    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn evaluate(
        &self,
        occupations: &ProjectorMatrices,
        threads: NonZeroUsize,
        cancellation: Cancellation<'_>,
    ) -> Result<OneCentreEnergy, DftError> {
        let work = self.atoms.iter().zip(occupations.blocks());
        let by_atom = parallel_map(threads, work, |(site, block)| {
            cancellation.check()?;
            let one_centre = self.species[site.species]
                .as_ref()
                .zip(site.directions.as_ref());
            Ok::<_, DftError>(one_centre.map(|(s, directions)| s.evaluate(directions, block)))
        });
        let mut energy_ha = 0.0;
        let mut coupling = ProjectorMatrices::zeros(self.sides.clone());
        for (found, block) in by_atom.into_iter().zip(coupling.blocks_mut()) {
            if let Some((energy, by_occupation)) = found? {
                energy_ha += energy;
                block.copy_from_slice(&by_occupation);
            }
        }
        Ok(OneCentreEnergy {
            energy_ha,
            coupling,
        })
    }

    /// The occupations of the free atoms, each radial function's spread evenly over its m; zero
    /// for atoms without PAW.
    pub(crate) fn atomic_occupations(&self, model: &Model) -> ProjectorMatrices {
        let mut matrices = ProjectorMatrices::zeros(self.sides.clone());
        for (atom, block) in model.atoms.iter().zip(matrices.blocks_mut()) {
            let species = &model.species[atom.species];
            let Some(paw) = species.paw() else { continue };
            let channels = crate::terms::projector_channels::projector_channels(species);
            for (row, channel) in channels.iter().enumerate() {
                block[row * channels.len() + row] =
                    paw.occupations[channel.radial] / (2 * channel.l + 1) as f64;
            }
        }
        matrices
    }
}

/// The one-centre energy of one species as a function of its occupations.
#[derive(Debug, Clone)]
struct OneCentre {
    expansion: PairExpansion,
    /// All-electron less pseudo interaction of the radial functions in hartree, row by row.
    hartree: Vec<f64>,
    all_electron: SphereXc,
    pseudo: SphereXc,
}

impl OneCentre {
    fn new(species: &Pseudopotential, functional: Functional) -> Option<Self> {
        let radial = species.radial_functions()?;
        let paw = species.paw()?;
        let expansion = PairExpansion::new(species)?;
        let [all_electron, pseudo] = pair_densities(radial, paw);
        let (mesh, points) = (&radial.mesh, paw.augmentation_points);
        let l = expansion.function_l();
        let hartree = interaction(mesh, points, l, &all_electron)
            .into_iter()
            .zip(interaction(mesh, points, l, &pseudo))
            .map(|(all_electron, pseudo)| all_electron - pseudo)
            .collect();
        let no_core = vec![0.0; mesh.r.len()];
        let pseudo_core = radial.core_density.as_ref().unwrap_or(&no_core);
        let sphere = |functions: &[Vec<f64>], core: &[f64]| {
            SphereXc::new(functional, mesh, points, functions, core)
        };
        Some(Self {
            all_electron: sphere(&all_electron, &paw.core_density),
            pseudo: sphere(&pseudo, pseudo_core),
            hartree,
            expansion,
        })
    }

    /// Energy in hartree and its derivative by the occupations.
    fn evaluate(&self, directions: &Directions, occupations: &[f64]) -> (f64, Vec<f64>) {
        let moments = self.expansion.moments(occupations);
        let (mut energy, mut by_moment) = self.hartree(&moments);
        for (sphere, sign) in [(&self.all_electron, 1.0), (&self.pseudo, -1.0)] {
            let xc = sphere.evaluate(directions, &self.expansion, &moments);
            energy += sign * xc.energy;
            for (sum, value) in by_moment.iter_mut().zip(xc.by_moment) {
                *sum += sign * value;
            }
        }
        let mut coupling = vec![0.0; occupations.len()];
        self.expansion.add_coupling(&by_moment, &mut coupling);
        (energy, coupling)
    }

    /// `½ Σ_LM Σ_fg B_fM W_fg B_gM` and its derivative by B.
    fn hartree(&self, moments: &[f64]) -> (f64, Vec<f64>) {
        let count = self.expansion.function_l().len();
        let mut potential = vec![0.0; moments.len()];
        for f in 0..count {
            for g in 0..count {
                let w = self.hartree[f * count + g];
                if w == 0.0 {
                    continue;
                }
                let (to, from) = (self.expansion.moments_of(f), self.expansion.moments_of(g));
                for (v, moment) in potential[to].iter_mut().zip(&moments[from]) {
                    *v += w * moment;
                }
            }
        }
        let energy: f64 = potential.iter().zip(moments).map(|(v, b)| v * b).sum();
        (0.5 * energy, potential)
    }
}

/// `r² f(r)` of each augmentation function with the partial waves: `φ_i φ_j`, and
/// `φ̃_i φ̃_j + Q^L_ij`, zero outside the sphere.
fn pair_densities(radial: &RadialFunctions, paw: &PawData) -> [Vec<Vec<f64>>; 2] {
    let functions = radial.augmentation.iter().flat_map(|a| &a.functions);
    let product = |waves: &[Vec<f64>], i: usize, j: usize| -> Vec<f64> {
        let pairs = waves[i].iter().zip(&waves[j]).enumerate();
        pairs
            .map(|(k, (a, b))| {
                if k < paw.augmentation_points {
                    a * b
                } else {
                    0.0
                }
            })
            .collect()
    };
    let mut pairs = [Vec::new(), Vec::new()];
    for function in functions {
        let (i, j) = (function.i, function.j);
        pairs[0].push(product(&paw.all_electron_waves, i, j));
        let mut pseudo = product(&paw.pseudo_waves, i, j);
        for (value, charge) in pseudo.iter_mut().zip(&function.values) {
            *value += charge;
        }
        pairs[1].push(pseudo);
    }
    pairs
}

#[cfg(test)]
mod tests;
