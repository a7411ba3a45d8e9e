//! The self-consistency loop.

use super::{ScfControl, ScfEnd, ScfOptions, mixing::Mixer, state::State};
use crate::{
    bands::{BandSolver, Exactness},
    basis::PlaneWaveBasis,
    density::Density,
    occupation::fill_bands,
    terms::{EnergyParts, Terms, band_energy, hartree::hartree_energy},
};

/// Bands from a density, a density from bands, until both agree; what is found is in `state`.
pub(super) fn iterate(
    basis: &PlaneWaveBasis,
    terms: &Terms,
    solver: &mut dyn BandSolver,
    mixer: &mut Mixer,
    options: &ScfOptions,
    mut control: ScfControl<'_>,
    state: &mut State,
) -> ScfEnd {
    let (threads, cancellation) = (options.threads, control.cancellation());
    let (grid, k_points) = (&basis.density_grid, basis.k_points());
    let (rule, electrons) = (basis.model.occupations, basis.model.electron_count());
    let mut density_in = state.density.clone();
    while state.history.len() < options.max_iterations {
        // ρ_in → V, D
        let Ok(input) = terms.evaluate(basis, &density_in, threads, cancellation) else {
            return ScfEnd::Cancelled;
        };
        // V, D, q → ψ, ε
        let problem = input.eigenproblem(basis, terms);
        let Some(solved) = solver.solve(&problem, &state.wanted(options)) else {
            return match cancellation.is_requested() {
                true => ScfEnd::Cancelled,
                false => ScfEnd::DiagonalizationFailed,
            };
        };
        // The answers of drafts and of H are not those of one function.
        if state.exactness == Exactness::Draft && solved.exactness != Exactness::Draft {
            mixer.restart();
        }
        // ε → f
        let filling = fill_bands(rule, electrons, &k_points, &solved.eigenvalues_ha);
        // ψ, f → ρ_out
        let sums = solver.sums(basis, &filling.occupation);
        let output =
            sums.and_then(|sums| Density::of_bands(basis, terms, sums, threads, cancellation));
        let Ok(output) = output else {
            return ScfEnd::Cancelled;
        };
        // E[ρ_out] and its error
        let residual = output.minus(&density_in);
        let error_ha = hartree_energy(grid, &residual.field);
        let bands_ha = band_energy(&k_points, &solved.eigenvalues_ha, &filling.occupation);
        let energies = EnergyParts {
            smearing_ha: filling.smearing_energy,
            ..terms.energy_of_output(basis, &input, &output, &residual, bands_ha)
        };
        let turn = mixer.turn(grid, &residual);
        let iteration = state.record(solved, filling, output, energies, error_ha, turn);
        if let Some(progress) = &mut control.progress {
            progress(&iteration);
        }
        if let Some(end) = state.end(options) {
            return end;
        }
        // ρ_in, ρ_out → ρ_in
        density_in = mixer.next(grid, &density_in, &residual);
    }
    ScfEnd::IterationLimit
}
