//! Properties by the user's pw.x.

mod shear_modulus;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crystalgym_crystal::{Crystal, Element, Structure, automatic_density};
use crystalgym_pseudopotential::{Cutoffs, Pseudopotential, PseudopotentialFamily};
use crystalgym_qe::{
    BOHR_ANG, Decks, EV_PER_RY, EvFit, InvalidPwSettings, Profile, PwFailure, PwFailureKind,
    PwInput, PwRun, PwRunner, PwSettings, PwSpecies, ScfCycle, SettingRange,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    ev_x_lattice::published_lattice, native::odd_limit, needs_references::needs_references,
};
use crate::{
    CalculationSettings, Calculator, CalculatorError, CancelToken, EquationOfStateFit,
    EquationOfStateLimits, Failure, FailureCode, Fingerprint, Ions, Outcome, Property, Values,
    elasticity::{DEFAULT_ELASTIC_STRAIN, ELASTIC_STRAIN},
    fit_murnaghan,
};

/// Volumes of the equation of state relative to the cell's.
const VOLUME_FACTORS: [f64; 5] = [0.98, 0.99, 1.0, 1.01, 1.02];
const GPA_PER_KBAR: f64 = 0.1;

/// Settings of [`QeCalculator`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct QeSettings {
    /// Program and arguments, such as `["mpirun", "-np", "2", "pw.x", "-nk", "2"]`.
    pub command: Vec<String>,
    /// The `ev.x` command, for the bulk modulus of the paper profile.
    pub ev_command: Vec<String>,
    /// What decides the numbers.
    pub pw: PwSettings,
    /// What a fitted equation of state must fulfil (standard profile).
    pub equation_of_state: EquationOfStateLimits,
    /// Amplitude of the strains that a shear modulus is measured with.
    pub elastic_strain: f64,
    /// What the atoms do in strained cells, for the shear modulus.
    pub ions: Ions,
    /// Wall time of one pw.x run in seconds; none for no limit.
    pub time_limit_seconds: Option<f64>,
    /// Folder for scratch folders; the system's temporary folder if none.
    pub scratch: Option<PathBuf>,
    /// Keep the scratch folders with decks and outputs.
    pub keep_scratch: bool,
    /// Environment variables for pw.x.
    pub environment: BTreeMap<String, String>,
}

impl QeSettings {
    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// [`InvalidPwSettings`] for the first that does not.
    pub fn validate(&self) -> Result<(), InvalidPwSettings> {
        self.pw.validate()?;
        let limit = self.time_limit_seconds.map(|limit| {
            let range = SettingRange::TIME_SECONDS;
            ("time_limit_seconds", limit, range)
        });
        let strain = ("elastic_strain", self.elastic_strain, ELASTIC_STRAIN);
        let mut numbers = limit.into_iter().chain([strain]);
        let odd = numbers.find(|(_, value, range)| !range.contains(*value));
        match odd.or_else(|| odd_limit(&self.equation_of_state)) {
            None => Ok(()),
            Some((field, value, range)) => Err(InvalidPwSettings {
                field,
                value,
                expected: range.to_string(),
            }),
        }
    }
}

impl Serialize for QeSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// Numbers out of range are refused.
impl<'de> Deserialize<'de> for QeSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let settings = Self::deserialize(deserializer)?;
        settings.validate().map_err(D::Error::custom)?;
        Ok(settings)
    }
}

impl Default for QeSettings {
    fn default() -> Self {
        Self {
            command: vec!["pw.x".to_owned()],
            ev_command: vec!["ev.x".to_owned()],
            pw: PwSettings::default(),
            equation_of_state: EquationOfStateLimits::default(),
            elastic_strain: DEFAULT_ELASTIC_STRAIN,
            ions: Ions::default(),
            time_limit_seconds: Some(3600.0),
            scratch: None,
            keep_scratch: false,
            environment: BTreeMap::new(),
        }
    }
}

