//! What must hold whatever the crystal.

mod common;

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, Ordering},
};

use common::{Case, fcc, gth, silicon};
use crystalgym_dft::{
    DftError, Occupations, PlaneWaveBasis, ScfControl, ScfEnd, ScfOptions, Smearing,
    forces_and_stress, pseudo::Pseudopotential, self_consistent_field,
};

fn analytic(symbol: &str) -> Pseudopotential {
    Pseudopotential::from_gth(gth(symbol))
}

/// Identity: the whole mesh without symmetry gives the energy and the levels of the wedge.
#[test]
fn symmetry_changes_nothing() {
    // A cutoff whose box is divisible by 4 carries all operations of diamond.
    let case = Case {
        divisions: [2; 3],
        ..silicon()
    };
    let options = ScfOptions {
        convergence_ha: 1e-14,
        ..case.options()
    };
    let run = |basis| self_consistent_field(basis, &options, ScfControl::default()).unwrap();
    let basis = case.basis(analytic);
    assert_eq!(basis.symmetry_operations().len(), 48);
    assert_eq!(basis.k_points().len(), 3);
    let with = run(&basis);
    let basis = Case {
        use_symmetry: false,
        ..case
    }
    .basis(analytic);
    assert_eq!(basis.k_points().len(), 8);
    let without = run(&basis);
    assert!(with.is_converged() && without.is_converged());
    let difference = with.total_energy_ha() - without.total_energy_ha();
    assert!(difference.abs() < 1e-10, "{difference} Ha");
    let at_gamma = |result: &crystalgym_dft::ScfResult| result.eigenvalues_ha[0].clone();
    for (a, b) in at_gamma(&with).into_iter().zip(at_gamma(&without)).take(4) {
        assert!((a - b).abs() < 1e-7, "{a} {b}");
    }
}

/// Identity: a cell of twice the size with the folded mesh has twice the energy.
#[test]
fn supercell_has_twice_the_energy() {
    let lattice = fcc(4.08);
    let small = Case {
        lattice_ang: lattice,
        atoms: vec![("Li", [0.0; 3]), ("H", [0.5; 3])],
        ecutwfc_ry: 20.0,
        ecutrho_ry: 320.0,
        divisions: [1, 1, 2],
        smearing: None,
        bands: 3,
        use_symmetry: true,
    };
    let large = Case {
        lattice_ang: [lattice[0], lattice[1], lattice[2].map(|x| 2.0 * x)],
        atoms: vec![
            ("Li", [0.0; 3]),
            ("H", [0.5, 0.5, 0.25]),
            ("Li", [0.0, 0.0, 0.5]),
            ("H", [0.5, 0.5, 0.75]),
        ],
        divisions: [1; 3],
        bands: 5,
        ..small.clone()
    };
    let (small, large) = (small.solve(analytic), large.solve(analytic));
    let difference = large.total_energy_ha() - 2.0 * small.total_energy_ha();
    // The boxes differ, and with them the points on which exchange–correlation is summed: 5e-5 Ha
    // at a density cutoff of 80 Ry, and vanishing with it.
    assert!(difference.abs() < 1e-6, "{difference} Ha");
}

/// Identity: the same bits on one thread and on two.
#[test]
fn threads_change_no_bit() {
    let case = Case {
        divisions: [2; 3],
        smearing: Some((Smearing::Gaussian, 0.02)),
        bands: 8,
        ..silicon()
    };
    let basis = case.basis(analytic);
    let run = |threads| {
        let options = ScfOptions {
            threads: NonZeroUsize::new(threads).unwrap(),
            ..case.options()
        };
        self_consistent_field(&basis, &options, ScfControl::default()).unwrap()
    };
    let (one, two) = (run(1), run(2));
    assert_eq!(one.energies, two.energies);
    assert_eq!(one.eigenvalues_ha, two.eigenvalues_ha);
    assert_eq!(one.history, two.history);
}

/// Identity: the same bits where several threads share the bands of a k-point, real ones (at Γ alone) and complex
/// ones.
#[test]
fn threads_that_share_a_k_point_change_no_bit() {
    let sites = [[0.0; 3], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]];
    let both = sites
        .iter()
        .flat_map(|&site| [site, site.map(|x| x + 0.25)]);
    for (divisions, more_threads) in [([1, 1, 1], 3), ([3, 1, 1], 5)] {
        let case = Case {
            lattice_ang: [[5.43, 0.0, 0.0], [0.0, 5.43, 0.0], [0.0, 0.0, 5.43]],
            atoms: both.clone().map(|frac| ("Si", frac)).collect(),
            ecutwfc_ry: 24.0,
            ecutrho_ry: 96.0,
            divisions,
            bands: 50,
            use_symmetry: false,
            ..silicon()
        };
        let basis = case.basis(analytic);
        assert_eq!(basis.k_points().len(), (divisions[0] as usize).div_ceil(2));
        let run = |threads| {
            let options = ScfOptions {
                threads: NonZeroUsize::new(threads).unwrap(),
                max_iterations: 4,
                ..case.options()
            };
            self_consistent_field(&basis, &options, ScfControl::default()).unwrap()
        };
        let (one, more) = (run(1), run(more_threads));
        assert_eq!(one.energies, more.energies);
        assert_eq!(one.eigenvalues_ha, more.eigenvalues_ha);
        assert_eq!(one.history, more.history);
    }
}

/// A set flag stops the loop; the result says so.
#[test]
fn cancellation_is_a_result() {
    let basis = silicon().basis(analytic);
    let cancel = AtomicBool::new(false);
    let mut seen = 0;
    let mut progress = |_: &crystalgym_dft::ScfIteration| {
        seen += 1;
        cancel.store(true, Ordering::Release);
    };
    let is_cancelled = || cancel.load(Ordering::Acquire);
    let control = ScfControl {
        is_cancelled: Some(&is_cancelled),
        progress: Some(&mut progress),
    };
    let result = self_consistent_field(&basis, &silicon().options(), control).unwrap();
    assert_eq!((result.end, seen), (ScfEnd::Cancelled, 1));
    let forces = forces_and_stress(&basis, &result, NonZeroUsize::MIN);
    let end = ScfEnd::Cancelled;
    assert_eq!(forces, Err(DftError::NoBands { end }));
}

/// Bad input is one clear error before anything is computed.
#[test]
fn bad_input() {
    let mut odd = silicon().model(analytic);
    odd.atoms.pop();
    odd.species[0] = std::sync::Arc::new(analytic("Al"));
    assert_eq!(odd.occupations, Occupations::Fixed);
    let electrons = 3.0;
    assert_eq!(
        odd.validate(),
        Err(DftError::OddElectronCount { electrons })
    );
    let mut close = silicon().model(analytic);
    close.atoms[1].frac = [1.0, 0.0, 0.001];
    assert!(matches!(
        close.validate(),
        Err(DftError::AtomsTooClose { .. })
    ));
    let basis = silicon().basis(analytic);
    let options = ScfOptions {
        bands: Some(3),
        ..ScfOptions::default()
    };
    let error = self_consistent_field(&basis, &options, ScfControl::default()).unwrap_err();
    assert!(error.to_string().contains("bands is 3"), "{error}");
    let mut discretisation = basis.discretisation();
    discretisation.ecut_density_ha = discretisation.ecut_ha;
    let model = std::sync::Arc::new(silicon().model(analytic));
    let error = PlaneWaveBasis::new(model, discretisation).unwrap_err();
    assert!(error.to_string().contains("ecut_density_ha"), "{error}");
}
