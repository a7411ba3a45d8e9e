//! The reader against real UPF files of every kind, and against damaged ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    f64::consts::PI,
    fs,
    path::{Path, PathBuf},
};

use crystalgym_dft::pseudo::{
    Pseudopotential, PseudopotentialKind, RadialFunctions, RadialTable, WaveTables,
    augmentation_tables,
};
use crystalgym_testing::shared_data;

/// The UPF files of the optional data folder; the reason for an empty list is printed.
fn sssp_files() -> Vec<PathBuf> {
    let Some(folder) = shared_data("data/sssp-1.3.0-pbe-efficiency") else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "upf"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 50);
    files
}

fn load(symbol: &str) -> Option<Pseudopotential> {
    let folder = shared_data("data/sssp-1.3.0-pbe-efficiency")?;
    Some(Pseudopotential::from_upf_file(&folder.join(format!("{symbol}.upf"))).unwrap())
}

// Oracles: identities that hold for any pseudopotential, whatever its generator.
#[test]
fn all_sssp_files_load_and_keep_their_invariants() {
    let mut kinds = [0; 3];
    for path in sssp_files() {
        let potential = Pseudopotential::from_upf_file(&path).unwrap();
        kinds[potential.kind() as usize] += 1;
        let symbol = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(potential.symbol(), symbol);
        assert_eq!(potential.functional().name(), "PBE");
        let f = potential.radial_functions().unwrap();
        check_shapes(symbol, &potential, f);
        check_charges(symbol, &potential, f);
        check_paw(symbol, &potential, f);
    }
    // Counted in the headers of the files.
    assert!(kinds == [0; 3] || kinds == [6, 33, 11], "{kinds:?}");
}

fn check_shapes(symbol: &str, potential: &Pseudopotential, f: &RadialFunctions) {
    let points = f.mesh.r.len();
    assert!(
        f.mesh.r.windows(2).all(|pair| pair[1] > pair[0]),
        "{symbol}"
    );
    assert!(f.projector_points <= points && f.mesh.integration_points() <= points);
    assert_eq!(f.projectors.len(), potential.projector_count());
    assert_eq!(f.orbitals.len(), potential.orbitals().len());
    for values in f.projectors.iter().chain(&f.orbitals) {
        assert_eq!(values.len(), points, "{symbol}");
    }
    assert_eq!(f.core_density.is_some(), potential.has_core_charge());
    let occupied: f64 = potential
        .orbitals()
        .iter()
        .map(|o| o.occupation.max(0.0))
        .sum();
    assert!(
        occupied <= potential.z_valence() + 1e-9,
        "{symbol}: {occupied}"
    );
    // Far out the local potential is −Z/r, in hartree: the check on the conversion of units.
    let i = f.mesh.r.iter().position(|&r| r > 9.0).unwrap();
    let tail = -f.mesh.r[i] * f.local[i] / potential.z_valence();
    assert!((tail - 1.0).abs() < 1e-5, "{symbol}: {tail}");
    // Over the whole mesh: the form factor ends at 10 bohr, inside the tail of Cs.
    let density = f.mesh.integrate(points, |i| f.atomic_density[i]);
    // Files made from an ion have fewer electrons than the valence charge, and their occupations
    // say so.
    let ionic = occupied < potential.z_valence() - 1e-6;
    let electrons = if ionic {
        occupied
    } else {
        potential.z_valence()
    };
    assert!(
        (density / electrons - 1.0).abs() < 2e-3,
        "{symbol}: {density} {occupied}"
    );
    for (orbital, values) in potential.orbitals().iter().zip(&f.orbitals) {
        if orbital.occupation > 0.0 && potential.kind() == PseudopotentialKind::NormConserving {
            let norm = f.mesh.integrate(points, |i| values[i] * values[i]);
            assert!(
                (norm - 1.0).abs() < 2e-3,
                "{symbol} {}: {norm}",
                orbital.label
            );
        }
    }
}

/// The charge of Q_ij^0 is the number that the file names beside it.
fn check_charges(symbol: &str, potential: &Pseudopotential, f: &RadialFunctions) {
    let Some(augmentation) = &f.augmentation else {
        assert_eq!(potential.kind(), PseudopotentialKind::NormConserving);
        return;
    };
    let n = potential.projector_count();
    let mut monopoles = 0;
    for (index, function) in augmentation.functions.iter().enumerate() {
        if function.l == 0 {
            monopoles += 1;
            let charge = augmentation.charges[function.i * n + function.j];
            let found = potential.augmentation_charge(index, 0.0);
            assert!(
                (found - 4.0 * PI * charge).abs() < 4.0 * PI * 1e-4 * charge.abs().max(1.0),
                "{symbol} {} {}: {} {charge}",
                function.i,
                function.j,
                found / (4.0 * PI)
            );
        }
    }
    let l = potential.projector_l();
    let pairs = (0..n).flat_map(|i| (i..n).map(move |j| (i, j)));
    assert_eq!(monopoles, pairs.filter(|&(i, j)| l[i] == l[j]).count());
    assert_eq!(augmentation.l_max, 2 * potential.l_max());
}

