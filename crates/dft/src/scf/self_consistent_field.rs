//! The self-consistency loop.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use super::{
    EnergyParts, FixedTerms, ScfControl, ScfEnd, ScfIteration, ScfOptions, ScfResult,
    coarse_bands::CoarseBands,
    energy::KohnShamPotential,
    memory_plan::MemoryPlan,
    mixing::Mixer,
    start::starting_bands,
    starting_point::{Neighbours, StartingPoint},
};
use crate::{
    DftError,
    bands::Bands,
    basis::{KPoint, PlaneWaveBasis, Precision},
    cancellation::Cancellation,
    density::Density,
    eigensolver::{DavidsonSettings, EigenSolution, Workspace, davidson},
    hamiltonian::{BandScalar, Hamiltonian, Operators},
    linear_algebra::Scalar,
    occupation::{Occupations, fill_bands},
    parallel::parallel_map_with,
    terms::{
        hartree::hartree_energy, nonlocal::Projectors, projector_matrices::ProjectorMatrices,
        projector_set::ProjectorSet,
    },
};

/// `|Hψ − εψ|²` that the first iteration is content with, in hartree²: from the density of atoms,
/// and from one of a coarser mesh or a neighbour.
const ATOMIC_RESIDUAL2: f64 = 1e-4;
const KNOWN_RESIDUAL2: f64 = 1e-6;
/// The bands' residuals (squared, in hartree²) are kept below this share of the density's error an
/// electron: the mixer takes what is left of them for the density's own answer. (pw.x: 0.1.)
const RESIDUAL2_SHARE: f64 = 0.01;
/// The last bands may have more than that by this factor, of the error that is asked for.
const FINAL_RESIDUAL2_SLACK: f64 = 400.0;
/// And they are solved to this, where the density is good enough but its bands are not yet.
const FINAL_RESIDUAL2_TARGET: f64 = 100.0;
/// Residuals are never asked to be smaller than this.
const SMALLEST_RESIDUAL2: f64 = 1e-16;
/// Bands are transformed in single precision as long as they are solved to more than this, in
/// hartree² (its rounding leaves 1e-12), and the density's error exceeds the one asked for by this
/// factor: the energy, which single precision moves by 1e-5 hartree, is never taken from them.
const SINGLE_PRECISION_RESIDUAL2: f64 = 1e-10;
const SINGLE_PRECISION_ERROR: f64 = 30.0;
/// Where the density is better than this, drafts no longer do: in their smaller box it ends up elsewhere, by
/// 5e-7 hartree at 12 Ry and 1e-8 at 50.
const DRAFT_ERROR_HA: f64 = 1e-5;
/// Bands above those that are sought, which are not converged: their neighbours converge faster.
const SPARE_BANDS: usize = 2;
/// Empty bands are never asked for more: the eigenvalue is then good to about 1e-6 hartree.
const EMPTY_BAND_RESIDUAL2: f64 = 1e-7;
/// Where the density on a coarser mesh of k-points is good enough to go on from: its own error is
/// larger than this.
const COARSE_CONVERGENCE_HA: f64 = 1e-5;
const COARSE_ITERATIONS: usize = 20;

/// Solves the Kohn–Sham equations.
///
/// A loop that does not converge is a result too: see [`ScfResult::end`].
///
/// # Errors
/// [`DftError::InvalidSetting`] for too few bands or an accuracy out of range;
/// [`DftError::Cancelled`] before the first iteration.
pub fn self_consistent_field(
    basis: &PlaneWaveBasis,
    options: &ScfOptions,
    control: ScfControl<'_>,
) -> Result<ScfResult, DftError> {
    solve_from(basis, None, options, control)
}

/// As [`self_consistent_field`], from what was found for the same atoms in a slightly different
/// cell, such as the last volumes of an equation of state; from nothing if it does not fit.
///
/// # Errors
/// As [`self_consistent_field`].
pub fn self_consistent_field_near<'a>(
    basis: &PlaneWaveBasis,
    known: impl Into<Neighbours<'a>>,
    options: &ScfOptions,
    control: ScfControl<'_>,
) -> Result<ScfResult, DftError> {
    solve_from(basis, known.into().fitting(basis), options, control)
}

