//! CHGNet with the published weights: values that others have published or computed.
//!
//! Skipped without the Python package `chgnet`, whose weights these are.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{cubic, fcc, package, structure};
use crystalgym_crystal::Structure;
use crystalgym_potential::{Chgnet, InteratomicPotential, Prediction, Request};

fn li_mn_o2() -> Structure {
    structure(
        [
            [2.868779, 0.0, 0.0],
            [0.0, 4.634475, 0.0],
            [0.0, 0.0, 5.832507],
        ],
        &[
            ("Li", [0.5, 0.5, 0.37975]),
            ("Li", [0.0, 0.0, 0.62025]),
            ("Mn", [0.5, 0.5, 0.863252]),
            ("Mn", [0.0, 0.0, 0.136748]),
            ("O", [0.5, 0.0, 0.360824]),
            ("O", [0.0, 0.5, 0.098514]),
            ("O", [0.5, 0.0, 0.901486]),
            ("O", [0.0, 0.5, 0.639176]),
        ],
    )
}

fn assert_near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() < tolerance,
        "{what}: {found}, expected {expected}"
    );
}

fn mean(list: &[f32]) -> f64 {
    list.iter().copied().map(f64::from).sum::<f64>() / list.len() as f64
}

/// Oracle: the values of the package's own tests (energy, moments, features, stress); its forces when
/// run in f64, as in f32 they are off by 1e-4 eV/Å where three atoms lie on a line.
#[test]
fn lithium_manganese_oxide() {
    let Some(chgnet) = package::chgnet() else {
        return;
    };
    let crystal = li_mn_o2();
    assert_eq!(Chgnet::graph_size(&crystal).unwrap(), [672, 744]);
    let found = chgnet.evaluate(&crystal, Request::Derivatives).unwrap();
    assert_near(found.energy_ev / 8.0, -7.367691, 2e-6, "energy");
    let sites = [
        -3.62643, -3.62643, -9.63468, -9.63468, -8.02493, -8.18472, -8.18472, -8.02493,
    ];
    let moments = [
        0.00305, 0.00305, 3.86942, 3.86942, 0.04414, 0.03862, 0.03862, 0.04414,
    ];
    let forces = [
        0.023_813_1,
        -0.023_813_1,
        0.092_692_7,
        -0.092_692_7,
        -0.002_369_6,
        -0.013_124_9,
        0.013_124_9,
        0.002_369_6,
    ];
    for site in 0..8 {
        let energies = found.site_energies_ev.as_ref().unwrap();
        assert_near(energies[site], sites[site], 1e-5, "site energy");
        let moment = found.magnetic_moments.as_ref().unwrap()[site];
        assert_near(moment, moments[site], 1e-5, "moment");
        let [x, y, z] = found.forces_ev_ang[site];
        assert_near(x, 0.0, 1e-5, "force along x");
        assert_near(y, 0.0, 1e-5, "force along y");
        assert_near(z, forces[site], 1e-5, "force along z");
    }
    for (k, expected) in [-0.3035, 0.2233, -0.1073].into_iter().enumerate() {
        assert_near(found.stress_gpa[k][k], expected, 1e-3, "stress");
    }
    let features = found.features.unwrap();
    let pooled = mean(&features.after_readout) * 8.0;
    assert_near(pooled, 0.269_990_8, 1e-5, "pooled features");
    assert_near(
        mean(&features.before_readout),
        -0.096_683_2,
        1e-6,
        "features of atoms",
    );
}

/// Oracle: the re-implementation in f64.
#[test]
fn small_crystals_of_every_kind() {
    let Some(chgnet) = package::chgnet() else {
        return;
    };
    let check = |crystal: &Structure, size: [usize; 2], energy_ev: f64| -> Prediction {
        assert_eq!(
            Chgnet::graph_size(crystal).unwrap(),
            size,
            "{}",
            crystal.formula()
        );
        let found = chgnet.evaluate(crystal, Request::Derivatives).unwrap();
        let tolerance = 1e-5 * crystal.elements.len() as f64;
        assert_near(found.energy_ev, energy_ev, tolerance, &crystal.formula());
        found
    };
    let check_pressure = |found: &Prediction, stress_gpa: f64| {
        for k in 0..9 {
            let expected = if k % 4 == 0 { stress_gpa } else { 0.0 };
            assert_near(found.stress_gpa[k / 3][k % 3], expected, 1e-3, "stress");
        }
    };
    let salt = structure(fcc(5.64), &[("Na", [0.0; 3]), ("Cl", [0.5; 3])]);
    check_pressure(&check(&salt, [64, 60], 2.0 * -3.666_430), -0.7546);
    let perovskite = structure(
        cubic(3.905),
        &[
            ("Sr", [0.0; 3]),
            ("Ti", [0.5; 3]),
            ("O", [0.5, 0.5, 0.0]),
            ("O", [0.5, 0.0, 0.5]),
            ("O", [0.0, 0.5, 0.5]),
        ],
    );
    check_pressure(&check(&perovskite, [370, 708], -42.091_298), -5.0554);
    let silicon = structure(fcc(5.43), &[("Si", [0.0; 3]), ("Si", [0.26, 0.25, 0.25])]);
    let found = check(&silicon, [92, 24], -10.617_369);
    for (k, force) in [-0.03262, 0.25472, 0.25472].into_iter().enumerate() {
        assert_near(found.forces_ev_ang[0][k], force, 2e-5, "force");
        assert_near(found.forces_ev_ang[1][k], -force, 2e-5, "force");
    }
    let copper = structure(fcc(3.61), &[("Cu", [0.0; 3])]);
    check_pressure(&check(&copper, [78, 132], -4.083_308), -1.0218);
}

/// Two hydrogen atoms too far apart to hear of each other, in cells of two sizes.
#[test]
fn molecules_do_not_see_the_size_of_their_cell() {
    let Some(chgnet) = package::chgnet() else {
        return;
    };
    let energy = |a: f64| {
        let molecule = structure(cubic(a), &[("H", [0.0; 3]), ("H", [0.74 / a, 0.0, 0.0])]);
        chgnet
            .evaluate(&molecule, Request::Energy)
            .unwrap()
            .energy_ev
    };
    assert_near(energy(10.0), energy(20.0), 1e-6, "energy");
}