/// Properties by Quantum ESPRESSO's pw.x, one or several runs each.
///
/// | property | runs | occupations |
/// |---|---|---|
/// | band gap | one SCF | fixed |
/// | bulk modulus | five SCF at 0.98 to 1.02 of the volume | smearing |
/// | density | one BFGS step of ions and cell | smearing |
/// | shear modulus | one SCF, and two for each strain that symmetry needs | smearing |
/// | energy | one SCF | smearing |
///
/// The [`Profile`] decides the details. `standard` turns the exactly symmetric cell along pw.x's
/// axes, counts bands by valence electrons, fits Murnaghan's equation of state to true volumes and
/// checks it, and knows without a run that fixed occupations cannot hold an odd number of
/// electrons. `paper` follows the published decks: positions and cell as listed, bands by atomic
/// numbers, and the bulk modulus that `ev.x` prints for the published input. That input gives
/// V^(1/3) of the *primitive* cell as the edge of the conventional one, which inflates the modulus
/// four times for space group 225 and twice for 229; and away from equilibrium `ev.x` often stops
/// before convergence, with a result far from the best fit.
#[derive(Debug)]
pub struct QeCalculator {
    settings: QeSettings,
    family: Arc<PseudopotentialFamily>,
    runner: PwRunner,
    /// Asked for once; a failure is not kept.
    version: Mutex<Option<String>>,
}

impl QeCalculator {
    /// A calculator with the pseudopotentials of `family`.
    ///
    /// # Errors
    /// [`InvalidPwSettings`] for a number that no calculation can use.
    pub fn new(
        settings: QeSettings,
        family: Arc<PseudopotentialFamily>,
    ) -> Result<Self, InvalidPwSettings> {
        settings.validate()?;
        let time_limit = settings.time_limit_seconds.map(Duration::from_secs_f64);
        let runner = PwRunner {
            command: settings.command.clone(),
            scratch_parent: settings.scratch.clone(),
            keep_scratch: settings.keep_scratch,
            time_limit,
            environment: settings.environment.clone(),
            ..PwRunner::default()
        };
        Ok(Self {
            settings,
            family,
            runner,
            version: Mutex::new(None),
        })
    }

    /// The settings.
    pub fn settings(&self) -> &QeSettings {
        &self.settings
    }

    /// Version of pw.x, such as `6.7MaX`.
    ///
    /// # Errors
    /// [`PwFailure`] if the command cannot be started or is not pw.x.
    pub fn program_version(&self) -> Result<String, PwFailure> {
        let mut version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*version {
            return Ok(known.clone());
        }
        let found = self.runner.version()?;
        *version = Some(found.clone());
        Ok(found)
    }
}

/// What the fingerprint holds; only what can change the outcome of the property.
#[derive(Serialize)]
struct Identity<'a> {
    program: &'static str,
    version: String,
    pw: &'a PwSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    equation_of_state: Option<&'a EquationOfStateLimits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strains: Option<(f64, Ions)>,
    pseudopotentials_md5: BTreeMap<&'static str, String>,
}

impl Calculator for QeCalculator {
    fn name(&self) -> &str {
        "qe"
    }