fn solve_from(
    basis: &PlaneWaveBasis,
    known: Option<Neighbours<'_>>,
    options: &ScfOptions,
    control: ScfControl<'_>,
) -> Result<ScfResult, DftError> {
    let plan = plan_bands(basis, options)?;
    match basis.inversion {
        Some(_) => solve::<f64>(basis, plan, known, options, control),
        None => solve::<Complex64>(basis, plan, known, options, control),
    }
}

/// The loop with bands of one kind of number.
///
/// # Errors
/// [`DftError::Cancelled`] before the first iteration; later it is an end like others.
pub(super) fn solve<S: BandScalar>(
    basis: &PlaneWaveBasis,
    plan: BandPlan,
    known: Option<Neighbours<'_>>,
    options: &ScfOptions,
    control: ScfControl<'_>,
) -> Result<ScfResult, DftError> {
    let cancellation = control.cancellation();
    let terms = FixedTerms::new(basis, cancellation)?;
    let mut mixer = Mixer::new(options.mixing);
    let mut preparation = Vec::new();
    let threads = options.threads;
    let from = |basis: &PlaneWaveBasis, start, density: Density, residual2: f64| {
        State::<S>::new(
            basis,
            plan,
            start,
            density,
            residual2,
            threads,
            cancellation,
        )
    };
    let mut state = match known {
        Some(known) => {
            let density = known.density(basis, cancellation)?;
            from(
                basis,
                Start::Neighbour(known.nearest),
                density,
                KNOWN_RESIDUAL2,
            )?
        }
        None => {
            let atoms = Density::of_atoms(basis, &terms, cancellation)?;
            let coarse = match options.coarse_start {
                true => basis.coarser(cancellation)?,
                false => None,
            };
            match coarse {
                None => from(basis, Start::Atoms, atoms, ATOMIC_RESIDUAL2)?,
                Some(coarse) => {
                    let options = ScfOptions {
                        convergence_ha: COARSE_CONVERGENCE_HA.max(options.convergence_ha),
                        max_iterations: COARSE_ITERATIONS,
                        ..options.clone()
                    };
                    let quiet = ScfControl {
                        is_cancelled: control.is_cancelled,
                        progress: None,
                    };
                    let (density, history, bands) = {
                        // What else there is goes before the larger mesh needs the memory.
                        let mut state = from(&coarse, Start::Atoms, atoms, ATOMIC_RESIDUAL2)?;
                        state.is_preparation = true;
                        iterate(&coarse, &terms, &options, quiet, &mut mixer, &mut state);
                        (state.density, state.history, state.bands)
                    };
                    mixer.restart();
                    preparation = history;
                    let start = match bands.filter(|_| plan.memory.keeps_coarse_bands) {
                        Some(bands) => Start::CoarseMesh(CoarseBands::new(coarse, &bands)),
                        None => Start::Atoms,
                    };
                    from(basis, start, density, KNOWN_RESIDUAL2)?
                }
            }
        }
    };
    let end = iterate(basis, &terms, options, control, &mut mixer, &mut state);
    Ok(ScfResult {
        end,
        energies: state.energies,
        k_points: basis.k_points(),
        eigenvalues_ha: state.eigenvalues_ha,
        occupations: state.occupations,
        fermi_level_ha: state.fermi_level_ha,
        history: state.history,
        preparation,
        density: state.density,
        bands: state.bands.map(Bands::into_complex),
    })
}

/// Which bands there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct BandPlan {
    sought: usize,
    /// Beside them, to keep the solver fast.
    spare: usize,
    pub(super) memory: MemoryPlan,
}

impl BandPlan {
    fn total(self) -> usize {
        self.sought + self.spare
    }
}

/// Where the first bands come from.
enum Start<'a, S: Scalar> {
    Atoms,
    Neighbour(&'a StartingPoint),
    CoarseMesh(CoarseBands<S>),
}

