//! What the plane-wave engine found of the electrons of a crystal.

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
};

use crystalgym_crystal::Structure as InnerStructure;
use crystalgym_dft::{
    BOHR_ANG, BandEdges, BandOptions, Cancellation, DftError, HARTREE_EV, HARTREE_PER_BOHR3_GPA,
    PlaneWaveBasis, ScfEnd, ScfOptions, ScfResult, SetUp, forces_and_stress,
};
use crystalgym_evaluation::{
    BandStructure as InnerBands, CalculationSettings, CancelToken, DENSE_SPACING_PER_ANG,
    PATH_SPACING_PER_ANG, StatesOptions, StatesPerEv, Warning, measure_pulay_pressure,
};
use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use serde_json::json;

use super::arguments::{MOST_BANDS, count, mesh_of, within};
use crate::{
    arrays::array2,
    electronic::{BandStructure, DensityOfStates, electronic_error},
    engine::{self, WindUp},
    errors::{dft_error, to_python},
    evaluation::result_warnings,
};

/// The electrons of a crystal, as the plane-wave engine found them; made by `ground_state`.
///
/// A calculation that did not converge is a result, not an exception: see `converged`.
#[pyclass(frozen, module = "crystalgym")]
pub(crate) struct GroundState {
    pub(super) structure: InnerStructure,
    pub(super) basis: Arc<PlaneWaveBasis>,
    pub(super) result: Arc<ScfResult>,
    pub(super) k_mesh: [u32; 3],
    pub(super) edges: Option<BandEdges>,
    pub(super) derivatives: OnceLock<Derivatives>,
    pub(super) threads: NonZeroUsize,
    pub(super) settings: CalculationSettings,
    pub(super) warnings: Vec<Warning>,
    /// How the stress is corrected to a fixed cutoff, if it is.
    pub(super) correction: Option<Correction>,
}

/// What the two calculations at other cutoffs share with the given one.
#[derive(Clone)]
pub(super) struct Correction {
    pub(super) options: ScfOptions,
    pub(super) memory_limit_gib: f64,
}

impl Correction {
    /// Forces, and the stress of a fixed cutoff, or of the given plane waves if nothing is corrected.
    pub(super) fn derivatives(
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
