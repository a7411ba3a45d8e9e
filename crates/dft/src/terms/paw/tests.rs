//! Tests of the one-centre terms by finite differences.

use std::{num::NonZeroUsize, path::Path, sync::Arc};

use rustfft::num_complex::Complex64;

use super::OneCentreTerms;
use crate::{
    Atom, Cell, Discretisation, KMesh, Model, Occupations, PlaneWaveBasis,
    bands::starting_bands,
    cancellation::Cancellation,
    density::Density,
    eigensolver::{Operator, dense_matrix, dense_overlap, solved_to_the_end},
    hamiltonian::{Hamiltonian, Operators},
    linear_algebra::{Scalar, ZERO},
    pseudo::Pseudopotential,
    terms::{
        Terms, hartree::hartree_energy, nonlocal::Projectors, projector_matrices::ProjectorMatrices,
    },
    xc::Functional,
};

const ONE_THREAD: NonZeroUsize = NonZeroUsize::MIN;

/// Boron (PAW) and nitrogen (ultrasoft) in a small skewed cell; `None` where Debian's
/// `quantum-espresso-data` is not installed.
fn basis() -> Option<PlaneWaveBasis> {
    let read = |file: &str| {
        let path = Path::new("/usr/share/espresso/pseudo").join(file);
        if !path.exists() {
            crystalgym_testing::missing(&path.display().to_string());
            return None;
        }
        Pseudopotential::from_upf_file(&path).ok().map(Arc::new)
    };
    let atom = |species, frac| Atom { species, frac };
    let model = Model {
        cell: Cell::new([[4.6, 0.3, 0.0], [0.1, 4.8, 0.4], [0.0, -0.2, 4.9]]).unwrap(),
        functional: Functional::Pbe,
        species: vec![
            read("B.pbe-n-kjpaw_psl.1.0.0.UPF")?,
            read("N.pbe-n-rrkjus_psl.1.0.0.UPF")?,
        ],
        atoms: vec![atom(0, [0.02, 0.0, 0.1]), atom(1, [0.45, 0.5, 0.55])],
        occupations: Occupations::Fixed,
    };
    let discretisation = Discretisation {
        ecut_ha: 4.0,
        ecut_density_ha: 24.0,
        k_mesh: KMesh {
            divisions: [1; 3],
            shifted: [true, false, true],
        },
        use_symmetry: true,
    };
    PlaneWaveBasis::new(Arc::new(model), discretisation).ok()
}

/// Occupations without any symmetry.
fn occupations(sides: &[usize]) -> ProjectorMatrices {
    let mut matrices = ProjectorMatrices::zeros(sides.to_vec());
    let mut count = 0.0;
    for (side, block) in sides.iter().zip(matrices.blocks_mut()) {
        for i in 0..*side {
            for j in 0..=i {
                count += 1.0;
                let value = 0.2 * f64::sin(count * 1.7) + if i == j { 0.5 } else { 0.0 };
                block[i * side + j] = value;
                block[j * side + i] = value;
            }
        }
    }
    matrices
}

/// A symmetric change of a few occupations of the given atom.
fn change(sides: &[usize], atom: usize) -> ProjectorMatrices {
    let mut matrices = ProjectorMatrices::zeros(sides.to_vec());
    let side = sides[atom];
    if let Some(block) = matrices.blocks_mut().nth(atom) {
        for (i, j) in [(0, 0), (2, 1), (3, 5), (1, 4), (6, 6)] {
            block[i * side + j] += 0.3;
            block[j * side + i] += 0.3;
        }
    }
    matrices
}

fn moved(from: &ProjectorMatrices, by: &ProjectorMatrices, step: f64) -> ProjectorMatrices {
    let mut to = from.clone();
    for (value, d) in to.entries_mut().iter_mut().zip(by.entries()) {
        *value += step * d;
    }
    to
}

