//! The calculator on CHGNet, formation energies and energies above the hull.
//!
//! What needs CHGNet's weights is skipped where they cannot be had from the Python package `chgnet`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, path::Path, sync::Arc};

use common::crystal_of;
use crystalgym_crystal::{Lattice, Structure};
use crystalgym_evaluation::{
    Calculator, CalculatorConfig, CancelToken, EquationOfStateLimits, FailureCode, Outcome,
    OwnElements, PotentialCalculator, Property, Relaxation, RelaxingCalculator, ResultStore,
    StabilityCalculator, StoreKey, evaluate, fit_murnaghan,
};
use crystalgym_potential::{
    Chgnet, InteratomicPotential, PotentialError, Prediction, Request, model,
};
use crystalgym_stability::ReferenceSet;

fn chgnet() -> Option<Arc<Chgnet>> {
    let package = crystalgym_testing::python_package("chgnet")?;
    let folder = tempfile::tempdir().unwrap();
    model::install_chgnet(Some(&package), folder.path()).unwrap();
    let weights = model::load_chgnet(folder.path()).unwrap();
    Some(Arc::new(Chgnet::new(&weights).unwrap()))
}

fn calculator(potential: Arc<dyn InteratomicPotential>) -> PotentialCalculator {
    PotentialCalculator::new("chgnet", potential, Chgnet::LARGEST_ATOMIC_NUMBER)
}

fn value(calculator: &dyn Calculator, structure: &Structure, property: Property) -> f64 {
    let outcome = calculator.evaluate(&crystal_of(structure), property, &CancelToken::default());
    match outcome {
        Outcome::Success(values) => values.value,
        Outcome::Failure(failure) => unreachable!("{failure:?}"),
    }
}

/// A crystal of two elements whose energy per atom is Murnaghan's,
/// `k/B' [x + x^(1 − B') / (B' − 1) − B'/(B' − 1)] − e` with x = v/v₀ (v the volume per atom, v₀ 20 Å³,
/// k 10 eV, B' 4, e 1 eV), of one element without e.
struct Spring;

impl Spring {
    fn energy_ev(x: f64) -> f64 {
        SPRING_EV / DERIVATIVE
            * (x + x.powf(1.0 - DERIVATIVE) / (DERIVATIVE - 1.0) - DERIVATIVE / (DERIVATIVE - 1.0))
    }
}

const DERIVATIVE: f64 = 4.0;

const SPRING_EV: f64 = 10.0;
const REST_ANG3: f64 = 20.0;
const GPA_PER_EV_ANG3: f64 = 160.217_663_4;

impl InteratomicPotential for Spring {
    fn name(&self) -> &str {
        "spring"
    }

    fn evaluate(&self, structure: &Structure, _: Request) -> Result<Prediction, PotentialError> {
        let atoms = structure.elements.len() as f64;
        let volume = structure.lattice.volume();
        let x = volume / atoms / REST_ANG3;
        let is_mixed = structure
            .elements
            .iter()
            .any(|e| *e != structure.elements[0]);
        let bound = f64::from(u8::from(is_mixed));
        // (1/V) ∂E/∂η of a scaling is ∂E/∂V on the diagonal.
        let slope =
            SPRING_EV / DERIVATIVE * (1.0 - x.powf(-DERIVATIVE)) / REST_ANG3 * GPA_PER_EV_ANG3;
        Ok(Prediction {
            energy_ev: atoms * (Self::energy_ev(x) - bound),
            forces_ev_ang: vec![[0.0; 3]; structure.elements.len()],
            stress_gpa: [[slope, 0.0, 0.0], [0.0, slope, 0.0], [0.0, 0.0, slope]],
            site_energies_ev: None,
            magnetic_moments: None,
            features: None,
        })
    }
}

/// Oracle: closed forms. The modulus is `k/v₀` = 80.1 GPa; a cell of 22 Å³ per atom has the energy of
/// x = 1.1 and the density of 20 Å³ at rest.
#[test]
fn a_potential_gives_density_and_modulus_of_its_own_volume() {
    let spring = calculator(Arc::new(Spring));
    let given = salt(&["Na", "Cl"], (8.0f64 * 22.0).cbrt());
    let stretched = 2.5 * (1.1 + 1.1f64.powi(-3) / 3.0 - 4.0 / 3.0);
    assert!((value(&spring, &given, Property::Energy) - (stretched - 1.0)).abs() < 1e-9);
    let density = value(&spring, &given, Property::Density);
    assert!(
        (density / given.density_g_cm3() - 1.1).abs() < 1e-4,
        "{density}"
    );
    let modulus = value(&spring, &given, Property::BulkModulus);
    assert!(
        (modulus - SPRING_EV / REST_ANG3 * GPA_PER_EV_ANG3).abs() < 0.01,
        "{modulus}"
    );
    let crystal = crystal_of(&given);
    for property in [
        Property::BandGap,
        Property::ShearModulus,
        Property::EnergyAboveHull,
    ] {
        assert!(spring.check(crystal.elements(), property).is_err());
        let outcome = spring.evaluate(&crystal, property, &CancelToken::default());
        let code = outcome.failure().map(|failure| failure.code);
        assert_eq!(code, Some(FailureCode::UnsupportedProperty));
    }
}

