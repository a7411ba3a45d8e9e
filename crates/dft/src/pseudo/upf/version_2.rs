//! Version 2: attributes and one section per function.

use super::{
    raw::{RawAugmentation, RawPotential, RawProjector},
    sections::{Section, find, require},
};
use crate::pseudo::{
    error::{PseudoError, SectionError},
    radial::RadialMesh,
    types::{AugmentationFunction, OrbitalInfo, PawData, PseudopotentialKind},
};

/// Counts above these are a damaged header, not a pseudopotential.
pub(super) const MESH_LIMIT: usize = 1_000_000;
pub(super) const FUNCTION_LIMIT: usize = 100;
pub(super) const L_LIMIT: usize = 3;

pub(super) fn read(text: &str, header: &Section<'_>) -> Result<RawPotential, SectionError> {
    let mesh_size = header.integer("mesh_size", MESH_LIMIT)?;
    let count = header.integer("number_of_proj", FUNCTION_LIMIT)?;
    if header.flag("has_so")? {
        return Err(unsupported("spin-orbit coupling is not supported"));
    }
    if header.flag("is_coulomb")? {
        return Err(unsupported("bare Coulomb potentials are not supported"));
    }
    let kind = match header.required("pseudo_type")? {
        "NC" | "SL" => PseudopotentialKind::NormConserving,
        "US" | "USPP" => PseudopotentialKind::Ultrasoft,
        "PAW" => PseudopotentialKind::Paw,
        other => {
            return Err(header.error(format!("pseudo_type is '{other}', expected NC, US or PAW")));
        }
    };
    let mesh_section = require(text, "PP_MESH")?;
    let mesh = RadialMesh {
        r: require(mesh_section.body, "PP_R")?.values(mesh_size)?,
        rab: require(mesh_section.body, "PP_RAB")?.values(mesh_size)?,
    };
    let core_density = if header.flag("core_correction")? {
        Some(require(text, "PP_NLCC")?.values(mesh_size)?)
    } else {
        None
    };
    let nonlocal = require(text, "PP_NONLOCAL")?;
    let projectors = (1..=count)
        .map(|index| projector(&nonlocal, index, mesh_size))
        .collect::<Result<Vec<_>, _>>()?;
    let coupling_ry = if count == 0 {
        Vec::new()
    } else {
        require(nonlocal.body, "PP_DIJ")?.values(count * count)?
    };
    let mut raw = RawPotential {
        element: header
            .required("element")?
            .parse()
            .map_err(|error| header.error(format!("{error}")))?,
        kind,
        functional: header
            .required("functional")?
            .parse()
            .map_err(|error: PseudoError| header.error(error.to_string()))?,
        z_valence: header.number("z_valence")?,
        mesh,
        local_ry: require(text, "PP_LOCAL")?.values(mesh_size)?,
        core_density,
        projectors,
        coupling_ry,
        augmentation: None,
        orbitals: orbitals(text, header, mesh_size)?,
        atomic_density: require(text, "PP_RHOATOM")?.values(mesh_size)?,
        paw: None,
    };
    if kind != PseudopotentialKind::NormConserving {
        let section = require(nonlocal.body, "PP_AUGMENTATION")?;
        if kind == PseudopotentialKind::Paw {
            raw.paw = Some(paw(text, &section, &raw)?);
        }
        raw.augmentation = Some(augmentation(&section, &raw)?);
    }
    Ok(raw)
}

fn unsupported(message: &str) -> SectionError {
    SectionError::unsupported("PP_HEADER", message)
}

fn projector(
    nonlocal: &Section<'_>,
    index: usize,
    mesh_size: usize,
) -> Result<RawProjector, SectionError> {
    let section = require(nonlocal.body, &format!("PP_BETA.{index}"))?;
    // Without a cutoff the whole mesh counts.
    let points = match section.attribute("cutoff_radius_index") {
        None | Some("0") => mesh_size,
        Some(_) => section.integer("cutoff_radius_index", mesh_size)?,
    };
    Ok(RawProjector {
        l: section.integer("angular_momentum", L_LIMIT)?,
        values: section.values(mesh_size)?,
        points: if points == 0 { mesh_size } else { points },
    })
}

