//! Shear moduli of the native calculator against a real `pw.x` on the same pseudopotentials, against
//! energies, and against measured elastic constants.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and report the numbers"
)]

use std::{fs, path::Path, sync::Arc};

use crystalgym_crystal::{Crystal, Lattice, Skeleton, Structure};
use crystalgym_dft::pseudo::GthParameters;
use crystalgym_evaluation::{
    Calculator, CancelToken, ElasticConstants, FailureCode, Ions, NativeCalculator, NativeSettings,
    Outcome, Property, QeCalculator, QeSettings, SpeciesSource, Values,
};
use crystalgym_pseudopotential::PseudopotentialFamily;
use crystalgym_qe::PwSettings;
use crystalgym_testing::program;

/// A crystal of a cell (rows in Å) with these atoms.
fn crystal(vectors: [[f64; 3]; 3], atoms: &[(&str, [f64; 3])]) -> Crystal {
    let elements: Vec<_> = (atoms.iter())
        .map(|(symbol, _)| symbol.parse().unwrap())
        .collect();
    let sites = atoms.iter().map(|atom| atom.1).collect();
    let lattice = Lattice::new(vectors).unwrap();
    let structure = Structure::new(lattice, elements.clone(), sites).unwrap();
    let skeleton = Skeleton::from_structure("test", &structure, 0.01).unwrap();
    Crystal::new(Arc::new(skeleton), elements).unwrap()
}

fn face_centred(a_ang: f64) -> [[f64; 3]; 3] {
    let half = a_ang / 2.0;
    [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]]
}

fn silicon(a_ang: f64) -> Crystal {
    crystal(face_centred(a_ang), &[("Si", [0.0; 3]), ("Si", [0.25; 3])])
}

/// Mesh and cutoff of a comparison.
#[derive(Clone, Copy)]
struct Small {
    ecutwfc_ry: f64,
    kppa: f64,
    ions: Ions,
}

impl Small {
    fn native(self) -> NativeSettings {
        NativeSettings {
            ecutwfc_ry: Some(self.ecutwfc_ry),
            kppa: self.kppa,
            ions: self.ions,
            ..NativeSettings::default()
        }
    }

    fn qe(self) -> QeSettings {
        QeSettings {
            pw: PwSettings {
                ecutwfc_ry: self.ecutwfc_ry,
                ecutrho_ry: 4.0 * self.ecutwfc_ry,
                kppa: self.kppa,
                ..PwSettings::default()
            },
            ions: self.ions,
            ..QeSettings::default()
        }
    }
}

fn outcome(settings: NativeSettings, crystal: &Crystal) -> Outcome {
    let calculator = NativeCalculator::new(settings, SpeciesSource::Gth).unwrap();
    calculator.evaluate(crystal, Property::ShearModulus, &CancelToken::default())
}

fn values(outcome: Outcome) -> Values {
    match outcome {
        Outcome::Success(values) => values,
        Outcome::Failure(failure) => panic!("{failure:?}"),
    }
}

fn family(folder: &Path, crystal: &Crystal) -> Arc<PseudopotentialFamily> {
    for &element in crystal.elements() {
        let gth = GthParameters::pbe(element).unwrap();
        fs::write(folder.join(format!("{element}.upf")), gth.to_upf()).unwrap();
    }
    Arc::new(PseudopotentialFamily::open_folder(folder).unwrap())
}

fn constants(values: &Values) -> ElasticConstants {
    values.elastic_constants.clone().unwrap()
}

fn print(name: &str, values: &Values) {
    let constants = constants(values);
    println!(
        "{name}: {:.3} GPa, pressure {:.3} GPa, asymmetry {:.3} GPa, {} strains, {:?}, {:.1} s",
        values.value,
        values.pressure_gpa.unwrap(),
        constants.asymmetry_gpa,
        constants.strains,
        constants.average,
        values.seconds
    );
    for row in constants.stiffness_gpa {
        println!("    {row:8.2?}");
    }
}

/// Both programs on the same files, within 2 % of the modulus and of the largest constant.
fn check_against_pw_x(crystal: &Crystal, small: Small, strains: u32) {
    if program("pw.x").is_none() {
        return;
    }
    let ours = values(outcome(small.native(), crystal));
    print("engine", &ours);
    let folder = tempfile::tempdir().unwrap();
    let calculator = QeCalculator::new(small.qe(), family(folder.path(), crystal)).unwrap();
    let theirs = calculator.evaluate(crystal, Property::ShearModulus, &CancelToken::default());
    let theirs = values(theirs);
    print("pw.x", &theirs);
    assert!((ours.value / theirs.value - 1.0).abs() < 0.02);
    let (ours, theirs) = (constants(&ours), constants(&theirs));
    assert_eq!((ours.strains, theirs.strains), (strains, strains));
    let largest = theirs.stiffness_gpa[0][0];
    let pairs = ours.stiffness_gpa.iter().flatten();
    for (ours, theirs) in pairs.zip(theirs.stiffness_gpa.iter().flatten()) {
        assert!((ours - theirs).abs() < 0.02 * largest, "{ours} {theirs}");
    }
}

// Oracle: `pw.x`, the same files, cutoffs, mesh, smearing and strains.
#[test]
fn diamond_structure() {
    let small = Small {
        ecutwfc_ry: 20.0,
        kppa: 100.0,
        ions: Ions::Clamped,
    };
    check_against_pw_x(&silicon(5.43), small, 1);
}

// Oracle: as above, where atoms move too.
#[test]
fn diamond_structure_with_relaxed_ions() {
    let small = Small {
        ecutwfc_ry: 20.0,
        kppa: 100.0,
        ions: Ions::Relaxed,
    };
    check_against_pw_x(&silicon(5.43), small, 1);
}

// Oracle: as above.
#[test]
fn rock_salt_structure() {
    let small = Small {
        ecutwfc_ry: 40.0,
        kppa: 60.0,
        ions: Ions::Clamped,
    };
    let crystal = crystal(face_centred(4.2), &[("Mg", [0.0; 3]), ("O", [0.5; 3])]);
    check_against_pw_x(&crystal, small, 1);
}

// Oracle: as above, for a hexagonal crystal.
#[test]
fn wurtzite_structure() {
    let small = Small {
        ecutwfc_ry: 20.0,
        kppa: 60.0,
        ions: Ions::Clamped,
    };
    let (a, c, third) = (3.11, 4.98, 1.0 / 3.0);
    let vectors = [
        [a, 0.0, 0.0],
        [-0.5 * a, 0.75f64.sqrt() * a, 0.0],
        [0.0, 0.0, c],
    ];
    let atoms = [
        ("Al", [third, 2.0 * third, 0.0]),
        ("Al", [2.0 * third, third, 0.5]),
        ("P", [third, 2.0 * third, 0.375]),
        ("P", [2.0 * third, third, 0.875]),
    ];
    let scale = 3.85 / 3.11;
    let vectors = vectors.map(|row: [f64; 3]| row.map(|x| x * scale));
    check_against_pw_x(&crystal(vectors, &atoms), small, 2);
}