/// Inside the sphere the partial waves differ by exactly the augmentation charge.
fn check_paw(symbol: &str, potential: &Pseudopotential, f: &RadialFunctions) {
    let Some(paw) = &f.paw else {
        assert_ne!(potential.kind(), PseudopotentialKind::Paw);
        return;
    };
    let augmentation = f.augmentation.as_ref().unwrap();
    let n = potential.projector_count();
    let l = potential.projector_l();
    for i in 0..n {
        for j in (0..n).filter(|&j| l[j] == l[i]) {
            let (ae, ps) = (&paw.all_electron_waves, &paw.pseudo_waves);
            let difference = f.mesh.integrate(paw.augmentation_points, |k| {
                ae[i][k] * ae[j][k] - ps[i][k] * ps[j][k]
            });
            let charge = augmentation.charges[i * n + j];
            assert!(
                (difference - charge).abs() < 2e-3,
                "{symbol} {i} {j}: {difference} {charge}"
            );
        }
    }
    let core = f.mesh.integrate(f.mesh.r.len(), |k| {
        4.0 * PI * f.mesh.r[k].powi(2) * paw.core_density[k]
    });
    let expected = f64::from(potential.element().atomic_number()) - potential.z_valence();
    assert!(
        (core - expected).abs() < 2e-2,
        "{symbol}: core {core}, expected {expected}"
    );
}

// Oracle: finite differences of the integrals themselves.
#[test]
fn derivatives_of_form_factors_are_finite_differences() {
    for symbol in ["Cl", "C", "Rb", "Si"] {
        let Some(potential) = load(symbol) else {
            return;
        };
        let check = |what: &str, f: &dyn Fn(f64) -> f64, derivative: &dyn Fn(f64) -> f64| {
            for q in [0.5, 2.0, 6.0] {
                let h = 1e-4;
                let slope = (f(q + h) - f(q - h)) / (2.0 * h);
                let found = derivative(q);
                let scale = found.abs().max(1.0);
                assert!(
                    (slope - found).abs() < 2e-6 * scale,
                    "{symbol} {what} {q}: {slope} {found}"
                );
            }
        };
        let p = &potential;
        check("local", &|q| p.local(q), &|q| p.local_derivative(q));
        check("density", &|q| p.atomic_density(q), &|q| {
            p.atomic_density_derivative(q)
        });
        check("core", &|q| p.core_density(q), &|q| {
            p.core_density_derivative(q)
        });
        for i in 0..p.projector_count() {
            check("projector", &|q| p.projector(i, q), &|q| {
                p.projector_derivative(i, q)
            });
        }
        for i in 0..p.augmentation().map_or(0, |a| a.functions.len()) {
            check("charge", &|q| p.augmentation_charge(i, q), &|q| {
                p.augmentation_charge_derivative(i, q)
            });
        }
    }
}

// Oracle: direct integration, the plain reference of the tables, within the theorem's bound
// h⁴/24 max|f⁗| of cubic interpolation, where |f⁗| ≤ 4π ∫ r⁶ |f(r)| dr because |j_l⁗| ≤ 1.
#[test]
fn tables_equal_direct_integration() {
    for symbol in ["Cl", "C", "Rb", "Fe", "N"] {
        let Some(potential) = load(symbol) else {
            return;
        };
        let tables = WaveTables::new(&potential, 8.0);
        let charges = augmentation_tables(&potential, 20.0);
        let radial = potential.radial_functions().unwrap();
        let mesh = &radial.mesh;
        // `values` hold r^power f(r).
        let bound = |values: &[f64], power: i32, points: usize| {
            let moment = mesh.integrate(points, |i| mesh.r[i].powi(6 - power) * values[i].abs());
            1e-8 / 24.0 * 4.0 * PI * moment + 1e-13
        };
        let compare = |what: &str, table: &RadialTable, bound: f64, f: &dyn Fn(f64) -> f64| {
            for q in [0.0, 0.01, 0.333, 1.234, 4.567, 7.89, 19.999] {
                if q <= table.q_max() {
                    let error = (table.value(q) - f(q)).abs();
                    assert!(error <= bound, "{symbol} {what} {q}: {error} {bound}");
                }
            }
        };
        let points = radial.projector_points;
        for (i, table) in tables.projectors.iter().enumerate() {
            let bound = bound(&radial.projectors[i], 1, points);
            compare("projector", table, bound, &|q| potential.projector(i, q));
        }
        for (i, table) in tables.orbitals.iter().enumerate() {
            let bound = bound(&radial.orbitals[i], 1, mesh.integration_points());
            compare("orbital", table, bound, &|q| potential.orbital(i, q));
        }
        for (i, table) in charges.iter().enumerate() {
            let functions = &potential.augmentation().unwrap().functions;
            let bound = bound(&functions[i].values, 2, points);
            compare("charge", table, bound, &|q| {
                potential.augmentation_charge(i, q)
            });
        }
        assert_eq!(tables.projectors.len(), potential.projector_count());
    }
}