    fn travelling_settings(&self) -> Option<serde_json::Value> {
        let usual = QeSettings::default();
        let qe = QeSettings {
            command: usual.command,
            ev_command: usual.ev_command,
            scratch: usual.scratch,
            keep_scratch: usual.keep_scratch,
            environment: usual.environment,
            ..self.settings.clone()
        };
        Some(serde_json::json!({
            "name": self.name(),
            "pseudopotentials": self.family.name(),
            "qe": qe,
        }))
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        let identity = Identity {
            program: "pw.x",
            version: self.program_version().unwrap_or_default(),
            pw: &self.settings.pw,
            equation_of_state: (property == Property::BulkModulus)
                .then_some(&self.settings.equation_of_state),
            strains: (property == Property::ShearModulus)
                .then_some((self.settings.elastic_strain, self.settings.ions)),
            pseudopotentials_md5: elements
                .iter()
                .map(|&element| {
                    let md5 = self.family.pseudopotential(element).map(|found| found.md5);
                    (element.symbol(), md5.unwrap_or_default())
                })
                .collect(),
        };
        // Numbers and strings only: writing them as JSON cannot fail.
        Fingerprint(serde_json::to_string(&identity).unwrap_or_default())
    }

    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        let error = |message: String| CalculatorError {
            calculator: self.name().to_owned(),
            message,
        };
        if property.is_relative() {
            return Err(error(needs_references(property).message));
        }
        self.program_version()
            .map_err(|failure| error(failure.message))?;
        for &element in elements {
            self.family
                .pseudopotential(element)
                .map_err(|cause| error(cause.to_string()))?;
        }
        Ok(())
    }

    fn calculation_settings(&self, structure: &Structure) -> Option<CalculationSettings> {
        let pw = &self.settings.pw;
        let known = structure.elements.iter();
        let known = known.filter_map(|&element| self.family.pseudopotential(element).ok()?.cutoffs);
        let needs = known.reduce(|a, b| Cutoffs {
            ecutwfc_ry: a.ecutwfc_ry.max(b.ecutwfc_ry),
            ecutrho_ry: a.ecutrho_ry.max(b.ecutrho_ry),
        });
        Some(CalculationSettings {
            pseudopotentials: self.family.name().to_owned(),
            accuracy: None,
            ecutwfc_ry: pw.ecutwfc_ry,
            ecutrho_ry: pw.ecutrho_ry,
            needed_ecutwfc_ry: needs.map(|needs| needs.ecutwfc_ry),
            needed_ecutrho_ry: needs.map(|needs| needs.ecutrho_ry),
            kppa: pw.kppa,
            k_mesh: automatic_density(&structure.lattice, structure.elements.len(), pw.kppa),
            stated_error: None,
        })
    }

    /// The published decks list a cell and its positions.
    fn keeps_the_cell(&self) -> bool {
        self.settings.pw.profile == Profile::Paper
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        let mut computation = Computation {
            calculator: self,
            crystal,
            cancel,
            pseudopotentials: Vec::new(),
            scf_iterations: 0,
            seconds: 0.0,
        };
        match computation.compute(property) {
            Ok(values) => Outcome::Success(Values {
                volume_ang3: crystal.skeleton().lattice.volume(),
                rigid_density_g_cm3: crystal.rigid_density_g_cm3(),
                scf_iterations: computation.scf_iterations,
                seconds: computation.seconds,
                ..values
            }),
            Err(failure) => Outcome::Failure(Failure {
                scf_iterations: computation.scf_iterations,
                seconds: computation.seconds,
                ..failure
            }),
        }
    }
}

/// One computation under way.
struct Computation<'a> {
    calculator: &'a QeCalculator,
    crystal: &'a Crystal,
    cancel: &'a CancelToken,
    pseudopotentials: Vec<Pseudopotential>,
    scf_iterations: u32,
    seconds: f64,
}

