//! All terms together: the energy of a density, and the operators that it makes.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use super::{
    augmentation::AugmentationCharges,
    core_correction::core_density,
    energy_parts::EnergyParts,
    ewald::ewald_energy,
    hartree::{hartree_energy, hartree_potential},
    local::local_potential,
    nonlocal::bare_coupling,
    paw::OneCentreTerms,
    projector_matrices::ProjectorMatrices,
    xc::exchange_correlation,
};
use crate::{
    DftError,
    bands::Eigenproblem,
    basis::{DensityGrid, KPoint, PlaneWaveBasis, WaveBasis},
    cancellation::Cancellation,
    density::Density,
};

/// All terms of the energy: what of them depends on the crystal and the basis only, computed once.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) local: Vec<Complex64>,
    pub(crate) core: Option<Vec<Complex64>>,
    /// D_ij of the pseudopotentials.
    pub(crate) bare_coupling: ProjectorMatrices,
    /// Augmentation charges, where a species has them.
    pub(crate) augmentation: Option<AugmentationCharges>,
    /// q_ij; `None` where the overlap is the identity.
    pub(crate) overlap: Option<ProjectorMatrices>,
    /// PAW's terms, where a species has them.
    pub(crate) one_centre: Option<OneCentreTerms>,
    pub(crate) ewald_ha: f64,
}

/// What a density means: energies and the operators that act on the bands.
#[derive(Debug, Clone)]
pub(crate) struct KohnShamPotential {
    pub(crate) xc_ha: f64,
    pub(crate) one_centre_ha: f64,
    /// V_xc in hartree, on the density grid's G.
    pub(crate) xc_potential: Vec<Complex64>,
    /// `V_loc + V_H + V_xc` in hartree, on the density grid's G.
    pub(crate) potential: Vec<Complex64>,
    /// `D_ij + ∫ V Q_ij + ∂E_1/∂ρ_ij`, the coupling that acts on the bands.
    pub(crate) coupling: ProjectorMatrices,
    /// `∂E_1/∂ρ_ij` alone; `None` without PAW.
    pub(crate) one_centre_coupling: Option<ProjectorMatrices>,
}

impl Terms {
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        basis: &PlaneWaveBasis,
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let model = &basis.model;
        let grid = &basis.density_grid;
        let local = local_potential(model, grid, cancellation)?;
        let core = core_density(model, grid, cancellation)?;
        let augmentation = AugmentationCharges::new(model, grid, cancellation)?;
        // Kept with the pseudopotentials, for the projectors and orbitals at all k-points.
        let q_max = basis.waves.iter().map(WaveBasis::q_max).fold(0.0, f64::max);
        for species in &model.species {
            species.wave_tables_unless(cancellation, q_max)?;
        }
        Ok(Self {
            local,
            core,
            bare_coupling: bare_coupling(model),
            overlap: augmentation.as_ref().map(AugmentationCharges::overlap),
            augmentation,
            one_centre: OneCentreTerms::new(model, &basis.operations, cancellation)?,
            ewald_ha: ewald_energy(model, cancellation)?,
        })
    }

    /// `V_loc + V_H[ρ] + V_xc[ρ]`, the couplings of the projectors, and the energies whose
    /// derivatives they are.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn evaluate(
        &self,
        basis: &PlaneWaveBasis,
        density: &Density,
        threads: NonZeroUsize,
        cancellation: Cancellation<'_>,
    ) -> Result<KohnShamPotential, DftError> {
        let grid: &DensityGrid = &basis.density_grid;
        let core = self.core.as_deref();
        let xc = exchange_correlation(
            basis.model.functional,
            grid,
            &basis.point_orbits,
            &density.field,
            core,
            threads,
            cancellation,
        )?;
        cancellation.check()?;
        let mut potential = xc.potential.clone();
        let hartree = hartree_potential(grid, &density.field);
        for ((v, hartree), local) in potential.iter_mut().zip(hartree).zip(&self.local) {
            *v += hartree + local;
        }
        let mut coupling = self.bare_coupling.clone();
        if let Some(augmentation) = &self.augmentation {
            augmentation.add_coupling(grid, &potential, threads, &mut coupling, cancellation)?;
        }
        let one_centre = (self.one_centre.as_ref())
            .map(|terms| terms.evaluate(&density.projector_occupations, threads, cancellation))
            .transpose()?;
        if let Some(one_centre) = &one_centre {
            coupling.add(&one_centre.coupling);
        }
        Ok(KohnShamPotential {
            xc_ha: xc.energy,
            one_centre_ha: one_centre.as_ref().map_or(0.0, |found| found.energy_ha),
            one_centre_coupling: one_centre.map(|found| found.coupling),
            xc_potential: xc.potential,
            potential,
            coupling,
        })
    }

    /// The energy of the output density, all but smearing's part; `bands_ha` is `Σ w f ε`.
    ///
    /// Exchange, correlation and the one-centre terms are those of the input and their first-order
    /// change: like the whole, they are then wrong in second order of the residual only, and the
    /// functional is evaluated once an iteration.
    pub(crate) fn energy_of_output(
        &self,
        basis: &PlaneWaveBasis,
        input: &KohnShamPotential,
        output: &Density,
        residual: &Density,
        bands_ha: f64,
    ) -> EnergyParts {
        let grid = &basis.density_grid;
        let one_centre = |occupations: &ProjectorMatrices| match &input.one_centre_coupling {
            Some(coupling) => coupling.product(occupations),
            None => 0.0,
        };
        EnergyParts {
            kinetic_and_nonlocal_ha: bands_ha
                - grid.integrate_product(&input.potential, &output.field)
                - one_centre(&output.projector_occupations),
            local_ha: grid.integrate_product(&self.local, &output.field),
            hartree_ha: hartree_energy(grid, &output.field),
            xc_ha: input.xc_ha + grid.integrate_product(&input.xc_potential, &residual.field),
            one_centre_ha: input.one_centre_ha + one_centre(&residual.projector_occupations),
            ewald_ha: self.ewald_ha,
            smearing_ha: 0.0,
        }
    }
}

impl KohnShamPotential {
    /// The equation for the bands in this potential.
    pub(crate) fn eigenproblem<'a>(
        &'a self,
        basis: &'a PlaneWaveBasis,
        terms: &'a Terms,
    ) -> Eigenproblem<'a> {
        Eigenproblem {
            basis,
            potential: &self.potential,
            coupling: &self.coupling,
            overlap: terms.overlap.as_ref(),
        }
    }
}

/// `Σ w f ε`
pub(crate) fn band_energy(
    k_points: &[KPoint],
    eigenvalues_ha: &[Vec<f64>],
    occupations: &[Vec<f64>],
) -> f64 {
    let at_k = |bands: &[f64], occupations: &[f64]| -> f64 {
        bands.iter().zip(occupations).map(|(e, f)| e * f).sum()
    };
    k_points
        .iter()
        .zip(eigenvalues_ha.iter().zip(occupations))
        .map(|(k, (bands, occupations))| k.weight * at_k(bands, occupations))
        .sum()
}
