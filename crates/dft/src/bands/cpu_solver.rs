//! Bands in this process' memory, found by its processors: one k-point per thread, or several threads for each
//! where there are fewer k-points.

use std::{num::NonZeroUsize, sync::Arc};

use rustfft::num_complex::Complex64;

use super::{
    coarse_bands::CoarseBands,
    density_sum::band_sums,
    known_bands::KnownBands,
    plan::BandPlan,
    projector_set::ProjectorSet,
    solver::{Accuracy, BandSolver, BandSums, Eigenproblem, KeptBands, Solved},
    start::starting_bands,
    storage::{Bands, BandsMut},
};
use crate::{
    DftError,
    band_scalar::BandScalar,
    basis::{PlaneWaveBasis, Precision, WaveBasis},
    cancellation::Cancellation,
    eigensolver::{DavidsonSettings, EigenSolution, Exactness, Workspace, davidson},
    hamiltonian::{Hamiltonian, Operators},
    linear_algebra::Scalar,
    parallel::parallel_map_with,
    terms::nonlocal::Projectors,
};

/// H acts in single precision as long as bands are solved to more than this, in hartree² (its rounding leaves
/// 1e-12), and the density's error exceeds the one asked for by this factor: the energy, which single
/// precision moves by 1e-5 hartree, is never taken from them.
const SINGLE_PRECISION_RESIDUAL2: f64 = 1e-10;
const SINGLE_PRECISION_ERROR: f64 = 30.0;
/// Where the density is better than this, drafts no longer do, single precision in the whole box does: in their
/// smaller box it ends up elsewhere, by 5e-7 hartree at 12 Ry and 1e-8 at 50.
const DRAFT_ERROR_HA: f64 = 1e-5;
/// Bands with no more electrons than this count as empty.
const EMPTY_BAND: f64 = 0.01;
/// Empty bands are never asked for more: the eigenvalue is then good to about 1e-6 hartree.
const EMPTY_BAND_RESIDUAL2: f64 = 1e-7;
/// Coefficients of the bands at a k-point from which on threads share the work on them.
const WORTH_SHARING: usize = 1 << 16;
/// Times that the eigensolver's subspace is extended at most.
const MAX_ITERATIONS: usize = 30;

/// Where the first bands come from.
pub(crate) enum FirstBands<'a> {
    /// The orbitals of the atoms.
    Atoms,
    /// A neighbour, if it has any, and else the atoms.
    Known(&'a KnownBands),
}

/// A solver for bands of the numbers that the crystal's symmetry allows.
pub(crate) fn solver_on_cpu<'a>(
    basis: &PlaneWaveBasis,
    plan: BandPlan,
    first: FirstBands<'a>,
    threads: NonZeroUsize,
    cancellation: Cancellation<'a>,
) -> Box<dyn BandSolver + 'a> {
    match basis.inversion.is_some() || basis.is_real_by_time_reversal() {
        true => Box::new(CpuSolver::<f64>::new(plan, first, threads, cancellation)),
        false => Box::new(CpuSolver::<Complex64>::new(
            plan,
            first,
            threads,
            cancellation,
        )),
    }
}

/// Davidson's iteration at each k-point, the work shared by threads; results do not depend on how many.
pub(crate) struct CpuSolver<'a, S: Scalar> {
    plan: BandPlan,
    threads: NonZeroUsize,
    cancellation: Cancellation<'a>,
    /// Where bands come from that there are none of yet.
    start: Start<'a, S>,
    /// Whether drafts may do; not where what the loop begins with is better than they are, nor once they
    /// did no longer: what H finds wrong with the last draft's density must not lead back to drafts.
    takes_drafts: bool,
    /// What H was in the last solve.
    exactness: Exactness,
    /// Made when they are first needed.
    projectors: Option<ProjectorSet<S>>,
    /// The spare ones behind those that are sought.
    bands: Option<Bands<S>>,
    /// `⟨β|ψ⟩` at each k-point, one column per band; `None` where S is the identity.
    projections: Option<Vec<Vec<S>>>,
}

enum Start<'a, S: Scalar> {
    Atoms,
    Known(&'a KnownBands),
    CoarseMesh(CoarseBands<S>),
}

/// What one thread solves one k-point after another in.
struct Memory<S> {
    psi: Vec<S>,
    projectors: Projectors<S>,
    workspace: Workspace<S>,
}

/// A k-point's index and plane waves, where its bands lie, and the electrons in them.
type AtKPoint<'a, S> = (((usize, &'a WaveBasis), BandsMut<'a, S>), &'a Vec<f64>);

