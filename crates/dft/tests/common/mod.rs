//! Crystals, and `pw.x` run live on the very same pseudopotentials.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test file uses a part; tests fail by panicking"
)]

use std::{fmt::Write as _, fs, path::Path, process::Command, sync::Arc};

use crystalgym_dft::{
    Atom, BOHR_ANG, Cell, Discretisation, KMesh, Model, Occupations, PlaneWaveBasis, ScfControl,
    ScfOptions, ScfResult, Smearing,
    pseudo::{GthParameters, Pseudopotential},
    self_consistent_field,
};

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
        let symbols = self.symbols();
        let mut deck = String::new();
        let occupations = match self.smearing {
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
        };
        let _ = write!(
            deck,
            "&control\n calculation = 'scf', tstress = .true., prefix = 'p', outdir = '{0}', pseudo_dir = '{0}'\n/\n\
             &system\n ibrav = 0, nat = {1}, ntyp = {2}, ecutwfc = {3}, ecutrho = {4}, nbnd = {5}\n \
             {6}\n/\n&electrons\n conv_thr = 1d-10\n/\nATOMIC_SPECIES\n",
            folder.display(),
            self.atoms.len(),
            symbols.len(),
            self.ecutwfc_ry,
            self.ecutrho_ry,
            self.bands,
            occupations,
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
        let [a, b, c] = self.divisions;
        let _ = writeln!(deck, "K_POINTS automatic\n{a} {b} {c} 0 0 0");
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
        let output = Command::new(pw)
            .arg("-in")
            .arg(&deck)
            .current_dir(folder.path())
            .env("OMP_NUM_THREADS", "1")
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
            ewald_ry: number_after("ewald contribution        =", 0).unwrap(),
            hartree_ry: number_after("hartree contribution      =", 0).unwrap(),
            xc_ry: number_after("xc contribution           =", 0).unwrap(),
        }
    }
}

/// What `pw.x` printed.
#[derive(Debug, Clone, Copy)]
pub struct PwResult {
    pub total_energy_ry: f64,
    pub homo_ev: Option<f64>,
    pub lumo_ev: Option<f64>,
    pub fermi_ev: Option<f64>,
    pub pressure_kbar: f64,
    pub ewald_ry: f64,
    pub hartree_ry: f64,
    pub xc_ry: f64,
}
