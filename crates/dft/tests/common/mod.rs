//! Crystals, and `pw.x` run live on the very same pseudopotentials.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "each test file uses a part; tests fail by panicking"
)]

use std::{fmt::Write as _, fs, num::NonZeroUsize, path::Path, sync::Arc};

use crystalgym_dft::{
    Atom, BOHR_ANG, BandEdges, Cell, Discretisation, HARTREE_EV, HARTREE_PER_BOHR3_GPA, KMesh,
    Model, Occupations, PlaneWaveBasis, ScfControl, ScfOptions, ScfResult, Smearing,
    forces_and_stress, pressure,
    pseudo::{GthParameters, Pseudopotential},
    self_consistent_field,
};
use crystalgym_testing::{program, pw_x_in};

/// What to compute, in the units of a `pw.x` deck.
#[derive(Clone)]
pub struct Case {
    pub lattice_ang: [[f64; 3]; 3],
    pub atoms: Vec<(&'static str, [f64; 3])>,
    pub ecutwfc_ry: f64,
    pub ecutrho_ry: f64,
    pub divisions: [u32; 3],
    /// Smearing and its width in Ry; fixed occupations without.
    pub smearing: Option<(Smearing, f64)>,
    pub bands: usize,
    pub use_symmetry: bool,
}

pub fn fcc(a_ang: f64) -> [[f64; 3]; 3] {
    let h = a_ang / 2.0;
    [[0.0, h, h], [h, 0.0, h], [h, h, 0.0]]
}

pub fn silicon() -> Case {
    Case {
        lattice_ang: fcc(5.43),
        atoms: vec![("Si", [0.0; 3]), ("Si", [0.25; 3])],
        ecutwfc_ry: 16.0,
        ecutrho_ry: 64.0,
        divisions: [3; 3],
        smearing: None,
        bands: 5,
        use_symmetry: true,
    }
}

pub fn gth(symbol: &str) -> GthParameters {
    GthParameters::pbe(symbol.parse().unwrap()).unwrap()
}

impl Case {
    pub fn symbols(&self) -> Vec<&'static str> {
        let mut symbols: Vec<&str> = self.atoms.iter().map(|atom| atom.0).collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    }

    pub fn model(&self, pseudopotential: impl Fn(&str) -> Pseudopotential) -> Model {
        let symbols = self.symbols();
        let species: Vec<_> = symbols
            .iter()
            .map(|s| Arc::new(pseudopotential(s)))
            .collect();
        let index = |symbol| symbols.iter().position(|s| *s == symbol).unwrap();
        Model {
            cell: Cell::new(self.lattice_ang.map(|v| v.map(|x| x / BOHR_ANG))).unwrap(),
            functional: species[0].functional(),
            atoms: (self.atoms.iter())
                .map(|&(symbol, frac)| Atom {
                    species: index(symbol),
                    frac,
                })
                .collect(),
            species,
            occupations: match self.smearing {
                None => Occupations::Fixed,
                Some((smearing, width_ry)) => Occupations::Smeared {
                    smearing,
                    width_ha: width_ry / 2.0,
                },
            },
        }
    }

    pub fn basis(&self, pseudopotential: impl Fn(&str) -> Pseudopotential) -> PlaneWaveBasis {
        let discretisation = Discretisation {
            ecut_ha: self.ecutwfc_ry / 2.0,
            ecut_density_ha: self.ecutrho_ry / 2.0,
            k_mesh: KMesh::gamma_centred(self.divisions),
            use_symmetry: self.use_symmetry,
        };
        PlaneWaveBasis::new(Arc::new(self.model(pseudopotential)), discretisation).unwrap()
    }

    pub fn options(&self) -> ScfOptions {
        ScfOptions {
            bands: Some(self.bands),
            convergence_ha: 1e-10,
            max_iterations: 60,
            ..ScfOptions::default()
        }
    }

    /// Our engine, to a tight convergence.
    pub fn solve(&self, pseudopotential: impl Fn(&str) -> Pseudopotential) -> ScfResult {
        self.solve_on(&self.basis(pseudopotential))
    }

    pub fn solve_on(&self, basis: &PlaneWaveBasis) -> ScfResult {
        self_consistent_field(basis, &self.options(), ScfControl::default()).unwrap()
    }

    fn deck(&self, folder: &Path) -> String {
        let [a, b, c] = self.divisions;
        let mesh = format!("K_POINTS automatic\n{a} {b} {c} 0 0 0");
        self.deck_of("scf", folder, &self.occupations(), &mesh)
    }

    /// What a deck says of the occupations.
    pub fn occupations(&self) -> String {
        match self.smearing {
            None => "occupations = 'fixed'".to_owned(),
            Some((smearing, width)) => {
                let name = match smearing {
                    Smearing::Gaussian => "gaussian",
                    Smearing::MethfesselPaxton => "mp",
                    Smearing::MarzariVanderbilt => "mv",
                    Smearing::FermiDirac => "fd",
                };
                format!("occupations = 'smearing', smearing = '{name}', degauss = {width}")
            }
        }
    }

