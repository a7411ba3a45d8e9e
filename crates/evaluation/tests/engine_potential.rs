//! The engine as an interatomic potential.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::crystal_of;
use crystalgym_crystal::{Lattice, Structure};
use crystalgym_evaluation::{
    Calculator, CalculatorConfig, CancelToken, EnginePotential, GthCutoff, NativeCalculator,
};
use crystalgym_potential::{
    InteratomicPotential, Movable, RelaxationOptions, Request, StepJudge, relax,
};

fn engine() -> NativeCalculator {
    let mut config = CalculatorConfig::default();
    config.native.gth_cutoff_ry = Some(GthCutoff::Ry(16.0));
    config.native.kppa = Some(200.0);
    config.native.convergence_ry = 1e-10;
    config.native.derivative_convergence_ry = 1e-10;
    config.build_native().unwrap()
}

/// Silicon in a cell of edge a, its second atom moved along the diagonal.
fn silicon(edge_ang: f64, x: f64) -> Structure {
    let h = 0.5 * edge_ang;
    Structure {
        lattice: Lattice::new([[0.0, h, h], [h, 0.0, h], [h, h, 0.0]]).unwrap(),
        elements: vec!["Si".parse().unwrap(); 2],
        frac_coords: vec![[0.0; 3], [x; 3]],
    }
}

fn energy_ev(potential: &EnginePotential<'_>, structure: &Structure) -> f64 {
    potential
        .evaluate(structure, Request::Energy)
        .unwrap()
        .energy_ev
}

/// Oracle: central differences of the engine's own energy along a move of one atom.
#[test]
fn forces_are_the_slope_of_the_energy() {
    let engine = engine();
    let moved = silicon(5.43, 0.265);
    let potential = engine.potential(&crystal_of(&moved), &CancelToken::default());
    let at_rest = potential.evaluate(&moved, Request::Derivatives).unwrap();
    let step = 5e-4;
    let along = moved.lattice.to_cart([step; 3]);
    let length = along.iter().map(|x| x * x).sum::<f64>().sqrt();
    let energies = [0.265 + step, 0.265 - step].map(|x| energy_ev(&potential, &silicon(5.43, x)));
    let slope = (energies[0] - energies[1]) / (2.0 * length);
    let force: f64 = (0..3)
        .map(|k| at_rest.forces_ev_ang[1][k] * along[k] / length)
        .sum();
    assert!((force + slope).abs() < 5e-4, "{force} {slope}");
    assert!(force.abs() > 0.1, "{force}");
    let other = Structure {
        elements: vec!["C".parse().unwrap(); 2],
        ..moved
    };
    let error = potential.evaluate(&other, Request::Energy).unwrap_err();
    assert!(error.to_string().contains("other atoms"), "{error}");
}

/// Oracles: the quasi-Newton search of the calculator's own relaxation, another method on other
/// coordinates; symmetry, which puts the atoms a quarter of the diagonal apart.
#[test]
fn a_cell_comes_to_rest_where_the_energy_is_lowest() {
    let engine = engine();
    let start = silicon(5.30, 0.255);
    let crystal = crystal_of(&start);
    let potential = engine.potential(&crystal, &CancelToken::default());
    let options = RelaxationOptions {
        movable: Movable::PositionsAndCell,
        judge: StepJudge::Work,
        ..RelaxationOptions::default()
    };
    let start = crystal.structure();
    let relaxed = relax(&potential, &start, &options, |_, _| {}).unwrap();
    assert!(relaxed.is_converged(), "{:?}", relaxed.end);
    assert!(relaxed.evaluations <= 12, "{}", relaxed.evaluations);
    // By symmetry the atoms are a quarter of the diagonal apart.
    let [a, b] = [
        relaxed.structure.frac_coords[0],
        relaxed.structure.frac_coords[1],
    ];
    let apart: Vec<f64> = (0..3)
        .map(|k| ((b[k] - a[k]) * 4.0).rem_euclid(4.0))
        .collect();
    let near = apart.iter().all(|x| (x - x.round()).abs() < 0.02);
    assert!(near, "{apart:?}");
    let stress = relaxed.prediction.stress_gpa;
    let pressure = (stress[0][0] + stress[1][1] + stress[2][2]) / 3.0;
    assert!(pressure.abs() < 0.1, "{pressure}");
    let other = engine.relax(&crystal, &CancelToken::default()).unwrap();
    let ratio = relaxed.structure.lattice.volume() / other.lattice.volume();
    assert!((ratio - 1.0).abs() < 3e-3, "{ratio}");
}

/// Far below the cutoff that fluorine needs the energies of two cells differ by 0.1 eV/atom more or less
/// than their stress says, so that no energy leads to where the stress is gone.
#[test]
fn a_crystal_comes_to_rest_where_energies_jump() {
    let mut config = CalculatorConfig::default();
    config.native.gth_cutoff_ry = Some(GthCutoff::Ry(30.0));
    config.native.kppa = Some(200.0);
    config.native.pulay_correction = Some(true);
    let engine = config.build_native().unwrap();
    let rest = |edge_ang: f64| {
        let h = 0.5 * edge_ang;
        let start = Structure {
            lattice: Lattice::new([[0.0, h, h], [h, 0.0, h], [h, h, 0.0]]).unwrap(),
            elements: vec!["Li".parse().unwrap(), "F".parse().unwrap()],
            frac_coords: vec![[0.0; 3], [0.5; 3]],
        };
        let crystal = crystal_of(&start);
        let potential = engine.potential(&crystal, &CancelToken::default());
        let options = RelaxationOptions {
            judge: StepJudge::Work,
            ..RelaxationOptions::default()
        };
        let start = crystal.structure();
        let relaxed = relax(&potential, &start, &options, |_, _| {}).unwrap();
        assert!(relaxed.is_converged(), "{edge_ang}: {:?}", relaxed.end);
        assert!(
            relaxed.evaluations <= 20,
            "{edge_ang}: {}",
            relaxed.evaluations
        );
        let volume = relaxed.structure.lattice.volume();
        (volume, potential.basis_set_pressure_gpa())
    };
    let found = [4.06, 3.95].map(rest);
    // What says to the user that the cutoff is too low.
    assert!(
        found.iter().all(|(_, pressure_gpa)| *pressure_gpa > 5.0),
        "{found:?}"
    );
}
