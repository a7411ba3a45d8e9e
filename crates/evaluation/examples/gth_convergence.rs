//! How far the built-in pseudopotentials are from convergence, element by element.
//!
//! `cargo run -p crystalgym-evaluation --example gth_convergence -- [ELEMENT …]` computes a small crystal of
//! each element of the published action sets at a ladder of cutoffs, and takes each value minus that at twice
//! the cutoff for its error. It prints the rows of `src/accuracy/gth_errors.rs`; all of them take two CPU-hours.
//!
//! The levels are the two bands that the electrons fill last and next; their error is by how much the
//! changes of these levels differ, over all k-points: no gap between them can be further off. The error of
//! the density is that of the published definition, whose cell moves by the strain P/0.04 in rydberg units.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::{env, num::NonZeroUsize, sync::Arc, time::Instant};

use crystalgym_crystal::{Crystal, Element, Lattice, Skeleton, Structure};
use crystalgym_dft::{
    BOHR_ANG, Discretisation, HARTREE_EV, HARTREE_PER_BOHR3_GPA, KMesh, Model, Occupations,
    PlaneWaveBasis, ScfControl, ScfOptions, SetUp, Smearing, pressure, pseudo::Pseudopotential,
    self_consistent_field, stress,
};
use crystalgym_evaluation::{
    Calculator, CancelToken, EquationOfStateLimits, NativeCalculator, NativeSettings, Outcome,
    Property, SpeciesSource, measure_pulay_pressure,
};

/// Cutoffs in Ry. Every one of the first has its double further on.
const CUTOFFS_RY: [f64; 12] = [
    20.0, 30.0, 40.0, 60.0, 80.0, 120.0, 160.0, 240.0, 320.0, 400.0, 480.0, 640.0,
];
/// The largest cutoff whose double is still computed.
const LARGEST_RY: f64 = 320.0;
/// The errors of levels, density and modulus that end the ladder.
const LEVELS_EV: f64 = 0.05;
const DENSITY_PERCENT: f64 = 1.0;
const MODULUS_PERCENT: f64 = 5.0;

/// (element, lattice, partner or itself, cubic lattice constant in Å near the equilibrium).
const CRYSTALS: [(&str, Form, &str, f64); 50] = {
    use Form::{Bcc, Fcc, RockSalt, Simple, ZincBlende};
    [
        ("Li", Bcc, "Li", 3.44),
        ("Na", Bcc, "Na", 4.20),
        ("K", Bcc, "K", 5.28),
        ("Rb", Bcc, "Rb", 5.67),
        ("Be", Fcc, "Be", 3.16),
        ("Ca", Fcc, "Ca", 5.53),
        ("Mg", Fcc, "Mg", 4.52),
        ("Sr", Fcc, "Sr", 6.02),
        ("H", RockSalt, "Na", 4.83),
        ("C", ZincBlende, "C", 3.57),
        ("N", ZincBlende, "Al", 4.40),
        ("O", RockSalt, "Mg", 4.25),
        ("P", ZincBlende, "Al", 5.51),
        ("S", RockSalt, "Mg", 5.23),
        ("Se", RockSalt, "Mg", 5.51),
        ("F", RockSalt, "Na", 4.70),
        ("Cl", RockSalt, "Na", 5.70),
        ("Br", RockSalt, "Na", 6.06),
        ("B", ZincBlende, "P", 4.55),
        ("Si", ZincBlende, "Si", 5.47),
        ("Ge", ZincBlende, "Ge", 5.78),
        ("Fe", Bcc, "Fe", 2.76),
        ("Cu", Fcc, "Cu", 3.63),
        ("Co", Fcc, "Co", 3.46),
        ("Ni", Fcc, "Ni", 3.51),
        ("Mn", Fcc, "Mn", 3.50),
        ("Al", Fcc, "Al", 4.04),
        ("Zn", Fcc, "Zn", 3.93),
        ("Sn", ZincBlende, "Sn", 6.65),
        ("Cr", Bcc, "Cr", 2.85),
        ("In", Fcc, "In", 4.79),
        ("Sb", ZincBlende, "Al", 6.23),
        ("V", Bcc, "V", 3.00),
        ("Mo", Bcc, "Mo", 3.16),
        ("Ga", Fcc, "Ga", 4.24),
        ("Ag", Fcc, "Ag", 4.15),
        ("Ti", Fcc, "Ti", 4.11),
        ("Ba", Bcc, "Ba", 5.03),
        ("Y", Fcc, "Y", 5.06),
        ("Te", ZincBlende, "Mg", 6.50),
        ("I", RockSalt, "Na", 6.56),
        ("Pd", Fcc, "Pd", 3.95),
        ("Rh", Fcc, "Rh", 3.83),
        ("As", ZincBlende, "Al", 5.73),
        ("Pt", Fcc, "Pt", 3.97),
        ("Cs", Bcc, "Cs", 6.16),
        ("Au", Fcc, "Au", 4.16),
        ("Bi", Simple, "Bi", 3.18),
        ("Zr", Fcc, "Zr", 4.53),
        ("La", Fcc, "La", 5.28),
    ]
};