impl Computation<'_> {
    fn compute(&mut self, property: Property) -> Result<Values, Failure> {
        self.pseudopotentials = self.find_pseudopotentials()?;
        let species: Vec<PwSpecies> = self
            .pseudopotentials
            .iter()
            .map(|found| PwSpecies {
                element: found.element,
                z_valence: found.z_valence,
            })
            .collect();
        let structure = self.structure()?;
        let decks = Decks::new(&structure, &species, &self.calculator.settings.pw);
        match property {
            Property::ShearModulus => self.shear_modulus(&structure, &decks),
            Property::BandGap => self.band_gap(&decks),
            Property::BulkModulus => self.bulk_modulus(&decks),
            Property::Density => self.density(&decks),
            Property::Energy => self.energy(&decks),
            Property::FormationEnergy | Property::EnergyAboveHull => {
                Err(needs_references(property))
            }
        }
    }

    fn energy(&mut self, decks: &Decks) -> Result<Values, Failure> {
        let run = self.run(&decks.at_volume(1.0, false))?;
        let found = values(&run, first_cycle(&run)?);
        let energy_ev = found.total_energy_ev.ok_or_else(|| {
            Failure::new(
                FailureCode::UnreadableOutput,
                "pw.x printed no total energy",
            )
        })?;
        Ok(Values {
            value: energy_ev / self.crystal.elements().len() as f64,
            ..found
        })
    }

    fn find_pseudopotentials(&self) -> Result<Vec<Pseudopotential>, Failure> {
        let mut found: Vec<Pseudopotential> = Vec::new();
        for &element in self.crystal.elements() {
            if found.iter().all(|known| known.element != element) {
                let pseudopotential =
                    self.calculator
                        .family
                        .pseudopotential(element)
                        .map_err(|error| {
                            Failure::new(FailureCode::MissingPseudopotential, error.to_string())
                        })?;
                found.push(pseudopotential);
            }
        }
        Ok(found)
    }

    fn profile(&self) -> Profile {
        self.calculator.settings.pw.profile
    }

    fn structure(&self) -> Result<Structure, Failure> {
        match self.profile() {
            Profile::Paper => Ok(self.crystal.published_structure()),
            Profile::Standard => self
                .crystal
                .oriented_structure()
                .map_err(|error| Failure::new(FailureCode::BadGeometry, error.to_string())),
        }
    }

    fn band_gap(&mut self, decks: &Decks) -> Result<Values, Failure> {
        if self.profile() == Profile::Standard && !decks.fills_whole_bands() {
            return Err(Failure::new(
                FailureCode::OddElectronCount,
                format!(
                    "{} valence electrons cannot fill whole bands, expected an even number",
                    decks.electrons()
                ),
            ));
        }
        let run = self.run(&decks.band_gap())?;
        let cycle = first_cycle(&run)?;
        let (Some(homo), Some(lumo)) = (cycle.homo_ev, cycle.lumo_ev) else {
            return Err(Failure::new(
                FailureCode::NoBandEdges,
                "pw.x printed no highest occupied and lowest unoccupied level",
            ));
        };
        Ok(Values {
            value: (lumo - homo).max(0.0),
            ..values(&run, cycle)
        })
    }

    fn bulk_modulus(&mut self, decks: &Decks) -> Result<Values, Failure> {
        let lattice = match self.profile() {
            Profile::Paper => Some(self.published_lattice()?),
            Profile::Standard => None,
        };
        // The given volume first: a crystal that fails there needs no other run.
        let given = self.run(&decks.at_volume(1.0, true))?;
        let mut result = values(&given, first_cycle(&given)?);
        let mut energies_ev = Vec::with_capacity(VOLUME_FACTORS.len());
        for factor in VOLUME_FACTORS {
            let energy = if factor == 1.0 {
                result.total_energy_ev
            } else {
                let run = self.run(&decks.at_volume(factor, false))?;
                first_cycle(&run)?
                    .total_energy_ry
                    .map(|energy| energy * EV_PER_RY)
            };
            energies_ev.extend(energy);
        }
        let volume = self.crystal.skeleton().lattice.volume();
        let volumes = VOLUME_FACTORS.map(|factor| factor * volume);
        let fit = match lattice {
            None => self.checked_fit(&volumes, &energies_ev, volume)?,
            Some(lattice) => self.published_fit(&volumes, &energies_ev, lattice)?,
        };
        result.value = fit.bulk_modulus_gpa;
        result.equation_of_state = Some(Box::new(fit));
        Ok(result)
    }

    fn checked_fit(
        &self,
        volumes_ang3: &[f64],
        energies_ev: &[f64],
        reference_ang3: f64,
    ) -> Result<EquationOfStateFit, Failure> {
        let limits = &self.calculator.settings.equation_of_state;
        fit_murnaghan(volumes_ang3, energies_ev, reference_ang3)
            .and_then(|fit| limits.check(&fit, reference_ang3).map(|()| fit))
            .map_err(|error| Failure::new(FailureCode::BadEquationOfState, error.to_string()))
    }

    /// What the published environment tells `ev.x` about each space group.
    fn published_lattice(&self) -> Result<(&'static str, f64), Failure> {
        let number = self.crystal.skeleton().source.space_group_number;
        published_lattice(number).ok_or_else(|| {
            Failure::new(
                FailureCode::UnsupportedProperty,
                format!(
                    "the published equation of state knows the space groups 200, 215, 221, 225 \
                     and 229, not {number}"
                ),
            )
        })
    }

    fn published_fit(
        &self,
        volumes_ang3: &[f64],
        energies_ev: &[f64],
        (lattice_word, cells_per_cube): (&str, f64),
    ) -> Result<EquationOfStateFit, Failure> {
        let rows: Vec<(f64, f64)> = volumes_ang3
            .iter()
            .zip(energies_ev)
            .map(|(volume, energy)| (volume.cbrt(), energy / EV_PER_RY))
            .collect();
        let fit = EvFit::run(&self.calculator.settings.ev_command, lattice_word, &rows).map_err(
            |failure| {
                let code = match failure.kind {
                    PwFailureKind::UnreadableOutput => FailureCode::BadEquationOfState,
                    kind => code(kind),
                };
                Failure::new(code, failure.message)
            },
        )?;
        let reference = volumes_ang3.get(2).copied().unwrap_or_default() / cells_per_cube;
        let compression = fit.equilibrium_volume_ang3 / reference;
        Ok(EquationOfStateFit {
            volumes_ang3: volumes_ang3.to_vec(),
            energies_ev: energies_ev.to_vec(),
            equilibrium_volume_ang3: fit.equilibrium_volume_ang3,
            bulk_modulus_gpa: fit.bulk_modulus_gpa,
            bulk_modulus_derivative: fit.bulk_modulus_derivative,
            rms_residual_ev: fit.rms_residual_ev,
            // Murnaghan: B(V) = B₀ (V₀/V)^B'.
            modulus_at_reference_gpa: fit.bulk_modulus_gpa
                * compression.powf(fit.bulk_modulus_derivative),
        })
    }

    fn density(&mut self, decks: &Decks) -> Result<Values, Failure> {
        let run = self.run(&decks.one_relax_step())?;
        let step = run.output.relax_steps.first();
        let printed = step.and_then(|step| step.density_g_cm3);
        let density = match (self.profile(), step.and_then(|step| step.volume_bohr3)) {
            // The volume has more digits than the printed density.
            (Profile::Standard, Some(volume_bohr3)) => {
                let ratio =
                    self.crystal.skeleton().lattice.volume() / (volume_bohr3 * BOHR_ANG.powi(3));
                Some(self.crystal.rigid_density_g_cm3() * ratio)
            }
            _ => printed,
        };
        let value = density.ok_or_else(|| {
            Failure::new(
                FailureCode::UnreadableOutput,
                "pw.x printed no density after the first step",
            )
        })?;
        Ok(Values {
            value,
            ..values(&run, first_cycle(&run)?)
        })
    }

    fn run(&mut self, input: &PwInput) -> Result<PwRun, Failure> {
        let files: Vec<(String, PathBuf)> = self
            .pseudopotentials
            .iter()
            .map(|found| (format!("{}.upf", found.element), found.path.clone()))
            .collect();
        let cancel = self.cancel;
        let result = self
            .calculator
            .runner
            .run(input, &files, &|| cancel.is_cancelled());
        let (output, seconds) = match &result {
            Ok(run) => (&run.output, run.seconds),
            Err(failure) => (&*failure.output, failure.seconds),
        };
        self.scf_iterations += output.scf_iterations();
        self.seconds += seconds;
        result.map_err(|failure| Failure::new(code(failure.kind), failure.message))
    }
}

