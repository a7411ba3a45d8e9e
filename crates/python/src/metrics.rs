//! Metrics of generated crystals, for the module `crystalgym.metrics`.

use std::collections::{BTreeMap, HashMap};

use crystalgym_crystal::{Element, Structure as Inner};
use crystalgym_metrics::{
    Composition, Diversity as InnerDiversity, MatchTolerances, MetricsError, OxidationStates,
    PreparedStructure, StructureMatcher, Validity as InnerValidity, first_of_each as firsts,
    is_charge_balanced as charges_balance, novel as without_known, primitive_structure,
};
use numpy::PyArray1;
use pyo3::{prelude::*, types::PyString};
use serde_json::json;

use crate::{
    engine::{self, WindUp},
    errors::{Raised, raised, structure_error},
    structure::{Structure, coerce},
};

fn metrics_error(error: &MetricsError) -> PyErr {
    let (code, values) = match error {
        MetricsError::Crystal(error) => return structure_error(error),
        MetricsError::Formula { formula, .. } => ("formula", json!({ "formula": formula })),
        MetricsError::NoSites => ("no_sites", json!({})),
        MetricsError::Tolerance { field, value } => (
            "invalid_tolerance",
            json!({ "field": field, "value": value }),
        ),
        _ => ("other", json!({})),
    };
    raised(&Raised {
        class: "StructureError",
        code,
        message: error.to_string(),
        values,
    })
}

fn structures(objects: &Bound<'_, PyAny>) -> PyResult<Vec<Inner>> {
    objects
        .try_iter()?
        .map(|object| Ok(coerce(&object?)?.0))
        .collect()
}

fn composition_of(object: &Bound<'_, PyAny>) -> PyResult<Composition> {
    if let Ok(formula) = object.cast::<PyString>() {
        let formula = formula.to_cow()?;
        return formula.parse().map_err(|error| metrics_error(&error));
    }
    let structure = coerce(object)?.0;
    if structure.elements.is_empty() {
        return Err(metrics_error(&MetricsError::NoSites));
    }
    Ok(Composition::of(&structure.elements))
}

fn states_of(states: Option<HashMap<String, Vec<i8>>>) -> PyResult<OxidationStates> {
    let states: BTreeMap<Element, Vec<i8>> = states
        .unwrap_or_default()
        .into_iter()
        .map(|(symbol, states)| Ok((symbol.parse()?, states)))
        .collect::<Result<_, _>>()
        .map_err(|error| structure_error(&error))?;
    Ok(OxidationStates::with(states))
}

fn matcher(length: f64, site: f64, angle_deg: f64) -> PyResult<StructureMatcher> {
    StructureMatcher::new(MatchTolerances {
        length,
        site,
        angle_deg,
    })
    .map_err(|error| metrics_error(&error))
}

fn prepare(
    matcher: StructureMatcher,
    structures: &[Inner],
) -> Result<Vec<PreparedStructure>, MetricsError> {
    structures
        .iter()
        .map(|structure| matcher.prepare(structure))
        .collect()
}

/// Whether a structure could be a crystal at all; made by `validity`.
#[pyclass(frozen, eq, module = "crystalgym.metrics")]
#[derive(Clone, PartialEq)]
pub(crate) struct Validity(InnerValidity);

#[pymethods]
impl Validity {
    /// Whether charges, distances and plausibility all hold.
    #[getter]
    fn valid(&self) -> bool {
        self.0.is_valid()
    }

    /// Whether charges can balance, as `is_charge_balanced` says.
    #[getter]
    fn charge_balanced(&self) -> bool {
        self.0.charge_balanced
    }

    /// Whether every pair of sites is at least 0.5 (0.7 Å + rᵢ + rⱼ) apart, r the atomic radii.
    #[getter]
    fn distances(&self) -> bool {
        self.0.distances
    }

    /// Whether mass density (0.01 to 25 g/cm³), number density (1e-5 to 0.5 Å⁻³), cell (1 to 100 Å,
    /// above 1 Å³) and symmetry are those of a crystal.
    #[getter]
    fn plausible(&self) -> bool {
        self.0.plausible
    }

    /// Shortest distance of two atoms in Å, images included.
    #[getter]
    fn min_distance(&self) -> f64 {
        self.0.min_distance_ang
    }

    /// Space-group number, if one is found.
    #[getter]
    fn space_group_number(&self) -> Option<u16> {
        self.0.space_group_number
    }

