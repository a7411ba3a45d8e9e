//! Tests of the terms: each operator is the derivative of its energy.

use std::{num::NonZeroUsize, sync::Arc};

use rustfft::num_complex::Complex64;

use super::{
    hartree::{hartree_energy, hartree_potential},
    kinetic::kinetic_energy,
    nonlocal::{Projectors, bare_coupling},
    xc::{ExchangeCorrelation, exchange_correlation},
};
use crate::{
    Atom, Cell, Discretisation, KMesh, Model, Occupations, PlaneWaveBasis,
    bands::{Bands, KeptPrecision, band_sums, starting_bands},
    basis::{DensityGrid, PointOrbits},
    cancellation::Cancellation,
    density::Density,
    eigensolver::{Exactness, Operator, dense_matrix, solved_to_the_end},
    hamiltonian::{Hamiltonian, Operators},
    linear_algebra::{Scalar, ZERO, norm2},
    pseudo::Pseudopotential,
    terms::{Terms, atomic_density::atomic_density},
    xc::Functional,
};

const ONE_THREAD: NonZeroUsize = NonZeroUsize::MIN;

/// A small skewed cell without symmetry.
fn basis() -> PlaneWaveBasis {
    let species =
        |symbol: &str| Arc::new(Pseudopotential::gth_pbe(symbol.parse().unwrap()).unwrap());
    let model = Model {
        cell: Cell::new([[5.0, 0.3, 0.0], [0.1, 5.2, 0.4], [0.0, -0.2, 4.8]]).unwrap(),
        functional: Functional::Pbe,
        species: vec![species("Si"), species("C")],
        atoms: vec![
            Atom {
                species: 0,
                frac: [0.02, 0.0, 0.1],
            },
            Atom {
                species: 1,
                frac: [0.45, 0.5, 0.55],
            },
        ],
        occupations: Occupations::Fixed,
    };
    let discretisation = Discretisation {
        ecut_ha: 4.0,
        ecut_density_ha: 16.0,
        k_mesh: KMesh {
            divisions: [1; 3],
            shifted: [true, false, true],
        },
        use_symmetry: true,
    };
    PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap()
}

/// A change of the density that keeps it real and its number of electrons.
fn change_of_density(basis: &PlaneWaveBasis) -> Vec<Complex64> {
    let grid = &basis.density_grid;
    let mut real = vec![0.0; grid.fft.len()];
    for (i, value) in real.iter_mut().enumerate() {
        *value = (i as f64 * 0.713).sin();
    }
    let mut change = grid.to_reciprocal(&real);
    change[0] = Complex64::new(0.0, 0.0);
    for (value, g2) in change.iter_mut().zip(&grid.g2) {
        *value *= 0.02 * (-0.4 * g2).exp();
    }
    change
}

fn moved(density: &[Complex64], change: &[Complex64], step: f64) -> Vec<Complex64> {
    density
        .iter()
        .zip(change)
        .map(|(rho, d)| rho + d * step)
        .collect()
}

/// Exchange and correlation without any use of symmetry.
fn at_each_point(
    functional: Functional,
    grid: &DensityGrid,
    density: &[Complex64],
) -> ExchangeCorrelation {
    let never = Cancellation::NEVER;
    let orbits = PointOrbits::new(grid.fft.dims(), &[], never).unwrap();
    exchange_correlation(functional, grid, &orbits, density, None, ONE_THREAD, never).unwrap()
}

/// Oracle: the functional at each point; the crystal has a screw axis and a glide plane that fit the
/// box, and axes that are not at right angles.
#[test]
fn a_symmetric_density_needs_one_point_of_each_orbit() {
    let carbon = Arc::new(Pseudopotential::gth_pbe("C".parse().unwrap()).unwrap());
    let silicon = Arc::new(Pseudopotential::gth_pbe("Si".parse().unwrap()).unwrap());
    let atom = |species, frac| Atom { species, frac };
    let third = 1.0 / 3.0;
    let model = Model {
        cell: Cell::new([
            [5.8, 0.0, 0.0],
            [-2.9, 2.9 * 3f64.sqrt(), 0.0],
            [0.0, 0.0, 9.4],
        ])
        .unwrap(),
        functional: Functional::Pbe,
        species: vec![silicon, carbon],
        atoms: vec![
            atom(0, [third, 2.0 * third, 0.0]),
            atom(0, [2.0 * third, third, 0.5]),
            atom(1, [third, 2.0 * third, 0.38]),
            atom(1, [2.0 * third, third, 0.88]),
        ],
        occupations: Occupations::Fixed,
    };
    let discretisation = Discretisation {
        ecut_ha: 4.0,
        ecut_density_ha: 16.0,
        k_mesh: KMesh::gamma_centred([1; 3]),
        use_symmetry: true,
    };
    let basis = PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap();
    let (grid, orbits) = (&basis.density_grid, &basis.point_orbits);
    assert_eq!(basis.operations.len(), 12);
    assert!(orbits.representatives().0.len() < grid.fft.len() / 8);
    let mut density = moved(
        &atomic_density(&basis.model, grid),
        &change_of_density(&basis),
        1.0,
    );
    let never = Cancellation::NEVER;
    basis.symmetrizer.symmetrize(&mut density, never).unwrap();
    for functional in [Functional::LdaPw, Functional::Pbe] {
        let expected = at_each_point(functional, grid, &density);
        let found =
            exchange_correlation(functional, grid, orbits, &density, None, ONE_THREAD, never)
                .unwrap();
        let difference = found.energy - expected.energy;
        assert!(difference.abs() < 1e-12, "{functional:?} {difference} Ha");
        for (a, b) in found.potential.iter().zip(&expected.potential) {
            assert!((a - b).norm() < 1e-12, "{functional:?} {a} {b}");
        }
    }
}

