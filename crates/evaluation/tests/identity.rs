//! A crystal is one result however it is written down, and what the store gives back belongs to
//! the cell that was asked for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use crystalgym_crystal::{Crystal, Element, Lattice, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};
use crystalgym_evaluation::{
    Calculator, CancelToken, EquationOfStateFit, Evaluation, Fingerprint, NativeCalculator,
    NativeSettings, Outcome, Property, ResultStore, Source, SpeciesSource, Values, Verdict,
    evaluate,
};

/// Gives energies and volumes of the cell that it gets, and remembers those cells.
#[derive(Default)]
struct Recording {
    calls: AtomicU32,
    keeps_the_cell: bool,
    seen: Mutex<Vec<Structure>>,
}

impl Calculator for Recording {
    fn name(&self) -> &str {
        "recording"
    }

    fn fingerprint(&self, _: &[Element], _: Property) -> Fingerprint {
        Fingerprint("{}".into())
    }

    fn keeps_the_cell(&self) -> bool {
        self.keeps_the_cell
    }

    fn evaluate(&self, crystal: &Crystal, _: Property, _: &CancelToken) -> Outcome {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.seen.lock().unwrap().push(crystal.structure());
        let atoms = crystal.elements().len() as f64;
        let volume = crystal.skeleton().lattice.volume();
        Outcome::Success(Values {
            value: crystal.rigid_density_g_cm3(),
            total_energy_ev: Some(-3.0 * atoms),
            homo_ev: Some(1.5),
            volume_ang3: volume,
            equation_of_state: Some(Box::new(EquationOfStateFit {
                volumes_ang3: vec![0.98 * volume, volume],
                energies_ev: vec![-2.9 * atoms, -3.0 * atoms],
                equilibrium_volume_ang3: 1.01 * volume,
                bulk_modulus_gpa: 50.0,
                bulk_modulus_derivative: 4.0,
                rms_residual_ev: 1e-3 * atoms,
                modulus_at_reference_gpa: 51.0,
            })),
            ..Values::default()
        })
    }
}

fn crystal(structure: &Structure) -> Crystal {
    let skeleton = Skeleton::from_structure("file", structure, SYMMETRY_TOLERANCE_ANG).unwrap();
    Crystal::new(Arc::new(skeleton), structure.elements.clone()).unwrap()
}

fn structure(vectors: [[f64; 3]; 3], symbols: &str, frac_coords: &[[f64; 3]]) -> Structure {
    Structure {
        lattice: Lattice::new(vectors).unwrap(),
        elements: symbols.split(' ').map(|s| s.parse().unwrap()).collect(),
        frac_coords: frac_coords.to_vec(),
    }
}

/// Rutile TiO₂ (a = 4.594, c = 2.959, u = 0.305), as books list it.
fn rutile() -> Structure {
    let u = 0.305;
    structure(
        [[4.594, 0.0, 0.0], [0.0, 4.594, 0.0], [0.0, 0.0, 2.959]],
        "Ti Ti O O O O",
        &[
            [0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5],
            [u, u, 0.0],
            [1.0 - u, 1.0 - u, 0.0],
            [0.5 + u, 0.5 - u, 0.5],
            [0.5 - u, 0.5 + u, 0.5],
        ],
    )
}

/// The writings that the documents promise: order, lattice vector, origin, supercell, setting.
fn writings() -> Vec<(&'static str, Structure)> {
    let base = rutile();
    let order = [3, 1, 5, 0, 2, 4];
    let reordered = Structure {
        elements: order.iter().map(|&i| base.elements[i]).collect(),
        frac_coords: order.iter().map(|&i| base.frac_coords[i]).collect(),
        ..base.clone()
    };
    let moved = |by: [f64; 3]| Structure {
        frac_coords: (base.frac_coords.iter())
            .map(|x| std::array::from_fn(|i| x[i] + by[i]))
            .collect(),
        ..base.clone()
    };
    let [a, b, c] = base.lattice.vectors();
    let doubled = Structure {
        lattice: Lattice::new([a.map(|x| 2.0 * x), b, c]).unwrap(),
        elements: [base.elements.clone(), base.elements.clone()].concat(),
        frac_coords: [0.0, 1.0]
            .iter()
            .flat_map(|n| {
                base.frac_coords
                    .iter()
                    .map(move |x| [(x[0] + n) / 2.0, x[1], x[2]])
            })
            .collect(),
    };
    let sheared = Structure {
        lattice: Lattice::new([a, std::array::from_fn(|i| b[i] + a[i]), c]).unwrap(),
        frac_coords: base
            .frac_coords
            .iter()
            .map(|x| [x[0] - x[1], x[1], x[2]])
            .collect(),
        ..base.clone()
    };
    // Axes renamed cyclically: another setting, of the same hand.
    let turned = Structure {
        lattice: Lattice::new([c, a, b]).unwrap(),
        frac_coords: base
            .frac_coords
            .iter()
            .map(|x| [x[2], x[0], x[1]])
            .collect(),
        ..base.clone()
    };
    vec![
        ("order", reordered),
        ("lattice vector", moved([1.0, -2.0, 0.0])),
        ("origin", moved([0.123, 0.456, 0.789])),
        ("supercell", doubled),
        ("sheared", sheared),
        ("setting", turned),
        ("as listed", base),
    ]
}

fn run(calculator: &dyn Calculator, store: &ResultStore, structure: &Structure) -> Evaluation {
    let cancel = CancelToken::default();
    evaluate(
        calculator,
        Some(store),
        &crystal(structure),
        Property::Density,
        &cancel,
    )
}