#[derive(Debug, Clone, Copy)]
enum Form {
    Simple,
    Bcc,
    Fcc,
    ZincBlende,
    RockSalt,
}

impl Form {
    fn structure(self, element: Element, partner: Element, a: f64) -> Structure {
        let h = a / 2.0;
        let vectors = match self {
            Self::Simple => [[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]],
            Self::Bcc => [[-h, h, h], [h, -h, h], [h, h, -h]],
            _ => [[0.0, h, h], [h, 0.0, h], [h, h, 0.0]],
        };
        let (elements, frac_coords) = match self {
            Self::ZincBlende => (vec![element, partner], vec![[0.0; 3], [0.25; 3]]),
            Self::RockSalt => (vec![element, partner], vec![[0.0; 3], [0.5; 3]]),
            _ => (vec![element], vec![[0.0; 3]]),
        };
        Structure {
            lattice: Lattice::new(vectors).unwrap(),
            elements,
            frac_coords,
        }
    }
}

/// What one cutoff gives.
struct Point {
    /// Both bands at all k-points in eV.
    levels_ev: Vec<f64>,
    /// Energy of an atom in eV.
    energy_ev: f64,
    pressure_gpa: f64,
    /// With what the plane waves that a fixed cutoff gains or loses with the volume add to it:
    /// `P − ⅔ (dE/d ln E_c)/V`, as `NativeSettings::pulay_correction` has it.
    corrected_gpa: f64,
}

fn main() {
    let chosen: Vec<String> = env::args().skip(1).collect();
    for (symbol, form, partner, a) in CRYSTALS {
        if chosen.is_empty() || chosen.iter().any(|name| name == symbol) {
            let structure = form.structure(symbol.parse().unwrap(), partner.parse().unwrap(), a);
            measure(symbol, form, &structure);
        }
    }
}

fn measure(symbol: &str, form: Form, structure: &Structure) {
    let started = Instant::now();
    let mut points: Vec<(f64, Point)> = Vec::new();
    let mut rows = Vec::new();
    for cutoff_ry in CUTOFFS_RY.into_iter().filter(|&ry| ry <= LARGEST_RY) {
        for wanted in [cutoff_ry, 2.0 * cutoff_ry] {
            if !points.iter().any(|(ry, _)| *ry == wanted) {
                points.push((wanted, compute(structure, wanted)));
            }
        }
        let at = |ry: f64| &points.iter().find(|(other, _)| *other == ry).unwrap().1;
        let (here, double) = (at(cutoff_ry), at(2.0 * cutoff_ry));
        let changes = here.levels_ev.iter().zip(&double.levels_ev);
        let changes: Vec<f64> = changes.map(|(a, b)| a - b).collect();
        let most = changes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = changes.iter().copied().fold(f64::INFINITY, f64::min);
        let pressure_gpa = here.pressure_gpa - double.pressure_gpa;
        let percent = |gpa: f64| 300.0 * (gpa / HARTREE_PER_BOHR3_GPA * 2.0 / 0.04).abs();
        let corrected_percent = percent(here.corrected_gpa - double.corrected_gpa);
        let is_near = most - least < LEVELS_EV && corrected_percent < DENSITY_PERCENT;
        let modulus_percent = match is_near || cutoff_ry == 30.0 {
            true => modulus_error_percent(structure, cutoff_ry),
            false => f64::NAN,
        };
        rows.push((
            cutoff_ry,
            here.energy_ev - double.energy_ev,
            most - least,
            pressure_gpa,
            percent(pressure_gpa),
            corrected_percent,
            modulus_percent,
        ));
        if is_near && modulus_percent < MODULUS_PERCENT && cutoff_ry >= 30.0 {
            break;
        }
    }
    println!(
        "    // {form:?} {}, {:.0} s",
        structure.formula(),
        started.elapsed().as_secs_f64()
    );
    for (ry, energy, levels, pressure, density, corrected, modulus) in rows {
        let modulus = match modulus.is_nan() {
            true => "None".to_owned(),
            false => format!("Some({modulus:.1})"),
        };
        println!(
            "    row(\"{symbol}\", {ry:.1}, {energy:.3}, {levels:.3}, {pressure:.2}, {density:.2}, {corrected:.2}, {modulus}),"
        );
    }
}