/// What the loop improves.
struct State<'a, S: Scalar> {
    /// Output density of the last iteration; before the first one, the input.
    density: Density,
    projectors: ProjectorSet<S>,
    /// Where bands come from that there are none of yet.
    start: Start<'a, S>,
    /// Bands at each k-point, the spare ones behind those that are sought; `None` before the first
    /// iteration.
    bands: Option<Bands<S>>,
    plan: BandPlan,
    /// Whether only the density is wanted, to go on from.
    is_preparation: bool,
    /// Whether drafts may do; not where what the loop begins with is better than they are.
    takes_drafts: bool,
    /// What the next iteration's bands are solved to, in hartree².
    residual2: f64,
    eigenvalues_ha: Vec<Vec<f64>>,
    occupations: Vec<Vec<f64>>,
    fermi_level_ha: Option<f64>,
    energies: EnergyParts,
    history: Vec<ScfIteration>,
}

impl<'a, S: BandScalar> State<'a, S> {
    fn new(
        basis: &PlaneWaveBasis,
        plan: BandPlan,
        start: Start<'a, S>,
        density: Density,
        residual2: f64,
        threads: NonZeroUsize,
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let mut occupations = vec![vec![2.0; plan.sought]; basis.waves.len()];
        if basis.model.occupations == Occupations::Fixed {
            let pairs = (basis.model.electron_count() / 2.0).round() as usize;
            for bands in &mut occupations {
                bands[pairs..].fill(0.0);
            }
        }
        Ok(Self {
            density,
            projectors: ProjectorSet::new(
                basis,
                plan.memory.projector_bytes,
                threads,
                cancellation,
            )?,
            takes_drafts: !matches!(start, Start::Neighbour(_)),
            start,
            bands: None,
            plan,
            is_preparation: false,
            residual2,
            eigenvalues_ha: Vec::new(),
            occupations,
            fermi_level_ha: None,
            energies: EnergyParts::default(),
            history: Vec::new(),
        })
    }
}

fn iterate<S: BandScalar>(
    basis: &PlaneWaveBasis,
    terms: &FixedTerms,
    options: &ScfOptions,
    mut control: ScfControl<'_>,
    mixer: &mut Mixer,
    state: &mut State<'_, S>,
) -> ScfEnd {
    let electrons = basis.model.electron_count();
    let k_points = basis.k_points();
    let grid = &basis.density_grid;
    let mut density_in = state.density.clone();
    let cancellation = control.cancellation();

    while state.history.len() < options.max_iterations {
        // ρ_in → V → ψ, ε
        let Ok(input) = terms.evaluate(basis, &density_in, options.threads, cancellation) else {
            state.bands = None;
            return ScfEnd::Cancelled;
        };
        state.plan.memory.give_back_free_memory();
        let last = state.history.last();
        let last_error = last.map_or(f64::INFINITY, |last| last.estimated_error_ha);
        let least_error = DRAFT_ERROR_HA.max(SINGLE_PRECISION_ERROR * options.convergence_ha);
        let is_draft = state.takes_drafts
            && state.residual2 > SINGLE_PRECISION_RESIDUAL2
            && last_error > least_error;
        if state.takes_drafts && !is_draft {
            // The answers of drafts and of H are not those of one function; and what H finds wrong with the
            // last draft's density must not lead back to drafts.
            state.takes_drafts = false;
            mixer.restart();
        }
        let solve = match is_draft {
            true => solve_bands::<S, f32>,
            false => solve_bands::<S, f64>,
        };
        let Some(solved) = solve(basis, terms, &input, options.threads, cancellation, state) else {
            return match cancellation.is_requested() {
                true => ScfEnd::Cancelled,
                false => ScfEnd::DiagonalizationFailed,
            };
        };
        // ψ, ε → f → ρ_out
        let levels = &solved.eigenvalues_ha;
        let filling = fill_bands(basis.model.occupations, electrons, &k_points, levels);
        let sum = match is_draft {
            true => Density::of_bands::<S, f32>,
            false => Density::of_bands::<S, f64>,
        };
        let Ok(density) = sum(
            basis,
            terms,
            &solved.bands,
            &solved.projections,
            &filling.occupation,
            options.threads,
            cancellation,
        ) else {
            return ScfEnd::Cancelled;
        };
        state.eigenvalues_ha = solved.eigenvalues_ha;
        state.occupations = filling.occupation;
        state.fermi_level_ha = filling.fermi_level;
        state.density = density;
        state.bands = Some(solved.bands);
        state.start = Start::Atoms;

        // E[ρ_out], exchange and correlation to first order in ρ_out − ρ_in
        let residual = state.density.minus(&density_in);
        let band_energy = band_energy(&k_points, &state.eigenvalues_ha, &state.occupations);
        state.energies = EnergyParts {
            smearing_ha: filling.smearing_energy,
            ..energy_of_output(basis, terms, &input, &state.density, &residual, band_energy)
        };
        let error = hartree_energy(grid, &residual.field);

        let iteration = ScfIteration {
            number: state.history.len() + 1,
            total_energy_ha: state.energies.total_ha(),
            estimated_error_ha: error,
            hamiltonian_applications: solved.applications,
            unconverged_bands: solved.unconverged,
        };
        state.history.push(iteration);
        if let Some(progress) = &mut control.progress {
            progress(&iteration);
        }
        // An error smaller than what the bands were solved to says nothing.
        let share = RESIDUAL2_SHARE / electrons.max(1.0);
        let enough = FINAL_RESIDUAL2_SLACK * share * options.convergence_ha;
        let bands_are_good = state.residual2 <= enough.max(SMALLEST_RESIDUAL2);
        let wanted = match error < options.convergence_ha && !state.is_preparation {
            true => FINAL_RESIDUAL2_TARGET * share * options.convergence_ha,
            false => share * error,
        };
        state.residual2 = wanted.clamp(SMALLEST_RESIDUAL2, state.residual2);
        if error < options.convergence_ha && bands_are_good && !is_draft {
            return ScfEnd::Converged;
        }
        if has_stagnated(&state.history, options.stagnation_window) {
            return ScfEnd::Stagnated;
        }
        density_in = mixer.next(grid, &density_in, &residual);
    }
    ScfEnd::IterationLimit
}

