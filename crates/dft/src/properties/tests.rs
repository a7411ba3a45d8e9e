//! Oracle of this file: central differences of the energy at fixed coefficients of the bands,
//! with the cell strained, its Miller indices kept, or an atom moved.

use std::{num::NonZeroUsize, path::Path, sync::Arc};

use rustfft::num_complex::Complex64;

use super::{ground_state_of, pressure, stress};
use crate::{
    Atom, Cell, Discretisation, KMesh, Model, Occupations, PlaneWaveBasis, ScfControl, ScfOptions,
    ScfResult, Smearing,
    bands::{Bands, KeptPrecision, band_sums},
    cancellation::Cancellation,
    density::Density,
    pseudo::Pseudopotential,
    self_consistent_field,
    terms::{
        Terms, forces_of_terms, hartree::hartree_energy, kinetic::kinetic_energy,
        nonlocal::Projectors,
    },
    vector::{Matrix3, Vector3, combine_rows, dot},
};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// A small skewed cell without symmetry, one atom of each potential.
fn solve(
    potentials: Vec<Pseudopotential>,
    ecut_ha: f64,
    ecut_density_ha: f64,
) -> (PlaneWaveBasis, ScfResult) {
    let places = [[0.02, 0.0, 0.1], [0.45, 0.52, 0.55]];
    let model = Model {
        cell: Cell::new([[5.0, 0.3, 0.0], [0.1, 5.2, 0.4], [0.0, -0.2, 4.8]]).unwrap(),
        functional: potentials[0].functional(),
        atoms: (0..2)
            .map(|species| Atom {
                species,
                frac: places[species],
            })
            .collect(),
        species: potentials.into_iter().map(Arc::new).collect(),
        occupations: Occupations::Smeared {
            smearing: Smearing::Gaussian,
            width_ha: 0.02,
        },
    };
    let discretisation = Discretisation {
        ecut_ha,
        ecut_density_ha,
        k_mesh: KMesh {
            divisions: [1; 3],
            shifted: [true, false, true],
        },
        use_symmetry: false,
    };
    let basis = PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap();
    let options = ScfOptions {
        convergence_ha: 1e-13,
        ..ScfOptions::default()
    };
    let result = self_consistent_field(&basis, &options, ScfControl::default()).unwrap();
    assert!(result.is_converged(), "{:#?}", result.history);
    (basis, result)
}

fn gth(symbol: &str) -> Pseudopotential {
    Pseudopotential::gth_pbe(symbol.parse().unwrap()).unwrap()
}

