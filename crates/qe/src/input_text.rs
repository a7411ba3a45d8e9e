//! An input of pw.x as text.

use std::fmt::{self, Display, Write};

use crate::{Calculation, Occupations, Positions, PwInput, RELAXED_FORCE_RY_BOHR};

impl PwInput {
    /// The deck as pw.x reads it. Pseudopotentials and scratch are in the working folder.
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Display for PwInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut control = Namelist::new("CONTROL");
        match self.control.calculation {
            Calculation::Scf => control.text("calculation", "scf"),
            Calculation::Relax { steps } => {
                control.text("calculation", "relax");
                control.value("nstep", steps);
                // Forces alone decide: the energy changes by less than this from the start.
                control.real("etot_conv_thr", 1.0);
                control.real("forc_conv_thr", RELAXED_FORCE_RY_BOHR);
            }
            Calculation::VcRelax { steps } => {
                control.text("calculation", "vc-relax");
                control.value("nstep", steps);
            }
        }
        control.logical("tstress", self.control.tstress);
        control.logical("tprnfor", self.control.tprnfor);
        control.text("verbosity", "high");
        // The wave functions stay in memory, and nothing is kept for a restart.
        control.text("disk_io", "none");
        control.text("outdir", "./");
        control.text("pseudo_dir", "./");
        control.write(f)?;

        let mut system = Namelist::new("SYSTEM");
        system.value("ibrav", 0);
        system.value("nat", self.positions.atoms().len());
        system.value("ntyp", self.species.len());
        system.real("ecutwfc", self.system.ecutwfc_ry);
        system.real("ecutrho", self.system.ecutrho_ry);
        system.value("nspin", 1);
        system.value("nbnd", self.system.nbnd);
        match self.system.occupations {
            Occupations::Fixed => system.text("occupations", "fixed"),
            Occupations::Smearing {
                smearing,
                degauss_ry,
            } => {
                system.text("occupations", "smearing");
                system.text("smearing", smearing.name());
                system.real("degauss", degauss_ry);
            }
        }
        system.write(f)?;

        let mut electrons = Namelist::new("ELECTRONS");
        electrons.value("electron_maxstep", self.electrons.electron_maxstep);
        electrons.real("conv_thr", self.electrons.conv_thr_ry);
        electrons.text("diagonalization", "david");
        electrons.text("mixing_mode", "plain");
        electrons.real("mixing_beta", self.electrons.mixing_beta);
        electrons.write(f)?;

        if let Calculation::Relax { .. } | Calculation::VcRelax { .. } = self.control.calculation {
            let mut ions = Namelist::new("IONS");
            ions.text("ion_dynamics", "bfgs");
            ions.write(f)?;
        }
        if let Calculation::VcRelax { .. } = self.control.calculation {
            let mut cell = Namelist::new("CELL");
            cell.text("cell_dynamics", "bfgs");
            cell.write(f)?;
        }
        self.write_cards(f)
    }
}

impl PwInput {
    fn write_cards(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nATOMIC_SPECIES")?;
        for species in &self.species {
            writeln!(
                f,
                "  {:<3} {:>10}  {}",
                species.label, species.mass_u, species.file_name
            )?;
        }
        writeln!(f, "\nCELL_PARAMETERS angstrom")?;
        for row in self.lattice_ang {
            writeln!(f, " {}", Triple(row))?;
        }
        let unit = match self.positions {
            Positions::Crystal(_) => "crystal",
            Positions::Angstrom(_) => "angstrom",
        };
        writeln!(f, "\nATOMIC_POSITIONS {unit}")?;
        for (label, position) in self.positions.atoms() {
            writeln!(f, "  {label:<3}{}", Triple(*position))?;
        }
        let [a, b, c] = self.k_mesh;
        writeln!(f, "\nK_POINTS automatic\n  {a} {b} {c}  0 0 0")
    }
}

/// Three numbers, each in the fewest digits that read back as the same number.
struct Triple([f64; 3]);

