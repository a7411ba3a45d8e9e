//! Energies of bands at other k-points than those of the density, found in one go and not kept.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use super::{solver::Eigenproblem, start::starting_bands};
use crate::{
    DftError,
    band_scalar::BandScalar,
    basis::{KPoint, PlaneWaveBasis, Precision},
    cancellation::Cancellation,
    eigensolver::{DavidsonSettings, EigenSolution, Exactness, Workspace, davidson},
    hamiltonian::{Hamiltonian, Operators},
    parallel::parallel_map,
    terms::nonlocal::Projectors,
};

/// `|Hψ − εψ|²` of a band in hartree², which leaves less than 1e-8 hartree in its energy unless the next
/// one is nearer than 0.01 hartree; and what single precision is asked for before.
const RESIDUAL2: f64 = 1e-10;
const DRAFT_RESIDUAL2: f64 = 1e-7;
/// Bands above those that are sought, which are not converged: they keep a level that the starting
/// vectors hardly hold from being missed, and the solver fast.
const SPARE_BANDS: usize = 4;
/// Times that the subspace is extended at most.
const MAX_ITERATIONS: usize = 100;
const SUBSPACE_FACTOR: usize = 4;
/// k-points whose plane waves are held at once.
const POINTS_AT_ONCE: usize = 64;

/// Band energies in hartree, ascending, shape (k-points, bands), at other k-points than those of the problem's
/// basis.
///
/// # Errors
/// [`DftError::InvalidSetting`] for fewer bands than are filled or more than half the plane waves,
/// [`DftError::BandsNotFound`] where the eigensolver breaks down, [`DftError::Cancelled`].
pub(crate) fn energies_at_k_points(
    problem: &Eigenproblem<'_>,
    k_points: &[KPoint],
    wanted: Option<usize>,
    threads: NonZeroUsize,
    cancellation: Cancellation<'_>,
) -> Result<Vec<Vec<f64>>, DftError> {
    let solve = match problem.basis.inversion {
        Some(_) => solve_all::<f64>,
        None => solve_all::<Complex64>,
    };
    solve(problem, k_points, wanted, threads, cancellation)
}

fn solve_all<S: BandScalar>(
    problem: &Eigenproblem<'_>,
    k_points: &[KPoint],
    wanted: Option<usize>,
    threads: NonZeroUsize,
    cancellation: Cancellation<'_>,
) -> Result<Vec<Vec<f64>>, DftError> {
    let basis = problem.basis;
    let (potential, coupling, overlap) = (problem.potential, problem.coupling, problem.overlap);
    let draft = Operators::<f32>::new::<S>(basis, potential, coupling, overlap);
    let last = Operators::<f64>::new::<S>(basis, potential, coupling, overlap);
    let mut energies = Vec::with_capacity(k_points.len());
    for (chunk, points) in k_points.chunks(POINTS_AT_ONCE).enumerate() {
        let there = basis.at_k_points(points, cancellation)?;
        let sought = bands_sought(&there, wanted)?;
        let first = chunk * POINTS_AT_ONCE;
        let solved = parallel_map(threads, 0..points.len(), |k| {
            cancellation.check()?;
            let waves = &there.waves[k];
            let total = sought + SPARE_BANDS.min(waves.len() / 2 - sought);
            let mut at = AtPoint {
                projectors: Projectors::<S>::new(&there, waves),
                psi: starting_bands(&there, waves, total, first + k),
                workspace: Workspace::with_room(SUBSPACE_FACTOR * total * waves.len()),
                sought,
                total,
            };
            let found = at
                .solve(&there, k, &draft, DRAFT_RESIDUAL2, cancellation)
                .and_then(|_| at.solve(&there, k, &last, RESIDUAL2, cancellation))
                .filter(|found| found.unconverged == 0);
            match found {
                Some(mut found) => {
                    found.values.truncate(sought);
                    Ok(found.values)
                }
                None => {
                    cancellation.check()?;
                    let k_frac = points[k].frac;
                    Err(DftError::BandsNotFound { k_frac })
                }
            }
        });
        for found in solved {
            energies.push(found?);
        }
    }
    Ok(energies)
}

/// The eigenproblem at one k-point.
struct AtPoint<S> {
    projectors: Projectors<S>,
    psi: Vec<S>,
    workspace: Workspace<S>,
    sought: usize,
    total: usize,
}

impl<S: BandScalar> AtPoint<S> {
    /// Improves the bands; `None` if the solver breaks down or is cancelled.
    fn solve<T: Precision>(
        &mut self,
        basis: &PlaneWaveBasis,
        k: usize,
        operators: &Operators<T>,
        residual2: f64,
        cancellation: Cancellation<'_>,
    ) -> Option<EigenSolution<S>> {
        let mut limits = vec![residual2; self.sought];
        limits.resize(self.total, f64::INFINITY);
        let settings = DavidsonSettings {
            exactness: Exactness::Full,
            bands: self.total,
            residual2_limits: &limits,
            max_iterations: MAX_ITERATIONS,
            subspace_factor: SUBSPACE_FACTOR,
            cancellation,
        };
        let mut hamiltonian = Hamiltonian::new(
            &basis.waves[k],
            &basis.wave_grid,
            operators,
            &self.projectors,
            cancellation,
        );
        davidson(
            &mut hamiltonian,
            &mut self.psi,
            &settings,
            &mut self.workspace,
        )
    }
}

/// How many bands are sought at these k-points.
fn bands_sought(basis: &PlaneWaveBasis, wanted: Option<usize>) -> Result<usize, DftError> {
    let pairs = (basis.model.electron_count() / 2.0).ceil() as usize;
    let smallest = basis.waves.iter().map(|waves| waves.len()).min();
    let most = smallest.unwrap_or(0) / 2;
    let sought = wanted.unwrap_or((pairs + 4).max((1.2 * pairs as f64).ceil() as usize));
    match sought >= pairs.max(1) && sought <= most {
        true => Ok(sought),
        false => Err(DftError::InvalidSetting {
            setting: "bands",
            found: sought.to_string(),
            expected: "at least half the electrons and at most half the plane waves at any k-point",
        }),
    }
}
