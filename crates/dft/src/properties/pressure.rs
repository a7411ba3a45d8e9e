use std::num::NonZeroUsize;

use crate::{
    basis::PlaneWaveBasis,
    parallel::parallel_map,
    scf::{FixedTerms, ScfResult},
    terms::kinetic::kinetic_energy,
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

/// The energy in hartree, without Smearing's part, of the cell scaled by s, the coefficients of
/// the bands as they are: `ρ(G)` goes as s⁻³.
fn frozen_energy(
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    scale: f64,
    threads: NonZeroUsize,
) -> f64 {
    let basis = basis.scaled(scale);
    let terms = FixedTerms::new(&basis, threads);
    let density: Vec<_> = result
        .density
        .iter()
        .map(|rho| rho / scale.powi(3))
        .collect();
    let functionals = terms.evaluate(&basis, &density);
    let work = (basis.waves.iter().zip(&terms.projectors))
        .zip(result.bands.iter().zip(&result.occupations));
    let by_k_point = parallel_map(
        threads,
        work,
        |((waves, projectors), (bands, occupations))| {
            let nonlocal = projectors.energies(&terms.coupling, bands);
            let energies = bands
                .chunks_exact(waves.len())
                .zip(nonlocal)
                .map(|(band, nonlocal)| kinetic_energy(waves, band) + nonlocal);
            let sum: f64 = energies.zip(occupations).map(|(e, f)| e * f).sum();
            waves.k_point.weight * sum
        },
    );
    by_k_point.iter().sum::<f64>()
        + functionals.local_ha
        + functionals.hartree_ha
        + functionals.xc_ha
        + terms.ewald_ha
}
