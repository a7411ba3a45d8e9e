//! Ground states of structures by the built-in plane-wave engine.

use std::{
    num::NonZeroUsize,
    ops::RangeInclusive,
    sync::{Arc, OnceLock},
};

use crystalgym_crystal::{Element, Structure as InnerStructure, automatic_density};
use crystalgym_dft::{
    BOHR_ANG, BandEdges, DftError, Discretisation, HARTREE_EV, HARTREE_PER_BOHR3_GPA, KMesh, Model,
    Occupations, PlaneWaveBasis, ScfControl, ScfEnd, ScfOptions, ScfResult, SetUp, Smearing,
    forces_and_stress,
    pseudo::{GthParameters, Pseudopotential},
    self_consistent_field,
};
use crystalgym_evaluation::{CancelToken, SpeciesSource};
use numpy::{PyArray1, PyArray2};
use pyo3::{exceptions::PyValueError, prelude::*};
use serde_json::{Value, json};

use crate::{
    arrays::array2,
    engine::{self, WindUp},
    errors::{Raised, dft_error, raised, structure_error},
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
    basis: Arc<PlaneWaveBasis>,
    result: Arc<ScfResult>,
    k_mesh: [u32; 3],
    edges: Option<BandEdges>,
    derivatives: OnceLock<Derivatives>,
    threads: NonZeroUsize,
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
        let threads = self.threads;
        let derivatives = engine::enter(py, WindUp::Leave, move |_: &CancelToken| {
            forces_and_stress(&basis, &result, threads)
        })?
        .map_err(|error| dft_error(&error))?;
        // Another thread may have been faster, with the same numbers.
        let _ = self.derivatives.set(derivatives);
        Ok(())
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
/// cutoff_ev : float
///     Kinetic-energy cutoff of the wave functions.
/// density_cutoff_ev : float, optional
///     Cutoff of the density; four times the other by default.
/// k_mesh : tuple of 3 int, optional
///     Divisions of the Γ-centred mesh; from 1000 points per reciprocal atom by default.
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
#[pyfunction]
#[pyo3(signature = (
    structure, *, cutoff_ev, density_cutoff_ev = None, k_mesh = None, pseudopotentials = "gth",
    smearing = None, width_ev = 0.1, bands = None, convergence_ev = 1e-5, max_iterations = None,
    use_symmetry = true, forces = false, threads = None, memory_limit_gib = 8.0
))]
#[expect(clippy::too_many_arguments, reason = "keywords, each with a default")]
pub(crate) fn ground_state(
    structure: &Bound<'_, PyAny>,
    cutoff_ev: f64,
    density_cutoff_ev: Option<f64>,
    k_mesh: Option<[Bound<'_, PyAny>; 3]>,
    pseudopotentials: &str,
    smearing: Option<&str>,
    width_ev: f64,
    bands: Option<&Bound<'_, PyAny>>,
    convergence_ev: f64,
    max_iterations: Option<&Bound<'_, PyAny>>,
    use_symmetry: bool,
    forces: bool,
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
    let k_mesh = match k_mesh {
        Some([a, b, c]) => Some([
            count("k_mesh[0]", &a, 1..=1000)?,
            count("k_mesh[1]", &b, 1..=1000)?,
            count("k_mesh[2]", &c, 1..=1000)?,
        ]),
        None => None,
    };
    let structure = coerce(structure)?.0;
    let k_mesh = k_mesh
        .unwrap_or_else(|| automatic_density(&structure.lattice, structure.elements.len(), 1000.0));
    let occupations = occupations(smearing, width_ev)?;
    let density_cutoff_ev = density_cutoff_ev.unwrap_or(4.0 * cutoff_ev);
    let ev = "eV";
    within("cutoff_ev", cutoff_ev, 10.0, 14_000.0, ev)?;
    within("convergence_ev", convergence_ev, 1e-14, 1.0, ev)?;
    within("memory_limit_gib", memory_limit_gib, 1e-3, 1e6, "GiB")?;
    within("density_cutoff_ev", density_cutoff_ev, 40.0, 140_000.0, ev)?;
    if density_cutoff_ev < 4.0 * cutoff_ev {
        let expected = "at least four times cutoff_ev";
        return Err(invalid_setting(
            "density_cutoff_ev",
            number(density_cutoff_ev),
            expected,
        ));
    }
    let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
    let discretisation = Discretisation {
        ecut_ha: cutoff_ev / HARTREE_EV,
        ecut_density_ha: density_cutoff_ev / HARTREE_EV,
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
    let potentials = potentials(&structure, pseudopotentials)?;
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
                .then(|| forces_and_stress(&basis, &result, threads))
                .transpose()?;
            Ok((basis, result, derivatives))
        })?
        .map_err(|error: DftError| dft_error(&error))?;
    Ok(GroundState {
        derivatives: derivatives.map_or_else(OnceLock::new, OnceLock::from),
        edges: BandEdges::of(&result),
        basis: Arc::new(basis),
        result: Arc::new(result),
        k_mesh,
        threads,
    })
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

/// The pseudopotential of each element of the structure.
fn potentials(structure: &InnerStructure, name: &str) -> PyResult<Vec<Arc<Pseudopotential>>> {
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
    kinds.iter().map(read).collect()
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