/// Oracle: by hand. NaCl at rest is 1 eV/atom below its elements at rest; of a set with a phase at
/// −1.2 eV/atom it lies 0.2 above the hull.
#[test]
fn stability_is_measured_from_the_elements_and_the_hull() {
    let own: Arc<dyn Calculator> = Arc::new(calculator(Arc::new(Spring)));
    let stretched = salt(&["Na", "Cl"], (8.0f64 * 22.0).cbrt());
    let elements = ["Na", "Cl"].map(|symbol| symbol.parse().unwrap());

    let mut total = ReferenceSet::new("total");
    for (formula, energy) in [("Na", 0.0), ("Cl", 0.0), ("NaCl", -1.2)] {
        total.add(formula.parse().unwrap(), energy).unwrap();
    }
    let elements_as_they_are = Arc::new(OwnElements::new(Arc::clone(&own)));
    let judging = StabilityCalculator::new(Arc::clone(&own), elements_as_they_are.clone());
    let missing = judging
        .check(&elements, Property::EnergyAboveHull)
        .unwrap_err();
    assert!(
        missing.message.contains("calculator.stability.references"),
        "{missing}"
    );
    let judging = judging.with_references(Arc::new(total.clone()));
    judging.check(&elements, Property::EnergyAboveHull).unwrap();
    let formation = value(&judging, &stretched, Property::FormationEnergy);
    assert!((formation + 1.0 - Spring::energy_ev(1.1)).abs() < 1e-9);
    let above = value(&judging, &stretched, Property::EnergyAboveHull);
    assert!((above - 0.2 - Spring::energy_ev(1.1)).abs() < 1e-9);
    let potassium = ["K".parse().unwrap()];
    let named = judging
        .check(&potassium, Property::EnergyAboveHull)
        .unwrap_err();
    assert!(named.message.contains("has no K"), "{named}");

    // Relaxed first: the spring comes to rest.
    let relaxing: Arc<dyn Calculator> =
        Arc::new(RelaxingCalculator::new(Arc::clone(&own), Arc::clone(&own)));
    let at_rest = StabilityCalculator::new(Arc::clone(&relaxing), elements_as_they_are)
        .with_references(Arc::new(total.clone()));
    let above = value(&at_rest, &stretched, Property::EnergyAboveHull);
    assert!((above - 0.2).abs() < 1e-4, "{above}");

    // A set of another content is another result, of the same content the same.
    let key = |calculator: &dyn Calculator, property| {
        StoreKey::new(&crystal_of(&stretched), property, calculator)
            .hash()
            .to_owned()
    };
    let again = |set: ReferenceSet| {
        StabilityCalculator::new(
            Arc::clone(&own),
            Arc::new(OwnElements::new(Arc::clone(&own))),
        )
        .with_references(Arc::new(set))
    };
    let mut other = total.clone();
    other.add("Na3Cl".parse().unwrap(), -0.5).unwrap();
    for property in [Property::FormationEnergy, Property::EnergyAboveHull] {
        assert_eq!(
            key(&again(total.clone()), property),
            key(&judging, property)
        );
        assert_ne!(
            key(&again(other.clone()), property),
            key(&judging, property)
        );
        assert_ne!(key(&at_rest, property), key(&judging, property));
    }
    assert_eq!(
        key(&judging, Property::Density),
        key(own.as_ref(), Property::Density)
    );
}