#[test]
fn every_writing_finds_the_same_result_for_its_own_cell() {
    let (store, calculator) = (ResultStore::in_memory().unwrap(), Recording::default());
    for (index, (name, structure)) in writings().iter().enumerate() {
        let found = run(&calculator, &store, structure);
        let expected = if index == 0 {
            Source::Computed
        } else {
            Source::Store
        };
        assert_eq!(found.source, expected, "{name}");
        let Outcome::Success(values) = found.outcome else {
            panic!("{name}")
        };
        // Oracle: arithmetic, per atom and per volume of the cell that was asked for.
        let atoms = structure.elements.len() as f64;
        let volume = structure.lattice.volume();
        let close = |x: f64, y: f64| (x - y).abs() < 1e-9 * y.abs();
        assert!(close(values.value, structure.density_g_cm3()), "{name}");
        assert!(
            close(values.total_energy_ev.unwrap(), -3.0 * atoms),
            "{name}"
        );
        assert!(close(values.volume_ang3, volume), "{name}");
        assert_eq!(values.homo_ev, Some(1.5));
        let fit = values.equation_of_state.unwrap();
        assert!(close(fit.volumes_ang3[0], 0.98 * volume) && fit.bulk_modulus_gpa == 50.0);
        assert!(close(fit.energies_ev[0], -2.9 * atoms), "{name}");
        assert!(close(fit.equilibrium_volume_ang3, 1.01 * volume), "{name}");
    }
    assert_eq!(store.results(None).unwrap().len(), 1);
}

/// Whichever writing comes first, the same cell is computed.
#[test]
fn the_computed_crystal_does_not_depend_on_the_writing() {
    let calculator = Recording::default();
    for (name, structure) in writings() {
        let store = ResultStore::in_memory().unwrap();
        run(&calculator, &store, &structure);
        let row = store.results(None).unwrap().remove(0);
        assert_eq!(row.formula, "TiO2", "{name}");
    }
    let seen = calculator.seen.lock().unwrap();
    for other in seen.iter().skip(1) {
        assert_eq!(other.elements, seen[0].elements);
        for (x, y) in other
            .frac_coords
            .as_flattened()
            .iter()
            .zip(seen[0].frac_coords.as_flattened())
        {
            assert!((x - y).abs() < 1e-9, "{x} {y}");
        }
        let (here, there) = (other.lattice.vectors(), seen[0].lattice.vectors());
        for (x, y) in here.as_flattened().iter().zip(there.as_flattened()) {
            assert!((x - y).abs() < 1e-9, "{x} {y}");
        }
    }
}

/// Te in P3₁21 and its mirror image in P3₂21 (a = 4.4568, c = 5.9270, u = 0.2636).
#[test]
fn mirror_images_are_two_results() {
    let (u, a, c) = (0.2636, 4.4568, 5.9270);
    let height = a * 3.0f64.sqrt() / 2.0;
    let of_hand = |third: f64| {
        structure(
            [[a, 0.0, 0.0], [-a / 2.0, height, 0.0], [0.0, 0.0, c]],
            "Te Te Te",
            &[[u, 0.0, third], [0.0, u, 2.0 * third], [-u, -u, 0.0]],
        )
    };
    let (store, calculator) = (ResultStore::in_memory().unwrap(), Recording::default());
    for (third, expected) in [
        (1.0 / 3.0, Source::Computed),
        (-1.0 / 3.0, Source::Computed),
        (1.0 / 3.0, Source::Store),
        (-1.0 / 3.0, Source::Store),
    ] {
        assert_eq!(run(&calculator, &store, &of_hand(third)).source, expected);
    }
}

/// Where the published cell is part of the definition, another cell is another result.
#[test]
fn a_calculator_can_keep_the_cell() {
    let calculator = Recording {
        keeps_the_cell: true,
        ..Recording::default()
    };
    let store = ResultStore::in_memory().unwrap();
    let all = writings();
    let supercell = &all.iter().find(|(name, _)| *name == "supercell").unwrap().1;
    assert_eq!(run(&calculator, &store, &rutile()).source, Source::Computed);
    assert_eq!(run(&calculator, &store, supercell).source, Source::Computed);
    assert_eq!(run(&calculator, &store, supercell).source, Source::Store);
    assert_eq!(calculator.seen.lock().unwrap()[1].elements.len(), 12);
    let native = |verdict| {
        let settings = NativeSettings {
            verdict,
            ..NativeSettings::default()
        };
        NativeCalculator::new(settings, SpeciesSource::Gth).unwrap()
    };
    assert!(native(Verdict::Paper).keeps_the_cell());
    assert!(!native(Verdict::Engine).keeps_the_cell());
}

/// A calculator that gives no number has failed; nothing of it is stored.
#[test]
fn no_number_is_a_failure() {
    struct NotANumber;
    impl Calculator for NotANumber {
        fn name(&self) -> &str {
            "nan"
        }
        fn fingerprint(&self, _: &[Element], _: Property) -> Fingerprint {
            Fingerprint("{}".into())
        }
        fn evaluate(&self, _: &Crystal, _: Property, _: &CancelToken) -> Outcome {
            Outcome::Success(Values {
                value: f64::NAN,
                ..Values::default()
            })
        }
    }
    let store = ResultStore::in_memory().unwrap();
    let found = run(&NotANumber, &store, &rutile());
    let failure = found.outcome.failure().unwrap().message.clone();
    assert!(failure.contains("NaN"), "{failure}");
    assert!(store.results(None).unwrap().is_empty());
}
