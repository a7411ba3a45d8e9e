//! Relaxations: minima known otherwise, what moves and what stays, and ASE with the same potential.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test says how near it came")]

mod common;

use std::{fs, process::Command};

use common::{Lot, cubic, fcc, package, pairs::Pairs, small_crystals, structure};
use crystalgym_crystal::{Structure, space_group};
use crystalgym_potential::{
    InteratomicPotential, Movable, RelaxationEnd, RelaxationOptions, Relaxed, Request, relax,
};
use serde_json::{Value, json};

fn tight(movable: Movable) -> RelaxationOptions {
    RelaxationOptions {
        movable,
        force_tolerance_ev_ang: 1e-5,
        stress_tolerance_gpa: 1e-4,
        ..RelaxationOptions::default()
    }
}

fn group(crystal: &Structure) -> u16 {
    let kinds: Vec<i32> = crystal
        .elements
        .iter()
        .map(|element| i32::from(element.atomic_number()))
        .collect();
    space_group(&crystal.lattice, &crystal.frac_coords, &kinds, 1e-3)
        .unwrap()
        .0
}

/// Lattice constant and energy per atom of the face-centred crystal: the lowest of a search over `a`
/// alone, by nested intervals.
fn best_fcc() -> (f64, f64) {
    let energy = |a: f64| {
        let crystal = structure(fcc(a), &[("Ar", [0.0; 3])]);
        Pairs.evaluate(&crystal, Request::Energy).unwrap().energy_ev
    };
    let (mut low, mut high) = (3.0, 4.2);
    for _ in 0..80 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if energy(a) < energy(b) {
            high = b;
        } else {
            low = a;
        }
    }
    (low, energy(low))
}

/// Oracle: the search over the lattice constant. Four atoms in a strained cell with displaced
/// positions find the face-centred crystal.
#[test]
fn a_distorted_crystal_finds_its_minimum() {
    let (a, energy) = best_fcc();
    let mut lot = Lot(9);
    let rows = cubic(a * 1.04).map(|row| {
        let by = lot.vector();
        std::array::from_fn(|k| row[k] + 0.15 * by[k])
    });
    let mut site = |x: [f64; 3]| {
        let by = lot.vector();
        ("Ar", std::array::from_fn(|k| x[k] + 0.02 * by[k]))
    };
    let sites = [
        site([0.0; 3]),
        site([0.0, 0.5, 0.5]),
        site([0.5, 0.0, 0.5]),
        site([0.5, 0.5, 0.0]),
    ];
    let start = structure(rows, &sites);
    let mut energies = Vec::new();
    let found = relax(
        &Pairs,
        &start,
        &tight(Movable::PositionsAndCell),
        |_, prediction| {
            energies.push(prediction.energy_ev);
        },
    )
    .unwrap();
    assert!(found.is_converged(), "{:?}", found.end);
    assert!((found.prediction.energy_ev / 4.0 - energy).abs() < 1e-8);
    assert!((found.structure.lattice.volume() - a.powi(3)).abs() < 1e-3);
    assert_eq!(group(&found.structure), 225);
    assert!(energies.windows(2).all(|pair| pair[1] <= pair[0] + 1e-5));
    assert!(found.evaluations < 60, "{}", found.evaluations);
}

/// What may not move stays, to the last bit where it is not touched at all.
#[test]
fn only_what_may_move_moves() {
    let start = structure(
        [[3.9, 0.1, 0.0], [0.0, 4.1, 0.2], [0.1, 0.0, 3.8]],
        &[
            ("Ar", [0.03, 0.0, 0.0]),
            ("Ar", [0.0, 0.52, 0.5]),
            ("Ar", [0.5, 0.0, 0.47]),
            ("Ar", [0.5, 0.5, 0.0]),
        ],
    );
    let run = |movable| relax(&Pairs, &start, &tight(movable), |_, _| {}).unwrap();
    let positions = run(Movable::Positions);
    assert!(positions.is_converged());
    assert_eq!(positions.structure.lattice, start.lattice);
    let volume = run(Movable::Volume);
    assert!(volume.is_converged());
    let stress = volume.prediction.stress_gpa;
    assert!((stress[0][0] + stress[1][1] + stress[2][2]).abs() < 3e-4);
    let angles = |crystal: &Structure| crystal.lattice.angles();
    for k in 0..3 {
        assert!((angles(&volume.structure)[k] - angles(&start)[k]).abs() < 1e-9);
        for (x, y) in volume.structure.frac_coords.iter().zip(&start.frac_coords) {
            assert!((x[k] - y[k]).abs() < 1e-12);
        }
    }
    let all = run(Movable::PositionsAndCell);
    assert!(all.prediction.energy_ev < positions.prediction.energy_ev);
    assert!(all.prediction.energy_ev < volume.prediction.energy_ev);
}