/// Oracle: the fact sheet's energy of LiMnO₂ and NaCl (the package itself), and Murnaghan's curve
/// through energies of the potential at its own volume.
#[test]
fn chgnet_is_a_calculator() {
    let Some(chgnet) = chgnet() else { return };
    let calculator = calculator(chgnet.clone());
    let given = salt(&["Na", "Cl"], 5.64);
    let energy = value(&calculator, &given, Property::Energy);
    assert!((energy + 3.666_430).abs() < 2e-6, "{energy}");
    let density = value(&calculator, &given, Property::Density);
    let volume = given.lattice.volume() * given.density_g_cm3() / density;
    const FACTORS: [f64; 9] = [0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08];
    let energies: Vec<f64> = FACTORS
        .map(|factor: f64| {
            let edge = 5.64 * (factor * volume / given.lattice.volume()).cbrt();
            let found = chgnet.evaluate(&salt(&["Na", "Cl"], edge), Request::Derivatives);
            let found = found.unwrap();
            if (factor - 1.0).abs() < 1e-12 {
                assert!(found.stress_gpa[0][0].abs() < 0.011);
            }
            found.energy_ev
        })
        .to_vec();
    let volumes = FACTORS.map(|factor| factor * volume);
    let fit = fit_murnaghan(&volumes, &energies, volume).unwrap();
    let modulus = value(&calculator, &given, Property::BulkModulus);
    assert!(
        (modulus / fit.bulk_modulus_gpa - 1.0).abs() < 0.05,
        "{modulus} {fit:?}"
    );
    // Measured at 25 GPa (C. Kittel, Introduction to Solid State Physics).
    assert!((20.0..30.0).contains(&modulus), "{modulus}");
    let key = |property| calculator.fingerprint(&[], property).0;
    assert!(
        key(Property::Energy).contains("chgnet-0.3.0 b8f809e1"),
        "{}",
        key(Property::Energy)
    );
    let limits = serde_json::to_string(&EquationOfStateLimits::default()).unwrap();
    assert!(key(Property::BulkModulus).contains(&limits));
    let curium = ["Cm".parse().unwrap()];
    let error = calculator.check(&curium, Property::Energy).unwrap_err();
    assert!(error.message.contains("does not know Cm"), "{error}");
}

/// A store gives the value back, and references are computed by the potential from a folder.
#[test]
fn stability_by_chgnet_from_a_folder_of_references() {
    let Some(chgnet) = chgnet() else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, structure: &Structure| {
        structure.to_file(&folder.path().join(name)).unwrap();
    };
    write("Na.cif", &cubic(4.2, &[("Na", [0.0; 3]), ("Na", [0.5; 3])]));
    write(
        "Cl.cif",
        &cubic(8.0, &[("Cl", [0.0; 3]), ("Cl", [0.25, 0.0, 0.0])]),
    );
    write("salt.cif", &salt(&["Na", "Cl"], 5.6));
    let mut config = CalculatorConfig::default();
    config.stability.references = Some(folder.path().to_str().unwrap().to_owned());
    let judging = config.build_on_potential("chgnet", chgnet, 94).unwrap();
    let store = ResultStore::open(&folder.path().join("store")).unwrap();
    let crystal = crystal_of(&salt(&["Na", "Cl"], 5.64));
    let cancel = CancelToken::default();
    let ask = |property| {
        evaluate(judging.as_ref(), Some(&store), &crystal, property, &cancel)
            .outcome
            .value()
            .unwrap()
    };
    let above = ask(Property::EnergyAboveHull);
    assert!((-0.01..0.01).contains(&above), "{above}");
    // Formed from sodium and chlorine: −2.1 eV/atom (NIST-JANAF, 298 K).
    let formation = ask(Property::FormationEnergy);
    assert!((formation + 2.1).abs() < 0.3, "{formation}");
    assert_eq!(ask(Property::EnergyAboveHull), above);
}

/// What cannot work is said before anything is computed.
#[test]
fn settings_that_cannot_work_are_named() {
    let refused = |name: &str, change: fn(&mut CalculatorConfig)| {
        let mut config: CalculatorConfig =
            serde_json::from_value(serde_json::json!({ "name": name })).unwrap();
        change(&mut config);
        match config.build() {
            Err(error) => error.message,
            Ok(_) => String::new(),
        }
    };
    let relaxed = refused("empirical", |config| config.relaxation = Relaxation::Own);
    assert!(relaxed.contains("no forces"), "{relaxed}");
    let held = refused("rigid", |config| {
        config.stability.references = Some("x.csv".into())
    });
    assert!(held.contains("no energies"), "{held}");
    let absent = refused("native", |config| {
        config.stability.references = Some("absent.csv".into());
    });
    assert!(absent.contains("absent.csv"), "{absent}");
    assert!(!Path::new("absent.csv").exists());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("units.csv");
    fs::write(&file, "formula,formation_energy_kj_per_mol\nNaCl,-411\n").unwrap();
    let error = ReferenceSet::from_csv(&file).unwrap_err().to_string();
    assert!(error.contains("formation_energy_kj_per_mol"), "{error}");
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

/// Rock salt in its conventional cell of 8 sites.
fn salt([cation, anion]: &[&str; 2], edge_ang: f64) -> Structure {
    let face = [
        [0.0, 0.0, 0.0],
        [0.0, 0.5, 0.5],
        [0.5, 0.0, 0.5],
        [0.5, 0.5, 0.0],
    ];
    let shifted = face.map(|[x, y, z]: [f64; 3]| [(x + 0.5) % 1.0, y, z]);
    Structure {
        lattice: Lattice::from_parameters([edge_ang; 3], [90.0; 3]).unwrap(),
        elements: [[*cation; 4], [*anion; 4]]
            .concat()
            .iter()
            .map(|symbol| symbol.parse().unwrap())
            .collect(),
        frac_coords: [face, shifted].concat(),
    }
}
