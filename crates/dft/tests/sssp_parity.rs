//! The benchmark's own crystals with SSSP at 50/400 Ry. Oracle: the values in
//! `sssp_parity/reference.json`, which `pw.x` printed for the decks beside it (`make.py` made both).
//!
//! `cargo test --release -p crystalgym-dft --test sssp_parity -- --ignored --nocapture`; with
//! `CRYSTALGYM_CASE=C6` only the cases whose name begins so. It takes minutes, hence ignored.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and report the differences"
)]

use std::{env, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Instant};

use crystalgym_dft::{
    Atom, BOHR_ANG, BandEdges, Cell, Discretisation, HARTREE_EV, HARTREE_PER_BOHR3_GPA, KMesh,
    Model, Occupations, PlaneWaveBasis, ScfControl, ScfOptions, ScfResult, Smearing, pressure,
    pseudo::{Pseudopotential, PseudopotentialKind},
    self_consistent_field, stress,
};
use faer::{Mat, prelude::SolveLstsq};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    lattice_ang: [[f64; 3]; 3],
    elements: Vec<String>,
    sites_frac: Vec<[f64; 3]>,
    k_divisions: [u32; 3],
    smearing_ry: Option<f64>,
    bands: usize,
    energy_ry: f64,
    homo_ev: Option<f64>,
    lumo_ev: Option<f64>,
    fermi_ev: Option<f64>,
    pressure_kbar: f64,
    k_points: usize,
    #[serde(default)]
    volume_factors: Vec<f64>,
    #[serde(default)]
    volume_energies_ry: Vec<f64>,
}

const ENERGY_RY_PER_ATOM: f64 = 1e-5;
const ENERGY_RY_PER_ATOM_PAW: f64 = 5e-5;
const LEVEL_EV: f64 = 2e-3;
const PRESSURE_KBAR: f64 = 1.0;
const BULK_MODULUS_GPA: f64 = 1.0;
const BULK_MODULUS_SHARE: f64 = 0.01;

fn pseudopotential_folder() -> Option<PathBuf> {
    crystalgym_testing::shared_data("data/sssp-1.3.0-pbe-efficiency")
}

impl Case {
    fn basis(&self, folder: &std::path::Path, volume_factor: f64) -> PlaneWaveBasis {
        let mut symbols = self.elements.clone();
        symbols.sort_unstable();
        symbols.dedup();
        let species = symbols.iter().map(|symbol| {
            let path = folder.join(format!("{symbol}.upf"));
            Arc::new(Pseudopotential::from_upf_file(&path).unwrap())
        });
        let species: Vec<_> = species.collect();
        let scale = volume_factor.cbrt() / BOHR_ANG;
        let model = Model {
            cell: Cell::new(self.lattice_ang.map(|v| v.map(|x| x * scale))).unwrap(),
            functional: species[0].functional(),
            species,
            atoms: (self.elements.iter().zip(&self.sites_frac))
                .map(|(element, &frac)| Atom {
                    species: symbols.iter().position(|symbol| symbol == element).unwrap(),
                    frac,
                })
                .collect(),
            occupations: match self.smearing_ry {
                None => Occupations::Fixed,
                Some(width_ry) => Occupations::Smeared {
                    smearing: Smearing::MarzariVanderbilt,
                    width_ha: width_ry / 2.0,
                },
            },
        };
        let discretisation = Discretisation {
            ecut_ha: 25.0,
            ecut_density_ha: 200.0,
            k_mesh: KMesh::gamma_centred(self.k_divisions),
            use_symmetry: true,
        };
        PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap()
    }

    fn solve(&self, basis: &PlaneWaveBasis, convergence_ha: f64) -> ScfResult {
        let options = ScfOptions {
            bands: Some(self.bands),
            convergence_ha,
            ..ScfOptions::default()
        };
        self_consistent_field(basis, &options, ScfControl::default()).unwrap()
    }