    fn __repr__(&self) -> String {
        let python = |flag| if flag { "True" } else { "False" };
        format!(
            "Validity(charge_balanced={}, distances={}, plausible={})",
            python(self.0.charge_balanced),
            python(self.0.distances),
            python(self.0.plausible),
        )
    }
}

/// How much of chemistry and of symmetry a set of structures covers; made by `diversity`.
#[pyclass(frozen, eq, module = "crystalgym.metrics")]
#[derive(Clone, PartialEq)]
pub(crate) struct Diversity(InnerDiversity);

#[pymethods]
impl Diversity {
    /// Number of distinct elements.
    #[getter]
    fn elements(&self) -> usize {
        self.0.elements
    }

    /// Distinct elements over 118.
    #[getter]
    fn element_coverage(&self) -> f64 {
        self.0.elements as f64 / InnerDiversity::ELEMENTS as f64
    }

    /// Entropy of the elements of all sites in nats.
    #[getter]
    fn element_entropy(&self) -> f64 {
        self.0.element_entropy
    }

    /// Number of equally frequent elements with the same entropy.
    #[getter]
    fn element_vendi(&self) -> f64 {
        self.0.element_entropy.exp()
    }

    /// Number of distinct space groups.
    #[getter]
    fn space_groups(&self) -> usize {
        self.0.space_groups
    }

    /// Distinct space groups over 230.
    #[getter]
    fn space_group_coverage(&self) -> f64 {
        self.0.space_groups as f64 / InnerDiversity::SPACE_GROUPS as f64
    }

    /// Entropy of the space groups of the structures in nats.
    #[getter]
    fn space_group_entropy(&self) -> f64 {
        self.0.space_group_entropy
    }

    /// Number of equally frequent space groups with the same entropy.
    #[getter]
    fn space_group_vendi(&self) -> f64 {
        self.0.space_group_entropy.exp()
    }

    fn __repr__(&self) -> String {
        format!(
            "Diversity({} elements, {} space groups)",
            self.0.elements, self.0.space_groups
        )
    }
}

/// Judges whether a structure could be a crystal at all.
///
/// Parameters
/// ----------
/// structure : structure-like
/// oxidation_states : dict of str to list of int, optional
///     States that take the place of the common ones of `element_data`, by element.
///
/// Returns
/// -------
/// Validity
#[pyfunction]
#[pyo3(signature = (structure, *, oxidation_states = None))]
pub(crate) fn validity(
    structure: &Bound<'_, PyAny>,
    oxidation_states: Option<HashMap<String, Vec<i8>>>,
) -> PyResult<Validity> {
    let py = structure.py();
    let structure = coerce(structure)?.0;
    let states = states_of(oxidation_states)?;
    Ok(Validity(
        py.detach(|| InnerValidity::of(&structure, &states)),
    ))
}

/// Whether charges can balance: one oxidation state for each element, charges of all atoms that sum
/// to zero, every cation less electronegative than every anion; elements and alloys always. The test
/// of SMACT.
///
/// Parameters
/// ----------
/// composition : str or structure-like
///     A formula, or a structure.
/// oxidation_states : dict of str to list of int, optional
///     States that take the place of the common ones of `element_data`, by element.
///
/// Returns
/// -------
/// bool
#[pyfunction]
#[pyo3(signature = (composition, *, oxidation_states = None))]
pub(crate) fn is_charge_balanced(
    composition: &Bound<'_, PyAny>,
    oxidation_states: Option<HashMap<String, Vec<i8>>>,
) -> PyResult<bool> {
    let composition = composition_of(composition)?;
    Ok(charges_balance(&composition, &states_of(oxidation_states)?))
}

/// The composition in lowest terms as chemists write it: `RbCaH3`.
///
/// Parameters
/// ----------
/// composition : str or structure-like
///     A formula, or a structure.
///
/// Returns
/// -------
/// str
#[pyfunction]
pub(crate) fn reduced_formula(composition: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(composition_of(composition)?.to_string())
}

/// The structure in its Niggli-reduced primitive cell.
///
/// Sites that a translation brings within 0.25 Å of each other count as equal and are averaged.
///
/// Parameters
/// ----------
/// structure : structure-like
///
/// Returns
/// -------
/// Structure
#[pyfunction]
pub(crate) fn primitive(structure: &Bound<'_, PyAny>) -> PyResult<Structure> {
    primitive_structure(&coerce(structure)?.0)
        .map(Structure)
        .map_err(|error| structure_error(&error))
}

