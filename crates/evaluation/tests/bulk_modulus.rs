//! The three definitions of the bulk modulus against each other: energies against stress, one start
//! against another.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and report the numbers"
)]

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Lattice, Skeleton, Structure};
use crystalgym_evaluation::{
    BulkModulusDefinition, Calculator, CancelToken, FailureCode, NativeCalculator, NativeSettings,
    Outcome, Property, SpeciesSource, Values,
};

/// Silicon with this lattice constant; the experiment's is 5.43 Å.
fn silicon(a_ang: f64) -> Crystal {
    let half = a_ang / 2.0;
    let vectors = [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]];
    let elements = vec!["Si".parse().unwrap(); 2];
    let sites = vec![[0.0; 3], [0.25; 3]];
    let structure = Structure::new(Lattice::new(vectors).unwrap(), elements.clone(), sites);
    let skeleton = Skeleton::from_structure("test", &structure.unwrap(), 0.01).unwrap();
    Crystal::new(Arc::new(skeleton), elements).unwrap()
}

fn settings(definition: BulkModulusDefinition) -> NativeSettings {
    NativeSettings {
        ecutwfc_ry: Some(30.0),
        kppa: Some(140.0),
        degauss_ry: 0.01,
        bulk_modulus: definition,
        ..NativeSettings::default()
    }
}

fn outcome(definition: BulkModulusDefinition, property: Property, a_ang: f64) -> Outcome {
    let calculator = NativeCalculator::new(settings(definition), SpeciesSource::Gth).unwrap();
    calculator.evaluate(&silicon(a_ang), property, &CancelToken::default())
}

fn modulus(definition: BulkModulusDefinition, a_ang: f64) -> Values {
    match outcome(definition, Property::BulkModulus, a_ang) {
        Outcome::Success(values) => values,
        Outcome::Failure(failure) => panic!("{failure:?}"),
    }
}

/// Oracles: `V d²E/dV²` of the energies of five volumes, which no stress enters; and Voigt's average of
/// the elastic constants, which other strains give.
#[test]
fn the_modulus_of_a_cell_is_the_curvature_of_its_energy() {
    for a_ang in [5.2, 5.47, 5.8] {
        let of_stress = modulus(BulkModulusDefinition::Cell, a_ang);
        let of_energies = modulus(BulkModulusDefinition::Extrapolated, a_ang);
        let fit = of_energies.equation_of_state.unwrap();
        let expected_gpa = fit.modulus_at_reference_gpa;
        println!(
            "{a_ang} Å: {:.3} GPa, energies {expected_gpa:.3}",
            of_stress.value
        );
        assert!((of_stress.value / expected_gpa - 1.0).abs() < 0.01);
        assert_eq!(of_stress.equation_of_state, None);
        let (pressure_gpa, other_gpa) = (of_stress.pressure_gpa, of_energies.pressure_gpa);
        assert!((pressure_gpa.unwrap() - other_gpa.unwrap()).abs() < 1e-6);
    }
    let shear = outcome(BulkModulusDefinition::Cell, Property::ShearModulus, 5.47);
    let Outcome::Success(Values {
        elastic_constants: Some(constants),
        ..
    }) = shear
    else {
        panic!("{shear:?}");
    };
    let of_strains_gpa = constants.average.voigt.bulk_gpa;
    let of_cell = modulus(BulkModulusDefinition::Cell, 5.47).value;
    println!("Voigt's average {of_strains_gpa:.3} GPa, cell {of_cell:.3}");
    assert!((of_strains_gpa / of_cell - 1.0).abs() < 0.02);
}

/// Oracle: where it starts makes no difference. From 5.9 Å an extrapolation does not come near.
#[test]
fn equilibrium_is_where_it_is_from_any_start() {
    let near = modulus(BulkModulusDefinition::Extrapolated, 5.46);
    let near = near.equation_of_state.unwrap();
    assert!(near.brackets_minimum());
    for a_ang in [5.0, 5.46, 5.9] {
        let found = modulus(BulkModulusDefinition::Equilibrium, a_ang);
        let fit = found.equation_of_state.unwrap();
        println!(
            "from {a_ang} Å: {:.3} GPa at {:.4} Å³, expected {:.3} at {:.4}",
            found.value,
            fit.equilibrium_volume_ang3,
            near.bulk_modulus_gpa,
            near.equilibrium_volume_ang3
        );
        assert!(fit.brackets_minimum());
        assert_eq!(found.value, fit.bulk_modulus_gpa);
        let ratio = fit.equilibrium_volume_ang3 / near.equilibrium_volume_ang3;
        assert!((ratio - 1.0).abs() < 0.005, "{ratio}");
        assert!((found.value / near.bulk_modulus_gpa - 1.0).abs() < 0.03);
    }
}

/// Beyond the inflection of the energy a cell has a negative modulus, which is a result.
#[test]
fn a_cell_that_is_far_too_large_is_unstable() {
    let stretched = modulus(BulkModulusDefinition::Cell, 7.6);
    println!(
        "7.6 Å: {:.3} GPa, {:?} GPa",
        stretched.value, stretched.pressure_gpa
    );
    assert!(stretched.value < 0.0);
    assert!(stretched.pressure_gpa.unwrap() < 0.0);
    let extrapolated = outcome(
        BulkModulusDefinition::Extrapolated,
        Property::BulkModulus,
        7.6,
    );
    let failure = extrapolated.failure().unwrap();
    assert_eq!(failure.code, FailureCode::BadEquationOfState, "{failure:?}");
}