fn first_cycle(run: &PwRun) -> Result<&ScfCycle, Failure> {
    run.output
        .scf_cycles
        .first()
        .ok_or_else(|| Failure::new(FailureCode::UnreadableOutput, "pw.x printed no SCF cycle"))
}

fn values(run: &PwRun, cycle: &ScfCycle) -> Values {
    Values {
        total_energy_ev: cycle.total_energy_ry.map(|energy| energy * EV_PER_RY),
        homo_ev: cycle.homo_ev,
        lumo_ev: cycle.lumo_ev,
        fermi_ev: cycle.fermi_ev,
        pressure_gpa: cycle.pressure_kbar.map(|pressure| pressure * GPA_PER_KBAR),
        symmetry_operations: run.output.symmetry_operations,
        k_points: run.output.k_points,
        ..Values::default()
    }
}

fn code(kind: PwFailureKind) -> FailureCode {
    match kind {
        PwFailureKind::ScfNotConverged => FailureCode::ScfNotConverged,
        PwFailureKind::WrongCharge => FailureCode::WrongCharge,
        PwFailureKind::DiagonalizationFailed => FailureCode::DiagonalizationFailed,
        PwFailureKind::BadGeometry => FailureCode::BadGeometry,
        PwFailureKind::MissingPseudopotential => FailureCode::MissingPseudopotential,
        PwFailureKind::ProgramError => FailureCode::ProgramError,
        PwFailureKind::ProgramNotFound => FailureCode::ProgramNotFound,
        PwFailureKind::Killed => FailureCode::Killed,
        PwFailureKind::Crashed => FailureCode::Crashed,
        PwFailureKind::TimeLimit => FailureCode::TimeLimit,
        PwFailureKind::Cancelled => FailureCode::Cancelled,
        PwFailureKind::ScratchUnavailable => FailureCode::ScratchUnavailable,
        _ => FailureCode::UnreadableOutput,
    }
}