/// Whether two structures are the same up to the choice of the cell, rotations, reflections,
/// translations, the order of the sites and the volume.
///
/// The method of pymatgen's `StructureMatcher`; the default tolerances are LeMat-GenBench's.
///
/// Parameters
/// ----------
/// one, other : structure-like
/// length_tolerance : float
///     Relative difference of the lengths of the cells.
/// site_tolerance : float
///     Largest distance of two sites in units of (V/n)^(1/3).
/// angle_tolerance : float
///     Difference of the angles of the cells in degrees.
///
/// Returns
/// -------
/// bool
#[pyfunction]
#[pyo3(signature = (
    one, other, *, length_tolerance = 0.1, site_tolerance = 0.3, angle_tolerance = 5.0
))]
pub(crate) fn same_structure(
    one: &Bound<'_, PyAny>,
    other: &Bound<'_, PyAny>,
    length_tolerance: f64,
    site_tolerance: f64,
    angle_tolerance: f64,
) -> PyResult<bool> {
    let matcher = matcher(length_tolerance, site_tolerance, angle_tolerance)?;
    let (one, other, py) = (coerce(one)?.0, coerce(other)?.0, one.py());
    engine::enter(py, WindUp::Leave, move |_| {
        Ok(matcher.matches(&matcher.prepare(&one)?, &matcher.prepare(&other)?))
    })?
    .map_err(|error: MetricsError| metrics_error(&error))
}

/// For each structure, whether none before it is the same; their share is the uniqueness.
///
/// Parameters
/// ----------
/// structures : iterable of structure-like
/// length_tolerance, site_tolerance, angle_tolerance : float
///     As for `same_structure`.
///
/// Returns
/// -------
/// ndarray of bool, shape (n_structures,)
#[pyfunction]
#[pyo3(signature = (
    structures, *, length_tolerance = 0.1, site_tolerance = 0.3, angle_tolerance = 5.0
))]
pub(crate) fn first_of_each<'py>(
    structures: &Bound<'py, PyAny>,
    length_tolerance: f64,
    site_tolerance: f64,
    angle_tolerance: f64,
) -> PyResult<Bound<'py, PyArray1<bool>>> {
    let py = structures.py();
    let matcher = matcher(length_tolerance, site_tolerance, angle_tolerance)?;
    let structures = self::structures(structures)?;
    let flags = engine::enter(py, WindUp::Leave, move |_| {
        prepare(matcher, &structures).map(|prepared| firsts(&matcher, &prepared))
    })?
    .map_err(|error| metrics_error(&error))?;
    Ok(PyArray1::from_vec(py, flags))
}

/// For each structure, whether none of the reference is the same; their share is the novelty.
///
/// Parameters
/// ----------
/// structures, reference : iterable of structure-like
/// length_tolerance, site_tolerance, angle_tolerance : float
///     As for `same_structure`.
///
/// Returns
/// -------
/// ndarray of bool, shape (n_structures,)
#[pyfunction]
#[pyo3(signature = (
    structures, reference, *, length_tolerance = 0.1, site_tolerance = 0.3, angle_tolerance = 5.0
))]
pub(crate) fn novel<'py>(
    structures: &Bound<'py, PyAny>,
    reference: &Bound<'py, PyAny>,
    length_tolerance: f64,
    site_tolerance: f64,
    angle_tolerance: f64,
) -> PyResult<Bound<'py, PyArray1<bool>>> {
    let py = structures.py();
    let matcher = matcher(length_tolerance, site_tolerance, angle_tolerance)?;
    let structures = self::structures(structures)?;
    let reference = self::structures(reference)?;
    let flags = engine::enter(py, WindUp::Leave, move |_| {
        let structures = prepare(matcher, &structures)?;
        let reference = prepare(matcher, &reference)?;
        Ok(without_known(&matcher, &structures, &reference))
    })?
    .map_err(|error: MetricsError| metrics_error(&error))?;
    Ok(PyArray1::from_vec(py, flags))
}

/// How much of chemistry and of symmetry a set of structures covers.
///
/// Parameters
/// ----------
/// structures : iterable of structure-like
///
/// Returns
/// -------
/// Diversity
#[pyfunction]
pub(crate) fn diversity(structures: &Bound<'_, PyAny>) -> PyResult<Diversity> {
    let py = structures.py();
    let structures = self::structures(structures)?;
    engine::enter(py, WindUp::Leave, move |_| {
        Diversity(InnerDiversity::of(&structures))
    })
}