    /// A deck of some calculation, in the folder that holds its files.
    pub fn deck_of(
        &self,
        calculation: &str,
        folder: &Path,
        occupations: &str,
        k_points: &str,
    ) -> String {
        let symbols = self.symbols();
        let mut deck = String::new();
        let _ = write!(
            deck,
            "&control\n calculation = '{7}', tstress = .true., tprnfor = .true., prefix = 'p', outdir = '{0}', pseudo_dir = '{0}'\n/\n\
             &system\n ibrav = 0, nat = {1}, ntyp = {2}, ecutwfc = {3}, ecutrho = {4}, nbnd = {5}\n \
             {6}\n/\n&electrons\n conv_thr = 1d-10\n/\nATOMIC_SPECIES\n",
            folder.display(),
            self.atoms.len(),
            symbols.len(),
            self.ecutwfc_ry,
            self.ecutrho_ry,
            self.bands,
            occupations,
            calculation,
        );
        for symbol in symbols {
            let _ = writeln!(deck, "{symbol} 1.0 {symbol}.upf");
        }
        let _ = writeln!(deck, "CELL_PARAMETERS angstrom");
        for v in self.lattice_ang {
            let _ = writeln!(deck, "{:.12} {:.12} {:.12}", v[0], v[1], v[2]);
        }
        let _ = writeln!(deck, "ATOMIC_POSITIONS crystal");
        for (symbol, x) in &self.atoms {
            let _ = writeln!(deck, "{symbol} {:.14} {:.14} {:.14}", x[0], x[1], x[2]);
        }
        let _ = writeln!(deck, "{k_points}");
        deck
    }

    /// `pw.x` on the same case; the UPF texts are written beside the deck.
    pub fn run_pw(&self, pw: &Path, upf: impl Fn(&str) -> String) -> PwResult {
        let folder = tempfile::tempdir().unwrap();
        for symbol in self.symbols() {
            fs::write(folder.path().join(format!("{symbol}.upf")), upf(symbol)).unwrap();
        }
        let deck = folder.path().join("pw.in");
        fs::write(&deck, self.deck(folder.path())).unwrap();
        let output = pw_x_in(pw, folder.path())
            .arg("-in")
            .arg(&deck)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number_after = |mark: &str, place: usize| -> Option<f64> {
            let start = text.rfind(mark)? + mark.len();
            text[start..].split_whitespace().nth(place)?.parse().ok()
        };
        let edges = "highest occupied, lowest unoccupied level (ev):";
        PwResult {
            total_energy_ry: number_after("!    total energy              =", 0)
                .unwrap_or_else(|| panic!("no energy in the output of pw.x:\n{text}")),
            homo_ev: number_after(edges, 0),
            lumo_ev: number_after(edges, 1),
            fermi_ev: number_after("the Fermi energy is", 0),
            pressure_kbar: number_after("P=", 0).unwrap(),
            stress_ry_bohr3: {
                let first = text.rfind("total   stress").unwrap();
                let mut rows = text[first..].lines().skip(1).map(three_numbers);
                std::array::from_fn(|_| rows.next().unwrap())
            },
            forces_ry_bohr: {
                // The decomposition into terms, which verbose output has too, comes later.
                let first = text.find("Forces acting on atoms").unwrap();
                let lines = text[first..]
                    .lines()
                    .skip_while(|line| !line.contains("force ="));
                lines
                    .take_while(|line| line.contains("force ="))
                    .map(|line| three_numbers(&line[line.find('=').unwrap() + 1..]))
                    .collect()
            },
            ewald_ry: number_after("ewald contribution        =", 0).unwrap(),
            hartree_ry: number_after("hartree contribution      =", 0).unwrap(),
            xc_ry: number_after("xc contribution           =", 0).unwrap(),
            one_centre_ry: number_after("one-center paw contrib.   =", 0).unwrap_or(0.0),
        }
    }
}

fn three_numbers(text: &str) -> [f64; 3] {
    let mut numbers = text.split_whitespace().map(|word| word.parse().unwrap());
    std::array::from_fn(|_| numbers.next().unwrap())
}

/// What `pw.x` printed.
#[derive(Debug, Clone)]
pub struct PwResult {
    pub total_energy_ry: f64,
    pub homo_ev: Option<f64>,
    pub lumo_ev: Option<f64>,
    pub fermi_ev: Option<f64>,
    pub pressure_kbar: f64,
    /// In the sign of `pw.x`, positive when the cell wants to expand.
    pub stress_ry_bohr3: [[f64; 3]; 3],
    pub forces_ry_bohr: Vec<[f64; 3]>,
    pub ewald_ry: f64,
    pub hartree_ry: f64,
    pub xc_ry: f64,
    pub one_centre_ry: f64,
}

