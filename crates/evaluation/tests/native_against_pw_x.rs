//! The native calculator against a real `pw.x` that runs the very same built-in pseudopotentials,
//! written as UPF files, through the `qe` calculator.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and report the differences"
)]

use std::{fs, path::Path, sync::Arc};

use crystalgym_crystal::{Crystal, Skeleton};
use crystalgym_dft::pseudo::GthParameters;
use crystalgym_evaluation::{
    Calculator, CancelToken, NativeCalculator, NativeSettings, Outcome, Property, QeCalculator,
    QeSettings, SpeciesSource, Values, VolumeBasis,
};
use crystalgym_pseudopotential::PseudopotentialFamily;
use crystalgym_qe::PwSettings;
use crystalgym_testing::program;

const KPPA: f64 = 100.0;
const DEGAUSS_RY: f64 = 0.02;
const EV_PER_RY: f64 = 13.605_693_122_994;

fn crystal(skeleton: &str, symbols: &[&str]) -> Crystal {
    let elements = symbols.iter().map(|symbol| symbol.parse().unwrap());
    Crystal::new(Skeleton::builtin(skeleton).unwrap(), elements.collect()).unwrap()
}

fn family(folder: &Path, symbols: &[&str]) -> Arc<PseudopotentialFamily> {
    for symbol in symbols {
        let gth = GthParameters::pbe(symbol.parse().unwrap()).unwrap();
        fs::write(folder.join(format!("{symbol}.upf")), gth.to_upf()).unwrap();
    }
    Arc::new(PseudopotentialFamily::open_folder(folder).unwrap())
}

fn native(source: SpeciesSource, ecutwfc_ry: f64) -> NativeCalculator {
    let settings = NativeSettings {
        ecutwfc_ry: Some(ecutwfc_ry),
        kppa: Some(KPPA),
        degauss_ry: DEGAUSS_RY,
        convergence_ry: 1e-9,
        volume_basis: VolumeBasis::FixedCutoff,
        ..NativeSettings::default()
    };
    NativeCalculator::new(settings, source).unwrap()
}

fn pw_x(family: Arc<PseudopotentialFamily>, ecutwfc_ry: f64) -> QeCalculator {
    let settings = QeSettings {
        pw: PwSettings {
            ecutwfc_ry,
            ecutrho_ry: 4.0 * ecutwfc_ry,
            kppa: KPPA,
            degauss_ry: DEGAUSS_RY,
            conv_thr_ry: 1e-9,
            ..PwSettings::default()
        },
        ..QeSettings::default()
    };
    QeCalculator::new(settings, family).unwrap()
}

fn values(calculator: &dyn Calculator, crystal: &Crystal, property: Property) -> Values {
    match calculator.evaluate(crystal, property, &CancelToken::default()) {
        Outcome::Success(values) => values,
        Outcome::Failure(failure) => panic!("{} {failure:?}", calculator.name()),
    }
}

fn assert_near(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    println!("{what}: {ours} pw.x {theirs}");
    assert!(
        (ours - theirs).abs() <= tolerance,
        "{what}: {ours} {theirs}"
    );
}

// Oracle: `pw.x`, the same files, cutoffs, mesh and thresholds.
#[test]
fn band_gap() {
    if program("pw.x").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let crystal = crystal("C2", &["Rb", "Ca", "H", "H", "H"]);
    let family = family(folder.path(), &["Rb", "Ca", "H"]);
    let theirs = values(
        &pw_x(Arc::clone(&family), 16.0),
        &crystal,
        Property::BandGap,
    );
    for source in [SpeciesSource::Gth, SpeciesSource::Family(family)] {
        let ours = values(&native(source, 16.0), &crystal, Property::BandGap);
        let energy = |values: &Values| values.total_energy_ev.unwrap() / EV_PER_RY;
        assert_near("energy (Ry)", energy(&ours), energy(&theirs), 5e-5);
        assert_near("gap (eV)", ours.value, theirs.value, 2e-3);
        for level in [|v: &Values| v.homo_ev, |v: &Values| v.lumo_ev] {
            let (ours, theirs) = (level(&ours).unwrap(), level(&theirs).unwrap());
            assert_near("level (eV)", ours, theirs, 2e-3);
        }
        assert_eq!(ours.k_points, theirs.k_points);
    }
}

// Oracle: `pw.x`, the same files, cutoffs, mesh, smearing and thresholds, and the same fit.
#[test]
fn bulk_modulus() {
    if program("pw.x").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let crystal = crystal("C6", &["Mg", "Mg", "Na", "Na"]);
    let family = family(folder.path(), &["Mg", "Na"]);
    let theirs = values(&pw_x(family, 24.0), &crystal, Property::BulkModulus);
    let ours = values(
        &native(SpeciesSource::Gth, 24.0),
        &crystal,
        Property::BulkModulus,
    );
    assert_near(
        "modulus (GPa)",
        ours.value,
        theirs.value,
        0.01 * theirs.value,
    );
    let pressure = |values: &Values| values.pressure_gpa.unwrap();
    assert_near("pressure (GPa)", pressure(&ours), pressure(&theirs), 0.1);
    let energies = |values: &Values| values.equation_of_state.clone().unwrap().energies_ev;
    for (ours, theirs) in energies(&ours).iter().zip(energies(&theirs)) {
        assert_near("energy (eV)", *ours, theirs, 5e-5 * EV_PER_RY);
    }
}

// Oracle: `pw.x`, whose `vc-relax` takes one step on the same files, cutoffs, mesh and smearing. The
// first two crystals have forces and an anisotropic stress; the step of the third reaches the trust
// radius, which is measured along Cartesian axes and so depends on the cell's orientation.
#[test]
fn density() {
    if program("pw.x").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let family = family(folder.path(), &["Mg", "Na", "Al", "Li", "Cl", "F"]);
    for (skeleton, symbols) in [
        ("C6", ["Mg", "Al", "Na", "Li"].as_slice()),
        ("C2", &["Na", "Mg", "Li", "Li", "Li"]),
        ("C6", &["Cl", "F", "Li", "Na"]),
    ] {
        let crystal = crystal(skeleton, symbols);
        let pw_x = pw_x(Arc::clone(&family), 16.0);
        let theirs = values(&pw_x, &crystal, Property::Density);
        let ours = values(
            &native(SpeciesSource::Gth, 16.0),
            &crystal,
            Property::Density,
        );
        println!("unmoved: {}", ours.rigid_density_g_cm3);
        assert_near(
            "density (g/cm³)",
            ours.value,
            theirs.value,
            1e-4 * theirs.value,
        );
    }
}
