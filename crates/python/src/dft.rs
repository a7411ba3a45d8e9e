//! Ground states of structures by the built-in plane-wave engine.

use std::{
    num::NonZeroUsize,
    ops::RangeInclusive,
    sync::{Arc, OnceLock},
};

use crystalgym_crystal::{Element, Structure as InnerStructure};
use crystalgym_dft::{
    BOHR_ANG, BandEdges, BandOptions, Cancellation, DftError, Discretisation, HARTREE_EV,
    HARTREE_PER_BOHR3_GPA, KMesh, Model, Occupations, PlaneWaveBasis, RYDBERG_HARTREE, ScfControl,
    ScfEnd, ScfOptions, ScfResult, SetUp, Smearing, forces_and_stress,
    pseudo::{GthParameters, Pseudopotential},
    self_consistent_field,
};
use crystalgym_evaluation::{
    Accuracy, BandStructure as InnerBands, CalculationSettings, Calculator as _, CancelToken,
    DENSE_SPACING_PER_ANG, NativeCalculator, NativeSettings, PATH_SPACING_PER_ANG, Property,
    SpeciesSource, StatesOptions, StatesPerEv, Values, Warning, WarningCode,
    measure_pulay_pressure, warnings as warnings_of,
};
use numpy::{PyArray1, PyArray2};
use pyo3::{exceptions::PyValueError, prelude::*};
use serde_json::{Value, json};

use crate::{
    arrays::array2,
    electronic::{BandStructure, DensityOfStates, electronic_error},
    engine::{self, WindUp},
    errors::{Raised, dft_error, raised, structure_error, to_python},
    evaluation::{result_warnings, warn},
    json::number,
    structure::coerce,
    whole::whole,
};

/// Iterations of a loop that nobody has limited.
const MAX_ITERATIONS: usize = 300;
/// What a number of bands is read up to; the estimate of the memory decides.
const MOST_BANDS: u64 = 1_000_000_000_000_000;

/// The electrons of a crystal, as the plane-wave engine found them; made by `ground_state`.
///
/// A calculation that did not converge is a result, not an exception: see `converged`.
#[pyclass(frozen, module = "crystalgym")]
pub(crate) struct GroundState {
    structure: InnerStructure,
    basis: Arc<PlaneWaveBasis>,
    result: Arc<ScfResult>,
    k_mesh: [u32; 3],
    edges: Option<BandEdges>,
    derivatives: OnceLock<Derivatives>,
    threads: NonZeroUsize,
    settings: CalculationSettings,
    warnings: Vec<Warning>,
    /// How the stress is corrected to a fixed cutoff, if it is.
    correction: Option<Correction>,
}

/// What the two calculations at other cutoffs share with the given one.
#[derive(Clone)]
struct Correction {
    options: ScfOptions,
    memory_limit_gib: f64,
}

impl Correction {
    /// Forces, and the stress of a fixed cutoff, or of the given plane waves if nothing is corrected.
    fn derivatives(
        this: Option<&Self>,
        basis: &PlaneWaveBasis,
        result: &ScfResult,
        threads: NonZeroUsize,
        cancel: &CancelToken,
    ) -> Result<Derivatives, DftError> {
        let (forces, mut stress) = forces_and_stress(basis, result, threads)?;
        if let Some(this) = this {
            let is_cancelled = || cancel.is_cancelled();
            let set_up = SetUp {
                is_cancelled: Some(&is_cancelled),
                memory_limit_gib: this.memory_limit_gib,
                threads,
                bands: this.options.bands,
            };
            let pressure = measure_pulay_pressure(basis, result, set_up, &this.options)?;
            for (axis, row) in stress.iter_mut().enumerate() {
                row[axis] -= pressure;
            }
        }
        Ok((forces, stress))
    }
}

/// Forces in hartree/bohr and the stress in hartree/bohr³, Cartesian.
type Derivatives = (Vec<[f64; 3]>, [[f64; 3]; 3]);