/// Oracle: central differences of the one-centre energy.
#[test]
fn one_centre_coupling_is_the_derivative_of_the_energy() {
    let Some(basis) = basis() else { return };
    let terms = OneCentreTerms::new(&basis.model, &basis.operations, Cancellation::NEVER)
        .unwrap()
        .unwrap();
    let at = occupations(&terms.sides);
    let along = change(&terms.sides, 0);
    let energy = |step: f64| {
        terms
            .evaluate(&moved(&at, &along, step), ONE_THREAD, Cancellation::NEVER)
            .unwrap()
            .energy_ha
    };
    let step = 1e-4;
    let slope = (energy(step) - energy(-step)) / (2.0 * step);
    let expected = terms
        .evaluate(&at, ONE_THREAD, Cancellation::NEVER)
        .unwrap()
        .coupling
        .product(&along);
    assert!((slope - expected).abs() < 1e-6, "{slope} {expected}");
}

/// Oracle: the same in all directions. Boron lies in mirror planes at right angles to y and z.
#[test]
fn mirror_planes_leave_one_of_each_set_of_directions() {
    let Some(skewed) = basis() else { return };
    let mut model = skewed.model().clone();
    model.cell = Cell::new([[4.6, 0.0, 0.0], [0.0, 4.8, 0.0], [0.0, 0.0, 4.9]]).unwrap();
    model.atoms[0].frac = [0.02, 0.0, 0.5];
    model.atoms[1].frac = [0.45, 0.5, 0.0];
    let basis = PlaneWaveBasis::new(Arc::new(model), skewed.discretisation()).unwrap();
    assert_eq!(basis.operations.len(), 4);
    let terms = |operations: &[_]| {
        let terms = OneCentreTerms::new(&basis.model, operations, Cancellation::NEVER);
        terms.unwrap().unwrap()
    };
    let (all, some) = (terms(&[]), terms(&basis.operations));
    let mut at = occupations(&all.sides);
    basis.atom_symmetrizer.symmetrize(&mut at);
    let value = |terms: &OneCentreTerms| terms.evaluate(&at, ONE_THREAD, Cancellation::NEVER);
    let (expected, found) = (value(&all).unwrap(), value(&some).unwrap());
    assert_ne!(found.energy_ha, expected.energy_ha);
    assert!((found.energy_ha - expected.energy_ha).abs() < 1e-11);
    for (a, b) in found
        .coupling
        .entries()
        .iter()
        .zip(expected.coupling.entries())
    {
        assert!((a - b).abs() < 1e-11, "{a} {b}");
    }
}