fn orbitals(
    text: &str,
    header: &Section<'_>,
    mesh_size: usize,
) -> Result<Vec<(OrbitalInfo, Vec<f64>)>, SectionError> {
    let count = header.integer("number_of_wfc", FUNCTION_LIMIT)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let parent = require(text, "PP_PSWFC")?;
    (1..=count)
        .map(|index| {
            let section = require(parent.body, &format!("PP_CHI.{index}"))?;
            let info = OrbitalInfo {
                label: section.attribute("label").unwrap_or("").to_owned(),
                l: section.integer("l", L_LIMIT)?,
                occupation: section.number("occupation")?,
            };
            Ok((info, section.values(mesh_size)?))
        })
        .collect()
}

fn augmentation(
    section: &Section<'_>,
    raw: &RawPotential,
) -> Result<RawAugmentation, SectionError> {
    let count = raw.projectors.len();
    let mesh_size = raw.mesh.r.len();
    let charges = require(section.body, "PP_Q")?.values(count * count)?;
    // Without angular momentum one function serves every L of its pair.
    let with_l = section.flag("q_with_l")?;
    if !with_l
        && section
            .attribute("nqf")
            .is_some_and(|nqf| nqf.trim() != "0")
    {
        return Err(SectionError::unsupported(
            "PP_AUGMENTATION",
            "augmentation charges with polynomials inside (nqf > 0) are supported in version 1 \
             files only",
        ));
    }
    let sphere = raw.paw.as_ref().map(|paw| paw.augmentation_points);
    let mut functions = Vec::new();
    // The sections come in this order, so each search goes on where the last one ended.
    let mut rest = section.body;
    for i in 0..count {
        for j in i..count {
            let (li, lj) = (raw.projectors[i].l, raw.projectors[j].l);
            for l in (li.abs_diff(lj)..=li + lj).step_by(2) {
                let name = match with_l {
                    true => format!("PP_QIJL.{}.{}.{l}", i + 1, j + 1),
                    false => format!("PP_QIJ.{}.{}", i + 1, j + 1),
                };
                let found = match find(rest, &name)? {
                    Some(found) => Some(found),
                    None => find(section.body, &name)?,
                };
                let found = found.ok_or_else(|| SectionError::new(&name, "not found"))?;
                rest = found.rest;
                let mut values = if found.flag("is_null")? {
                    vec![0.0; mesh_size]
                } else {
                    found.values(mesh_size)?
                };
                if let Some(points) = sphere {
                    values[points..].fill(0.0);
                }
                functions.push(AugmentationFunction { i, j, l, values });
            }
        }
    }
    Ok(RawAugmentation { charges, functions })
}

fn paw(
    text: &str,
    augmentation: &Section<'_>,
    raw: &RawPotential,
) -> Result<PawData, SectionError> {
    let mesh_size = raw.mesh.r.len();
    let count = raw.projectors.len();
    let section = require(text, "PP_PAW")?;
    let waves = require(text, "PP_FULL_WFC")?;
    let partial_waves = |kind: &str| {
        (1..=count)
            .map(|index| require(waves.body, &format!("{kind}.{index}"))?.values(mesh_size))
            .collect::<Result<Vec<_>, _>>()
    };
    let multipoles = match find(augmentation.body, "PP_MULTIPOLES")? {
        Some(found) => {
            let angular = 2 * raw.projectors.iter().map(|p| p.l).max().unwrap_or(0) + 1;
            found.values(count * count * angular)?
        }
        None => Vec::new(),
    };
    Ok(PawData {
        all_electron_waves: partial_waves("PP_AEWFC")?,
        pseudo_waves: partial_waves("PP_PSWFC")?,
        occupations: require(section.body, "PP_OCCUPATIONS")?.values(count)?,
        core_density: require(section.body, "PP_AE_NLCC")?.values(mesh_size)?,
        local: require(section.body, "PP_AE_VLOC")?.values(mesh_size)?,
        core_energy: match section.attribute("core_energy") {
            Some(_) => section.number("core_energy")?,
            None => 0.0,
        },
        augmentation_points: augmentation.integer("cutoff_r_index", mesh_size)?,
        multipoles,
    })
}
