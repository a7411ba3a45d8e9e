//! Formation energies: identities, an oracle, and the tables of a benchmark.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, sync::Arc};

use crystalgym_benchmark::{
    FormationOptions, RunOptions, Scale, Selection, experiments, formation_energies, run_jobs,
};
use crystalgym_crystal::{
    CanonicalCrystal, Crystal, Element, Lattice, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure,
    StructureFormat, space_group,
};
use crystalgym_environment::ActionSet;
use crystalgym_evaluation::{
    CalculatorConfig, CalculatorName, CancelToken, ElementalReferences, GthCutoff, Property,
    RecommendedCutoff, ResultStore, StoredResult, evaluate, formation_energy_ev_per_atom,
    reference_structure,
};
use crystalgym_training::{Algorithm, ConfigLayers, Preset, Trust};

fn native(gth_cutoff_ry: f64, kppa: f64) -> CalculatorConfig {
    let mut config = CalculatorConfig::default();
    config.native.gth_cutoff_ry = Some(GthCutoff::Ry(gth_cutoff_ry));
    config.native.kppa = Some(kppa);
    config
}

fn crystal(structure: &Structure) -> Crystal {
    let skeleton = Skeleton::from_structure("test", structure, SYMMETRY_TOLERANCE_ANG).unwrap();
    Crystal::new(Arc::new(skeleton), structure.elements.clone()).unwrap()
}

fn formation_ev(structure: &Structure, config: &CalculatorConfig) -> f64 {
    let cancel = CancelToken::default();
    let references = ElementalReferences::new(config).unwrap();
    let crystal = crystal(structure);
    let outcome = evaluate(
        references.calculator(),
        None,
        &crystal,
        Property::Density,
        &cancel,
    )
    .outcome;
    let values = match outcome {
        crystalgym_evaluation::Outcome::Success(values) => values,
        crystalgym_evaluation::Outcome::Failure(failure) => unreachable!("{failure:?}"),
    };
    let energy_ev = values.total_energy_ev.unwrap();
    formation_energy_ev_per_atom(&crystal, energy_ev, &references, &cancel).unwrap()
}

fn cubic(a: f64, atoms: &[(&str, [f64; 3])]) -> Structure {
    Structure {
        lattice: Lattice::from_parameters([a; 3], [90.0; 3]).unwrap(),
        elements: atoms
            .iter()
            .map(|(symbol, _)| symbol.parse().unwrap())
            .collect(),
        frac_coords: atoms.iter().map(|(_, position)| *position).collect(),
    }
}

/// Identities: an element in its reference structure forms from itself without energy; in another
/// cell of the same crystal, with the same k-points folded, it does so within the sampling.
#[test]
fn elements_form_from_themselves_without_energy() {
    let sodium: Element = "Na".parse().unwrap();
    let reference = reference_structure(sodium).unwrap().unwrap().structure;
    assert_eq!(formation_ev(&reference, &native(10.0, 200.0)), 0.0);
    let conventional = cubic(4.225, &[("Na", [0.0; 3]), ("Na", [0.5; 3])]);
    let difference = formation_ev(&conventional, &native(10.0, 2000.0));
    assert!(difference.abs() < 0.005, "{difference}");
}

fn rock_salt(a: f64, symbols: [&str; 2]) -> Structure {
    let half = 0.5 * a;
    let vectors = [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]];
    Structure {
        lattice: Lattice::new(vectors).unwrap(),
        elements: symbols.map(|symbol| symbol.parse().unwrap()).to_vec(),
        frac_coords: vec![[0.0; 3], [0.5; 3]],
    }
}

/// Oracle: rock salt at its experimental lattice constant. The experimental enthalpy of formation is
/// −411 kJ/mol, −2.13 eV per atom (CRC Handbook), and PBE is known to bind it too weakly by a tenth
/// or two: with the cutoff of this test it has to lie between −2.2 and −1.6.
#[test]
fn rock_salt_forms_as_it_should() {
    let found = formation_ev(&rock_salt(5.64, ["Na", "Cl"]), &native(30.0, 200.0));
    println!("NaCl: {found} eV per atom");
    assert!((-2.2..-1.6).contains(&found), "{found}");
}