pub(super) fn plan_bands(
    basis: &PlaneWaveBasis,
    options: &ScfOptions,
) -> Result<BandPlan, DftError> {
    let pairs = (basis.model.electron_count() / 2.0).ceil() as usize;
    let smallest_basis = basis.waves.iter().map(|waves| waves.len()).min();
    let most = smallest_basis.unwrap_or(0) / 2;
    let sought = options.bands.unwrap_or(match basis.model.occupations {
        Occupations::Fixed => pairs + 1,
        Occupations::Smeared { .. } => (pairs + 4).max((1.2 * pairs as f64).ceil() as usize),
    });
    if sought < pairs.max(1) || sought > most {
        return Err(DftError::InvalidSetting {
            setting: "bands",
            found: sought.to_string(),
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
    let spare = SPARE_BANDS.min(most - sought);
    Ok(BandPlan {
        sought,
        spare,
        memory: MemoryPlan::of(basis, sought + spare),
    })
}

/// What the eigensolvers of all k-points found.
struct SolvedBands<S: Scalar> {
    bands: Bands<S>,
    /// `⟨β|ψ⟩` at each k-point, one column per band.
    projections: Vec<Vec<S>>,
    /// Of the bands that are sought.
    eigenvalues_ha: Vec<Vec<f64>>,
    applications: usize,
    unconverged: usize,
}

/// What one thread solves one k-point after another in.
struct SolverMemory<S> {
    psi: Vec<S>,
    projectors: Projectors<S>,
    workspace: Workspace<S>,
}

/// Improves the bands of all k-points in the given potential; `None` if a solver broke down or
/// the loop was cancelled.
fn solve_bands<S: BandScalar, T: Precision>(
    basis: &PlaneWaveBasis,
    terms: &FixedTerms,
    input: &KohnShamPotential,
    threads: NonZeroUsize,
    cancellation: Cancellation<'_>,
    state: &mut State<'_, S>,
) -> Option<SolvedBands<S>> {
    let overlap = terms.overlap.as_ref();
    let operators = Operators::<T>::new::<S>(basis, &input.potential, &input.coupling, overlap);
    // In drafts all of H is one.
    let inexact = T::IS_DOUBLE.then(|| operators.inexact(basis, &input.potential));
    let (plan, residual2) = (state.plan, state.residual2);
    if let Start::CoarseMesh(coarse) = &mut state.start {
        coarse.apply_potential(basis, &operators, threads);
    }
    let (start, projectors) = (&state.start, &state.projectors);
    let lengths = basis.waves.iter().map(|waves| plan.total() * waves.len());
    let before = state.bands.take();
    let is_first = before.is_none();
    let mut bands = before.unwrap_or_else(|| Bands::zeros(lengths, plan.memory.kept));
    let places = bands.iter_mut().zip(&state.occupations);
    let work = basis.waves.iter().enumerate().zip(places);
    let most = plan.total() * basis.most_waves();
    // Made once per thread: given back and taken again at each k-point, pieces of different sizes would
    // leave holes.
    let memory = || SolverMemory {
        psi: Vec::with_capacity(most),
        projectors: projectors.spare(basis),
        workspace: Workspace::with_room(plan.memory.subspace_factor * most),
    };
    let solutions: Option<Vec<EigenSolution<S>>> = parallel_map_with(
        threads,
        work,
        memory,
        |memory, ((k, waves), (mut place, occupations))| {
            if cancellation.is_requested() {
                return None;
            }
            let sought = occupations.iter().map(|&f| match f > 0.01 {
                true => residual2,
                false => residual2.max(EMPTY_BAND_RESIDUAL2),
            });
            let spare = std::iter::repeat_n(f64::INFINITY, plan.spare);
            let limits: Vec<f64> = sought.chain(spare).collect();
            let settings = DavidsonSettings {
                bands: plan.total(),
                residual2_limits: &limits,
                max_iterations: 30,
                subspace_factor: plan.memory.subspace_factor,
                cancellation,
            };
            let projectors = projectors.at(basis, k, &mut memory.projectors);
            plan.memory.give_back_free_memory();
            let mut hamiltonian = Hamiltonian::new(
                waves,
                &basis.wave_grid,
                &operators,
                projectors,
                cancellation,
            );
            if let Some(potential) = &inexact {
                hamiltonian = hamiltonian.with_inexact(&basis.wave_grid, potential);
            }
            let psi = &mut memory.psi;
            match is_first {
                true => {
                    let bands = plan.total();
                    let found = match start {
                        Start::Atoms => None,
                        Start::Neighbour(known) => known.bands(basis, k),
                        Start::CoarseMesh(coarse) => coarse.bands_at(basis, k, &hamiltonian, bands),
                    };
                    *psi = found.unwrap_or_else(|| starting_bands(basis, waves, bands, k));
                }
                false => place.get(psi),
            }
            let solution = davidson(&mut hamiltonian, psi, &settings, &mut memory.workspace)?;
            place.set(psi);
            Some(solution)
        },
    )
    .into_iter()
    .collect();
    let solutions = solutions?;
    let (applications, unconverged) = (
        solutions.iter().map(|s| s.applications).sum(),
        solutions.iter().map(|s| s.unconverged).sum(),
    );
    let (eigenvalues_ha, projections) = (solutions.into_iter())
        .map(|mut solution| {
            solution.values.truncate(plan.sought);
            (solution.values, solution.projections)
        })
        .unzip();
    Some(SolvedBands {
        bands,
        projections,
        eigenvalues_ha,
        applications,
        unconverged,
    })
}

/// The energy of the output density, all but smearing's part.
///
/// Exchange, correlation and the one-centre terms are those of the input and their first-order
/// change: like the whole, they are then wrong in second order of the residual only, and the
/// functional is evaluated once an iteration.
fn energy_of_output(
    basis: &PlaneWaveBasis,
    terms: &FixedTerms,
    input: &KohnShamPotential,
    output: &Density,
    residual: &Density,
    band_energy: f64,
) -> EnergyParts {
    let grid = &basis.density_grid;
    let one_centre = |occupations: &ProjectorMatrices| match &input.one_centre_coupling {
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
fn band_energy(k_points: &[KPoint], eigenvalues_ha: &[Vec<f64>], occupations: &[Vec<f64>]) -> f64 {
    let at_k = |bands: &[f64], occupations: &[f64]| -> f64 {
        bands.iter().zip(occupations).map(|(e, f)| e * f).sum()
    };
    k_points
        .iter()
        .zip(eigenvalues_ha.iter().zip(occupations))
        .map(|(k, (bands, occupations))| k.weight * at_k(bands, occupations))
        .sum()
}

/// Whether the error has not fallen by a tenth within the window.
fn has_stagnated(history: &[ScfIteration], window: Option<usize>) -> bool {
    let Some(split) = window.and_then(|window| history.len().checked_sub(window)) else {
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
