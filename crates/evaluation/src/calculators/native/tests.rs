//! The built-in calculator: failures, settings, fingerprints, and what a small basis gives.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Skeleton};
use crystalgym_pseudopotential::PseudopotentialFamily;

use super::*;
use crate::{Calculator, CancelToken, FailureCode, Ions, Outcome, Property};

fn crystal(symbols: [&str; 4]) -> Crystal {
    let elements = symbols.map(|symbol| symbol.parse().unwrap()).to_vec();
    Crystal::new(Skeleton::builtin("C6").unwrap(), elements).unwrap()
}

/// Coarse enough to take a moment.
fn coarse() -> NativeSettings {
    NativeSettings {
        ecutwfc_ry: Some(8.0),
        kppa: Some(1.0),
        convergence_ry: 1e-10,
        ..NativeSettings::default()
    }
}

fn calculator(settings: NativeSettings) -> NativeCalculator {
    NativeCalculator::new(settings, SpeciesSource::Gth).unwrap()
}

fn gap(settings: NativeSettings, symbols: [&str; 4]) -> Outcome {
    calculator(settings).evaluate(
        &crystal(symbols),
        Property::BandGap,
        &CancelToken::default(),
    )
}

/// Oracle: the number of electrons by hand (4 + 4 + 4 + 1), known without any SCF. The paper's
/// verdict is pw.x's.
#[test]
fn odd_electrons_cost_nothing() {
    for (verdict, code) in [
        (Verdict::Engine, FailureCode::OddElectronCount),
        (Verdict::Paper, FailureCode::WrongCharge),
    ] {
        let settings = NativeSettings {
            verdict,
            ..NativeSettings::default()
        };
        let outcome = gap(settings, ["C", "Si", "Ge", "H"]);
        let failure = outcome.failure().unwrap();
        assert_eq!((failure.code, failure.scf_iterations), (code, 0));
    }
}

#[test]
fn what_ends_an_evaluation_has_its_code() {
    let crystal = crystal(["Si"; 4]);
    let cancel = CancelToken::default();
    cancel.cancel();
    let outcome = calculator(coarse()).evaluate(&crystal, Property::BandGap, &cancel);
    assert_eq!(outcome.failure().unwrap().code, FailureCode::Cancelled);
    let late = NativeSettings {
        time_limit_seconds: Some(1e-9),
        ..coarse()
    };
    let outcome = gap(late, ["Si"; 4]);
    assert_eq!(outcome.failure().unwrap().code, FailureCode::TimeLimit);
    let impatient = NativeSettings {
        max_iterations: 2,
        ..coarse()
    };
    let outcome = gap(impatient, ["Na", "Cl", "F", "Li"]);
    let failure = outcome.failure().unwrap();
    assert_eq!(
        (failure.code, failure.scf_iterations),
        (FailureCode::ScfNotConverged, 2)
    );
}

#[test]
fn settings_and_elements_are_checked_before_anything_runs() {
    let settings = NativeSettings {
        kppa: Some(f64::NAN),
        ..NativeSettings::default()
    };
    let error = NativeCalculator::new(settings, SpeciesSource::Gth).unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting native.kppa is NaN, expected a number from 0.001 to 100000 points per reciprocal \
         atom"
    );
    let calculator = calculator(coarse());
    let of = |symbol: &str| vec![symbol.parse().unwrap()];
    assert!(calculator.check(&of("Si"), Property::BandGap).is_ok());
    assert!(calculator.check(&of("Si"), Property::Density).is_ok());
    let error = calculator.check(&of("Og"), Property::BandGap).unwrap_err();
    assert!(error.to_string().contains("Og"), "{error}");
}