/// The same at converged cutoffs, with the numbers of docs/benchmark.md. Oracles: experimental
/// enthalpies of formation (CRC Handbook), −2.13 eV per atom for NaCl, −3.12 for MgO, −0.47 for LiH;
/// of PBE as it is, without the corrections of databases, a tenth or two less, and for MgO half an eV
/// per O more for want of spin in O₂.
#[test]
#[ignore = "takes minutes"]
fn accurate_formation_energies() {
    let mut config = native(0.0, 500.0);
    config.native.gth_cutoff_ry = Some(GthCutoff::ByElements(RecommendedCutoff::Recommended));
    for (symbols, a, lowest, highest) in [
        (["Na", "Cl"], 5.64, -2.1, -1.7),
        (["Li", "H"], 4.084, -0.5, -0.35),
        (["Mg", "O"], 4.212, -3.3, -2.5),
    ] {
        let found = formation_ev(&rock_salt(a, symbols), &config);
        println!("{}{}: {found:.4} eV per atom", symbols[0], symbols[1]);
        assert!((lowest..highest).contains(&found), "{symbols:?}: {found}");
    }
}

/// Every element of the medium set gets an energy with the settings of the scale `smoke`.
#[test]
#[ignore = "takes minutes"]
fn every_element_has_a_reference_energy() {
    let references = ElementalReferences::new(&native(16.0, 100.0)).unwrap();
    let mut missing = Vec::new();
    for element in ActionSet::published("medium").unwrap().elements() {
        let start = std::time::Instant::now();
        let found = references.energy_ev_per_atom(*element, &[*element], &CancelToken::default());
        println!(
            "{element}: {found:?} ({:.1} s)",
            start.elapsed().as_secs_f64()
        );
        missing.extend(found.err());
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The tables of a benchmark, and its store: references are computed once.
#[test]
fn jobs_get_the_energies_of_their_crystals() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.sqlite");
    run_benchmark(folder.path(), &store, "native");
    let done = std::cell::Cell::new(0);
    let options = FormationOptions {
        trust: Trust::Innocent,
        store: None,
        training: true,
        cancel: &CancelToken::default(),
        report: &|_, count| done.set(done.get() + count),
    };
    let summary = formation_energies(folder.path(), &options)
        .unwrap()
        .unwrap();
    assert_eq!((summary.jobs, summary.crystals), (1, done.get()));
    assert!(summary.missing.is_empty(), "{:?}", summary.missing);
    assert!(summary.crystals > 0);

    let job = fs::read_dir(folder.path().join("jobs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let path = job.join("formation_energies.csv");
    let table = fs::read_to_string(&path).unwrap();
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("elements,skeleton,formation_energy_ev_per_atom")
    );
    assert_eq!(lines.clone().count(), summary.crystals);
    // Oracle: the same sum by hand, from the energies in the store.
    let results = ResultStore::open(&store).unwrap().results(None).unwrap();
    let energy_ev = |row: &StoredResult| match &row.outcome {
        crystalgym_evaluation::Outcome::Success(values) => values.total_energy_ev.unwrap(),
        crystalgym_evaluation::Outcome::Failure(failure) => unreachable!("{failure:?}"),
    };
    let atoms = |row: &StoredResult| row.elements.split(' ').count() as f64;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let symbols = cells[0].split(' ').map(|symbol| symbol.parse().unwrap());
        let skeleton = Skeleton::builtin(cells[1]).unwrap();
        let asked = Crystal::new(skeleton, symbols.collect()).unwrap();
        let asked = CanonicalCrystal::of(&asked.structure()).unwrap();
        // In the store the crystal may stand in a smaller cell.
        let row = results.iter().find(|row| {
            let structure = Structure::from_text(&row.structure, StructureFormat::Json).unwrap();
            let stored = CanonicalCrystal::of(&structure).unwrap();
            !row.skeleton.starts_with("element-") && stored.is_same_crystal(&asked)
        });
        let row = row.unwrap();
        let sites = cells[0].split(' ').count() as f64;
        let mut rest = energy_ev(row) * sites / atoms(row);
        let elements: Vec<&str> = cells[0].split(' ').collect();
        for element in &elements {
            let label = format!("element-{element}");
            let row = results.iter().find(|row| row.skeleton == label).unwrap();
            rest -= energy_ev(row) / atoms(row);
        }
        let found: f64 = cells[2].parse().unwrap();
        assert!(
            (found - rest / elements.len() as f64).abs() < 1e-9,
            "{line}"
        );
    }

    // Again: nothing is computed, and the same table comes out.
    let stored = results.len();
    formation_energies(folder.path(), &options)
        .unwrap()
        .unwrap();
    assert_eq!(
        ResultStore::open(&store)
            .unwrap()
            .results(None)
            .unwrap()
            .len(),
        stored
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), table);
}