fn matrix<'py>(
    py: Python<'py>,
    rows: &[Vec<f64>],
    scale: f64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let scaled: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| row.iter().map(|x| x * scale).collect())
        .collect();
    Ok(PyArray2::from_vec2(py, &scaled)?)
}

#[pymethods]
impl GroundState {
    /// Total energy of the cell in eV; with smearing the variational free energy.
    #[getter]
    fn energy(&self) -> f64 {
        self.result.total_energy_ha() * HARTREE_EV
    }

    /// Whether the loop converged.
    #[getter]
    fn converged(&self) -> bool {
        self.result.is_converged()
    }

    /// How the loop ended: `converged`, `iteration_limit`, `stagnated`, `diagonalization_failed`
    /// or `cancelled`.
    #[getter]
    fn end(&self) -> &'static str {
        match self.result.end {
            ScfEnd::Converged => "converged",
            ScfEnd::IterationLimit => "iteration_limit",
            ScfEnd::Stagnated => "stagnated",
            ScfEnd::DiagonalizationFailed => "diagonalization_failed",
            ScfEnd::Cancelled => "cancelled",
            _ => "other",
        }
    }

    /// Estimated error of the energy in eV after each iteration, shape (n_iterations,).
    #[getter]
    fn error_history<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        let history = self.result.history.iter();
        PyArray1::from_iter(py, history.map(|one| one.estimated_error_ha * HARTREE_EV))
    }

    /// What it was computed with: `pseudopotentials`, `accuracy`, `ecutwfc_ry`, `ecutrho_ry`, `kppa`,
    /// `k_mesh`, the cutoffs that the elements need and the `stated_error` of the cutoff.
    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &json!(self.settings))
    }

    /// What is to be said against it, as `ResultWarning`.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        result_warnings(py, &self.warnings)
    }

    /// Divisions of the k-mesh.
    #[getter]
    fn k_mesh(&self) -> (u32, u32, u32) {
        let [a, b, c] = self.k_mesh;
        (a, b, c)
    }

    /// Irreducible k-points in units of the reciprocal lattice vectors, shape (n_k, 3).
    #[getter]
    fn k_points<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let points: Vec<[f64; 3]> = self.result.k_points.iter().map(|k| k.frac).collect();
        array2(py, &points)
    }

    /// Weight of each irreducible k-point, shape (n_k,); they sum to 1.
    #[getter]
    fn k_weights<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_iter(py, self.result.k_points.iter().map(|k| k.weight))
    }

    /// Band energies in eV, ascending, shape (n_k, n_bands).
    #[getter]
    fn bands<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        matrix(py, &self.result.eigenvalues_ha, HARTREE_EV)
    }

    /// Electrons in each band, 0 to 2, shape (n_k, n_bands).
    #[getter]
    fn occupations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        matrix(py, &self.result.occupations, 1.0)
    }

    /// Fermi level in eV, for smeared occupations.
    #[getter]
    fn fermi_level(&self) -> Option<f64> {
        self.result.fermi_level_ha.map(|level| level * HARTREE_EV)
    }

    /// Highest occupied level on the mesh in eV; the Fermi level of a metal with smeared occupations.
    #[getter]
    fn homo(&self) -> Option<f64> {
        self.edges.map(|edges| edges.homo_ha * HARTREE_EV)
    }

    /// Lowest unoccupied level on the mesh in eV; the Fermi level of a metal with smeared occupations.
    #[getter]
    fn lumo(&self) -> Option<f64> {
        self.edges.map(|edges| edges.lumo_ha * HARTREE_EV)
    }

    /// LUMO − HOMO on the mesh in eV, 0 where bands overlap: between bands N/2 and N/2 + 1 of N
    /// electrons, 0 where N is odd. `None` without an empty band.
    #[getter]
    fn band_gap(&self) -> Option<f64> {
        self.edges.map(|edges| edges.gap_ha() * HARTREE_EV)
    }

    /// Forces on the atoms in eV/Å, Cartesian, shape (n_sites, 3); once they have been computed.
    #[getter]
    fn forces<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray2<f64>>>> {
        let Some((forces, _)) = self.derivatives.get() else {
            return Ok(None);
        };
        let scaled: Vec<[f64; 3]> = forces
            .iter()
            .map(|force| force.map(|f| f * HARTREE_EV / BOHR_ANG))
            .collect();
        array2(py, &scaled).map(Some)
    }

    /// Stress tensor in GPa, Cartesian, positive under tension, shape (3, 3); once it has been
    /// computed.
    #[getter]
    fn stress<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray2<f64>>>> {
        let Some((_, stress)) = self.derivatives.get() else {
            return Ok(None);
        };
        array2(
            py,
            &stress.map(|row| row.map(|x| x * HARTREE_PER_BOHR3_GPA)),
        )
        .map(Some)
    }

    /// Computes forces and stress from the converged electrons, unless that has been done.
    ///
    /// The interpreter lock is released.
    ///
    /// Raises
    /// ------
    /// DftError
    ///     If the loop did not converge.
    fn compute_forces(&self, py: Python<'_>) -> PyResult<()> {
        if self.derivatives.get().is_some() {
            return Ok(());
        }
        if !self.result.is_converged() {
            let end = self.result.end;
            return Err(dft_error(&DftError::NoBands { end }));
        }
        let (basis, result) = (Arc::clone(&self.basis), Arc::clone(&self.result));
        let (threads, correction) = (self.threads, self.correction.clone());
        let derivatives = engine::enter(py, WindUp::Leave, move |cancel: &CancelToken| {
            Correction::derivatives(correction.as_ref(), &basis, &result, threads, cancel)
        })?
        .map_err(|error| dft_error(&error))?;
        // Another thread may have been faster, with the same numbers.
        let _ = self.derivatives.set(derivatives);
        Ok(())
    }

    /// Bands along the high-symmetry path, in the potential of the converged density.
    ///
    /// The path is that of Setyawan and Curtarolo for the lattice of the crystal's primitive cell. The
    /// interpreter lock is released.
    ///
    /// Parameters
    /// ----------
    /// spacing : float
    ///     Largest distance of neighbouring k-points in 1/Å, 2π included.
    /// bands : int, optional
    ///     Number of bands; by default a fifth more than are filled, and at least four more.
    ///
    /// Returns
    /// -------
    /// BandStructure
    ///
    /// Raises
    /// ------
    /// DftError
    ///     If the loop did not converge, or for too few or too many bands.
    #[pyo3(signature = (*, spacing = PATH_SPACING_PER_ANG, bands = None))]
    fn band_structure(
        &self,
        py: Python<'_>,
        spacing: f64,
        bands: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<BandStructure> {
        within("spacing", spacing, 1e-3, 10.0, "1/Å")?;
        let bands = bands
            .map(|found| count("bands", found, 1..=MOST_BANDS))
            .transpose()?;
        let (basis, result) = (Arc::clone(&self.basis), Arc::clone(&self.result));
        let (structure, threads) = (self.structure.clone(), self.threads);
        let found = engine::enter(py, WindUp::Leave, move |cancel: &CancelToken| {
            let is_cancelled = || cancel.is_cancelled();
            let options = BandOptions {
                bands,
                threads,
                cancellation: Cancellation::by(&is_cancelled),
            };
            InnerBands::of(&structure, &basis, &result, spacing, options)
        })?;
        let name = self.structure.formula();
        found
            .map(|inner| BandStructure { inner, name })
            .map_err(|error| electronic_error(&error))
    }

    /// The density of states, in the potential of the converged density, on a mesh of its own.
    ///
    /// The interpreter lock is released.
    ///
    /// Parameters
    /// ----------
    /// k_mesh : tuple of 3 int, optional
    ///     Divisions of the mesh; even ones with points at most `spacing` apart by default.
    /// spacing : float
    ///     Largest distance of neighbouring k-points along the reciprocal vectors in 1/Å, 2π included.
    /// step : float
    ///     Step of the energies in eV.
    /// window : tuple of 2 float, optional
    ///     First and last energy in eV; by default from below the lowest level to where the highest band
    ///     begins.
    /// gaussian : float, optional
    ///     Width of a Gaussian for each level in eV, `exp(−x²)/(√π w)`; linear tetrahedra without it.
    /// bands : int, optional
    ///     Number of bands; by default a fifth more than are filled, and at least four more.
    ///
    /// Returns
    /// -------
    /// DensityOfStates
    ///
    /// Raises
    /// ------
    /// DftError
    ///     If the loop did not converge, or a number is out of range.
    #[pyo3(signature = (
        *, k_mesh = None, spacing = DENSE_SPACING_PER_ANG, step = 0.02, window = None, gaussian = None,
        bands = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords, each with a default")]
    fn density_of_states(
        &self,
        py: Python<'_>,
        k_mesh: Option<[Bound<'_, PyAny>; 3]>,
        spacing: f64,
        step: f64,
        window: Option<[f64; 2]>,
        gaussian: Option<f64>,
        bands: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<DensityOfStates> {
        within("spacing", spacing, 1e-3, 10.0, "1/Å")?;
        within("step", step, 1e-6, 10.0, "eV")?;
        if let Some(gaussian) = gaussian {
            within("gaussian", gaussian, 1e-6, 10.0, "eV")?;
        }
        let bands = bands
            .map(|found| count("bands", found, 1..=MOST_BANDS))
            .transpose()?;
        let wanted = StatesOptions {
            k_mesh: k_mesh.map(mesh_of).transpose()?,
            spacing_per_ang: spacing,
            step_ev: step,
            window_ev: window,
            gaussian_ev: gaussian,
        };
        let (basis, result) = (Arc::clone(&self.basis), Arc::clone(&self.result));
        let (structure, threads) = (self.structure.clone(), self.threads);
        let found = engine::enter(py, WindUp::Leave, move |cancel: &CancelToken| {
            let is_cancelled = || cancel.is_cancelled();
            let options = BandOptions {
                bands,
                threads,
                cancellation: Cancellation::by(&is_cancelled),
            };
            StatesPerEv::of(&structure, &basis, &result, &wanted, options)
        })?;
        let name = self.structure.formula();
        found
            .map(|inner| DensityOfStates { inner, name })
            .map_err(|error| electronic_error(&error))
    }

    /// Itself: nothing of it can change.
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// Itself: nothing of it can change.
    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!(
            "GroundState({} after {} iterations, {:.6} eV)",
            self.end(),
            self.result.history.len(),
            self.energy()
        )
    }
}

/// Solves the Kohn–Sham equations of a structure.
///
/// The interpreter lock is released; Ctrl-C stops the calculation.
///
/// Parameters
/// ----------
/// structure : structure-like
/// cutoff_ev : float, optional
///     Kinetic-energy cutoff of the wave functions; that of the accuracy, or what a family recommends, by
///     default.
/// density_cutoff_ev : float, optional
///     Cutoff of the density; by default what a family recommends and at least four times the other,
///     eight times for ultrasoft and PAW potentials of a family that recommends nothing.
/// k_mesh : tuple of 3 int, optional
///     Divisions of the Γ-centred mesh; those of the accuracy by default, or from 1000 points per
///     reciprocal atom if `cutoff_ev` is given.
/// accuracy : {"fast", "balanced", "converged"}
///     What is not given by itself, as for `evaluate`.
/// pseudopotentials : str
///     `gth` (built in), a folder of UPF files, or the name of an installed family.
/// smearing : str, optional
///     `gaussian`, `methfessel_paxton`, `marzari_vanderbilt` or `fermi_dirac`; without it
///     occupations are fixed.
/// width_ev : float
///     Width of the smearing.
/// bands : int, optional
///     Number of bands.
/// convergence_ev : float
///     Estimated error of the energy at which to stop.
/// max_iterations : int, optional
///     After which the loop ends unconverged; 300 by default.
/// use_symmetry : bool
///     Whether the crystal's symmetry saves k-points.
/// forces : bool
///     Whether forces and stress are computed too; converge well for them (1e-9 eV
///     leaves some 1e-5 eV/Å).
/// pulay_correction : bool, optional
///     Whether the stress is that of a fixed cutoff, by two more calculations, and not that of a fixed set
///     of plane waves; the accuracy's by default, no if `cutoff_ev` is given.
/// threads : int, optional
///     1 by default; results do not depend on it.
/// memory_limit_gib : float
///     What needs more memory, by an estimate, is refused before it starts.
///
/// Returns
/// -------
/// GroundState
///
/// Raises
/// ------
/// DftError
///     If the input is wrong. Non-convergence is a result.
///
/// Warns
/// -----
/// ResultWarning
///     If the cutoff is below what the elements need, or electrons of a magnetic element are paired.
#[pyfunction]
#[pyo3(signature = (
    structure, *, cutoff_ev = None, density_cutoff_ev = None, k_mesh = None,
    accuracy = "balanced", pseudopotentials = "gth", smearing = None, width_ev = 0.1, bands = None,
    convergence_ev = 1e-5, max_iterations = None, use_symmetry = true, forces = false,
    pulay_correction = None, threads = None, memory_limit_gib = 8.0
))]
#[expect(clippy::too_many_arguments, reason = "keywords, each with a default")]
pub(crate) fn ground_state(
    structure: &Bound<'_, PyAny>,
    cutoff_ev: Option<f64>,
    density_cutoff_ev: Option<f64>,
    k_mesh: Option<[Bound<'_, PyAny>; 3]>,
    accuracy: &str,
    pseudopotentials: &str,
    smearing: Option<&str>,
    width_ev: f64,
    bands: Option<&Bound<'_, PyAny>>,
    convergence_ev: f64,
    max_iterations: Option<&Bound<'_, PyAny>>,
    use_symmetry: bool,
    forces: bool,
    pulay_correction: Option<bool>,
    threads: Option<&Bound<'_, PyAny>>,
    memory_limit_gib: f64,
) -> PyResult<GroundState> {
    let py = structure.py();
    let bands = bands
        .map(|found| count("bands", found, 0..=MOST_BANDS))
        .transpose()?;
    let max_iterations = max_iterations.map_or(Ok(MAX_ITERATIONS), |found| {
        count("max_iterations", found, 1..=10_000)
    })?;
    let threads = threads.map_or(Ok(1), |found| count("threads", found, 1..=1024))?;
    let k_mesh = k_mesh.map(mesh_of).transpose()?;
    let structure = coerce(structure)?.0;
    let accuracy: Accuracy = accuracy
        .parse()
        .map_err(|_| invalid_setting("accuracy", json!(accuracy), "fast, balanced or converged"))?;
    let occupations = occupations(smearing, width_ev)?;
    let ev = "eV";
    if let Some(cutoff_ev) = cutoff_ev {
        within("cutoff_ev", cutoff_ev, 10.0, 14_000.0, ev)?;
    }
    within("convergence_ev", convergence_ev, 1e-14, 1.0, ev)?;
    within("memory_limit_gib", memory_limit_gib, 1e-3, 1e6, "GiB")?;
    if let Some(density_cutoff_ev) = density_cutoff_ev {
        within("density_cutoff_ev", density_cutoff_ev, 40.0, 140_000.0, ev)?;
    }
    if let (Some(density_cutoff_ev), Some(cutoff_ev)) = (density_cutoff_ev, cutoff_ev)
        && density_cutoff_ev < 4.0 * cutoff_ev
    {
        let expected = "at least four times cutoff_ev";
        return Err(invalid_setting(
            "density_cutoff_ev",
            number(density_cutoff_ev),
            expected,
        ));
    }
    let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
    let in_ry = |ev: f64| ev / (RYDBERG_HARTREE * HARTREE_EV);
    let native = NativeSettings {
        accuracy,
        ecutwfc_ry: cutoff_ev.map(in_ry),
        ecutrho_ry: density_cutoff_ev.map(in_ry),
        // Whoever gives a cutoff has the mesh and the stress of `pw.x`.
        even_mesh: cutoff_ev.is_some().then_some(false),
        pulay_correction: pulay_correction.or(cutoff_ev.is_some().then_some(false)),
        ..NativeSettings::default()
    };
    let (potentials, source) = potentials(&structure, pseudopotentials)?;
    let corrects_stress = native.corrects_stress();
    let calculator = NativeCalculator::new(native, source)
        .map_err(|error| invalid_setting(error.field, number(error.value), &error.expected))?;
    let Some(mut settings) = calculator.calculation_settings(&structure) else {
        let expected = "at least four times the cutoff of the wave functions";
        return Err(invalid_setting(
            "density_cutoff_ev",
            json!(density_cutoff_ev),
            expected,
        ));
    };
    settings.k_mesh = k_mesh.unwrap_or(settings.k_mesh);
    let k_mesh = settings.k_mesh;
    let property = match forces {
        true => Property::Density,
        false => Property::BandGap,
    };
    let mut warnings = warnings_of(property, &structure, &Values::default(), &settings);
    warnings.retain(|warning| warning.code != WarningCode::MeshMissesBandEdges);
    let discretisation = Discretisation {
        ecut_ha: settings.ecutwfc_ry * RYDBERG_HARTREE,
        ecut_density_ha: settings.ecutrho_ry * RYDBERG_HARTREE,
        k_mesh: KMesh::gamma_centred(k_mesh),
        use_symmetry,
    };
    let options = ScfOptions {
        bands,
        convergence_ha: convergence_ev / HARTREE_EV,
        max_iterations,
        threads,
        ..ScfOptions::default()
    };
    let correction = corrects_stress.then(|| Correction {
        options: options.clone(),
        memory_limit_gib,
    });
    let plan = correction.clone();
    let model = Model::of_structure(&structure, 1.0 / BOHR_ANG, potentials, occupations)
        .map_err(|error| dft_error(&error))?;
    let (basis, result, derivatives) =
        engine::enter(py, WindUp::Leave, move |cancel: &CancelToken| {
            let is_cancelled = || cancel.is_cancelled();
            let set_up = SetUp {
                is_cancelled: Some(&is_cancelled),
                memory_limit_gib,
                threads,
                bands,
            };
            let basis = PlaneWaveBasis::within(Arc::new(model), discretisation, set_up)?;
            let control = ScfControl {
                is_cancelled: Some(&is_cancelled),
                progress: None,
            };
            let result = self_consistent_field(&basis, &options, control)?;
            let derivatives = (forces && result.is_converged())
                .then(|| Correction::derivatives(plan.as_ref(), &basis, &result, threads, cancel))
                .transpose()?;
            Ok((basis, result, derivatives))
        })?
        .map_err(|error: DftError| dft_error(&error))?;
    warn(py, &warnings)?;
    Ok(GroundState {
        structure,
        settings,
        warnings,
        correction,
        derivatives: derivatives.map_or_else(OnceLock::new, OnceLock::from),
        edges: BandEdges::of(&result),
        basis: Arc::new(basis),
        result: Arc::new(result),
        k_mesh,
        threads,
    })
}

/// Divisions of a mesh.
fn mesh_of([a, b, c]: [Bound<'_, PyAny>; 3]) -> PyResult<[u32; 3]> {
    Ok([
        count("k_mesh[0]", &a, 1..=1000)?,
        count("k_mesh[1]", &b, 1..=1000)?,
        count("k_mesh[2]", &c, 1..=1000)?,
    ])
}

/// Refuses a number out of range; NaN always is.
fn within(setting: &str, found: f64, least: f64, most: f64, unit: &str) -> PyResult<()> {
    if found >= least && found <= most {
        return Ok(());
    }
    let expected = format!("a number from {least} to {most} {unit}");
    Err(invalid_setting(setting, number(found), expected.trim_end()))
}

/// A setting by the name and in the unit of the argument.
fn invalid_setting(setting: &str, found: Value, expected: &str) -> PyErr {
    let shown = found
        .as_str()
        .map_or_else(|| found.to_string(), str::to_owned);
    raised(&Raised {
        class: "DftError",
        code: "invalid_setting",
        message: format!("{setting} is {shown}, expected {expected}"),
        values: json!({ "setting": setting, "found": found }),
    })
}

/// A number of something, within its range.
fn count<T: TryFrom<u64>>(
    setting: &str,
    found: &Bound<'_, PyAny>,
    range: RangeInclusive<u64>,
) -> PyResult<T> {
    let (least, most) = range.into_inner();
    whole(setting, found, least, most).map_err(|error| {
        let expected = format!("a number from {least} to {most}");
        match error.is_instance_of::<PyValueError>(found.py()) {
            true => invalid_setting(setting, json!(found.to_string()), &expected),
            false => error,
        }
    })
}

fn occupations(smearing: Option<&str>, width_ev: f64) -> PyResult<Occupations> {
    let Some(name) = smearing else {
        return Ok(Occupations::Fixed);
    };
    let smearing = match name {
        "gaussian" => Smearing::Gaussian,
        "methfessel_paxton" => Smearing::MethfesselPaxton,
        "marzari_vanderbilt" => Smearing::MarzariVanderbilt,
        "fermi_dirac" => Smearing::FermiDirac,
        _ => {
            let expected = "gaussian, methfessel_paxton, marzari_vanderbilt or fermi_dirac";
            return Err(invalid_setting("smearing", json!(name), expected));
        }
    };
    within("width_ev", width_ev, 1e-5, 14.0, "eV")?;
    Ok(Occupations::Smeared {
        smearing,
        width_ha: width_ev / HARTREE_EV,
    })
}

/// The pseudopotential of each element of the structure, and where they come from.
fn potentials(
    structure: &InnerStructure,
    name: &str,
) -> PyResult<(Vec<Arc<Pseudopotential>>, SpeciesSource)> {
    let mut kinds = structure.elements.clone();
    kinds.sort_unstable();
    kinds.dedup();
    let Some(&first) = kinds.first() else {
        return Err(dft_error(&DftError::NoAtoms));
    };
    let missing = |element: Element, message: String| {
        raised(&Raised {
            class: "DftError",
            code: "pseudopotential",
            message,
            values: json!({ "element": element.symbol(), "pseudopotentials": name }),
        })
    };
    let source = SpeciesSource::open(name).map_err(|error| missing(first, error.to_string()))?;
    let read = |&element: &Element| {
        let found = source.potential(element);
        found.map_err(|failure| missing(element, failure.message))
    };
    let potentials = kinds.iter().map(read).collect::<PyResult<_>>()?;
    Ok((potentials, source))
}

/// A built-in analytic pseudopotential (GTH, PBE) for other programs.
///
/// Parameters
/// ----------
/// symbol : str
///
/// Returns
/// -------
/// str
///     Text of a UPF file.
///
/// Raises
/// ------
/// DftError
///     If the element is not in the table.
#[pyfunction]
pub(crate) fn gth_upf(symbol: &str) -> PyResult<String> {
    let element: Element = symbol.parse().map_err(|error| structure_error(&error))?;
    GthParameters::pbe(element)
        .map(|parameters| parameters.to_upf())
        .map_err(|error| {
            raised(&Raised {
                class: "DftError",
                code: "pseudopotential",
                message: error.to_string(),
                values: json!({ "element": symbol }),
            })
        })
}