impl<'a, S: BandScalar> CpuSolver<'a, S> {
    pub(crate) fn new(
        plan: BandPlan,
        first: FirstBands<'a>,
        threads: NonZeroUsize,
        cancellation: Cancellation<'a>,
    ) -> Self {
        Self {
            plan,
            threads,
            cancellation,
            takes_drafts: matches!(first, FirstBands::Atoms),
            start: match first {
                FirstBands::Atoms => Start::Atoms,
                FirstBands::Known(known) => Start::Known(known),
            },
            exactness: Exactness::Full,
            projectors: None,
            bands: None,
            projections: None,
        }
    }

    /// Improves the bands of all k-points, transforms in `T`; none are left if that breaks down.
    fn improve<T: Precision>(
        &mut self,
        problem: &Eigenproblem<'_>,
        accuracy: &Accuracy<'_>,
    ) -> Option<Vec<EigenSolution<S>>> {
        let (plan, basis) = (self.plan, problem.basis);
        let (threads, cancellation) = (self.threads, self.cancellation);
        let exactness = self.exactness;
        let projectors = match self.projectors.take() {
            Some(made) => made,
            None => {
                let most_bytes = plan.memory.projector_bytes;
                ProjectorSet::new(basis, most_bytes, threads, cancellation).ok()?
            }
        };
        let projectors = &*self.projectors.insert(projectors);
        let (potential, coupling, overlap) = (problem.potential, problem.coupling, problem.overlap);
        let operators = Operators::<T>::new::<S>(basis, potential, coupling, overlap);
        // In drafts all of H is one.
        let inexact = T::IS_DOUBLE.then(|| operators.inexact(basis, potential));
        if let Start::CoarseMesh(coarse) = &mut self.start {
            coarse.apply_potential(basis, &operators, threads);
        }
        let start = &self.start;
        let before = self.bands.take();
        let is_first = before.is_none();
        let lengths = basis.waves.iter().map(|waves| plan.total() * waves.len());
        let mut bands = before.unwrap_or_else(|| Bands::zeros(lengths, plan.memory.kept));
        let work = (basis.waves.iter().enumerate())
            .zip(bands.iter_mut())
            .zip(accuracy.occupations);
        let most = plan.total() * basis.most_waves();
        // Made once per thread: given back and taken again at each k-point, pieces of different sizes would
        // leave holes.
        let (threads, inside) = shared(threads, basis, plan.total());
        let memory = || Memory {
            psi: Vec::with_capacity(most),
            projectors: projectors.spare(basis),
            workspace: Workspace::with_room(plan.memory.subspace_factor * most),
        };
        let at_k_point =
            |memory: &mut Memory<S>, (((k, waves), mut place), occupations): AtKPoint<'_, S>| {
                if cancellation.is_requested() {
                    return None;
                }
                let limits = residual2_limits(plan, accuracy.residual2, occupations);
                let settings = DavidsonSettings {
                    bands: plan.total(),
                    residual2_limits: &limits,
                    exactness,
                    max_iterations: MAX_ITERATIONS,
                    subspace_factor: plan.memory.subspace_factor,
                    cancellation,
                };
                let projectors = projectors.at(basis, k, &mut memory.projectors);
                plan.memory.give_back_free_memory();
                let grid = &basis.wave_grid;
                let mut hamiltonian =
                    Hamiltonian::new(waves, grid, &operators, projectors, cancellation)
                        .on_threads(inside);
                if let Some(potential) = &inexact {
                    hamiltonian = hamiltonian.with_inexact(grid, potential);
                }
                let psi = &mut memory.psi;
                match is_first {
                    true => *psi = start.bands_at(basis, k, &hamiltonian, plan.total()),
                    false => place.get(psi),
                }
                let solution = davidson(&mut hamiltonian, psi, &settings, &mut memory.workspace)?;
                place.set(psi);
                Some(solution)
            };
        let solutions = parallel_map_with(threads, work, memory, at_k_point);
        let solutions = solutions.into_iter().collect::<Option<_>>()?;
        self.bands = Some(bands);
        self.start = Start::Atoms;
        Some(solutions)
    }
}