/// Every field at both sides of both ends of its range, as files give them.
#[test]
fn every_number_has_its_range_in_files_too() {
    let read = |field: &str, value: &str| {
        serde_json::from_str::<NativeSettings>(&format!("{{\"{field}\":{value}}}"))
    };
    for (field, good, bad) in [
        ("ecutwfc_ry", ["1.0", "1000.0"], ["0.99", "1001.0"]),
        ("ecutrho_ry", ["4.0", "10000.0"], ["3.9", "1e9"]),
        ("gth_cutoff_ry", ["1.0", "\"recommended\""], ["-1.0", "1e4"]),
        ("kppa", ["1e-3", "1e5"], ["0.0", "1e9"]),
        ("degauss_ry", ["1e-6", "1.0"], ["1e-300", "1e300"]),
        ("convergence_ry", ["1e-15", "0.1"], ["0.0", "1e300"]),
        (
            "derivative_convergence_ry",
            ["1e-15", "0.1"],
            ["-1.0", "1e300"],
        ),
        (
            "max_iterations",
            ["1", "10000"],
            ["0", "18446744073709551615"],
        ),
        ("threads", ["1", "1024"], ["1025", "18446744073709551615"]),
        ("time_limit_seconds", ["1e-9", "null"], ["0.0", "1e300"]),
        ("memory_limit_gib", ["0.001", "1e6"], ["0.0", "1e7"]),
        ("elastic_strain", ["1e-4", "0.05"], ["0.0", "0.1"]),
    ] {
        for value in good {
            let settings = read(field, value).unwrap();
            let text = serde_json::to_string(&settings).unwrap();
            assert_eq!(
                serde_json::from_str::<NativeSettings>(&text).unwrap(),
                settings
            );
        }
        for value in bad {
            let error = read(field, value).unwrap_err().to_string();
            let expected = format!("setting native.{field} is ");
            assert!(
                error.contains(&expected) && error.contains("expected"),
                "{error}"
            );
        }
    }
    for (field, value) in [
        ("volume_ratio", "[2.0,0.5]"),
        ("volume_ratio", "[-1.0,0.5]"),
        ("derivative", "[20.0,0.0]"),
        ("derivative", "[0.0,1e300]"),
        ("relative_residual", "-1.0"),
    ] {
        let limits = format!("{{\"{field}\":{value}}}");
        let error = read("equation_of_state", &limits).unwrap_err().to_string();
        let expected = format!("native.equation_of_state.{field} is ");
        assert!(error.contains(&expected), "{error}");
        let text = format!("{{\"equation_of_state\":{limits}}}");
        let error = serde_json::from_str::<crate::QeSettings>(&text)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("equation_of_state.{field} is ")),
            "{error}"
        );
    }
    for text in [
        "{\"time_limit_seconds\":1e300}",
        "{\"pw\":{\"degauss_ry\":1e300}}",
        "{\"elastic_strain\":0.1}",
    ] {
        assert!(
            serde_json::from_str::<crate::QeSettings>(text).is_err(),
            "{text}"
        );
    }
    let ratio = read("ecutwfc_ry", "40.0,\"ecutrho_ry\":100.0")
        .unwrap_err()
        .to_string();
    assert!(
        ratio.contains("ecutrho_ry is 100, expected at least four times"),
        "{ratio}"
    );
}

/// What is too large is refused before its memory is taken, and a time limit holds in the set-up.
#[test]
fn sizes_are_estimated_and_time_is_looked_at_before_the_first_iteration() {
    let start = std::time::Instant::now();
    let large = NativeSettings {
        ecutwfc_ry: Some(1000.0),
        ecutrho_ry: Some(10_000.0),
        memory_limit_gib: 1.0,
        ..coarse()
    };
    let failure = |settings| gap(settings, ["Si"; 4]).failure().unwrap().clone();
    let found = failure(large);
    assert_eq!(
        (found.code, found.scf_iterations),
        (FailureCode::TooLarge, 0)
    );
    assert!(
        found
            .message
            .contains("GiB of memory, expected at most 1 GiB"),
        "{}",
        found.message
    );
    let many = failure(NativeSettings {
        kppa: Some(1e5),
        memory_limit_gib: 0.01,
        ..coarse()
    });
    assert_eq!(many.code, FailureCode::TooLarge, "{}", many.message);
    let slow = failure(NativeSettings {
        kppa: Some(1e5),
        memory_limit_gib: 1e3,
        time_limit_seconds: Some(0.02),
        ..coarse()
    });
    assert_eq!(slow.code, FailureCode::TimeLimit, "{}", slow.message);
    assert_eq!(slow.scf_iterations, 0);
    assert!(start.elapsed().as_secs() < 30);
}

#[test]
fn potentials_of_different_functionals_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (symbol, name) in [("Na", "PBE"), ("Cl", "SLA PZ NOGX NOGC")] {
        let gth = crystalgym_dft::pseudo::GthParameters::pbe(symbol.parse().unwrap()).unwrap();
        let text = gth
            .to_upf()
            .replace("functional=\"PBE\"", &format!("functional=\"{name}\""));
        std::fs::write(folder.path().join(format!("{symbol}.upf")), text).unwrap();
    }
    let family = PseudopotentialFamily::open_folder(folder.path()).unwrap();
    let calculator =
        NativeCalculator::new(coarse(), SpeciesSource::Family(Arc::new(family))).unwrap();
    let crystal = crystal(["Na", "Cl", "Na", "Cl"]);
    let outcome = calculator.evaluate(&crystal, Property::BandGap, &CancelToken::default());
    let failure = outcome.failure().unwrap();
    assert_eq!(failure.code, FailureCode::MissingPseudopotential);
    assert!(
        failure.message.contains("Cl was made with PZ"),
        "{}",
        failure.message
    );
}

