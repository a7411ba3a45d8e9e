//! The self-consistent field: where the loop begins, and what it leaves.

use super::{
    ScfControl, ScfOptions, ScfResult, band_accuracy::BandAccuracy, iteration::iterate,
    mixing::Mixer, starting_point::Neighbours, state::State,
};
use crate::{
    DftError,
    bands::{BandPlan, BandSolver, FirstBands, solver_on_cpu},
    basis::PlaneWaveBasis,
    density::Density,
    terms::Terms,
};

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
    let plan = BandPlan::new(basis, options.bands)?;
    options.check()?;
    let first = match known {
        Some(known) => FirstBands::Known(known.nearest.bands()),
        None => FirstBands::Atoms,
    };
    let solver = solver_on_cpu(basis, plan, first, options.threads, control.cancellation());
    solve(basis, plan, solver, known, options, control)
}

/// The same with a solver of one's own for the bands.
///
/// # Errors
/// [`DftError::Cancelled`] before the first iteration; later it is an end like others.
pub(super) fn solve(
    basis: &PlaneWaveBasis,
    plan: BandPlan,
    mut solver: Box<dyn BandSolver + '_>,
    known: Option<Neighbours<'_>>,
    options: &ScfOptions,
    control: ScfControl<'_>,
) -> Result<ScfResult, DftError> {
    let cancellation = control.cancellation();
    let terms = Terms::new(basis, cancellation)?;
    let mut mixer = Mixer::new(options.mixing);
    let mut preparation = Vec::new();
    let mut density = match known {
        Some(known) => known.density(basis, cancellation)?,
        None => Density::of_atoms(basis, &terms, cancellation)?,
    };
    let mut accuracy = match known {
        Some(_) => BandAccuracy::from_known_density(basis, options),
        None => BandAccuracy::from_atoms(basis, options),
    };
    let coarse = match options.coarse_start && known.is_none() {
        true => basis.coarser(cancellation)?,
        false => None,
    };
    if let Some(coarse) = coarse {
        accuracy = BandAccuracy::from_known_density(basis, options);
        let options = ScfOptions {
            convergence_ha: COARSE_CONVERGENCE_HA.max(options.convergence_ha),
            max_iterations: COARSE_ITERATIONS,
            stagnation_window: None,
            ..options.clone()
        };
        let quiet = ScfControl {
            is_cancelled: control.is_cancelled,
            progress: None,
        };
        let accuracy_there = BandAccuracy::from_atoms(&coarse, &options).of_preparation();
        let mut state = State::new(&coarse, plan.sought, density, accuracy_there, None);
        iterate(
            &coarse,
            &terms,
            &mut *solver,
            &mut mixer,
            &options,
            quiet,
            &mut state,
        );
        (density, preparation) = (state.density, state.history);
        solver.leave_coarse_mesh(coarse);
        mixer.restart();
    }
    let mut state = State::new(
        basis,
        plan.sought,
        density,
        accuracy,
        options.stagnation_window,
    );
    let end = iterate(
        basis,
        &terms,
        &mut *solver,
        &mut mixer,
        options,
        control,
        &mut state,
    );
    Ok(state.into_result(basis, end, preparation, solver))
}
