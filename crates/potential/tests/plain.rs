//! CHGNet against itself written out term by term in f64, with weights by lot.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Lot, plain, random_weights, small_crystals};
use crystalgym_crystal::{Lattice, Structure};
use crystalgym_potential::{Chgnet, InteratomicPotential, PotentialError, Request};

/// Largest difference between two lists of the same length.
fn distance(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) = (a.into_iter().collect(), b.into_iter().collect());
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(&b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

/// Oracle: the plain network in f64.
#[test]
fn energies_moments_and_features_are_those_of_the_plain_network() {
    for seed in [1, 2] {
        let weights = random_weights(seed);
        let chgnet = Chgnet::new(&weights).unwrap();
        for crystal in small_crystals() {
            let found = chgnet.evaluate(&crystal, Request::Energy).unwrap();
            let expected = plain::evaluate(&weights, &crystal);
            assert_eq!(Chgnet::graph_size(&crystal).unwrap(), expected.size);
            let sites = found.site_energies_ev.unwrap();
            assert!(distance(sites, expected.site_energies_ev.clone()) < 1e-5);
            assert!((found.energy_ev - expected.energy_ev()).abs() < 1e-5 * sites_of(&crystal));
            assert!(distance(found.magnetic_moments.unwrap(), expected.moments) < 1e-4);
            let features = found.features.unwrap();
            let wide = |list: Vec<f32>| list.into_iter().map(f64::from);
            let before = wide(features.before_readout);
            assert!(distance(before, expected.before.concat()) < 1e-3);
            assert!(distance(wide(features.after_readout), expected.after.concat()) < 1e-4);
        }
    }
}

fn sites_of(crystal: &Structure) -> f64 {
    crystal.elements.len() as f64
}

/// Oracle: central differences of the plain network's energy along joint moves of all positions, and
/// along strains of all nine entries.
#[test]
fn forces_and_stress_are_differences_of_the_plain_energy() {
    let weights = random_weights(3);
    let chgnet = Chgnet::new(&weights).unwrap();
    let mut lot = Lot(7);
    let h = 1e-4;
    for crystal in small_crystals() {
        let found = chgnet.evaluate(&crystal, Request::Derivatives).unwrap();
        let energy = |crystal: &Structure| plain::evaluate(&weights, crystal).energy_ev();
        for _ in 0..3 {
            let moves: Vec<[f64; 3]> = crystal.elements.iter().map(|_| lot.vector()).collect();
            let moved = |step: f64| {
                let mut moved = crystal.clone();
                for (x, along) in moved.frac_coords.iter_mut().zip(&moves) {
                    let cart = crystal.lattice.to_cart(*x);
                    *x = crystal
                        .lattice
                        .to_frac(std::array::from_fn(|k| cart[k] + step * along[k]));
                }
                energy(&moved)
            };
            let slope = (moved(h) - moved(-h)) / (2.0 * h);
            let expected: f64 = found
                .forces_ev_ang
                .iter()
                .zip(&moves)
                .flat_map(|(force, along)| (0..3).map(|k| -force[k] * along[k]))
                .sum();
            let error = (slope - expected).abs();
            assert!(error < 1e-4, "{}: {slope} {expected}", crystal.formula());

            let strain = [lot.vector(), lot.vector(), lot.vector()];
            let strained = |step: f64| {
                let rows = crystal.lattice.vectors().map(|row| {
                    std::array::from_fn(|l| {
                        row[l] + step * (0..3).map(|k| row[k] * strain[k][l]).sum::<f64>()
                    })
                });
                energy(&Structure {
                    lattice: Lattice::new(rows).unwrap(),
                    ..crystal.clone()
                })
            };
            let slope = (strained(h) - strained(-h)) / (2.0 * h) / crystal.lattice.volume()
                * 160.217_662_08;
            let expected: f64 = (0..9)
                .map(|n| found.stress_gpa[n / 3][n % 3] * strain[n / 3][n % 3])
                .sum();
            let error = (slope - expected).abs();
            assert!(error < 1e-3, "{}: {slope} {expected}", crystal.formula());
        }
        // A request for the energy alone gives the same one.
        let alone = chgnet.evaluate(&crystal, Request::Energy).unwrap();
        assert_eq!(alone.energy_ev, found.energy_ev);
        assert!(alone.forces_ev_ang.is_empty());
    }
}

/// The same crystal in another cell, turned, moved, and with its sites in another order.
#[test]
fn energies_do_not_depend_on_how_a_crystal_is_written() {
    let chgnet = Chgnet::new(&random_weights(4)).unwrap();
    let per_site = |crystal: &Structure| {
        chgnet.evaluate(crystal, Request::Energy).unwrap().energy_ev / sites_of(crystal)
    };
    let mut lot = Lot(5);
    for crystal in small_crystals() {
        let expected = per_site(&crystal);
        let mut moved = crystal.clone();
        let shift = [lot.next() * 3.0, lot.next() * 3.0, lot.next()];
        for x in &mut moved.frac_coords {
            for k in 0..3 {
                x[k] += shift[k];
            }
        }
        moved.frac_coords.reverse();
        moved.elements.reverse();
        let (sin, cos) = lot.next().sin_cos();
        let turned = Structure {
            lattice: Lattice::new(
                crystal
                    .lattice
                    .vectors()
                    .map(|[x, y, z]| [cos * x - sin * y, -z, sin * x + cos * y]),
            )
            .unwrap(),
            ..crystal.clone()
        };
        let [a, b, c] = crystal.lattice.vectors();
        let double = Structure {
            lattice: Lattice::new([a, b, std::array::from_fn(|k| 2.0 * c[k] + a[k])]).unwrap(),
            elements: crystal.elements.repeat(2),
            frac_coords: [0.0, 1.0]
                .iter()
                .flat_map(|shift| {
                    crystal.frac_coords.iter().map(move |x| {
                        let along = (x[2] + shift) / 2.0;
                        [x[0] - along, x[1], along]
                    })
                })
                .collect(),
        };
        for other in [moved, turned, double] {
            assert!(
                (per_site(&other) - expected).abs() < 3e-6,
                "{}",
                crystal.formula()
            );
        }
    }
}

#[test]
fn structures_that_the_network_cannot_judge_are_named() {
    let chgnet = Chgnet::new(&random_weights(6)).unwrap();
    let error = |crystal: &Structure| chgnet.evaluate(crystal, Request::Energy).unwrap_err();
    let isolated = common::structure(common::cubic(7.0), &[("He", [0.0; 3])]);
    let error_of_isolated = error(&isolated);
    assert!(matches!(
        error_of_isolated,
        PotentialError::IsolatedAtom { site: 0, .. }
    ));
    assert!(
        error_of_isolated
            .to_string()
            .contains("site 0 (He) has no neighbour within 6 Å")
    );
    let heavy = common::structure(common::cubic(4.0), &[("Am", [0.0; 3])]);
    let error_of_heavy = error(&heavy);
    assert!(matches!(
        error_of_heavy,
        PotentialError::UnknownElement { .. }
    ));
    assert!(
        error_of_heavy
            .to_string()
            .contains("does not know Am (site 0): expected Z = 1 to 94")
    );
}
