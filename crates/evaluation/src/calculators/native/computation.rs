//! One computation: a property from one or several self-consistent fields.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crystalgym_crystal::{Crystal, Structure};
use crystalgym_dft::{
    BOHR_ANG, Cancellation, DftError, Discretisation, HARTREE_EV, HARTREE_PER_BOHR3_GPA, KMesh,
    Mixing, Model, Neighbours, Occupations, PlaneWaveBasis, ScfControl, ScfEnd, ScfOptions,
    ScfResult, SetUp, StartingPoint, first_variable_cell_step, forces_and_stress_unless, pressure,
    self_consistent_field, self_consistent_field_near,
};
use crystalgym_pseudopotential::Cutoffs;

use super::{
    settings::{NativeSettings, Verdict},
    species::{KnownSpecies, SpeciesLibrary},
};
use crate::{
    CancelToken, Failure, FailureCode, Property, Values,
    calculators::needs_references::needs_references, pulay::pulay_pressure,
};

const HARTREE_PER_RY: f64 = 0.5;
/// How pw.x mixes densities in the published decks.
const PUBLISHED_MIXING: Mixing = Mixing {
    damping: 0.7,
    first_damping: 0.7,
    history: 8,
    kerker_wave_number: 0.0,
    // As good as none; with none rounding can leave steps without a solution.
    regularisation: 1e-12,
};
const PUBLISHED_ITERATIONS: usize = 300;
const PUBLISHED_CONVERGENCE_RY: f64 = 1e-6;

/// One computation under way.
pub(super) struct Computation<'a> {
    pub(super) settings: &'a NativeSettings,
    library: &'a SpeciesLibrary,
    pub(super) crystal: &'a Crystal,
    cancel: &'a CancelToken,
    deadline: Option<Instant>,
    scf_iterations: u32,
}

/// What does not change from one volume to the next.
pub(super) struct Ingredients {
    /// Pseudopotentials of the elements in ascending order.
    species: Vec<KnownSpecies>,
    cutoffs: Cutoffs,
}

/// Where a calculation is made: multiples of the cell's volume and of the cutoffs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) volume: f64,
    pub(super) cutoff: f64,
}

impl Scale {
    /// The given cell and cutoffs.
    pub(super) const GIVEN: Self = Self {
        volume: 1.0,
        cutoff: 1.0,
    };
}

/// A converged calculation.
pub(super) struct Solved {
    pub(super) basis: PlaneWaveBasis,
    pub(super) result: ScfResult,
}

impl<'a> Computation<'a> {
    pub(super) fn new(
        settings: &'a NativeSettings,
        library: &'a SpeciesLibrary,
        crystal: &'a Crystal,
        cancel: &'a CancelToken,
        start: Instant,
    ) -> Self {
        let limit = settings
            .time_limit_seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Self {
            settings,
            library,
            crystal,
            cancel,
            deadline: limit.and_then(|limit| start.checked_add(limit)),
            scf_iterations: 0,
        }
    }

    /// SCF iterations so far.
    pub(super) fn scf_iterations(&self) -> u32 {
        self.scf_iterations
    }

    pub(super) fn compute(&mut self, property: Property) -> Result<Values, Failure> {
        match property {
            Property::BandGap => self.band_gap(),
            Property::BulkModulus => self.bulk_modulus(),
            Property::Density => self.density(),
            Property::ShearModulus => self.shear_modulus(),
            Property::Energy => self.energy(),
            Property::FormationEnergy | Property::EnergyAboveHull => {
                Err(needs_references(property))
            }
        }
    }

    /// The energy per atom.
    fn energy(&mut self) -> Result<Values, Failure> {
        let ingredients = self.ingredients()?;
        let convergence_ry = self.convergence_ry(self.settings.convergence_ry);
        let occupations = self.smeared();
        let solved = self.solve(
            Scale::GIVEN,
            &ingredients,
            occupations,
            convergence_ry,
            None,
        )?;
        Ok(Values {
            value: solved.energy_ev() / self.crystal.elements().len() as f64,
            ..solved.values()
        })
    }

    /// The density after the first step of `pw.x`'s variable-cell relaxation, as published.
    fn density(&mut self) -> Result<Values, Failure> {
        let ingredients = self.ingredients()?;
        let settings = self.settings;
        let convergence_ry = self.convergence_ry(settings.derivative_convergence_ry);
        let occupations = self.smeared();
        let solved = self.solve(
            Scale::GIVEN,
            &ingredients,
            occupations,
            convergence_ry,
            None,
        )?;
        let is_cancelled = self.is_cancelled();
        let (forces, stress) = forces_and_stress_unless(
            Cancellation::by(&is_cancelled),
            &solved.basis,
            &solved.result,
            settings.threads,
        )
        .map_err(|error| self.invalid(error))?;
        let (values, model) = (solved.values(), solved.basis.model().clone());
        let correction = match settings.corrects_stress() {
            true => {
                let slope_ev =
                    self.basis_set_slope_ev(&ingredients, &solved.into_starting_point())?;
                pulay_pressure(slope_ev / HARTREE_EV, model.cell.volume())
            }
            false => 0.0,
        };
        let stress = under_pressure(stress, correction);
        let moved = first_variable_cell_step(&model, &forces, &stress)
            .map_err(|error| self.invalid(error))?;
        let compression = model.cell.volume() / moved.cell.volume();
        Ok(Values {
            value: self.crystal.rigid_density_g_cm3() * compression,
            pressure_gpa: Some(pressure(&stress) * HARTREE_PER_BOHR3_GPA),
            is_cell_step_limited: Some(moved.is_limited),
            ..values
        })
    }