/// Files of Debian's `quantum-espresso-data`.
fn installed(files: [&str; 2]) -> Option<Vec<Pseudopotential>> {
    let read = |file: &str| {
        let path = Path::new("/usr/share/espresso/pseudo").join(file);
        if !path.exists() {
            crystalgym_testing::missing(&path.display().to_string());
            return None;
        }
        Some(Pseudopotential::from_upf_file(&path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The same plane waves, by their Miller indices, with the cell strained and the atoms moved.
fn deformed(basis: &PlaneWaveBasis, strain: Matrix3, moves: &[Vector3]) -> PlaneWaveBasis {
    let mut model = Model::clone(&basis.model);
    let stretch = |v: Vector3| {
        let change = combine_rows(v, strain);
        std::array::from_fn(|axis| v[axis] + change[axis])
    };
    model.cell = Cell::new(model.cell.vectors().map(stretch)).unwrap();
    for (atom, step) in model.atoms.iter_mut().zip(moves) {
        let reciprocal = basis.model.cell.reciprocal();
        for (x, b) in atom.frac.iter_mut().zip(reciprocal) {
            *x += dot(b, *step) / std::f64::consts::TAU;
        }
    }
    let mut changed = basis.clone();
    let grid = &mut changed.density_grid;
    grid.cell = model.cell;
    for (index, miller) in grid.miller.iter().enumerate() {
        let g = model.cell.wave_vector(miller.map(f64::from));
        grid.g_cart[index] = g;
        grid.g2[index] = dot(g, g);
        // What was one shell is none any more.
        grid.shell[index] = index as u32;
    }
    grid.shell_g = grid.g2.iter().map(|g2| g2.sqrt()).collect();
    for waves in &mut changed.waves {
        let q_cart = waves.q_cart(&model.cell);
        waves.kinetic = q_cart.into_iter().map(|q| 0.5 * dot(q, q)).collect();
    }
    changed.model = Arc::new(model);
    changed
}

/// The energy in hartree, without smearing's part, with the coefficients of the bands as they are;
/// the overlap, which changes with cell and atoms, is held by the eigenvalues as Lagrange
/// multipliers: `E − Σ f ε ⟨ψ|S|ψ⟩`.
fn frozen_energy(basis: &PlaneWaveBasis, result: &ScfResult) -> f64 {
    let terms = Terms::new(basis, Cancellation::NEVER).unwrap();
    let occupations = &result.occupations;
    let bands_at = |k: usize| {
        let mut bands = result.bands.as_ref().unwrap().columns(basis, k);
        bands.truncate(occupations[k].len() * basis.waves[k].len());
        bands
    };
    let lengths = (0..basis.waves.len()).map(|k| bands_at(k).len());
    let mut bands = Bands::<Complex64>::zeros(lengths, KeptPrecision::Double);
    for (k, mut place) in bands.iter_mut().enumerate() {
        place.set(&bands_at(k));
    }
    let projectors: Vec<Projectors<Complex64>> = (basis.waves.iter())
        .map(|waves| Projectors::new(basis, waves))
        .collect();
    let projections: Vec<Vec<Complex64>> = (projectors.iter().enumerate())
        .map(|(k, projectors)| projectors.project(&bands_at(k)))
        .collect();
    let never = Cancellation::NEVER;
    let projections = terms.overlap.as_ref().map(|_| &projections[..]);
    let sums = band_sums::<_, f64>(basis, &bands, projections, occupations, ONE, never).unwrap();
    let density = Density::of_bands(basis, &terms, sums, ONE, never).unwrap();
    let kohn_sham = terms
        .evaluate(basis, &density, ONE, Cancellation::NEVER)
        .unwrap();
    let grid = &basis.density_grid;
    let mut energy = grid.integrate_product(&terms.local, &density.field)
        + hartree_energy(grid, &density.field)
        + kohn_sham.xc_ha
        + kohn_sham.one_centre_ha
        + terms.ewald_ha;
    for (k, waves) in basis.waves.iter().enumerate() {
        let bands = bands_at(k);
        let nonlocal = projectors[k].energies(&terms.bare_coupling, &bands);
        let overlap = match &terms.overlap {
            Some(overlap) => projectors[k].energies(overlap, &bands),
            None => vec![0.0; nonlocal.len()],
        };
        for (n, band) in bands.chunks_exact(waves.len()).enumerate() {
            let level = result.eigenvalues_ha[k][n];
            let value = kinetic_energy(waves, band) + nonlocal[n] - level * overlap[n];
            energy += waves.k_point.weight * result.occupations[k][n] * value;
        }
    }
    energy
}

/// `f′ ≈ [8(f₁ − f₋₁) − (f₂ − f₋₂)]/12h`
fn slope(step: f64, f: impl Fn(f64) -> f64) -> f64 {
    let difference = |n: f64| f(n * step) - f(-n * step);
    (8.0 * difference(1.0) - difference(2.0)) / (12.0 * step)
}

fn check(basis: &PlaneWaveBasis, result: &ScfResult, limit_ha: f64) {
    // Tables that reach as far as any strain below, so that they are made once.
    for species in &basis.model.species {
        let q_max = 1.01 * (2.0 * basis.discretisation.ecut_density_ha).sqrt();
        species.wave_tables(q_max);
        species.augmentation_tables(q_max);
    }
    let volume = basis.model.cell.volume();
    let found = stress(basis, result, ONE).unwrap();
    for strain in [
        [[0.7, 0.4, -0.3], [0.4, -0.5, 0.6], [-0.3, 0.6, 0.3]],
        [[0.2, -0.7, 0.5], [-0.7, 0.3, 0.2], [0.5, 0.2, 0.8]],
    ] {
        let expected = slope(1e-3, |size| {
            let strain = strain.map(|row| row.map(|x| size * x));
            frozen_energy(&deformed(basis, strain, &[]), result)
        });
        let pairs = found.iter().flatten().zip(strain.iter().flatten());
        let found: f64 = pairs.map(|(stress, strain)| volume * stress * strain).sum();
        let error = found - expected;
        assert!(
            error.abs() < limit_ha,
            "the stress gives {found} Ha along {strain:?}, differences {expected}: {error:e}"
        );
    }
    let state = ground_state_of(basis, result, ONE, Cancellation::NEVER).unwrap();
    let found = forces_of_terms(&state).unwrap();
    for moves in [
        [[0.6, -0.2, 0.3], [0.1, 0.5, -0.4]],
        [[-0.1, 0.4, 0.5], [0.7, 0.2, 0.3]],
    ] {
        let expected = -slope(1e-3, |size| {
            let moves = moves.map(|step| step.map(|x| size * x));
            frozen_energy(&deformed(basis, [[0.0; 3]; 3], &moves), result)
        });
        let pairs = found.iter().zip(&moves);
        let found: f64 = pairs.map(|(force, step)| dot(*force, *step)).sum();
        let error = found - expected;
        assert!(
            error.abs() < limit_ha,
            "the forces give {found} Ha along {moves:?}, differences {expected}: {error:e}"
        );
    }
}

#[test]
fn analytic_potentials() {
    let (basis, result) = solve(vec![gth("Si"), gth("C")], 4.0, 20.0);
    check(&basis, &result, 1e-7);
}

/// Tabulated potentials with core corrections, LDA.
#[test]
fn core_correction() {
    let Some(potentials) = installed(["Mg.pz-n-vbc.UPF", "Si.pz-vbc.UPF"]) else {
        return;
    };
    assert!(potentials[0].has_core_charge());
    let (basis, result) = solve(potentials, 4.0, 20.0);
    check(&basis, &result, 1e-6);
}

#[test]
fn ultrasoft() {
    let files = ["B.pbe-n-rrkjus_psl.1.0.0.UPF", "C.pbe-rrkjus.UPF"];
    let Some(potentials) = installed(files) else {
        return;
    };
    let (basis, result) = solve(potentials, 5.0, 30.0);
    check(&basis, &result, 1e-6);
}

/// At lower cutoffs the density becomes negative between the atoms, where the gradient correction
/// is no derivative of one energy.
#[test]
fn paw_and_norm_conserving() {
    let files = ["N.pbe-n-kjpaw_psl.1.0.0.UPF", "B.pbe-n-kjpaw_psl.1.0.0.UPF"];
    let Some(mut potentials) = installed(files) else {
        return;
    };
    potentials[1] = gth("B");
    let (basis, result) = solve(potentials, 5.0, 40.0);
    check(&basis, &result, 1e-6);
}

/// Definition: a third of the trace, with the sign of a gas.
#[test]
fn pressure_of_a_stress() {
    let stress = [[-3.0, 1.0, 0.0], [1.0, -6.0, 0.0], [0.0, 0.0, 0.0]];
    assert_eq!(pressure(&stress), 3.0);
}
