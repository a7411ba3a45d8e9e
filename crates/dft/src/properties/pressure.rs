use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use crate::{
    basis::PlaneWaveBasis,
    density::Density,
    parallel::parallel_map,
    scf::{FixedTerms, ScfResult},
    terms::{hartree::hartree_energy, kinetic::kinetic_energy, nonlocal::Projectors},
};

/// Strain of the central differences. Their error is of fourth order in it: below 1e-9 of the
/// energies' own scale.
const STEP: f64 = 2e-3;

/// Pressure in hartree/bohr³, positive when the cell wants to expand.
///
/// `P = −dE/dV` with every length scaled by s and the coefficients of the bands held fixed, which
/// by the Hellmann–Feynman theorem is the derivative at a fixed set of plane waves: the same
/// pressure as that of `pw.x`, without a Pulay term. The derivative of the explicit energy is
/// taken by central differences, `f′ ≈ [8(f₁ − f₋₁) − (f₂ − f₋₂)]/12h`.
pub fn pressure(basis: &PlaneWaveBasis, result: &ScfResult, threads: NonZeroUsize) -> f64 {
    let energy = |steps: f64| frozen_energy(basis, result, 1.0 + steps * STEP, threads);
    let slope = (8.0 * (energy(1.0) - energy(-1.0)) - (energy(2.0) - energy(-2.0))) / (12.0 * STEP);
    // V = V₀ s³, so dV/ds = 3 V₀ at s = 1.
    -slope / (3.0 * basis.model.cell.volume())
}

/// The energy in hartree, without smearing's part, of the cell scaled by s, the coefficients of
/// the bands as they are; the overlap, which changes with the cell, is held by the eigenvalues as
/// Lagrange multipliers: `E − Σ f ε ⟨ψ|S|ψ⟩`.
fn frozen_energy(
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    scale: f64,
    threads: NonZeroUsize,
) -> f64 {
    let basis = basis.scaled(scale);
    let terms = FixedTerms::new(&basis);
    let projectors: Vec<Projectors<Complex64>> = parallel_map(threads, &basis.waves, |waves| {
        Projectors::new(&basis, waves)
    });
    let (bands, occupations) = (&result.bands, &result.occupations);
    let density = Density::of_bands(&basis, &terms, &projectors, bands, occupations, threads);
    let functionals = terms.evaluate(&basis, &density, threads);
    let work = (basis.waves.iter().zip(&projectors))
        .zip(result.bands.iter().zip(&result.eigenvalues_ha))
        .zip(&result.occupations);
    let by_k_point = parallel_map(
        threads,
        work,
        |(((waves, projectors), (bands, levels)), occupations)| {
            let nonlocal = projectors.energies(&terms.bare_coupling, bands);
            let overlap = match &terms.overlap {
                Some(overlap) => projectors.energies(overlap, bands),
                None => vec![0.0; nonlocal.len()],
            };
            let energies = bands
                .chunks_exact(waves.len())
                .zip(nonlocal)
                .zip(overlap.iter().zip(levels))
                .map(|((band, nonlocal), (overlap, level))| {
                    kinetic_energy(waves, band) + nonlocal - level * overlap
                });
            let sum: f64 = energies.zip(occupations).map(|(e, f)| e * f).sum();
            waves.k_point.weight * sum
        },
    );
    let grid = &basis.density_grid;
    by_k_point.iter().sum::<f64>()
        + grid.integrate_product(&terms.local, &density.field)
        + hartree_energy(grid, &density.field)
        + functionals.xc_ha
        + functionals.one_centre_ha
        + terms.ewald_ha
}
