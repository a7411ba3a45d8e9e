//! Tests of the loop by identities and limits.

use std::{num::NonZeroUsize, sync::Arc};

use rustfft::num_complex::Complex64;

use super::{
    Neighbours, ScfControl, ScfOptions, ScfResult, StartingPoint, self_consistent_field,
    self_consistent_field::solve, self_consistent_field_near,
};
use crate::{
    Atom, Cell, DftError, Discretisation, KMesh, Model, Occupations, PlaneWaveBasis, Smearing,
    band_scalar::BandScalar,
    bands::{
        Accuracy, BandPlan, BandSolver, BandSums, Bands, CpuSolver, Eigenproblem, Exactness,
        FirstBands, KeptBands, KeptPrecision, Solved, band_sums,
    },
    cancellation::Cancellation,
    eigensolver::dense_matrix,
    forces,
    hamiltonian::{Hamiltonian, Operators},
    linear_algebra::Scalar,
    pseudo::Pseudopotential,
    stress,
    terms::nonlocal::Projectors,
};

/// An atom on a centre of inversion between a pair that inversion exchanges.
fn basis(divisions: u32) -> PlaneWaveBasis {
    let species =
        |symbol: &str| Arc::new(Pseudopotential::gth_pbe(symbol.parse().unwrap()).unwrap());
    let species = vec![species("Si"), species("C")];
    let atom = |species, frac| Atom { species, frac };
    let model = Model {
        cell: Cell::new([[5.4, 0.3, 0.0], [0.1, 6.2, 0.4], [0.0, -0.2, 7.8]]).unwrap(),
        functional: species[0].functional(),
        species,
        atoms: vec![
            atom(0, [0.0, 0.0, 0.3]),
            atom(1, [0.5, 0.5, 0.0]),
            atom(0, [0.0, 0.0, 0.7]),
        ],
        occupations: Occupations::Smeared {
            smearing: Smearing::MethfesselPaxton,
            width_ha: 0.01,
        },
    };
    let discretisation = Discretisation {
        ecut_ha: 4.0,
        ecut_density_ha: 16.0,
        k_mesh: KMesh::gamma_centred([divisions, divisions, 1]),
        use_symmetry: true,
    };
    PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap()
}

/// The same with an atom moved.
fn basis_without_inversion(divisions: u32) -> PlaneWaveBasis {
    let basis = basis(divisions);
    let mut model = (*basis.model).clone();
    model.atoms[0].frac = [0.05, 0.02, 0.28];
    PlaneWaveBasis::new(Arc::new(model), basis.discretisation).unwrap()
}

fn options() -> ScfOptions {
    ScfOptions {
        convergence_ha: 1e-11,
        max_iterations: 80,
        ..ScfOptions::default()
    }
}

/// The result with bands of one kind of number, whatever the symmetry would allow.
fn solve_in<S: BandScalar>(
    basis: &PlaneWaveBasis,
    plan: BandPlan,
    options: &ScfOptions,
) -> ScfResult {
    let never = Cancellation::NEVER;
    let solver = CpuSolver::<S>::new(plan, FirstBands::Atoms, options.threads, never);
    let control = ScfControl::default();
    solve(basis, plan, Box::new(solver), None, options, control).unwrap()
}

/// Identity: inversion symmetry makes the coefficients real; the complex solver, which does not
/// know of it, finds the same.
#[test]
fn real_bands_equal_complex_ones() {
    let mut basis = basis(2);
    assert_eq!(basis.inversion, Some(vec![2, 1, 0]));
    let run = |basis: &PlaneWaveBasis| {
        let result = self_consistent_field(basis, &options(), ScfControl::default()).unwrap();
        assert!(result.is_converged(), "{:?}", result.end);
        result
    };
    let real = run(&basis);
    basis.inversion = None;
    let complex = run(&basis);
    let difference = real.total_energy_ha() - complex.total_energy_ha();
    assert!(difference.abs() < 1e-9, "{difference} Ha");
    let levels = |levels: &[Vec<f64>]| levels.concat();
    let pairs = levels(&real.eigenvalues_ha);
    for (a, b) in pairs.iter().zip(levels(&complex.eigenvalues_ha)) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    let electrons = basis.model.electron_count();
    assert!((real.valence_electrons(&basis) - electrons).abs() < 1e-9);
}

