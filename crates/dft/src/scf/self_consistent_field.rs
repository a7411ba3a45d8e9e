use std::num::NonZeroUsize;

use super::{
    EnergyParts, FixedTerms, Mixing, ScfEnd, ScfIteration, ScfResult, energy::DensityFunctionals,
    mixing::Mixer, start::starting_bands,
};
use crate::{
    DftError,
    basis::PlaneWaveBasis,
    density::Density,
    eigensolver::{DavidsonSettings, EigenSolution, davidson},
    hamiltonian::Hamiltonian,
    occupation::{Occupations, fill_bands},
    parallel::parallel_map,
    terms::{atom_matrices::AtomMatrices, hartree::hartree_energy},
};

/// Choices of the loop.
#[derive(Debug, Clone, PartialEq)]
pub struct ScfOptions {
    /// Number of bands; `None` for those that the occupations need and one empty band more
    /// (fixed), or a fifth more and at least four (smeared).
    pub bands: Option<usize>,
    /// Estimated error of the energy at which to stop, in hartree.
    pub convergence_ha: f64,
    /// Largest number of iterations.
    pub max_iterations: usize,
    /// How densities are mixed.
    pub mixing: Mixing,
    /// Threads to share the k-points; results do not depend on their number.
    pub threads: NonZeroUsize,
}

impl Default for ScfOptions {
    /// The settings of the published decks: 1e-6 Ry, at most 300 iterations.
    fn default() -> Self {
        Self {
            bands: None,
            convergence_ha: 0.5e-6,
            max_iterations: 300,
            mixing: Mixing::default(),
            threads: NonZeroUsize::MIN,
        }
    }
}

/// How the caller takes part in a running loop.
#[derive(Default)]
pub struct ScfControl<'a> {
    /// Asked between steps, by any thread: once true, the loop stops.
    pub is_cancelled: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// Called after each iteration.
    pub progress: Option<&'a mut dyn FnMut(&ScfIteration)>,
}

impl ScfControl<'_> {
    fn cancelled(&self) -> bool {
        self.is_cancelled.is_some_and(|asked| asked())
    }
}

/// `|Hψ − εψ|²` that the first iteration is content with, in hartree².
const FIRST_RESIDUAL2: f64 = 1e-3;
/// Residuals are never asked to be smaller than this.
const SMALLEST_RESIDUAL2: f64 = 1e-16;
/// Empty bands are never asked for more: the eigenvalue is then good to about 1e-6 hartree.
const EMPTY_BAND_RESIDUAL2: f64 = 1e-7;
/// The estimated error has to fall by a tenth within this many iterations.
const STAGNATION_WINDOW: usize = 40;

/// Solves the Kohn–Sham equations.
///
/// A loop that does not converge is a result too: see [`ScfResult::end`].
///
/// # Errors
/// [`DftError::InvalidSetting`] for too few bands or an accuracy out of range.
pub fn self_consistent_field(
    basis: &PlaneWaveBasis,
    options: &ScfOptions,
    mut control: ScfControl<'_>,
) -> Result<ScfResult, DftError> {
    let bands = band_count(basis, options)?;
    let electrons = basis.model.electron_count();
    let k_points = basis.k_points();
    let terms = FixedTerms::new(basis, options.threads);
    let mut mixer = Mixer::new(options.mixing);
    let mut residual2 = FIRST_RESIDUAL2;

    let mut density_in = Density::of_atoms(basis, &terms);
    let mut result = ScfResult {
        end: ScfEnd::IterationLimit,
        energies: EnergyParts::default(),
        eigenvalues_ha: Vec::new(),
        occupations: vec![vec![2.0; bands]; k_points.len()],
        fermi_level_ha: None,
        history: Vec::new(),
        density: density_in.clone(),
        bands: (basis.waves.iter().enumerate())
            .map(|(k, waves)| starting_bands(waves, bands, k))
            .collect(),
        k_points,
    };
    if basis.model.occupations == Occupations::Fixed {
        let pairs = (electrons / 2.0).round() as usize;
        for bands in &mut result.occupations {
            bands[pairs..].fill(0.0);
        }
    }

    while result.history.len() < options.max_iterations {
        // ρ_in → V → ψ, ε
        let input = terms.evaluate(basis, &density_in, options.threads);
        let Some(solutions) = solve_bands(
            basis,
            &terms,
            &input,
            residual2,
            options,
            &control,
            &mut result,
        ) else {
            result.end = match control.cancelled() {
                true => ScfEnd::Cancelled,
                false => ScfEnd::DiagonalizationFailed,
            };
            break;
        };
        // ψ, ε → f → ρ_out
        let filling = fill_bands(
            basis.model.occupations,
            electrons,
            &result.k_points,
            &result.eigenvalues_ha,
        );
        result.occupations = filling.occupation;
        result.fermi_level_ha = filling.fermi_level;
        let density_out = Density::of_bands(
            basis,
            &terms,
            &result.bands,
            &result.occupations,
            options.threads,
        );

        // E[ρ_out], exchange and correlation to first order in ρ_out − ρ_in
        let residual = density_out.minus(&density_in);
        let grid = &basis.density_grid;
        result.energies = EnergyParts {
            smearing_ha: filling.smearing_energy,
            ..energy_of_output(
                basis,
                &terms,
                &input,
                &density_out,
                &residual,
                band_energy(&result),
            )
        };
        let error = hartree_energy(grid, &residual.field);
        result.density = density_out;

        let iteration = ScfIteration {
            number: result.history.len() + 1,
            total_energy_ha: result.energies.total_ha(),
            estimated_error_ha: error,
            hamiltonian_applications: solutions.iter().map(|s| s.applications).sum(),
            unconverged_bands: solutions.iter().map(|s| s.unconverged).sum(),
        };
        result.history.push(iteration);
        if let Some(progress) = &mut control.progress {
            progress(&iteration);
        }
        // An error smaller than what the bands were solved to says nothing.
        let wanted = 0.1 * error / electrons.max(1.0);
        let bands_are_good = residual2 <= 100.0 * wanted || residual2 <= SMALLEST_RESIDUAL2;
        residual2 = residual2.min(wanted).max(SMALLEST_RESIDUAL2);
        if error < options.convergence_ha && bands_are_good {
            result.end = ScfEnd::Converged;
            break;
        }
        if has_stagnated(&result.history) {
            result.end = ScfEnd::Stagnated;
            break;
        }
        density_in = mixer.next(grid, &density_in, &residual);
    }
    Ok(result)
}