/// How far we may be from `pw.x`. Asked for: 1e-5 Ry an atom, 5e-5 with PAW; 2 meV for the levels;
/// 1 kbar.
#[derive(Debug, Clone, Copy)]
pub struct Parity {
    pub energy_ry_per_atom: f64,
    pub level_ev: f64,
    pub stress_kbar: f64,
    pub force_ry_bohr: f64,
}

impl Parity {
    pub const NORM_CONSERVING: Self = Self {
        energy_ry_per_atom: 1e-5,
        level_ev: 2e-3,
        stress_kbar: 0.02,
        force_ry_bohr: 2e-5,
    };
    pub const ULTRASOFT: Self = Self {
        stress_kbar: 1.0,
        ..Self::NORM_CONSERVING
    };
    pub const PAW: Self = Self {
        energy_ry_per_atom: 5e-5,
        ..Self::ULTRASOFT
    };
}

const KBAR_PER_GPA: f64 = 10.0;

/// Compares energies, levels and pressure with a live `pw.x`.
pub fn check_parity(case: &Case, parity: Parity, upf: impl Fn(&str) -> String) {
    let Some(pw) = program("pw.x") else { return };
    let expected = case.run_pw(&pw, &upf);
    let read = |s: &str| Pseudopotential::from_upf(&upf(s), Path::new("test.upf")).unwrap();
    let basis = case.basis(read);
    let result = case.solve_on(&basis);
    assert!(
        result.is_converged(),
        "{:?} {:#?}",
        result.end,
        result.history
    );

    let parts = result.energies;
    let in_ry = |ha: f64| 2.0 * ha;
    let in_ha = |ry: f64| 0.5 * ry;
    for (name, found, expected) in [
        ("Ewald", in_ry(parts.ewald_ha), expected.ewald_ry),
        ("Hartree", in_ry(parts.hartree_ha), expected.hartree_ry),
        ("xc", in_ry(parts.xc_ha), expected.xc_ry),
        (
            "one-centre",
            in_ry(parts.one_centre_ha),
            expected.one_centre_ry,
        ),
        (
            "total",
            in_ry(result.total_energy_ha()),
            expected.total_energy_ry,
        ),
    ] {
        println!(
            "{name}: {found:.8} Ry, pw.x {expected:.8} Ry, {:.1e}",
            found - expected
        );
    }
    let energy_error = in_ry(result.total_energy_ha()) - expected.total_energy_ry;
    let limit = parity.energy_ry_per_atom * case.atoms.len() as f64;
    assert!(
        energy_error.abs() < limit,
        "energy differs by {energy_error} Ry"
    );

    let (forces, stress) = forces_and_stress(&basis, &result, NonZeroUsize::MIN).unwrap();
    let kbar_per_ha_bohr3 = HARTREE_PER_BOHR3_GPA * KBAR_PER_GPA;
    let found = pressure(&stress) * kbar_per_ha_bohr3;
    println!(
        "pressure: {found:.4} kbar, pw.x {:.4} kbar",
        expected.pressure_kbar
    );
    for (found, expected) in stress.iter().zip(&expected.stress_ry_bohr3) {
        // The sign of pw.x is that of a pressure.
        let found = found.map(|x| -x * kbar_per_ha_bohr3);
        let expected = expected.map(|x| in_ha(x) * kbar_per_ha_bohr3);
        println!("stress: {found:.4?} kbar, pw.x {expected:.4?} kbar");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < parity.stress_kbar);
        }
    }
    assert_eq!(forces.len(), expected.forces_ry_bohr.len());
    for (found, expected) in forces.iter().zip(&expected.forces_ry_bohr) {
        let found = found.map(in_ry);
        println!("force: {found:.6?} Ry/bohr, pw.x {expected:.6?} Ry/bohr");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < parity.force_ry_bohr);
        }
    }

    let compare = |name: &str, found_ha: f64, expected_ev: f64| {
        let found = found_ha * HARTREE_EV;
        println!("{name}: {found:.5} eV, pw.x {expected_ev:.5} eV");
        assert!(
            (found - expected_ev).abs() < parity.level_ev,
            "{name}: {found} {expected_ev}"
        );
    };
    match case.smearing {
        None => {
            let edges = BandEdges::of(&result).unwrap();
            compare("HOMO", edges.homo_ha, expected.homo_ev.unwrap());
            compare("LUMO", edges.lumo_ha, expected.lumo_ev.unwrap());
        }
        Some(_) => {
            let fermi = result.fermi_level_ha.unwrap();
            compare("Fermi level", fermi, expected.fermi_ev.unwrap());
        }
    }
}