/// A simple cubic crystal is a saddle: what is nearly one, and tetragonal, becomes one with its group
/// kept, although a step off it would lead down.
#[test]
fn the_space_group_is_kept_if_asked() {
    let start = structure(
        [[2.6, 0.0, 0.0], [0.0, 2.6, 0.0], [0.0, 0.0, 5.3]],
        &[("Ar", [0.0; 3]), ("Ar", [0.0, 0.0, 0.5])],
    );
    let kept = relax(&Pairs, &start, &tight(Movable::PositionsAndCell), |_, _| {}).unwrap();
    assert!(kept.is_converged());
    assert_eq!([group(&start), group(&kept.structure)], [123, 221]);
    let pushed = Structure {
        frac_coords: vec![[0.02, 0.01, 0.0], [0.0, 0.0, 0.5]],
        ..start
    };
    let free = relax(
        &Pairs,
        &pushed,
        &tight(Movable::PositionsAndCell),
        |_, _| {},
    )
    .unwrap();
    assert!(free.prediction.energy_ev < kept.prediction.energy_ev - 0.1);
}

#[test]
fn the_end_says_why() {
    let start = small_crystals().remove(2);
    let options = |max_evaluations| RelaxationOptions {
        max_evaluations,
        ..RelaxationOptions::default()
    };
    let run = |max| -> Relaxed { relax(&Pairs, &start, &options(max), |_, _| {}).unwrap() };
    let short = run(3);
    assert!(matches!(short.end, RelaxationEnd::EvaluationsUsedUp));
    assert_eq!(short.evaluations, 3);
    assert_eq!(run(1).structure, start);
}

/// Oracle: ASE's FIRE on its FrechetCellFilter with the package chgnet, from the same starts.
#[test]
fn chgnet_comes_to_rest_where_ase_does() {
    let modules = ["chgnet.model", "torch", "ase.filters"];
    let Some(python) = crystalgym_testing::optional_python_with(&modules) else {
        return;
    };
    let chgnet = package::chgnet().unwrap();
    let starts = [
        structure(fcc(5.4), &[("Na", [0.0; 3]), ("Cl", [0.5, 0.5, 0.5])]),
        structure(fcc(5.6), &[("Si", [0.0; 3]), ("Si", [0.26, 0.24, 0.25])]),
        structure(
            [[3.95, 0.05, 0.0], [0.0, 3.9, 0.0], [0.0, 0.1, 4.0]],
            &[
                ("Sr", [0.01, 0.0, 0.0]),
                ("Ti", [0.5, 0.5, 0.49]),
                ("O", [0.5, 0.5, 0.0]),
                ("O", [0.5, 0.0, 0.5]),
                ("O", [0.0, 0.5, 0.5]),
            ],
        ),
        structure(
            [[2.9, 0.0, 0.0], [0.0, 4.7, 0.1], [0.0, 0.0, 5.8]],
            &[
                ("Li", [0.5, 0.5, 0.38]),
                ("Li", [0.0, 0.0, 0.62]),
                ("Mn", [0.5, 0.5, 0.863]),
                ("Mn", [0.0, 0.0, 0.137]),
                ("O", [0.5, 0.0, 0.361]),
                ("O", [0.0, 0.5, 0.1]),
                ("O", [0.5, 0.0, 0.9]),
                ("O", [0.0, 0.5, 0.64]),
            ],
        ),
    ];
    let inputs: Vec<Value> = starts
        .iter()
        .map(|crystal| {
            let species: Vec<_> = crystal.elements.iter().map(|e| e.symbol()).collect();
            let rows = crystal.lattice.vectors();
            json!({"lattice": rows, "species": species, "coords": crystal.frac_coords})
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let paths = ["structures.json", "answers.json"].map(|name| folder.path().join(name));
    fs::write(&paths[0], serde_json::to_string(&inputs).unwrap()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/ase_relaxation.py");
    let status = Command::new(python)
        .arg(script)
        .args(&paths)
        .status()
        .unwrap();
    assert!(status.success());
    let answers: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(&paths[1]).unwrap()).unwrap();
    let options = RelaxationOptions {
        force_tolerance_ev_ang: 0.003,
        stress_tolerance_gpa: 0.02,
        ..RelaxationOptions::default()
    };
    for (start, answer) in starts.iter().zip(&answers) {
        let found = relax(&chgnet, start, &options, |_, _| {}).unwrap();
        assert!(found.is_converged(), "{:?}", found.end);
        let sites = start.elements.len() as f64;
        let energy = found.prediction.energy_ev - answer["energy"].as_f64().unwrap();
        let volume = answer["volume"].as_f64().unwrap();
        let larger = found.structure.lattice.volume() / volume - 1.0;
        println!(
            "{}: {:.1e} eV/atom, volume {larger:.1e}, {} evaluations; ASE {} steps",
            start.formula(),
            energy / sites,
            found.evaluations,
            answer["steps"]
        );
        assert!((energy / sites).abs() < 5e-4);
        assert!(larger.abs() < 5e-3);
    }
}
