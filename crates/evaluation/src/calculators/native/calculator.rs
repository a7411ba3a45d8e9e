//! The calculator: what its numbers depend on, and what it is asked for.

use std::{collections::BTreeMap, time::Instant};

use crystalgym_crystal::{Crystal, Element, Structure};
use crystalgym_dft::Smearing;
use crystalgym_pseudopotential::Cutoffs;
use serde::Serialize;

use super::{
    computation::Computation,
    gap_settings::{GapKind, GapSettings},
    settings::{BulkModulusDefinition, InvalidNativeSettings, NativeSettings, Verdict},
    species::{KnownSpecies, SpeciesLibrary, SpeciesSource, largest_gth},
};
use crate::{
    Accuracy, BUILT_IN, CalculationSettings, Calculator, CalculatorError, CancelToken,
    EquationOfStateLimits, Failure, Fingerprint, Ions, Outcome, Property, Values,
    calculators::needs_references::needs_references, gth_error,
};

/// To be raised when a change of the engine moves its numbers by more than the SCF's convergence, or
/// lets crystals converge that did not, so that stored results are computed anew.
///
/// The last changes: drafts in a smaller box and a smaller first step of the mixing, whose other path
/// lets some crystals converge that did not, and the reverse; before, crystals are computed in their
/// canonical cell, whose origin is another (the verdict `paper` keeps the cell); before that, files with
/// core charges (exchange and correlation of negative densities) and fully relativistic ones
/// (projectors averaged over j).
fn engine_numbers(verdict: Verdict, potentials: &[KnownSpecies]) -> u32 {
    let is_changed = |known: &KnownSpecies| {
        let potential = &known.potential;
        potential.has_core_charge() || potential.is_spin_orbit_average()
    };
    match verdict {
        Verdict::Paper if potentials.iter().any(is_changed) => 4,
        Verdict::Paper => 3,
        Verdict::Engine => 6,
    }
}

/// Properties by the project's own plane-wave engine, in process: nothing to install.
///
/// | property | calculations | occupations |
/// |---|---|---|
/// | band gap | one SCF, with [`GapKind::Path`] bands on its density besides | fixed |
/// | bulk modulus | five SCF at 0.98 to 1.02 of the volume, two at other cutoffs | smearing |
/// | density | one SCF, and the first step of pw.x's `vc-relax` by its forces and stress | smearing |
/// | shear modulus | one SCF, two for each strain that symmetry needs, two at other cutoffs | smearing |
/// | energy | one SCF | smearing |
///
/// Every calculation is on the crystal's exact geometry with its full symmetry. What counts as a
/// failure is the [`Verdict`]'s choice.
#[derive(Debug)]
pub struct NativeCalculator {
    settings: NativeSettings,
    library: SpeciesLibrary,
}

impl NativeCalculator {
    /// A calculator with these settings and pseudopotentials.
    ///
    /// # Errors
    /// [`InvalidNativeSettings`] for a number that no calculation can use.
    pub fn new(
        settings: NativeSettings,
        source: SpeciesSource,
    ) -> Result<Self, InvalidNativeSettings> {
        settings.validate()?;
        Ok(Self {
            settings,
            library: SpeciesLibrary::new(source),
        })
    }

    pub(super) fn library(&self) -> &SpeciesLibrary {
        &self.library
    }

    /// The settings.
    pub fn settings(&self) -> &NativeSettings {
        &self.settings
    }
}