/// A small file of each layout, made here so that the test needs no data.
fn small_version_2() -> String {
    crystalgym_dft::pseudo::GthParameters::pbe("Si".parse().unwrap())
        .unwrap()
        .to_upf()
}

fn error(text: &str) -> String {
    Pseudopotential::from_upf(text, Path::new("Si.upf"))
        .unwrap_err()
        .to_string()
}

#[test]
fn damaged_files_get_one_clear_error() {
    let good = small_version_2();
    for (from, to, expected) in [
        ("<PP_HEADER", "<PP_HEDAER", "PP_HEADER"),
        ("mesh_size=\"", "mesh_size=\"x", "'mesh_size' is 'x"),
        ("mesh_size=\"", "mesh_size=\"9", "expected 9"),
        ("element=\"Si\"", "element=\"Xx\"", "Xx"),
        ("functional=\"PBE\"", "functional=\"B3LYP\"", "B3LYP"),
        ("pseudo_type=\"NC\"", "pseudo_type=\"1/r\"", "Coulomb"),
        ("z_valence=\"4\"", "z_valence=\"8\"", "of a charge of 4.000"),
        ("z_valence=\"4\"", "z_valence=\"nan\"", "finite number"),
        ("has_so=\"F\"", "has_so=\"T\"", "<PP_SPIN_ORB>: not found"),
        ("has_so=\"F\"", "has_so=\"maybe\"", "expected T or F"),
        ("</PP_LOCAL>", "</PP_LOCLA>", "<PP_LOCAL>: not closed"),
        ("<PP_RHOATOM", "<PP_RHO", "<PP_RHOATOM>: not found"),
        ("<PP_BETA.2", "<PP_BETA.9", "<PP_BETA.2>: not found"),
        (
            "angular_momentum=\"1\"",
            "angular_momentum=\"12\"",
            "up to 3",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let message = error(&good.replacen(from, to, 1));
        assert!(
            message.contains("Si.upf") && message.contains(expected),
            "{from}: {message}"
        );
    }
    let missing = Pseudopotential::from_upf_file(Path::new("no/such.upf")).unwrap_err();
    assert!(missing.to_string().contains("no/such.upf"));
}

// Oracle: none needed; whatever is done to a file, reading it must return.
#[test]
fn no_truncation_or_mutation_makes_the_reader_panic() {
    let mut texts = vec![small_version_2()];
    for symbol in ["Cl", "O"] {
        if let Some(folder) = shared_data("data/sssp-1.3.0-pbe-efficiency") {
            texts.push(fs::read_to_string(folder.join(format!("{symbol}.upf"))).unwrap());
        }
    }
    let junk = [
        "",
        "<",
        ">",
        "\"",
        "nan",
        "-1",
        "1e999",
        "</PP_MESH>",
        "é",
        "99999999999999999999",
    ];
    let path = Path::new("mutated.upf");
    for text in texts {
        let words: Vec<(usize, &str)> = text
            .split_ascii_whitespace()
            .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
            .collect();
        // The structure lies where the tags and the header are; numbers are sampled.
        let mut accepted = 0;
        for step in 0..400 {
            let (at, word) = words[(step * 7919) % words.len()];
            let mutated = format!(
                "{}{}{}",
                &text[..at],
                junk[step % junk.len()],
                &text[at + word.len()..]
            );
            accepted += usize::from(Pseudopotential::from_upf(&mutated, path).is_ok());
            if step < 100 {
                assert!(
                    Pseudopotential::from_upf(&text[..at], path).is_err(),
                    "cut at {at}"
                );
            }
        }
        let tags: Vec<_> = words
            .iter()
            .filter(|(_, word)| word.contains(['<', '=', '>']))
            .collect();
        for (step, &&(at, word)) in tags.iter().enumerate() {
            let mutated = format!(
                "{}{}{}",
                &text[..at],
                junk[step % junk.len()],
                &text[at + word.len()..]
            );
            accepted += usize::from(Pseudopotential::from_upf(&mutated, path).is_ok());
        }
        // A number replaced by another one is still a file; lost numbers and tags are not.
        assert!(
            accepted < 200 + tags.len() / 2,
            "{accepted} of {}",
            400 + tags.len()
        );
    }
}
