//! The decks of a crystal: one calculation each, by the profile's settings.

use crystalgym_crystal::{Element, Structure, automatic_density};

use crate::{
    Calculation, Control, Electrons, Occupations, Positions, Profile, PwInput, PwSettings, Species,
    System,
};

/// An element of a deck with the valence charge of its pseudopotential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PwSpecies {
    /// The element.
    pub element: Element,
    /// Valence electrons.
    pub z_valence: f64,
}

impl PwSpecies {
    /// File name of its pseudopotential in the folder of a run.
    pub fn file_name(&self) -> String {
        format!("{}.upf", self.element)
    }
}

/// Writes the decks of one crystal.
///
/// The structure is used as it stands: exact and oriented along pw.x's axes for
/// [`Profile::Standard`], as published for [`Profile::Paper`].
#[derive(Debug, Clone)]
pub struct Decks<'a> {
    structure: &'a Structure,
    species: &'a [PwSpecies],
    settings: &'a PwSettings,
    k_mesh: [u32; 3],
}

impl<'a> Decks<'a> {
    /// Decks of `structure`; `species` lists each of its elements once.
    pub fn new(
        structure: &'a Structure,
        species: &'a [PwSpecies],
        settings: &'a PwSettings,
    ) -> Self {
        let k_mesh = automatic_density(
            &structure.lattice,
            structure.frac_coords.len(),
            settings.kppa,
        );
        Self {
            structure,
            species,
            settings,
            k_mesh,
        }
    }

    /// Valence electrons in the cell.
    pub fn electrons(&self) -> f64 {
        self.structure
            .elements
            .iter()
            .filter_map(|element| {
                self.species
                    .iter()
                    .find(|species| species.element == *element)
            })
            .map(|species| species.z_valence)
            .sum()
    }

    /// Whether fixed occupations can hold the electrons: their number is even.
    pub fn fills_whole_bands(&self) -> bool {
        let pairs = self.electrons() / 2.0;
        (pairs - pairs.round()).abs() < 1e-6
    }

    /// An SCF with fixed occupations, for the band gap.
    pub fn band_gap(&self) -> PwInput {
        let bands = match self.settings.profile {
            Profile::Paper => self.published_bands(),
            // The lowest empty band gives the gap; three more help Davidson to converge it.
            Profile::Standard => self.occupied_bands() + 4,
        };
        self.deck(Calculation::Scf, Occupations::Fixed, bands, 1.0, false)
    }

    /// An SCF with smearing at `factor` times the volume, for the equation of state.
    pub fn at_volume(&self, factor: f64, with_stress: bool) -> PwInput {
        let mut deck = self.deck(
            Calculation::Scf,
            self.smearing(),
            self.metal_bands(),
            factor.cbrt(),
            with_stress,
        );
        if self.settings.profile == Profile::Standard {
            deck.electrons.conv_thr_ry = self.settings.equation_of_state_conv_thr_ry;
        }
        deck
    }

    /// One BFGS step of ions and cell with smearing, for the density.
    pub fn one_relax_step(&self) -> PwInput {
        self.deck(
            Calculation::VcRelax { steps: 1 },
            self.smearing(),
            self.metal_bands(),
            1.0,
            self.settings.profile == Profile::Standard,
        )
    }

    fn smearing(&self) -> Occupations {
        Occupations::Smearing {
            smearing: self.settings.smearing,
            degauss_ry: self.settings.degauss_ry,
        }
    }

    fn occupied_bands(&self) -> u32 {
        (self.electrons() / 2.0 - 1e-9).ceil() as u32
    }

    /// pw.x's rule for metals: 20 % more than are occupied, at least four.
    fn metal_bands(&self) -> u32 {
        match self.settings.profile {
            Profile::Paper => self.published_bands(),
            Profile::Standard => {
                let occupied = self.electrons() / 2.0;
                ((1.2 * occupied).ceil() as u32).max(self.occupied_bands() + 4)
            }
        }
    }

    /// `⌈1.2 ⌊ΣZ/2⌋⌉` with atomic numbers, as published.
    fn published_bands(&self) -> u32 {
        let protons: u32 = self
            .structure
            .elements
            .iter()
            .map(|element| u32::from(element.atomic_number()))
            .sum();
        (6 * (protons / 2)).div_ceil(5)
    }