/// What the fingerprint holds; only what can change the outcome of the property.
#[derive(Serialize)]
struct Identity<'a> {
    program: &'static str,
    numbers: u32,
    pseudopotentials: BTreeMap<&'static str, String>,
    ecutwfc_ry: f64,
    ecutrho_ry: f64,
    kppa: f64,
    convergence_ry: f64,
    max_iterations: usize,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    smearing: Option<(Smearing, f64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    equation_of_state: Option<(f64, &'a EquationOfStateLimits)>,
    /// What is called the bulk modulus, unless the paper's.
    #[serde(skip_serializing_if = "Option::is_none")]
    bulk_modulus: Option<BulkModulusDefinition>,
    /// How energies at several volumes are made to lie on one curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    volumes: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stress_convergence_ry: Option<f64>,
    /// Whose levels the gap is between, unless the paper's.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<&'a GapSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strains: Option<(f64, Ions)>,
    /// The mesh of the rule, made even.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    even_mesh: bool,
    /// For properties with a stress: that of a fixed cutoff.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pulay_correction: bool,
}

impl Calculator for NativeCalculator {
    fn name(&self) -> &str {
        "native"
    }

    fn travelling_settings(&self) -> Option<serde_json::Value> {
        let native = NativeSettings {
            threads: NativeSettings::default().threads,
            ..self.settings.clone()
        };
        Some(serde_json::json!({
            "name": self.name(),
            "pseudopotentials": self.library.family_name(),
            "native": native,
        }))
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        let settings = &self.settings;
        let cutoffs = self.library.cutoffs(elements, settings).ok();
        let species: Vec<_> = elements
            .iter()
            .map(|&element| (element.symbol(), self.library.species(element).ok()))
            .collect();
        let known: Vec<_> = species
            .iter()
            .filter_map(|(_, known)| known.clone())
            .collect();
        let identities = species.into_iter().map(|(symbol, known)| {
            (
                symbol,
                known.map_or_else(String::new, |known| known.identity),
            )
        });
        let is_bulk_modulus = property == Property::BulkModulus;
        let identity = Identity {
            program: "crystalgym-dft",
            numbers: engine_numbers(settings.verdict, &known),
            pseudopotentials: identities.collect(),
            ecutwfc_ry: cutoffs.map_or(0.0, |cutoffs| cutoffs.ecutwfc_ry),
            ecutrho_ry: cutoffs.map_or(0.0, |cutoffs| cutoffs.ecutrho_ry),
            kppa: settings.kppa(),
            convergence_ry: settings.convergence_ry,
            max_iterations: settings.max_iterations,
            verdict: settings.verdict,
            smearing: (!property.facts().fixed_occupations)
                .then_some((settings.smearing, settings.degauss_ry)),
            equation_of_state: is_bulk_modulus.then_some((
                settings.derivative_convergence_ry,
                &settings.equation_of_state,
            )),
            bulk_modulus: Some(settings.bulk_modulus)
                .filter(|&of| is_bulk_modulus && of != BulkModulusDefinition::default()),
            volumes: match property {
                Property::BulkModulus => Some("plane waves of the given volume, corrected"),
                Property::ShearModulus => Some("cutoff, the change of the basis corrected"),
                Property::BandGap
                | Property::Density
                | Property::Energy
                | Property::FormationEnergy
                | Property::EnergyAboveHull => None,
            }
            .filter(|_| settings.has_fixed_plane_waves())
            .or((is_bulk_modulus && settings.verdict == Verdict::Paper).then_some("ev.x")),
            stress_convergence_ry: matches!(property, Property::Density | Property::ShearModulus)
                .then_some(settings.derivative_convergence_ry),
            gap: Some(&settings.gap)
                .filter(|gap| property == Property::BandGap && gap.kind != GapKind::Mesh),
            strains: (property == Property::ShearModulus)
                .then_some((settings.elastic_strain, settings.ions)),
            even_mesh: settings.has_even_mesh(),
            pulay_correction: property != Property::BandGap
                && !property.is_energy()
                && settings.corrects_stress(),
        };
        // Numbers and strings only: writing them as JSON cannot fail.
        Fingerprint(serde_json::to_string(&identity).unwrap_or_default())
    }

    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        let error = |failure: Failure| CalculatorError {
            calculator: self.name().to_owned(),
            message: failure.message,
        };
        if property.is_relative() {
            return Err(error(needs_references(property)));
        }
        self.library
            .cutoffs(elements, &self.settings)
            .map(|_| ())
            .map_err(error)
    }

    fn calculation_settings(&self, structure: &Structure) -> Option<CalculationSettings> {
        let settings = &self.settings;
        let elements = &structure.elements;
        let cutoffs = self.library.cutoffs(elements, settings).ok()?;
        let (pseudopotentials, needs, stated_error) = match self.library.source() {
            SpeciesSource::Gth => {
                let ecutwfc_ry = largest_gth(elements, Accuracy::Balanced);
                let needs = Cutoffs {
                    ecutwfc_ry,
                    ecutrho_ry: 4.0 * ecutwfc_ry,
                };
                let error = gth_error(elements, cutoffs.ecutwfc_ry, settings.corrects_stress());
                (BUILT_IN.to_owned(), Some(needs), Some(error))
            }
            SpeciesSource::Family(family) => {
                let name = family.name().to_owned();
                (name, self.library.recommended(elements), None)
            }
        };
        Some(CalculationSettings {
            pseudopotentials,
            accuracy: Some(settings.accuracy),
            ecutwfc_ry: cutoffs.ecutwfc_ry,
            ecutrho_ry: cutoffs.ecutrho_ry,
            needed_ecutwfc_ry: needs.map(|needs| needs.ecutwfc_ry),
            needed_ecutrho_ry: needs.map(|needs| needs.ecutrho_ry),
            kppa: settings.kppa(),
            k_mesh: settings.k_divisions(&structure.lattice, elements.len()),
            stated_error,
        })
    }

    /// What `pw.x` makes of the published decks depends on their cell: its electrons, its k-points.
    fn keeps_the_cell(&self) -> bool {
        self.settings.verdict == Verdict::Paper
    }

    /// By forces to 5 meV/Å and stress to 0.1 GPa, at the cutoffs and divisions of the given cell.
    fn relax(&self, crystal: &Crystal, cancel: &CancelToken) -> Result<Structure, Failure> {
        let (settings, library) = (&self.settings, &self.library);
        Computation::new(settings, library, crystal, cancel, Instant::now()).relax()
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        let start = Instant::now();
        let mut computation =
            Computation::new(&self.settings, &self.library, crystal, cancel, start);
        let computed = computation.compute(property);
        let scf_iterations = computation.scf_iterations();
        let seconds = start.elapsed().as_secs_f64();
        match computed {
            Ok(values) => Outcome::Success(Values {
                volume_ang3: crystal.skeleton().lattice.volume(),
                rigid_density_g_cm3: crystal.rigid_density_g_cm3(),
                scf_iterations,
                seconds,
                ..values
            }),
            Err(failure) => Outcome::Failure(Failure {
                scf_iterations,
                seconds,
                ..failure
            }),
        }
    }
}
