//! Hulls against pymatgen's `PhaseDiagram`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, process::Command};

use crystalgym_crystal::Element;
use crystalgym_metrics::Composition;
use crystalgym_stability::{ReferenceSet, StabilityError};
use serde_json::{Value, json};

/// Numbers by lot, the same for the same seed.
struct Lot(u64);

impl Lot {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Some of these elements, with small numbers.
    fn composition(&mut self, elements: &[Element]) -> Composition {
        loop {
            let list: Vec<Element> = elements
                .iter()
                .flat_map(|element| {
                    let count = self.below(6).saturating_sub(1);
                    vec![*element; count as usize]
                })
                .collect();
            if !list.is_empty() {
                return Composition::of(&list);
            }
        }
    }
}

fn elements(symbols: &[&str]) -> Vec<Element> {
    symbols
        .iter()
        .map(|symbol| symbol.parse().unwrap())
        .collect()
}

/// The hull of each set at each of its compositions, by pymatgen.
fn by_pymatgen(cases: &[(ReferenceSet, Vec<Composition>)]) -> Option<Vec<Vec<f64>>> {
    let python = crystalgym_testing::python_with(&["pymatgen.analysis.phase_diagram"])?;
    let questions: Vec<Value> = cases
        .iter()
        .map(|(set, at)| {
            let phases: Vec<Value> = set
                .phases()
                .iter()
                .map(|phase| json!([phase.composition.to_string(), phase.energy_ev_atom]))
                .collect();
            let at: Vec<String> = at.iter().map(ToString::to_string).collect();
            json!({"phases": phases, "at": at})
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let paths = ["questions.json", "answers.json"].map(|name| folder.path().join(name));
    fs::write(&paths[0], serde_json::to_string(&questions).unwrap()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/phase_diagram.py");
    let status = Command::new(python)
        .arg(script)
        .args(&paths)
        .status()
        .unwrap();
    assert!(status.success());
    let answers = fs::read_to_string(&paths[1]).unwrap();
    Some(serde_json::from_str(&answers).unwrap())
}

fn assert_same(cases: &[(ReferenceSet, Vec<Composition>)]) -> usize {
    let Some(answers) = by_pymatgen(cases) else {
        return 0;
    };
    let mut compared = 0;
    for ((set, at), answers) in cases.iter().zip(answers) {
        for (composition, expected) in at.iter().zip(answers) {
            let found = set.hull_at(composition).unwrap();
            let error = (found.energy_ev_atom - expected).abs();
            assert!(
                error < 1e-6,
                "{composition}: {found:?}, expected {expected}"
            );
            let shares: f64 = found.phases.iter().map(|(_, share)| share).sum();
            assert!((shares - 1.0).abs() < 1e-9);
            let mixture: f64 = found
                .phases
                .iter()
                .map(|(phase, share)| phase.energy_ev_atom * share)
                .sum();
            assert!((mixture - found.energy_ev_atom).abs() < 1e-9);
            compared += 1;
        }
    }
    compared
}

/// One thousand compositions by lot in systems of one to seven elements. Energies are whole tenths, so
/// that many phases lie on one plane or have the same energy; half of the sets hold energies of a
/// method rather than formation energies.
#[test]
fn a_thousand_compositions_by_lot() {
    let all = elements(&["Li", "O", "Mn", "Fe", "P", "Na", "Cl", "H", "C", "Sr"]);
    let mut lot = Lot(3);
    let cases: Vec<(ReferenceSet, Vec<Composition>)> = (0..50)
        .map(|n| {
            let system: Vec<Element> = (0..1 + n % 7).map(|k| all[(n + k) % all.len()]).collect();
            let absolute = if n % 2 == 0 { 0.0 } else { -7.3 };
            let mut set = ReferenceSet::new("by lot");
            for element in &system {
                let energy = absolute * (1.0 + lot.below(10) as f64 / 10.0);
                set.add(Composition::of(&[*element]), energy).unwrap();
            }
            for _ in 0..10 + 8 * (n % 7) {
                let energy = 1.5 * absolute + lot.below(40) as f64 / 10.0 - 3.0;
                set.add(lot.composition(&system), energy).unwrap();
            }
            let at = (0..20).map(|_| lot.composition(&system)).collect();
            (set, at)
        })
        .collect();
    let compared = assert_same(&cases);
    assert!(compared == 1000 || compared == 0, "{compared}");
}

/// The Materials Project of 2018 as reference set, at compositions by lot of the benchmark's elements.
#[test]
fn the_hull_of_the_materials_project() {
    let Some(path) =
        crystalgym_testing::shared_data("data/materials-project/formation_energy_2018.csv.gz")
    else {
        return;
    };
    let set = ReferenceSet::from_csv(&path).unwrap();
    assert_eq!(set.name(), "formation_energy_2018.csv.gz");
    let mut lot = Lot(5);
    let cases: Vec<(ReferenceSet, Vec<Composition>)> = [
        ["Li", "Mn", "O", "P"],
        ["Sr", "Ti", "O", "H"],
        ["Na", "Cl", "Ca", "S"],
        ["Fe", "C", "N", "Mg"],
    ]
    .iter()
    .map(|symbols| {
        let system = elements(symbols);
        let mut part = ReferenceSet::new("part");
        let inside = |phase: &&crystalgym_stability::Phase| {
            phase
                .composition
                .counts()
                .all(|(element, _)| system.contains(&element))
        };
        for phase in set.phases().iter().filter(inside) {
            part.add(phase.composition.clone(), phase.energy_ev_atom)
                .unwrap();
        }
        let at: Vec<Composition> = (0..25).map(|_| lot.composition(&system)).collect();
        for composition in &at {
            assert_eq!(
                set.hull_at(composition).unwrap(),
                part.hull_at(composition).unwrap()
            );
        }
        (part, at)
    })
    .collect();
    assert_same(&cases);
}

#[test]
fn what_a_set_does_not_know_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.csv");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        ReferenceSet::from_csv(&path)
    };
    let set = read("formula,formation_energy_mev_per_atom\nNaCl,-2000\nNa2Cl2,-2100\n").unwrap();
    let at = |formula: &str| set.hull_at(&formula.parse().unwrap());
    assert_eq!(at("NaCl").unwrap().energy_ev_atom, -2.1);
    let salt: Composition = "NaCl".parse().unwrap();
    assert!((set.energy_above_hull(&salt, -2.0).unwrap() - 0.1).abs() < 1e-12);
    assert_eq!(set.formation_energy(&salt, -2.0).unwrap(), -2.0);
    let error = at("KClBr").unwrap_err();
    assert!(matches!(error, StabilityError::MissingElements { .. }));
    assert!(error.to_string().contains("no K, Br, of which"), "{error}");
    assert!(set.energy_above_hull(&salt, f64::NAN).is_err());
    for (text, reason) in [
        (
            "formula,formation_energy_kj_per_mol\nNaCl,-400\n",
            "in a unit that is known",
        ),
        (
            "name,formation_energy_ev_per_atom\nNaCl,-2\n",
            "no column formula",
        ),
        (
            "formula,formation_energy_ev_per_atom\nNaXx,-2\n",
            "line 2: ",
        ),
        (
            "formula,formation_energy_ev_per_atom\nNaCl,low\n",
            "the energy is 'low'",
        ),
        (
            "formula,formation_energy_ev_per_atom\nNaCl,inf\n",
            "expected a finite one",
        ),
        (
            "formula,formation_energy_ev_per_atom\nH0,1\n",
            "no elements",
        ),
        ("formula,formation_energy_ev_per_atom\n", "no line of data"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