fn band_count(basis: &PlaneWaveBasis, options: &ScfOptions) -> Result<usize, DftError> {
    let pairs = (basis.model.electron_count() / 2.0).ceil() as usize;
    let smallest_basis = basis.waves.iter().map(|waves| waves.len()).min();
    let most = smallest_basis.unwrap_or(0) / 2;
    let bands = options.bands.unwrap_or(match basis.model.occupations {
        Occupations::Fixed => pairs + 1,
        Occupations::Smeared { .. } => (pairs + 4).max((1.2 * pairs as f64).ceil() as usize),
    });
    if bands < pairs.max(1) || bands > most {
        return Err(DftError::InvalidSetting {
            setting: "bands",
            found: bands.to_string(),
            expected: "at least half the electrons and at most half the plane waves at any k-point",
        });
    }
    if options.convergence_ha.is_nan() || options.convergence_ha <= 0.0 {
        return Err(DftError::InvalidSetting {
            setting: "convergence_ha",
            found: options.convergence_ha.to_string(),
            expected: "a positive energy in hartree",
        });
    }
    Ok(bands)
}

/// Improves the bands of all k-points in the given potential; `None` if a solver broke down or
/// the loop was cancelled.
fn solve_bands(
    basis: &PlaneWaveBasis,
    terms: &FixedTerms,
    input: &DensityFunctionals,
    residual2: f64,
    options: &ScfOptions,
    control: &ScfControl<'_>,
    result: &mut ScfResult,
) -> Option<Vec<EigenSolution>> {
    let potential = basis.wave_grid.field_to_real(&input.potential);
    let is_cancelled = control.is_cancelled;
    let work = basis
        .waves
        .iter()
        .zip(&terms.projectors)
        .zip(&mut result.bands)
        .zip(&result.occupations);
    let solutions: Option<Vec<EigenSolution>> = parallel_map(
        options.threads,
        work,
        |(((waves, projectors), bands), occupations)| {
            if is_cancelled.is_some_and(|asked| asked()) {
                return None;
            }
            let limits: Vec<f64> = occupations
                .iter()
                .map(|&f| {
                    if f > 0.01 {
                        residual2
                    } else {
                        residual2.max(EMPTY_BAND_RESIDUAL2)
                    }
                })
                .collect();
            let settings = DavidsonSettings {
                residual2_limits: &limits,
                max_iterations: 30,
            };
            let mut hamiltonian = Hamiltonian::new(
                waves,
                &basis.wave_grid,
                &potential,
                projectors,
                &input.coupling,
                terms.overlap.as_ref(),
            );
            davidson(&mut hamiltonian, bands, &settings)
        },
    )
    .into_iter()
    .collect();
    let solutions = solutions?;
    result.eigenvalues_ha = solutions.iter().map(|s| s.values.clone()).collect();
    Some(solutions)
}

/// The energy of the output density, all but smearing's part.
///
/// Exchange, correlation and the one-centre terms are those of the input and their first-order
/// change: like the whole, they are then wrong in second order of the residual only, and the
/// functional is evaluated once an iteration.
fn energy_of_output(
    basis: &PlaneWaveBasis,
    terms: &FixedTerms,
    input: &DensityFunctionals,
    output: &Density,
    residual: &Density,
    band_energy: f64,
) -> EnergyParts {
    let grid = &basis.density_grid;
    let one_centre = |occupations: &AtomMatrices| match &input.one_centre_coupling {
        Some(coupling) => coupling.product(occupations),
        None => 0.0,
    };
    EnergyParts {
        kinetic_and_nonlocal_ha: band_energy
            - grid.integrate_product(&input.potential, &output.field)
            - one_centre(&output.projector_occupations),
        local_ha: grid.integrate_product(&terms.local, &output.field),
        hartree_ha: hartree_energy(grid, &output.field),
        xc_ha: input.xc_ha + grid.integrate_product(&input.xc_potential, &residual.field),
        one_centre_ha: input.one_centre_ha + one_centre(&residual.projector_occupations),
        ewald_ha: terms.ewald_ha,
        smearing_ha: 0.0,
    }
}

/// `Σ w f ε`
fn band_energy(result: &ScfResult) -> f64 {
    let at_k = |bands: &[f64], occupations: &[f64]| -> f64 {
        bands.iter().zip(occupations).map(|(e, f)| e * f).sum()
    };
    result
        .k_points
        .iter()
        .zip(result.eigenvalues_ha.iter().zip(&result.occupations))
        .map(|(k, (bands, occupations))| k.weight * at_k(bands, occupations))
        .sum()
}

fn has_stagnated(history: &[ScfIteration]) -> bool {
    let Some(split) = history.len().checked_sub(STAGNATION_WINDOW) else {
        return false;
    };
    let best = |iterations: &[ScfIteration]| {
        let errors = iterations
            .iter()
            .map(|iteration| iteration.estimated_error_ha);
        errors.fold(f64::INFINITY, f64::min)
    };
    split > 0 && best(&history[split..]) > 0.9 * best(&history[..split])
}
