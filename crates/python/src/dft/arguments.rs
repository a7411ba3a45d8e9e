//! Arguments of calculations: numbers within their ranges, smearing, pseudopotentials.

use std::{ops::RangeInclusive, sync::Arc};

use crystalgym_crystal::{Element, Structure as InnerStructure};
use crystalgym_dft::{
    DftError, HARTREE_EV, Occupations, Smearing,
    pseudo::{GthParameters, Pseudopotential},
};
use crystalgym_evaluation::SpeciesSource;
use pyo3::{exceptions::PyValueError, prelude::*};
use serde_json::{Value, json};

use crate::{
    errors::{Raised, dft_error, raised, structure_error},
    json::number,
    whole::whole,
};

/// What a number of bands is read up to; the estimate of the memory decides.
pub(super) const MOST_BANDS: u64 = 1_000_000_000_000_000;

/// Divisions of a mesh.
pub(super) fn mesh_of([a, b, c]: [Bound<'_, PyAny>; 3]) -> PyResult<[u32; 3]> {
    Ok([
        count("k_mesh[0]", &a, 1..=1000)?,
        count("k_mesh[1]", &b, 1..=1000)?,
        count("k_mesh[2]", &c, 1..=1000)?,
    ])
}

/// Refuses a number out of range; NaN always is.
pub(super) fn within(setting: &str, found: f64, least: f64, most: f64, unit: &str) -> PyResult<()> {
    if found >= least && found <= most {
        return Ok(());
    }
    let expected = format!("a number from {least} to {most} {unit}");
    Err(invalid_setting(setting, number(found), expected.trim_end()))
}

/// A setting by the name and in the unit of the argument.
pub(super) fn invalid_setting(setting: &str, found: Value, expected: &str) -> PyErr {
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
pub(super) fn count<T: TryFrom<u64>>(
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

pub(super) fn occupations(smearing: Option<&str>, width_ev: f64) -> PyResult<Occupations> {
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
pub(super) fn potentials(
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