    /// Whether the caller wants it to end, or its time is over.
    pub(super) fn is_cancelled(&self) -> impl Fn() -> bool + Sync + use<'a> {
        let (cancel, deadline) = (self.cancel, self.deadline);
        let is_late = move || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        move || cancel.is_cancelled() || is_late()
    }

    /// How far it has come, in words.
    fn progress(&self) -> String {
        match self.scf_iterations {
            0 => "before the first SCF iteration".to_owned(),
            iterations => format!("after {iterations} SCF iterations"),
        }
    }

    pub(super) fn smeared(&self) -> Occupations {
        let settings = self.settings;
        Occupations::Smeared {
            smearing: settings.smearing,
            width_ha: settings.degauss_ry * HARTREE_PER_RY,
        }
    }

    pub(super) fn convergence_ry(&self, own: f64) -> f64 {
        match self.settings.verdict {
            Verdict::Engine => own,
            Verdict::Paper => own.min(PUBLISHED_CONVERGENCE_RY),
        }
    }

    /// One SCF, from nothing or from what another one found.
    pub(super) fn solve(
        &mut self,
        scale: Scale,
        ingredients: &Ingredients,
        occupations: Occupations,
        convergence_ry: f64,
        known: Option<Neighbours<'_>>,
    ) -> Result<Solved, Failure> {
        let structure = self.structure()?;
        let bohr_per_unit = scale.volume.cbrt() / BOHR_ANG;
        let model = self.model(&structure, bohr_per_unit, ingredients, occupations)?;
        let cutoffs = Cutoffs {
            ecutwfc_ry: scale.cutoff * ingredients.cutoffs.ecutwfc_ry,
            ecutrho_ry: scale.cutoff * ingredients.cutoffs.ecutrho_ry,
        };
        self.solve_model(model, cutoffs, convergence_ry, known)
    }

    /// One SCF of another structure of the same atoms, in Å, on the mesh of the crystal.
    pub(super) fn solve_structure(
        &mut self,
        structure: &Structure,
        ingredients: &Ingredients,
        convergence_ry: f64,
        known: Option<&StartingPoint>,
    ) -> Result<Solved, Failure> {
        let model = self.model(structure, 1.0 / BOHR_ANG, ingredients, self.smeared())?;
        let known = known.map(Neighbours::from);
        self.solve_model(model, ingredients.cutoffs, convergence_ry, known)
    }

    fn solve_model(
        &mut self,
        model: Model,
        cutoffs: Cutoffs,
        convergence_ry: f64,
        known: Option<Neighbours<'_>>,
    ) -> Result<Solved, Failure> {
        let settings = &self.settings;
        let pairs = (model.electron_count() / 2.0 - 1e-6).ceil() as usize;
        let discretisation = Discretisation {
            ecut_ha: cutoffs.ecutwfc_ry * HARTREE_PER_RY,
            ecut_density_ha: cutoffs.ecutrho_ry * HARTREE_PER_RY,
            k_mesh: KMesh::gamma_centred(self.k_divisions()),
            use_symmetry: true,
        };
        let default = ScfOptions {
            bands: (model.occupations == Occupations::Fixed).then_some(pairs + 1),
            convergence_ha: convergence_ry * HARTREE_PER_RY,
            max_iterations: settings.max_iterations,
            threads: settings.threads,
            ..ScfOptions::default()
        };
        let options = match settings.verdict {
            Verdict::Engine => default,
            Verdict::Paper => ScfOptions {
                mixing: PUBLISHED_MIXING,
                max_iterations: PUBLISHED_ITERATIONS,
                stagnation_window: None,
                // From the atoms' density, as pw.x.
                coarse_start: false,
                ..default
            },
        };
        let is_cancelled = self.is_cancelled();
        let set_up = SetUp {
            is_cancelled: Some(&is_cancelled),
            memory_limit_gib: settings.memory_limit_gib,
            threads: settings.threads,
            bands: options.bands,
        };
        let basis = PlaneWaveBasis::within(Arc::new(model), discretisation, set_up)
            .map_err(|error| self.invalid(error))?;
        let control = ScfControl {
            is_cancelled: Some(&is_cancelled),
            ..ScfControl::default()
        };
        let result = match known {
            Some(known) => self_consistent_field_near(&basis, known, &options, control),
            None => self_consistent_field(&basis, &options, control),
        }
        .map_err(|error| self.invalid(error))?;
        self.scf_iterations += result.history.len() as u32;
        match failure_of(&result, self.cancel.is_cancelled()) {
            None => Ok(Solved { basis, result }),
            Some(failure) => Err(failure),
        }
    }

    /// Volume of the given cell.
    pub(super) fn volume_bohr3(&self) -> f64 {
        self.crystal.skeleton().lattice.volume() / BOHR_ANG.powi(3)
    }

    /// Divisions of the mesh of k-points, in strained cells those of the crystal.
    pub(super) fn k_divisions(&self) -> [u32; 3] {
        let lattice = &self.crystal.skeleton().lattice;
        let sites = self.crystal.elements().len();
        self.settings.k_divisions(lattice, sites)
    }

    pub(super) fn ingredients(&self) -> Result<Ingredients, Failure> {
        let mut elements = self.crystal.elements().to_vec();
        elements.sort_unstable();
        elements.dedup();
        let library = self.library;
        Ok(Ingredients {
            cutoffs: library.cutoffs(&elements, self.settings)?,
            species: elements
                .iter()
                .map(|&element| library.species(element))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The exact geometry in the orientation that `pw.x` is given by the `qe` calculator: along the
    /// symmetry axes, and as listed by the published decks. Only the step of a density that reaches
    /// its trust radius depends on it, which is a length along x, y or z.
    pub(super) fn structure(&self) -> Result<Structure, Failure> {
        match self.settings.verdict {
            Verdict::Engine => self
                .crystal
                .oriented_structure()
                .map_err(|error| Failure::new(FailureCode::BadGeometry, error.to_string())),
            Verdict::Paper => Ok(self.crystal.structure()),
        }
    }

    fn model(
        &self,
        structure: &Structure,
        bohr_per_unit: f64,
        ingredients: &Ingredients,
        occupations: Occupations,
    ) -> Result<Model, Failure> {
        let species: Vec<_> = ingredients
            .species
            .iter()
            .map(|known| Arc::clone(&known.potential))
            .collect();
        Model::of_structure(structure, bohr_per_unit, species, occupations)
            .map_err(|error| self.invalid(error))
    }

    pub(super) fn invalid(&self, error: DftError) -> Failure {
        if error == DftError::Cancelled {
            let (code, reason) = why_stopped(self.cancel.is_cancelled());
            return Failure::new(code, format!("{reason} {}", self.progress()));
        }
        let code = match (&error, self.settings.verdict) {
            (DftError::OddElectronCount { .. }, Verdict::Engine) => FailureCode::OddElectronCount,
            (DftError::OddElectronCount { .. }, Verdict::Paper) => FailureCode::WrongCharge,
            (
                DftError::InvalidCell { .. }
                | DftError::TinyCell { .. }
                | DftError::AtomsTooClose { .. },
                _,
            ) => FailureCode::BadGeometry,
            (DftError::MixedFunctionals { .. } | DftError::NoPseudopotential { .. }, _) => {
                FailureCode::MissingPseudopotential
            }
            (DftError::TooLarge { .. }, _) => FailureCode::TooLarge,
            _ => FailureCode::ProgramError,
        };
        Failure::new(code, error.to_string())
    }
}

impl Solved {
    pub(super) fn energy_ev(&self) -> f64 {
        self.result.total_energy_ha() * HARTREE_EV
    }

    /// What it leaves for others to start from; the rest, hundreds of megabytes, goes.
    pub(super) fn into_starting_point(self) -> StartingPoint {
        StartingPoint::of(&self.basis, &self.result)
    }

    pub(super) fn values(&self) -> Values {
        let result = &self.result;
        Values {
            total_energy_ev: Some(self.energy_ev()),
            fermi_ev: result.fermi_level_ha.map(|level| level * HARTREE_EV),
            symmetry_operations: Some(self.basis.symmetry_operations().len() as u32),
            k_points: Some(result.k_points.len() as u32),
            ..Values::default()
        }
    }
}

/// The stress, positive under tension, with a pressure more.
pub(super) fn under_pressure(mut stress: [[f64; 3]; 3], pressure: f64) -> [[f64; 3]; 3] {
    for (axis, row) in stress.iter_mut().enumerate() {
        row[axis] -= pressure;
    }
    stress
}

fn why_stopped(is_cancelled: bool) -> (FailureCode, &'static str) {
    match is_cancelled {
        true => (FailureCode::Cancelled, "cancelled"),
        false => (FailureCode::TimeLimit, "time limit reached"),
    }
}

fn failure_of(result: &ScfResult, is_cancelled: bool) -> Option<Failure> {
    let (code, reason) = match result.end {
        ScfEnd::Converged => return None,
        ScfEnd::Cancelled => why_stopped(is_cancelled),
        ScfEnd::DiagonalizationFailed => (
            FailureCode::DiagonalizationFailed,
            "the eigensolver broke down",
        ),
        ScfEnd::Stagnated => (FailureCode::ScfNotConverged, "the density oscillates"),
        _ => (FailureCode::ScfNotConverged, "not converged"),
    };
    let iterations = result.history.len();
    let left = result.history.last().map_or_else(String::new, |last| {
        let error_ry = last.estimated_error_ha / HARTREE_PER_RY;
        format!(", estimated error {error_ry:.1e} Ry")
    });
    Some(Failure::new(
        code,
        format!("{reason} after {iterations} SCF iterations{left}"),
    ))
}