/// Oracle: central differences of the energy along a change of the density.
#[test]
fn potentials_are_derivatives_of_energies() {
    let basis = basis();
    let grid = &basis.density_grid;
    let mut density = atomic_density(&basis.model, grid);
    // Positive everywhere: at a zero |ρ|^{4/3} has no central difference.
    density[0] += 0.1;
    let change = change_of_density(&basis);
    let step = 1e-3;
    let slope = |energy: &dyn Fn(&[Complex64]) -> f64| {
        (energy(&moved(&density, &change, step)) - energy(&moved(&density, &change, -step)))
            / (2.0 * step)
    };
    let hartree = slope(&|rho| hartree_energy(grid, rho));
    let potential = hartree_potential(grid, &density);
    let expected = grid.integrate_product(&potential, &change);
    assert!(
        (hartree - expected).abs() < 1e-10,
        "Hartree {hartree} {expected}"
    );

    for functional in [
        Functional::LdaPz,
        Functional::LdaPw,
        Functional::Pbe,
        Functional::PbeSol,
    ] {
        let found = slope(&|rho| at_each_point(functional, grid, rho).energy);
        let potential = at_each_point(functional, grid, &density).potential;
        let expected = grid.integrate_product(&potential, &change);
        assert!(
            (found - expected).abs() < 1e-7,
            "{functional:?} {found} {expected}"
        );
    }
}

/// Oracle: the operator in double precision. Single precision rounds at 6e-8; between two waves of which one
/// is long, and the other anywhere in the sphere, the smaller box is as good.
#[test]
fn single_precision_rounds_and_drafts_are_right_between_long_waves() {
    let basis = basis();
    let terms = Terms::new(&basis, Cancellation::NEVER).unwrap();
    let density = Density::of_atoms(&basis, &terms, Cancellation::NEVER).unwrap();
    let kohn_sham = terms
        .evaluate(&basis, &density, ONE_THREAD, Cancellation::NEVER)
        .unwrap();
    let (waves, grid) = (&basis.waves[0], &basis.wave_grid);
    let projectors = Projectors::<Complex64>::new(&basis, waves);
    let (potential, coupling) = (&kohn_sham.potential, &kohn_sham.coupling);
    let operators = Operators::<f64>::new::<Complex64>(&basis, potential, coupling, None);
    let draft = Operators::<f32>::new::<Complex64>(&basis, potential, coupling, None);
    let inexact = operators.inexact(&basis, potential);
    let mut full = Hamiltonian::new(waves, grid, &operators, &projectors, Cancellation::NEVER)
        .with_inexact(grid, &inexact);
    let mut draft = Hamiltonian::new(waves, grid, &draft, &projectors, Cancellation::NEVER);
    let distance = |a: &[Complex64], b: &[Complex64]| {
        let difference: Vec<Complex64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        (norm2(&difference) / norm2(b)).sqrt()
    };
    // All the waves of each band, and the long ones: half the reach.
    let whole: Vec<Complex64> = starting_bands(&basis, waves, 4, 0);
    let longest = waves
        .kinetic
        .partition_point(|&kinetic| kinetic < 0.24 * waves.kinetic[waves.len() - 1]);
    assert!(longest > 1);
    let mut long = whole.clone();
    for band in long.chunks_exact_mut(waves.len()) {
        band[longest..].fill(ZERO);
    }
    for (psi, is_long) in [(&whole, false), (&long, true)] {
        let projections = projectors.project(psi);
        let mut by = |exactness| {
            let mut out = vec![ZERO; psi.len()];
            full.apply_at_least(exactness, psi, &projections, &mut out)
                .unwrap();
            out
        };
        let (exact, rounded, inexact) = (
            by(Exactness::Full),
            by(Exactness::Rounded),
            by(Exactness::Draft),
        );
        let mut drafted = vec![ZERO; psi.len()];
        draft.apply(psi, &projections, &mut drafted).unwrap();
        assert_eq!(drafted, inexact);
        let error = distance(&rounded, &exact);
        assert!(error > 1e-9 && error < 1e-6, "{error}");
        let error = distance(&drafted, &exact);
        assert!(error < if is_long { 1e-6 } else { 0.03 }, "{error}");
    }
}