fn mesh(structure: &Structure) -> u32 {
    if structure.elements.len() == 1 { 3 } else { 2 }
}

fn compute(structure: &Structure, cutoff_ry: f64) -> Point {
    let mut elements = structure.elements.clone();
    elements.sort_unstable();
    elements.dedup();
    let potentials = elements
        .iter()
        .map(|&element| Arc::new(Pseudopotential::gth_pbe(element).unwrap()));
    let occupations = Occupations::Smeared {
        smearing: Smearing::Gaussian,
        width_ha: 0.01,
    };
    let model =
        Model::of_structure(structure, 1.0 / BOHR_ANG, potentials.collect(), occupations).unwrap();
    let pairs = (model.electron_count() / 2.0 - 1e-6).ceil() as usize;
    let discretisation = Discretisation {
        ecut_ha: 0.5 * cutoff_ry,
        ecut_density_ha: 2.0 * cutoff_ry,
        k_mesh: KMesh::gamma_centred([mesh(structure); 3]),
        use_symmetry: true,
    };
    let basis = PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap();
    let options = ScfOptions {
        convergence_ha: 1e-6,
        ..ScfOptions::default()
    };
    let result = self_consistent_field(&basis, &options, ScfControl::default()).unwrap();
    let stress = stress(&basis, &result, NonZeroUsize::MIN).unwrap();
    let correction = measure_pulay_pressure(&basis, &result, SetUp::default(), &options).unwrap();
    let pressure_gpa = pressure(&stress) * HARTREE_PER_BOHR3_GPA;
    let levels = result.eigenvalues_ha.iter();
    Point {
        levels_ev: levels
            .flat_map(|levels| [levels[pairs - 1], levels[pairs]])
            .map(|level| level * HARTREE_EV)
            .collect(),
        energy_ev: result.total_energy_ha() * HARTREE_EV / structure.elements.len() as f64,
        pressure_gpa,
        corrected_gpa: pressure_gpa + correction * HARTREE_PER_BOHR3_GPA,
    }
}

/// Of V d²E/dV² at the given volume, with the plane waves of that volume, as `bulk_modulus` has it.
fn modulus_error_percent(structure: &Structure, cutoff_ry: f64) -> f64 {
    let sites = structure.elements.len();
    let skeleton = Skeleton::from_structure("cell", structure, 1e-4).unwrap();
    let crystal = Crystal::new(Arc::new(skeleton), structure.elements.clone()).unwrap();
    let modulus = |cutoff_ry: f64| {
        let settings = NativeSettings {
            ecutwfc_ry: Some(cutoff_ry),
            kppa: Some((f64::from(mesh(structure)) + 0.01).powi(3) * sites as f64),
            degauss_ry: 0.02,
            equation_of_state: EquationOfStateLimits {
                volume_ratio: [0.01, 100.0],
                derivative: [-1000.0, 1000.0],
                relative_residual: 100.0,
            },
            ..NativeSettings::default()
        };
        let calculator = NativeCalculator::new(settings, SpeciesSource::Gth).unwrap();
        let cancel = CancelToken::default();
        match calculator.evaluate(&crystal, Property::BulkModulus, &cancel) {
            Outcome::Success(values) => values
                .equation_of_state
                .map_or(f64::NAN, |fit| fit.modulus_at_reference_gpa),
            Outcome::Failure(_) => f64::NAN,
        }
    };
    let converged = modulus(2.0 * cutoff_ry);
    100.0 * (modulus(cutoff_ry) - converged).abs() / converged.abs()
}