    /// What lies beyond the limits.
    fn compare(&self, folder: &std::path::Path) -> Vec<String> {
        let mut faults = Vec::new();
        let started = Instant::now();
        let basis = self.basis(folder, 1.0);
        let result = self.solve(&basis, 0.5e-9);
        let seconds = started.elapsed().as_secs_f64();
        if !result.is_converged() {
            return vec![format!("{}: {:?}", self.name, result.end)];
        }
        let mut check = |what: &str, found: f64, expected: f64, limit: f64| {
            let difference = found - expected;
            let line = format!("{what} {found:.6} ({difference:+.1e})");
            if difference.abs() > limit {
                faults.push(format!("{}: {line}, expected {expected}", self.name));
            }
            line
        };
        let has_paw = (basis.model().species.iter())
            .any(|species| species.kind() == PseudopotentialKind::Paw);
        let limit = if has_paw {
            ENERGY_RY_PER_ATOM_PAW
        } else {
            ENERGY_RY_PER_ATOM
        };
        let atoms = self.elements.len() as f64;
        let mut kinds: Vec<_> = (basis.model().species.iter())
            .map(|species| format!("{:?}", species.kind()))
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let mut line = format!("{:24} {} ", self.name, kinds.join("+"));
        line += &check(
            "E",
            2.0 * result.total_energy_ha(),
            self.energy_ry,
            limit * atoms,
        );
        let edges = BandEdges::of(&result);
        if let (Some(homo), Some(lumo), Some(edges)) = (self.homo_ev, self.lumo_ev, edges) {
            line += &check(" HOMO", edges.homo_ha * HARTREE_EV, homo, LEVEL_EV);
            line += &check(" LUMO", edges.lumo_ha * HARTREE_EV, lumo, LEVEL_EV);
        }
        if let (Some(expected), Some(fermi)) = (self.fermi_ev, result.fermi_level_ha) {
            line += &check(" Fermi", fermi * HARTREE_EV, expected, LEVEL_EV);
        }
        assert_eq!(basis.k_points().len(), self.k_points, "{}", self.name);
        let started = Instant::now();
        let kbar = pressure(&stress(&basis, &result, NonZeroUsize::MIN).unwrap())
            * HARTREE_PER_BOHR3_GPA
            * 10.0;
        line += &check(" P", kbar, self.pressure_kbar, PRESSURE_KBAR);
        println!(
            "{line} | {} iterations, {} applications of H, {seconds:.1} s, pressure {:.1} s",
            result.history.len(),
            result
                .history
                .iter()
                .map(|i| i.hamiltonian_applications)
                .sum::<usize>(),
            started.elapsed().as_secs_f64()
        );
        let mut curves = [
            vec![(1.0, 2.0 * result.total_energy_ha())],
            vec![(1.0, self.energy_ry)],
        ];
        for (&factor, &expected) in self.volume_factors.iter().zip(&self.volume_energies_ry) {
            let result = self.solve(&self.basis(folder, factor), 0.5e-10);
            let found = 2.0 * result.total_energy_ha();
            println!(
                "  {}",
                check(&format!("V {factor}"), found, expected, limit * atoms)
            );
            curves[0].push((factor, found));
            curves[1].push((factor, expected));
        }
        if !self.volume_factors.is_empty() {
            let volume = basis.model().cell.volume();
            let [ours, theirs] = curves.map(|curve| bulk_moduli_gpa(&curve, volume));
            let limit = |modulus: f64| BULK_MODULUS_GPA.max(BULK_MODULUS_SHARE * modulus.abs());
            let given = check("B at V", ours.given, theirs.given, limit(theirs.given));
            let minimum = match (ours.minimum, theirs.minimum) {
                (Some(ours), Some(theirs)) => check(" B", ours, theirs, limit(theirs)),
                (None, None) => " no minimum".to_owned(),
                differing => panic!("{}: {differing:?}", self.name),
            };
            println!("  {given}{minimum}");
        }
        faults
    }
}

/// Bulk moduli of a curve of energies.
struct BulkModuli {
    /// `V d²E/dV²` at the given volume.
    given: f64,
    /// The same at the curve's minimum, if it has one.
    minimum: Option<f64>,
}

/// The third-order Birch–Murnaghan equation, a cubic in `x = V^(−2/3) − 1` of the relative volume,
/// that fits best through energies in Ry at relative volumes.
fn bulk_moduli_gpa(curve: &[(f64, f64)], volume_bohr3: f64) -> BulkModuli {
    let x = |volume: f64| volume.powf(-2.0 / 3.0) - 1.0;
    let powers = Mat::from_fn(curve.len(), 4, |i, power| x(curve[i].0).powi(power as i32));
    let energies_ha = Mat::from_fn(curve.len(), 1, |i, _| (curve[i].1 - curve[0].1) / 2.0);
    let fit = powers.qr().solve_lstsq(energies_ha);
    let [slope, curvature, cubic] = [1, 2, 3].map(|power| fit[(power, 0)]);
    let modulus = |volume: f64| {
        let x = x(volume);
        let first = slope + 2.0 * curvature * x + 3.0 * cubic * x.powi(2);
        let second = 2.0 * curvature + 6.0 * cubic * x;
        let (dx, ddx) = (
            -2.0 / 3.0 * volume.powf(-5.0 / 3.0),
            10.0 / 9.0 * volume.powf(-8.0 / 3.0),
        );
        volume * (second * dx.powi(2) + first * ddx) / volume_bohr3 * HARTREE_PER_BOHR3_GPA
    };
    // Of the two points with slope zero, the one with a positive second derivative.
    let discriminant = curvature.powi(2) - 3.0 * slope * cubic;
    let least = (discriminant.sqrt() - curvature) / (3.0 * cubic);
    BulkModuli {
        given: modulus(1.0),
        minimum: (least > -1.0).then(|| modulus((least + 1.0).powf(-1.5))),
    }
}

/// Oracle: Birch's equation itself, `E = 9/16 V₀B₀ [(y−1)³ B₀′ + (y−1)² (6 − 4y)]`, `y = (V₀/V)^(2/3)`.
#[test]
fn the_fit_finds_the_modulus_of_birchs_equation() {
    let (volume, modulus_gpa, derivative) = (1.03_f64, 50.0, 4.5);
    let energy_ry = |v: f64| {
        let y = (volume / v).powf(2.0 / 3.0);
        let form = (y - 1.0).powi(3) * derivative + (y - 1.0).powi(2) * (6.0 - 4.0 * y);
        2.0 * 9.0 / 16.0 * 300.0 * volume * modulus_gpa / HARTREE_PER_BOHR3_GPA * form
    };
    let curve = [1.0, 0.98, 0.99, 1.01, 1.02].map(|v| (v, energy_ry(v)));
    let found = bulk_moduli_gpa(&curve, 300.0).minimum.unwrap();
    assert!((found - modulus_gpa).abs() < 1e-5, "{found}");
}

#[test]
#[ignore = "minutes"]
fn fillings() {
    let Some(folder) = pseudopotential_folder() else {
        return;
    };
    let reference: Reference =
        serde_json::from_str(include_str!("sssp_parity/reference.json")).unwrap();
    let wanted = env::var("CRYSTALGYM_CASE").unwrap_or_default();
    let cases = reference
        .cases
        .iter()
        .filter(|case| case.name.starts_with(&wanted));
    let faults: Vec<String> = cases.flat_map(|case| case.compare(&folder)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