    fn deck(
        &self,
        calculation: Calculation,
        occupations: Occupations,
        nbnd: u32,
        stretch: f64,
        derivatives: bool,
    ) -> PwInput {
        let lattice = if stretch == 1.0 {
            self.structure.lattice
        } else {
            self.structure.lattice.scaled(stretch)
        };
        let label = |element: &Element| element.symbol().to_owned();
        let atoms = self.structure.elements.iter().map(label);
        let sites = &self.structure.frac_coords;
        let (lattice_ang, positions) = match self.settings.profile {
            Profile::Standard => (
                lattice.vectors(),
                Positions::Crystal(atoms.zip(sites.iter().copied()).collect()),
            ),
            // ASE writes Cartesian positions with 10 decimals and cells with 14.
            Profile::Paper => (
                lattice.vectors().map(|row| row.map(|x| rounded(x, 14))),
                Positions::Angstrom(
                    atoms
                        .zip(sites)
                        .map(|(label, &site)| {
                            (label, lattice.to_cart(site).map(|x| rounded(x, 10)))
                        })
                        .collect(),
                ),
            ),
        };
        PwInput {
            control: Control {
                calculation,
                tstress: derivatives,
                tprnfor: derivatives,
            },
            system: System {
                ecutwfc_ry: self.settings.ecutwfc_ry,
                ecutrho_ry: self.settings.ecutrho_ry,
                nbnd,
                occupations,
            },
            electrons: Electrons {
                electron_maxstep: self.settings.electron_maxstep,
                conv_thr_ry: self.settings.conv_thr_ry,
                mixing_beta: self.settings.mixing_beta,
            },
            species: self
                .species
                .iter()
                .map(|species| Species {
                    label: label(&species.element),
                    mass_u: species.element.mass_u(),
                    file_name: species.file_name(),
                })
                .collect(),
            lattice_ang,
            positions,
            k_mesh: self.k_mesh,
        }
    }
}

/// `x` as a decimal number of so many places, halves away from zero.
fn rounded(x: f64, places: i32) -> f64 {
    let factor = 10f64.powi(places);
    let scaled = x * factor;
    if scaled.is_finite() {
        scaled.round() / factor
    } else {
        x
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_crystal::{Crystal, Skeleton};

    use super::*;

    fn species(elements: &[(&str, f64)]) -> Vec<PwSpecies> {
        elements
            .iter()
            .map(|&(symbol, z_valence)| PwSpecies {
                element: symbol.parse().unwrap(),
                z_valence,
            })
            .collect()
    }

    fn fill(skeleton: &str, symbols: &[&str]) -> Crystal {
        let elements = symbols
            .iter()
            .map(|symbol| symbol.parse().unwrap())
            .collect();
        Crystal::new(Skeleton::builtin(skeleton).unwrap(), elements).unwrap()
    }

    /// Oracle: the bands in published decks, 24 for ClFNaLi and 114 for Sr5.
    #[test]
    fn published_bands_count_protons() {
        let settings = PwSettings {
            profile: Profile::Paper,
            ..PwSettings::default()
        };
        let all = species(&[
            ("Cl", 7.0),
            ("F", 7.0),
            ("Na", 9.0),
            ("Li", 3.0),
            ("Sr", 10.0),
        ]);
        for (crystal, bands) in [
            (fill("C6", &["Na", "Cl", "F", "Li"]), 24),
            (fill("C2", &["Sr"; 5]), 114),
        ] {
            let structure = crystal.published_structure();
            let decks = Decks::new(&structure, &all, &settings);
            assert_eq!(decks.band_gap().system.nbnd, bands);
            assert_eq!(decks.one_relax_step().system.nbnd, bands);
        }
    }

    /// Closed form: 26 electrons fill 13 bands; pw.x adds 20 %, at least four, for metals.
    #[test]
    fn standard_bands_count_valence_electrons() {
        let settings = PwSettings::default();
        let some = species(&[("Cl", 7.0), ("F", 7.0), ("Na", 9.0), ("Li", 3.0)]);
        let structure = fill("C6", &["Na", "Cl", "F", "Li"]).structure();
        let decks = Decks::new(&structure, &some, &settings);
        assert_eq!(decks.electrons(), 26.0);
        assert!(decks.fills_whole_bands());
        assert_eq!(decks.band_gap().system.nbnd, 17);
        assert_eq!(decks.at_volume(1.0, false).system.nbnd, 17);
        assert_eq!(decks.band_gap().k_mesh, [6; 3]);
        let structure = fill("C6", &["Na", "Cl", "F", "F"]).structure();
        assert!(Decks::new(&structure, &some, &settings).fills_whole_bands());
        let structure = fill("C6", &["Na", "Na", "Cl", "F"]).structure();
        assert!(Decks::new(&structure, &some, &settings).fills_whole_bands());
        let one_odd = species(&[("Na", 9.0), ("Cl", 7.0), ("F", 7.0), ("Be", 4.0)]);
        let structure = fill("C6", &["Na", "Be", "Cl", "F"]).structure();
        assert!(!Decks::new(&structure, &one_odd, &settings).fills_whole_bands());
    }

    #[test]
    fn a_volume_factor_scales_the_cell_only() {
        let settings = PwSettings::default();
        let some = species(&[("Cl", 7.0), ("F", 7.0), ("Na", 9.0), ("Li", 3.0)]);
        let structure = fill("C6", &["Na", "Cl", "F", "Li"]).structure();
        let decks = Decks::new(&structure, &some, &settings);
        let [there, here] = [1.02, 1.0].map(|factor| decks.at_volume(factor, false));
        assert_eq!(there.positions, here.positions);
        assert_eq!(there.k_mesh, here.k_mesh);
        let ratio = there.lattice_ang[2][2] / here.lattice_ang[2][2];
        assert!((ratio.powi(3) - 1.02).abs() < 1e-14);
        assert_eq!(here.lattice_ang, structure.lattice.vectors());
    }
}