/// Oracle: the operators' matrix elements written as energies, `⟨ψ|T + V_nl|ψ⟩`, the Hermitian
/// dense matrix, and its direct diagonalisation.
#[test]
fn davidson_agrees_with_dense_diagonalisation() {
    let basis = basis();
    let terms = Terms::new(&basis, Cancellation::NEVER).unwrap();
    let density = Density::of_atoms(&basis, &terms, Cancellation::NEVER).unwrap();
    let kohn_sham = terms
        .evaluate(&basis, &density, ONE_THREAD, Cancellation::NEVER)
        .unwrap();
    let operators =
        Operators::<f64>::new::<Complex64>(&basis, &kohn_sham.potential, &kohn_sham.coupling, None);
    let waves = &basis.waves[0];
    let n = waves.len();
    let projectors = Projectors::<Complex64>::new(&basis, waves);
    let mut hamiltonian = Hamiltonian::new(
        waves,
        &basis.wave_grid,
        &operators,
        &projectors,
        Cancellation::NEVER,
    );
    let matrix = dense_matrix(&mut hamiltonian);
    for j in 0..n {
        for i in 0..n {
            let difference = matrix[j * n + i] - matrix[i * n + j].conj();
            assert!(difference.norm() < 1e-12, "not Hermitian at {i}, {j}");
        }
        let difference = matrix[j * n + j].re - hamiltonian.diagonal()[j];
        assert!(difference.abs() < 1e-10, "diagonal {j} off by {difference}");
    }
    let (expected, _) = Complex64::hermitian_eigen(&matrix, n).unwrap();

    let bands = 6;
    let mut psi = starting_bands(&basis, waves, bands, 0);
    let solution = solved_to_the_end(&mut hamiltonian, &mut psi, bands);
    for (found, expected) in solution.values.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-11, "{found} {expected}");
    }
    let overlap = Complex64::adjoint_product(&psi, &psi, n);
    for (index, value) in overlap.iter().enumerate() {
        let expected = if index % (bands + 1) == 0 { 1.0 } else { 0.0 };
        assert!((value - expected).norm() < 1e-10);
    }

    // ε = ⟨T⟩ + ⟨V⟩ + ⟨V_nl⟩ band by band
    let nonlocal = projectors.energies(&terms.bare_coupling, &psi);
    for band in 0..bands {
        let psi = &psi[band * n..(band + 1) * n];
        let density = vec![vec![1.0]];
        let mut one_band = Bands::zeros([n], KeptPrecision::Double);
        for mut place in one_band.iter_mut() {
            place.set(psi);
        }
        let (one, never) = (ONE_THREAD, Cancellation::NEVER);
        let sums = band_sums::<_, f64>(&basis, &one_band, None, &density, one, never).unwrap();
        let density = Density::of_bands(&basis, &terms, sums, one, never).unwrap();
        let grid = &basis.density_grid;
        let local = grid.integrate_product(&kohn_sham.potential, &density.field);
        let sum = kinetic_energy(waves, psi) + local + nonlocal[band];
        assert!(
            (sum - solution.values[band]).abs() < 1e-10,
            "{sum} {}",
            solution.values[band]
        );
    }
}

/// Oracle: free electrons, `ε = |k+G|²/2`, with every potential off.
#[test]
fn free_electrons() {
    let mut basis = basis();
    Arc::make_mut(&mut basis.model).atoms.clear();
    let waves = &basis.waves[0];
    let projectors = Projectors::<Complex64>::new(&basis, waves);
    let coupling = bare_coupling(&basis.model);
    let potential = vec![Complex64::new(0.0, 0.0); basis.density_grid.len()];
    let operators = Operators::<f64>::new::<Complex64>(&basis, &potential, &coupling, None);
    let mut hamiltonian = Hamiltonian::new(
        waves,
        &basis.wave_grid,
        &operators,
        &projectors,
        Cancellation::NEVER,
    );
    let mut psi = starting_bands(&basis, waves, 5, 3);
    let solution = solved_to_the_end(&mut hamiltonian, &mut psi, 5);
    for (found, expected) in solution.values.iter().zip(&waves.kinetic) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
}
