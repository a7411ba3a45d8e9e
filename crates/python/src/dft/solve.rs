//! The Kohn–Sham equations of a structure, solved as the arguments say.

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
};

use crystalgym_dft::{
    BOHR_ANG, BandEdges, DftError, Discretisation, HARTREE_EV, KMesh, Model, PlaneWaveBasis,
    RYDBERG_HARTREE, ScfControl, ScfOptions, SetUp, self_consistent_field,
};
use crystalgym_evaluation::{
    Accuracy, Calculator as _, CancelToken, NativeCalculator, NativeSettings, Property, Values,
    WarningCode, warnings as warnings_of,
};
use pyo3::prelude::*;
use serde_json::json;

use super::{
    arguments::{MOST_BANDS, count, invalid_setting, mesh_of, occupations, potentials, within},
    electrons::{Correction, GroundState},
};
use crate::{
    engine::{self, WindUp},
    errors::dft_error,
    evaluation::warn,
    json::number,
    structure::coerce,
};

/// Iterations of a loop that nobody has limited.
const MAX_ITERATIONS: usize = 300;

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