/// The fingerprint holds what moves the value of the property, and nothing else.
#[test]
fn fingerprints_tell_settings_apart() {
    let fingerprint = |settings: NativeSettings, property| {
        calculator(settings)
            .fingerprint(crystal(["Na", "Cl", "F", "Li"]).elements(), property)
            .0
    };
    let base = fingerprint(coarse(), Property::BandGap);
    let same = NativeSettings {
        threads: 2.try_into().unwrap(),
        time_limit_seconds: None,
        degauss_ry: 0.02,
        ..coarse()
    };
    assert_eq!(fingerprint(same.clone(), Property::BandGap), base);
    assert_ne!(
        fingerprint(same, Property::BulkModulus),
        fingerprint(coarse(), Property::BulkModulus)
    );
    let gap = |kind| NativeSettings {
        gap: GapSettings {
            kind,
            ..GapSettings::default()
        },
        ..coarse()
    };
    assert_eq!(fingerprint(gap(GapKind::Mesh), Property::BandGap), base);
    assert_ne!(fingerprint(gap(GapKind::Path), Property::BandGap), base);
    assert_eq!(
        fingerprint(gap(GapKind::Path), Property::Density),
        fingerprint(coarse(), Property::Density)
    );
    let other = NativeSettings {
        ecutwfc_ry: Some(8.5),
        ..coarse()
    };
    assert_ne!(fingerprint(other, Property::BandGap), base);
    let fixed_cutoff = NativeSettings {
        volume_basis: VolumeBasis::FixedCutoff,
        ..coarse()
    };
    assert_eq!(fingerprint(fixed_cutoff.clone(), Property::BandGap), base);
    for property in [Property::BulkModulus, Property::ShearModulus] {
        assert_ne!(
            fingerprint(fixed_cutoff.clone(), property),
            fingerprint(coarse(), property)
        );
    }
    let large_strain = NativeSettings {
        elastic_strain: 0.03,
        ..coarse()
    };
    let relaxed = NativeSettings {
        ions: Ions::Relaxed,
        ..coarse()
    };
    for settings in [large_strain, relaxed] {
        for property in Property::ALL {
            let moves_it = property == Property::ShearModulus;
            let same = fingerprint(settings.clone(), property) == fingerprint(coarse(), property);
            assert_eq!(same, !moves_it, "{property}");
        }
    }
}

/// Oracle: the analytic pseudopotential itself, read back from its UPF file: the source makes no
/// difference.
#[test]
fn a_family_of_files_gives_the_built_in_numbers() {
    let folder = tempfile::tempdir().unwrap();
    for symbol in ["Rb", "Ca", "H"] {
        let gth = crystalgym_dft::pseudo::GthParameters::pbe(symbol.parse().unwrap()).unwrap();
        std::fs::write(folder.path().join(format!("{symbol}.upf")), gth.to_upf()).unwrap();
    }
    let family = PseudopotentialFamily::open_folder(folder.path()).unwrap();
    let settings = NativeSettings {
        ecutwfc_ry: Some(16.0),
        kppa: Some(100.0),
        ..coarse()
    };
    let files =
        NativeCalculator::new(settings.clone(), SpeciesSource::Family(Arc::new(family))).unwrap();
    let elements = ["Rb", "Ca", "H", "H", "H"].map(|symbol| symbol.parse().unwrap());
    let crystal = Crystal::new(Skeleton::builtin("C2").unwrap(), elements.to_vec()).unwrap();
    let [built_in, read] = [&calculator(settings), &files].map(|calculator| {
        let outcome = calculator.evaluate(&crystal, Property::BandGap, &CancelToken::default());
        match outcome {
            Outcome::Success(values) => values.total_energy_ev.unwrap(),
            Outcome::Failure(failure) => panic!("{failure:?}"),
        }
    });
    assert!((built_in - read).abs() < 1e-4, "{built_in} {read}");
    let missing = files.check(&["Li".parse().unwrap()], Property::BandGap);
    assert!(missing.unwrap_err().to_string().contains("Li"));
}

/// Oracle: the same equation of state at a fixed cutoff, 4.4 times as high, where the number of plane
/// waves no longer matters. At the small cutoff itself the fixed one misses by more than 10 %.
#[test]
fn a_small_basis_gives_nearly_the_bulk_modulus_of_a_large_one() {
    let modulus = |ecutwfc_ry: f64, volume_basis: VolumeBasis| {
        let settings = NativeSettings {
            ecutwfc_ry: Some(ecutwfc_ry),
            kppa: Some(50.0),
            degauss_ry: 0.02,
            volume_basis,
            ..NativeSettings::default()
        };
        let crystal = crystal(["Na", "Mg", "Si", "Al"]);
        let cancel = CancelToken::default();
        let outcome = calculator(settings).evaluate(&crystal, Property::BulkModulus, &cancel);
        outcome.value()
    };
    let converged = modulus(70.0, VolumeBasis::FixedCutoff).unwrap();
    let corrected = modulus(16.0, VolumeBasis::FixedPlaneWaves).unwrap();
    let fixed_cutoff = modulus(16.0, VolumeBasis::FixedCutoff);
    let error = |value: f64| (value / converged - 1.0).abs();
    assert!(error(corrected) < 0.06, "{corrected} {converged}");
    assert!(
        fixed_cutoff.is_none_or(|value| error(value) > 0.1),
        "{fixed_cutoff:?} {converged}"
    );
}