impl Display for Triple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for x in self.0 {
            // 0.0 + x turns −0.0 into 0.0.
            write!(f, " {:>21}", format!("{:?}", 0.0 + x))?;
        }
        Ok(())
    }
}

struct Namelist {
    name: &'static str,
    lines: String,
}

impl Namelist {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            lines: String::new(),
        }
    }

    fn value(&mut self, key: &str, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.lines, "  {key:<16} = {value}");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.value(key, format_args!("'{value}'"));
    }

    fn real(&mut self, key: &str, value: f64) {
        self.value(key, format_args!("{value:?}"));
    }

    fn logical(&mut self, key: &str, value: bool) {
        self.value(key, if value { ".true." } else { ".false." });
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "&{}\n{}/", self.name, self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Control, Electrons, Species, System};

    fn silicon() -> PwInput {
        PwInput {
            control: Control {
                calculation: Calculation::VcRelax { steps: 1 },
                tstress: false,
                tprnfor: true,
            },
            system: System {
                ecutwfc_ry: 50.0,
                ecutrho_ry: 400.0,
                nbnd: 8,
                occupations: Occupations::Smearing {
                    smearing: crate::Smearing::Gaussian,
                    degauss_ry: 0.001,
                },
            },
            electrons: Electrons {
                electron_maxstep: 300,
                conv_thr_ry: 1e-6,
                mixing_beta: 0.7,
            },
            species: vec![Species {
                label: "Si".into(),
                mass_u: 28.085,
                file_name: "Si.upf".into(),
            }],
            lattice_ang: [
                [0.1 + 0.2, -0.0, 1.0],
                [0.0, 1.0 / 3.0, 0.0],
                [1e-3, 0.0, 2.0],
            ],
            positions: Positions::Crystal(vec![("Si".into(), [0.25, 0.0, -0.5])]),
            k_mesh: [4, 4, 3],
        }
    }

    #[test]
    fn a_deck_reads_like_a_hand_made_one() {
        let input = silicon();
        let expected = "\
&CONTROL
  calculation      = 'vc-relax'
  nstep            = 1
  tstress          = .false.
  tprnfor          = .true.
  verbosity        = 'high'
  disk_io          = 'none'
  outdir           = './'
  pseudo_dir       = './'
/
&SYSTEM
  ibrav            = 0
  nat              = 1
  ntyp             = 1
  ecutwfc          = 50.0
  ecutrho          = 400.0
  nspin            = 1
  nbnd             = 8
  occupations      = 'smearing'
  smearing         = 'gaussian'
  degauss          = 0.001
/
&ELECTRONS
  electron_maxstep = 300
  conv_thr         = 1e-6
  diagonalization  = 'david'
  mixing_mode      = 'plain'
  mixing_beta      = 0.7
/
&IONS
  ion_dynamics     = 'bfgs'
/
&CELL
  cell_dynamics    = 'bfgs'
/

ATOMIC_SPECIES
  Si      28.085  Si.upf

CELL_PARAMETERS angstrom
    0.30000000000000004                   0.0                   1.0
                    0.0    0.3333333333333333                   0.0
                  0.001                   0.0                   2.0

ATOMIC_POSITIONS crystal
  Si                   0.25                   0.0                  -0.5

K_POINTS automatic
  4 4 3  0 0 0
";
        assert_eq!(input.to_text(), expected);
    }

    /// By the manual of pw.x: forces below `forc_conv_thr` and the energy's change below
    /// `etot_conv_thr` end a relaxation, which has no namelist for the cell.
    #[test]
    fn a_relaxation_stops_by_forces() {
        let mut input = silicon();
        input.control.calculation = Calculation::Relax { steps: 9 };
        let text = input.to_text();
        let expected = "  calculation      = 'relax'\n  nstep            = 9\n  \
                        etot_conv_thr    = 1.0\n  forc_conv_thr    = 2e-5\n";
        assert!(text.contains(expected), "{text}");
        assert!(
            text.contains("&IONS\n") && !text.contains("&CELL\n"),
            "{text}"
        );
    }
}
