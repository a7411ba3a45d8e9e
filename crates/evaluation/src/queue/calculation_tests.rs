//! What lies in the queue: unchanged by its travel, and whatever it is, nothing to run.

use std::time::{Duration, Instant};

use crystalgym_crystal::Crystal;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use super::{
    calculation::QueuedCalculation,
    makers::{CalculatorMaker as _, MachineCalculators, MachineSettings},
    tests::{crystals, native},
};
use crate::{Calculator, CalculatorConfig, Property, Relaxation};

/// Every text is read or refused, and nothing that is read names a program, a folder or threads; how many
/// of the damaged ones were crystals all the same.
fn read_damaged(random: &mut Pcg64Mcg, count: u32) -> usize {
    let crystal = crystals(1).remove(0).canonical();
    let text = QueuedCalculation::of(&crystal, Property::BandGap, &native())
        .unwrap()
        .to_text();
    let mut read = 0;
    for _ in 0..count {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => bytes.truncate(at.max(1)),
                2 => {
                    let end = (at + random.random_range(1..40)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = random.random_range(0..bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => bytes[at] = b"0123456789.-e\"{}[],:/"[random.random_range(0..21)],
            }
        }
        let Ok(calculation) = QueuedCalculation::from_text(&String::from_utf8_lossy(&bytes)) else {
            continue;
        };
        assert_eq!(
            calculation.calculator,
            calculation.calculator.without_machine()
        );
        let family = calculation.calculator.pseudopotentials.as_deref();
        assert!(!family.is_some_and(|name| name.contains('/') || name.starts_with('.')));
        if let Ok(skeleton) = calculation.to_skeleton() {
            read += usize::from(calculation.to_crystal(&skeleton).is_ok());
        }
    }
    read
}

#[test]
fn damaged_calculations_are_read_or_refused() {
    let read = read_damaged(&mut Pcg64Mcg::seed_from_u64(24), 5_000);
    assert!(read > 10, "{read}");
}

#[test]
#[ignore = "takes ten minutes"]
fn damaged_calculations_are_read_or_refused_for_ten_minutes() {
    let start = Instant::now();
    let (mut seed, mut read) = (0, 0);
    while start.elapsed() < Duration::from_secs(600) {
        seed += 1;
        read += read_damaged(&mut Pcg64Mcg::seed_from_u64(seed), 1_000);
    }
    println!("{seed} thousand texts, {read} of them crystals");
}

/// What a configuration makes, with all that is wrapped around the engine, and not the engine alone.
#[test]
fn what_a_configuration_makes_travels_unless_it_needs_what_stays() {
    let crystal = crystals(1).remove(0).canonical();
    let mut config = CalculatorConfig::default();
    for property in [Property::BandGap, Property::FormationEnergy] {
        let calculator = config.build().unwrap();
        let calculation = QueuedCalculation::of(&crystal, property, calculator.as_ref()).unwrap();
        let read = QueuedCalculation::from_text(&calculation.to_text()).unwrap();
        let makers = MachineCalculators::new(MachineSettings::default());
        let made = makers.make(&read.calculator).unwrap();
        let fingerprint = made.fingerprint(crystal.elements(), property);
        assert_eq!(fingerprint, calculation.fingerprint);
    }
    config.relaxation = Relaxation::Own;
    let calculator = config.build().unwrap();
    assert!(calculator.travelling_settings().is_none());
}

#[test]
fn a_calculation_travels_unchanged_and_names_nothing_to_run() {
    let calculator = native();
    let crystal = crystals(1).remove(0).canonical();
    let calculation = QueuedCalculation::of(&crystal, Property::BandGap, &calculator).unwrap();
    let text = calculation.to_text();
    let read = QueuedCalculation::from_text(&text).unwrap();
    assert_eq!(read, calculation);
    let skeleton = read.to_skeleton().unwrap();
    let there = read.to_crystal(&skeleton).unwrap();
    let makers = MachineCalculators::new(MachineSettings::default());
    let made = makers.make(&read.calculator).unwrap();
    let key = |crystal: &Crystal, calculator: &dyn Calculator| {
        crate::StoreKey::new(crystal, Property::BandGap, calculator)
    };
    assert_eq!(key(&there, made.as_ref()), key(&crystal, &calculator));
    let config = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        QueuedCalculation::from_text(&value.to_string())
    };
    assert!(config(&|_| {}).is_ok());
    // What is not written unless it is set.
    for (name, value) in [
        (
            "stability",
            serde_json::json!({"references": "/etc/passwd"}),
        ),
        ("relaxation", serde_json::json!("own")),
        ("table", serde_json::json!({"file": "/etc/passwd"})),
    ] {
        let refused = config(&|json| json["calculator"][name] = value.clone());
        assert!(refused.is_err(), "{name}");
    }
    for (pointer, value) in [
        (
            "/calculator/qe/command",
            serde_json::json!(["sh", "-c", "x"]),
        ),
        ("/calculator/qe/ev_command", serde_json::json!(["x"])),
        ("/calculator/qe/scratch", serde_json::json!("/tmp")),
        (
            "/calculator/qe/environment",
            serde_json::json!({"LD_PRELOAD": "x"}),
        ),
        ("/calculator/native/threads", serde_json::json!(64)),
        ("/calculator/name", serde_json::json!("table")),
        ("/calculator/pseudopotentials", serde_json::json!("../x")),
        ("/calculator/pseudopotentials", serde_json::json!("/etc")),
        ("/elements", serde_json::json!(["H"])),
        ("/form", serde_json::json!(2)),
    ] {
        let refused = config(&|json| {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        });
        assert!(refused.is_err(), "{pointer}");
    }
}