/// Oracle: all directions. Both atoms lie in the planes x = y and z = 0; in a frame with these the directions
/// are other ones, which changes what they are good for.
#[test]
fn mirror_planes_may_lie_anywhere() {
    let Some(skewed) = basis() else { return };
    let mut model = skewed.model().clone();
    model.cell = Cell::new([[4.6, 0.0, 0.0], [0.0, 4.6, 0.0], [0.0, 0.0, 4.9]]).unwrap();
    model.atoms[0].frac = [0.02, 0.02, 0.5];
    model.atoms[1].frac = [0.45, 0.45, 0.5];
    let discretisation = Discretisation {
        k_mesh: KMesh::gamma_centred([1; 3]),
        ..skewed.discretisation()
    };
    let basis = PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap();
    assert_eq!(basis.operations.len(), 4);
    let terms = |operations: &[_]| {
        let terms = OneCentreTerms::new(&basis.model, operations, Cancellation::NEVER);
        terms.unwrap().unwrap()
    };
    let (all, some) = (terms(&[]), terms(&basis.operations));
    let count = |terms: &OneCentreTerms| {
        let directions = terms.atoms[0].directions.as_ref().unwrap();
        directions.count()
    };
    assert!(count(&some) < count(&all) / 2);
    let mut at = occupations(&all.sides);
    basis.atom_symmetrizer.symmetrize(&mut at);
    let value = |terms: &OneCentreTerms| terms.evaluate(&at, ONE_THREAD, Cancellation::NEVER);
    let (expected, found) = (value(&all).unwrap(), value(&some).unwrap());
    let difference = found.energy_ha - expected.energy_ha;
    assert!(
        difference != 0.0 && difference.abs() < 1e-4,
        "{difference} Ha"
    );
    let pairs = found
        .coupling
        .entries()
        .iter()
        .zip(expected.coupling.entries());
    for (a, b) in pairs {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

/// Oracle: central differences of all of the energy that depends on the projectors' occupations,
/// the augmentation charges following them.
#[test]
fn coupling_is_the_derivative_of_the_energy() {
    let Some(basis) = basis() else { return };
    let grid = &basis.density_grid;
    let terms = Terms::new(&basis, Cancellation::NEVER).unwrap();
    let sides = terms.bare_coupling.sides().to_vec();
    let at = occupations(&sides);
    // A smooth background keeps the density positive.
    let mut smooth = Density::of_atoms(&basis, &terms, Cancellation::NEVER)
        .unwrap()
        .field;
    smooth[0] += Complex64::new(2.0, 0.0);
    let density = |occupations: &ProjectorMatrices| {
        let mut field = smooth.clone();
        let augmentation = terms.augmentation.as_ref().unwrap();
        augmentation
            .add_density(
                grid,
                occupations,
                ONE_THREAD,
                &mut field,
                Cancellation::NEVER,
            )
            .unwrap();
        Density {
            field,
            projector_occupations: occupations.clone(),
        }
    };
    for atom in 0..2 {
        let along = change(&sides, atom);
        let energy = |step: f64| {
            let density = density(&moved(&at, &along, step));
            let kohn_sham = terms
                .evaluate(&basis, &density, ONE_THREAD, Cancellation::NEVER)
                .unwrap();
            terms.bare_coupling.product(&density.projector_occupations)
                + grid.integrate_product(&terms.local, &density.field)
                + hartree_energy(grid, &density.field)
                + kohn_sham.xc_ha
                + kohn_sham.one_centre_ha
        };
        let step = 1e-4;
        let slope = (energy(step) - energy(-step)) / (2.0 * step);
        let kohn_sham = terms
            .evaluate(&basis, &density(&at), ONE_THREAD, Cancellation::NEVER)
            .unwrap();
        let expected = kohn_sham.coupling.product(&along);
        assert!(
            (slope - expected).abs() < 2e-6,
            "{atom}: {slope} {expected}"
        );
    }
}

/// Oracle: direct diagonalisation of `S^{−1/2} H S^{−1/2}` with both matrices written out.
#[test]
fn davidson_agrees_with_dense_diagonalisation_under_an_overlap() {
    let Some(basis) = basis() else { return };
    let terms = Terms::new(&basis, Cancellation::NEVER).unwrap();
    let density = Density::of_atoms(&basis, &terms, Cancellation::NEVER).unwrap();
    let input = terms
        .evaluate(&basis, &density, ONE_THREAD, Cancellation::NEVER)
        .unwrap();
    let waves = &basis.waves[0];
    let n = waves.len();
    let projectors = Projectors::<Complex64>::new(&basis, waves);
    let overlap = terms.overlap.as_ref();
    let operators =
        Operators::<f64>::new::<Complex64>(&basis, &input.potential, &input.coupling, overlap);
    let mut hamiltonian = Hamiltonian::new(
        waves,
        &basis.wave_grid,
        &operators,
        &projectors,
        Cancellation::NEVER,
    );

    let h = dense_matrix(&mut hamiltonian);
    let s = dense_overlap(&hamiltonian);
    for (diagonal, i) in hamiltonian.overlap_diagonal().unwrap().iter().zip(0..) {
        assert!((s[i * n + i].re - diagonal).abs() < 1e-12);
    }
    let (lambda, u) = Complex64::hermitian_eigen(&s, n).unwrap();
    let scaled: Vec<Complex64> = u
        .chunks_exact(n)
        .zip(&lambda)
        .flat_map(|(column, lambda)| column.iter().map(move |c| c / lambda.sqrt()))
        .collect();
    let mut h_scaled = vec![ZERO; n * n];
    Complex64::product_into(&mut h_scaled, false, &h, &scaled, n, 1.0);
    let (expected, _) =
        Complex64::hermitian_eigen(&Complex64::adjoint_product(&scaled, &h_scaled, n), n).unwrap();

    let mut psi = starting_bands(&basis, waves, 6, 0);
    let solution = solved_to_the_end(&mut hamiltonian, &mut psi, 6);
    for (found, expected) in solution.values.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-10, "{found} {expected}");
    }
}