impl<S: BandScalar> BandSolver for CpuSolver<'_, S> {
    fn solve(&mut self, problem: &Eigenproblem<'_>, accuracy: &Accuracy<'_>) -> Option<Solved> {
        self.projections = None;
        self.plan.memory.give_back_free_memory();
        let may_round = accuracy.residual2 > SINGLE_PRECISION_RESIDUAL2
            && accuracy.density_error_ha > SINGLE_PRECISION_ERROR * accuracy.wanted_error_ha;
        self.takes_drafts =
            self.takes_drafts && may_round && accuracy.density_error_ha > DRAFT_ERROR_HA;
        self.exactness = match (self.takes_drafts, may_round) {
            (true, _) => Exactness::Draft,
            (false, true) => Exactness::Rounded,
            (false, false) => Exactness::Full,
        };
        let solutions = match self.exactness {
            Exactness::Draft => self.improve::<f32>(problem, accuracy)?,
            Exactness::Rounded | Exactness::Full => self.improve::<f64>(problem, accuracy)?,
        };
        let (applications, unconverged) = (
            solutions.iter().map(|s| s.applications).sum(),
            solutions.iter().map(|s| s.unconverged).sum(),
        );
        let (eigenvalues_ha, projections) = (solutions.into_iter())
            .map(|mut solution| {
                solution.values.truncate(self.plan.sought);
                (solution.values, solution.projections)
            })
            .unzip();
        self.projections = problem.overlap.is_some().then_some(projections);
        Some(Solved {
            eigenvalues_ha,
            applications,
            unconverged,
            exactness: self.exactness,
        })
    }

    fn sums(&self, basis: &PlaneWaveBasis, occupations: &[Vec<f64>]) -> Result<BandSums, DftError> {
        let none = Bands::default();
        let (bands, occupations) = match &self.bands {
            Some(bands) => (bands, occupations),
            None => (&none, &[][..]),
        };
        let sums = match self.exactness {
            Exactness::Draft | Exactness::Rounded => band_sums::<S, f32>,
            Exactness::Full => band_sums::<S, f64>,
        };
        let projections = self.projections.as_deref();
        let (threads, cancellation) = (self.threads, self.cancellation);
        sums(
            basis,
            bands,
            projections,
            occupations,
            threads,
            cancellation,
        )
    }

    fn leave_coarse_mesh(&mut self, coarse: PlaneWaveBasis) {
        // What else there is goes before the larger mesh needs the memory.
        (self.projectors, self.projections) = (None, None);
        // The periodic parts of bands that time reversal makes real are not real.
        let are_complex = S::IS_REAL && coarse.is_real_by_time_reversal();
        let serve = self.plan.memory.keeps_coarse_bands && !are_complex;
        let bands = self.bands.take().filter(|_| serve);
        self.start = match bands {
            Some(bands) => Start::CoarseMesh(CoarseBands::new(coarse, &bands)),
            None => Start::Atoms,
        };
        self.takes_drafts = true;
    }

    fn into_bands(self: Box<Self>) -> Option<Arc<dyn KeptBands>> {
        Some(Arc::new(self.bands?))
    }
}

impl<S: BandScalar> Start<'_, S> {
    /// At least so many bands at the k-point of this index.
    fn bands_at<T: Precision>(
        &self,
        basis: &PlaneWaveBasis,
        k: usize,
        hamiltonian: &Hamiltonian<'_, S, T>,
        bands: usize,
    ) -> Vec<S> {
        let found = match self {
            Self::Atoms => None,
            Self::Known(known) => known.bands(basis, k),
            Self::CoarseMesh(coarse) => coarse.bands_at(basis, k, hamiltonian, bands),
        };
        found.unwrap_or_else(|| starting_bands(basis, &basis.waves[k], bands, k))
    }
}

/// Threads for k-points, and for the bands at each: those that k-points have no use for, where there is enough
/// to do.
fn shared(
    threads: NonZeroUsize,
    basis: &PlaneWaveBasis,
    bands: usize,
) -> (NonZeroUsize, NonZeroUsize) {
    let k_points = NonZeroUsize::new(basis.waves.len()).unwrap_or(NonZeroUsize::MIN);
    let outside = threads.min(k_points);
    let inside = match bands * basis.most_waves() >= WORTH_SHARING {
        true => NonZeroUsize::new(threads.get() / outside.get()),
        false => None,
    };
    (outside, inside.unwrap_or(NonZeroUsize::MIN))
}

/// What `|Hψ − εψ|²` of each band may be, in hartree²; the spare ones only come along.
fn residual2_limits(plan: BandPlan, residual2: f64, occupations: &[f64]) -> Vec<f64> {
    let sought = occupations.iter().map(|&f| match f > EMPTY_BAND {
        true => residual2,
        false => residual2.max(EMPTY_BAND_RESIDUAL2),
    });
    sought
        .chain(std::iter::repeat_n(f64::INFINITY, plan.spare))
        .collect()
}