/// Identity: at k-points that time reversal leaves where they are bands can be chosen real in any crystal; the
/// complex solver, which does not know of it, finds the same, forces and stress too, from the same bands or from
/// those of a neighbour.
#[test]
fn bands_that_time_reversal_makes_real_equal_complex_ones() {
    let real = basis_without_inversion(2);
    assert_eq!((&real.inversion, real.waves.len()), (&None, 4));
    assert!(real.is_real_by_time_reversal());
    let mut complex = real.clone();
    complex
        .waves
        .iter_mut()
        .for_each(|waves| waves.reversal = None);
    let run = |basis: &PlaneWaveBasis| {
        let result = self_consistent_field(basis, &options(), ScfControl::default()).unwrap();
        assert!(result.is_converged(), "{:?}", result.end);
        let forces = forces(basis, &result, NonZeroUsize::MIN).unwrap();
        let stress = stress(basis, &result, NonZeroUsize::MIN).unwrap();
        let derivatives = [forces.concat(), stress.concat()].concat();
        (result, derivatives)
    };
    let (a, derivatives) = run(&real);
    let (b, expected) = run(&complex);
    assert!(!a.preparation.is_empty());
    let difference = a.total_energy_ha() - b.total_energy_ha();
    assert!(difference.abs() < 1e-9, "{difference} Ha");
    let levels = a.eigenvalues_ha.concat();
    for (a, b) in levels.iter().zip(b.eigenvalues_ha.concat()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    for (a, b) in derivatives.iter().zip(expected) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    let starting_point = StartingPoint::of(&real, &a);
    let neighbours = Neighbours::from(&starting_point);
    let control = ScfControl::default();
    let again = self_consistent_field_near(&real, neighbours, &options(), control).unwrap();
    let difference = again.total_energy_ha() - a.total_energy_ha();
    assert!(difference.abs() < 1e-9, "{difference} Ha");
    assert!(again.history.len() <= 3, "{}", again.history.len());
}

/// Identity: where the loop begins does not change where it ends.
#[test]
fn the_coarse_start_changes_nothing() {
    let basis = basis(6);
    let with = self_consistent_field(&basis, &options(), ScfControl::default()).unwrap();
    assert!(!with.preparation.is_empty());
    let options = ScfOptions {
        coarse_start: false,
        ..options()
    };
    let without = self_consistent_field(&basis, &options, ScfControl::default()).unwrap();
    assert!(without.preparation.is_empty());
    let difference = with.total_energy_ha() - without.total_energy_ha();
    assert!(difference.abs() < 1e-9, "{difference} Ha");
}

/// All bands of norm-conserving potentials at once, by dense diagonalisation.
struct DenseSolver {
    sought: usize,
    bands: Bands<Complex64>,
}

impl BandSolver for DenseSolver {
    fn solve(&mut self, problem: &Eigenproblem<'_>, _: &Accuracy<'_>) -> Option<Solved> {
        let (basis, coupling) = (problem.basis, problem.coupling);
        let operators =
            Operators::<f64>::new::<Complex64>(basis, problem.potential, coupling, None);
        let lengths = basis.waves.iter().map(|waves| self.sought * waves.len());
        self.bands = Bands::zeros(lengths, KeptPrecision::Double);
        let mut eigenvalues_ha = Vec::new();
        for (waves, mut place) in basis.waves.iter().zip(self.bands.iter_mut()) {
            let projectors = Projectors::new(basis, waves);
            let (grid, never) = (&basis.wave_grid, Cancellation::NEVER);
            let mut hamiltonian = Hamiltonian::new(waves, grid, &operators, &projectors, never);
            let matrix = dense_matrix(&mut hamiltonian);
            let (mut values, vectors) = Complex64::hermitian_eigen(&matrix, waves.len())?;
            values.truncate(self.sought);
            eigenvalues_ha.push(values);
            place.set(&vectors[..self.sought * waves.len()]);
        }
        Some(Solved {
            eigenvalues_ha,
            applications: 0,
            unconverged: 0,
            exactness: Exactness::Full,
        })
    }

    fn sums(&self, basis: &PlaneWaveBasis, occupations: &[Vec<f64>]) -> Result<BandSums, DftError> {
        let (one, never) = (NonZeroUsize::MIN, Cancellation::NEVER);
        band_sums::<_, f64>(basis, &self.bands, None, occupations, one, never)
    }

    fn leave_coarse_mesh(&mut self, _: PlaneWaveBasis) {}

    fn into_bands(self: Box<Self>) -> Option<Arc<dyn KeptBands>> {
        Some(Arc::new(self.bands))
    }
}

/// Oracle: dense diagonalisation in place of the iterative solver, its precisions and its starts. Forces are
/// of first order in what is left of the density's error, 1e-11 hartree.
#[test]
fn the_loop_knows_nothing_of_how_bands_are_found() {
    let basis = basis(2);
    let plan = BandPlan::new(&basis, None).unwrap();
    let solver = Box::new(DenseSolver {
        sought: plan.sought,
        bands: Bands::default(),
    });
    let dense = solve(
        &basis,
        plan,
        solver,
        None,
        &options(),
        ScfControl::default(),
    )
    .unwrap();
    let found = self_consistent_field(&basis, &options(), ScfControl::default()).unwrap();
    assert!(dense.is_converged() && found.is_converged());
    let difference = found.total_energy_ha() - dense.total_energy_ha();
    assert!(difference.abs() < 1e-9, "{difference} Ha");
    let pairs = found.eigenvalues_ha.iter().zip(&dense.eigenvalues_ha);
    for (found, dense) in pairs.flat_map(|(a, b)| a.iter().zip(b)) {
        assert!((found - dense).abs() < 1e-5, "{found} {dense}");
    }
    let forces = |result| {
        crate::forces(&basis, result, options().threads)
            .unwrap()
            .concat()
    };
    for (found, dense) in forces(&found).into_iter().zip(forces(&dense)) {
        assert!((found - dense).abs() < 1e-5, "{found} {dense}");
    }
}

/// Identity: the coarse mesh's bands are only a start, for real bands and complex ones, at Γ alone too, but one
/// from which bands in the same potential are found sooner than from the atoms' orbitals.
#[test]
fn the_coarse_bands_are_near_the_bands_between_them() {
    let (basis, at_gamma) = (basis(6), basis_without_inversion(3));
    let options = ScfOptions {
        convergence_ha: 1e-9,
        ..options()
    };
    let run = |keeps_coarse_bands| {
        let plan = |basis: &PlaneWaveBasis| {
            let mut plan = BandPlan::new(basis, options.bands).unwrap();
            plan.memory.keeps_coarse_bands = keeps_coarse_bands;
            plan
        };
        [
            solve_in::<Complex64>(&basis, plan(&basis), &options),
            solve_in::<f64>(&basis, plan(&basis), &options),
            solve_in::<Complex64>(&at_gamma, plan(&at_gamma), &options),
        ]
    };
    for (with, without) in run(true).iter().zip(&run(false)) {
        assert!(with.is_converged() && without.is_converged());
        let difference = with.total_energy_ha() - without.total_energy_ha();
        assert!(difference.abs() < 1e-9, "{difference} Ha");
        let work = |result: &ScfResult| result.history[0].hamiltonian_applications;
        let (with, without) = (work(with), work(without));
        assert!(with < without, "{with} {without}");
    }
}

/// Identity: where the loop begins does not change where it ends, but it gets there sooner.
#[test]
fn a_neighbour_is_only_a_start() {
    let known_basis = basis(2);
    let known = self_consistent_field(&known_basis, &options(), ScfControl::default()).unwrap();
    let mut model = known_basis.model().clone();
    let larger = model.cell.vectors().map(|row| row.map(|x| 1.01 * x));
    model.cell = Cell::new(larger).unwrap();
    let basis = PlaneWaveBasis::new(Arc::new(model), known_basis.discretisation()).unwrap();
    let from = |known: &StartingPoint| {
        self_consistent_field_near(&basis, known, &options(), ScfControl::default()).unwrap()
    };
    let from_neighbour = from(&StartingPoint::of(&known_basis, &known));
    // Bands are not kept.
    let from_density = from(&StartingPoint::with_limit(&known_basis, &known, 0));
    let from_atoms = self_consistent_field(&basis, &options(), ScfControl::default()).unwrap();
    let first_error = |result: &ScfResult| result.history[0].estimated_error_ha;
    for near in [&from_neighbour, &from_density] {
        assert!(near.is_converged() && from_atoms.is_converged());
        let difference = near.total_energy_ha() - from_atoms.total_energy_ha();
        assert!(difference.abs() < 1e-9, "{difference} Ha");
        assert!(first_error(near) < 0.1 * first_error(&from_atoms));
    }
    let work = |result: &ScfResult| result.history[0].hamiltonian_applications;
    assert!(work(&from_neighbour) < work(&from_density));
}

/// Identity: two neighbours are only a start too, and a better one.
#[test]
fn two_neighbours_are_a_better_start_than_one() {
    let given = basis(2);
    let at = |scale: f64| {
        let mut model = given.model().clone();
        let scaled = model.cell.vectors().map(|row| row.map(|x| scale * x));
        model.cell = Cell::new(scaled).unwrap();
        PlaneWaveBasis::new(Arc::new(model), given.discretisation()).unwrap()
    };
    let bases = [1.0, 1.01, 1.02].map(at);
    let from_atoms = |basis: &PlaneWaveBasis| {
        self_consistent_field(basis, &options(), ScfControl::default()).unwrap()
    };
    let before = StartingPoint::of(&bases[0], &from_atoms(&bases[0]));
    let nearest = StartingPoint::of(&bases[1], &from_atoms(&bases[1]));
    let from = |before| {
        let known = Neighbours {
            nearest: &nearest,
            before,
        };
        self_consistent_field_near(&bases[2], known, &options(), ScfControl::default()).unwrap()
    };
    let (one, two) = (from(None), from(Some(&before)));
    let expected = from_atoms(&bases[2]).total_energy_ha();
    for near in [&one, &two] {
        let difference = near.total_energy_ha() - expected;
        assert!(
            near.is_converged() && difference.abs() < 1e-9,
            "{difference} Ha"
        );
    }
    let first_error = |result: &ScfResult| result.history[0].estimated_error_ha;
    let (one, two) = (first_error(&one), first_error(&two));
    assert!(two < one, "{two} {one}");
}

/// Identity: what bands are rounded to between iterations changes results far less than the
/// accuracy that is asked for, 1e-7 hartree here. Forces are of first order in what is rounded off.
#[test]
fn rounded_bands_change_next_to_nothing() {
    let basis = basis(2);
    let options = ScfOptions {
        convergence_ha: 1e-7,
        ..options()
    };
    let run = |kept| {
        let mut plan = BandPlan::new(&basis, options.bands).unwrap();
        plan.memory.kept = kept;
        [
            solve_in::<Complex64>(&basis, plan, &options),
            solve_in::<f64>(&basis, plan, &options),
        ]
    };
    let pairs = run(KeptPrecision::Double)
        .into_iter()
        .zip(run(KeptPrecision::Single));
    for (double, single) in pairs {
        assert!(double.is_converged() && single.is_converged());
        let difference = double.total_energy_ha() - single.total_energy_ha();
        assert!(
            difference != 0.0 && difference.abs() < 1e-9,
            "{difference} Ha"
        );
        let forces = |result| {
            crate::forces(&basis, result, options.threads)
                .unwrap()
                .concat()
        };
        for (a, b) in forces(&double).iter().zip(forces(&single)) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