/// A calculator without energies says so, and no store is made.
#[test]
fn what_knows_no_energies_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.sqlite");
    run_benchmark(folder.path(), &store, "rigid");
    let options = FormationOptions {
        trust: Trust::Innocent,
        store: None,
        training: false,
        cancel: &CancelToken::default(),
        report: &|_, _| {},
    };
    let error = formation_energies(folder.path(), &options)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("rigid") && error.contains("no energies"),
        "{error}"
    );
    assert!(!store.exists());
    let config = CalculatorConfig {
        name: CalculatorName::Empirical,
        ..CalculatorConfig::default()
    };
    assert!(ElementalReferences::new(&config).is_err());
}

/// Densities of C4 filled with two light elements.
fn run_benchmark(folder: &Path, store: &Path, calculator: &str) {
    let mut layers = ConfigLayers::default();
    for setting in [
        &format!("calculator.name={calculator}"),
        "calculator.native.gth_cutoff_ry=8",
        "calculator.native.kppa=1",
        "task.elements=['Li', 'Na']",
    ] {
        layers.add_assignment(setting).unwrap();
    }
    let selection = Selection {
        experiments: vec![experiments()[0]],
        properties: vec![Property::Density],
        algorithms: vec![Algorithm::RandomSearch],
        skeletons: vec!["C4".to_owned()],
        seeds: vec![1],
        preset: Preset::Standard,
        scale: Scale::Smoke,
        layers,
    };
    let jobs = selection.jobs(store).unwrap();
    let options = RunOptions {
        parallel: 1,
        stop: &|| false,
        report: &|_| {},
        progress: &|_, _, _| {},
    };
    assert_eq!(run_jobs(folder, &jobs, &options).unwrap().finished, 1);
}

/// Oracles: space groups and shortest distances of the literature.
#[test]
fn elemental_structures_are_what_they_are_called() {
    for (symbol, number, distance_ang) in [
        ("Na", 229, 3.659),
        ("Al", 225, 2.864),
        ("Mg", 194, 3.197),
        ("Si", 227, 2.351),
        ("C", 194, 1.423),
        ("P", 64, 2.224),
        ("Se", 152, 2.373),
        ("B", 166, 1.71),
        ("S", 99, 2.055),
        ("N", 166, 1.0977),
    ] {
        let element: Element = symbol.parse().unwrap();
        let structure = reference_structure(element).unwrap().unwrap().structure;
        let kinds = vec![1; structure.elements.len()];
        let (lattice, frac_coords) = (&structure.lattice, &structure.frac_coords);
        let (found, _) = space_group(lattice, frac_coords, &kinds, SYMMETRY_TOLERANCE_ANG).unwrap();
        let shortest = shortest_distance_ang(&structure);
        println!("{symbol} {found} {shortest}");
        assert!(
            (shortest - distance_ang).abs() < 0.01,
            "{symbol}: {shortest}"
        );
        assert_eq!(found, number, "{symbol}");
    }
}

/// Every element of the two sets has a structure, of which a skeleton can be made.
#[test]
fn both_action_sets_are_covered() {
    for element in ActionSet::published("medium").unwrap().elements() {
        let found = reference_structure(*element).unwrap().unwrap();
        crystal(&found.structure);
    }
    assert!(
        reference_structure("Au".parse().unwrap())
            .unwrap()
            .is_none()
    );
}

fn shortest_distance_ang(structure: &Structure) -> f64 {
    let mut shortest = f64::INFINITY;
    for (i, x) in structure.frac_coords.iter().enumerate() {
        for (j, y) in structure.frac_coords.iter().enumerate() {
            for image in 0..27 {
                let shift = [image / 9 - 1, image / 3 % 3 - 1, image % 3 - 1];
                if i == j && shift == [0; 3] {
                    continue;
                }
                let frac = std::array::from_fn(|axis| x[axis] - y[axis] + f64::from(shift[axis]));
                let cart = structure.lattice.to_cart(frac);
                shortest = shortest.min(cart.iter().map(|d| d * d).sum::<f64>().sqrt());
            }
        }
    }
    shortest
}
