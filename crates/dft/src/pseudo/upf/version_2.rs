//! Version 2: attributes and one section per function.

use crystalgym_pseudopotential::upf::{Section, UpfError, UpfHeader, find, require};

use super::{
    physics::Physics,
    raw::{L_LIMIT, RawAugmentation, RawPotential, RawProjector},
};
use crate::pseudo::{
    radial::RadialMesh,
    types::{AugmentationFunction, OrbitalInfo, PawData, PseudopotentialKind},
};

pub(super) fn read(
    text: &str,
    header: &UpfHeader,
    physics: Physics,
) -> Result<RawPotential, UpfError> {
    let mesh_size = header.mesh_size;
    let mesh_section = require(text, "PP_MESH")?;
    let mesh = RadialMesh {
        r: require(mesh_section.body, "PP_R")?.values(mesh_size)?,
        rab: require(mesh_section.body, "PP_RAB")?.values(mesh_size)?,
    };
    let mut raw = RawPotential {
        element: header.element,
        kind: physics.kind,
        functional: physics.functional,
        z_valence: header.z_valence,
        mesh,
        local_ry: require(text, "PP_LOCAL")?.values(mesh_size)?,
        core_density: if header.core_correction {
            Some(require(text, "PP_NLCC")?.values(mesh_size)?)
        } else {
            None
        },
        projectors: Vec::new(),
        coupling_ry: Vec::new(),
        augmentation: None,
        orbitals: orbitals(text, header)?,
        atomic_density: require(text, "PP_RHOATOM")?.values(mesh_size)?,
        is_spin_orbit_average: false,
        paw: None,
    };
    let count = header.projector_count;
    if count == 0 {
        return Ok(raw);
    }
    let nonlocal = require(text, "PP_NONLOCAL")?;
    raw.projectors = numbered(nonlocal.body, "PP_BETA", count)?
        .iter()
        .map(|section| projector(section, mesh_size))
        .collect::<Result<_, _>>()?;
    raw.coupling_ry = require(nonlocal.body, "PP_DIJ")?.values(count * count)?;
    if physics.kind != PseudopotentialKind::NormConserving {
        let section = require(nonlocal.body, "PP_AUGMENTATION")?;
        if physics.kind == PseudopotentialKind::Paw {
            raw.paw = Some(paw(text, &section, &raw)?);
        }
        raw.augmentation = Some(augmentation(&section, &raw)?);
    }
    Ok(raw)
}

/// The sections `NAME.1` … `NAME.count`.
///
/// Some generators write numbers of two digits with the first one alone. `pw.x` reads such sections in
/// their order, and so does this: what follows the section before, if its own `index`, where it has
/// one, is right.
fn numbered<'a>(text: &'a str, name: &str, count: usize) -> Result<Vec<Section<'a>>, UpfError> {
    let mut sections: Vec<Section<'a>> = Vec::with_capacity(count);
    for index in 1..=count {
        let full_name = format!("{name}.{index}");
        let cut_name = format!("{name}.{}", &index.to_string()[..1]);
        let found = match (find(text, &full_name)?, sections.last()) {
            (None, Some(before)) if index > 9 => find(before.rest, &cut_name)?.filter(|section| {
                let own = section.attribute("index");
                own.is_none_or(|own| own.trim() == index.to_string() || own.trim() == "*")
            }),
            (found, _) => found,
        };
        sections.push(found.ok_or_else(|| UpfError::new(full_name, "not found"))?);
    }
    Ok(sections)
}

fn projector(section: &Section<'_>, mesh_size: usize) -> Result<RawProjector, UpfError> {
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

fn orbitals(text: &str, header: &UpfHeader) -> Result<Vec<(OrbitalInfo, Vec<f64>)>, UpfError> {
    let (count, mesh_size) = (header.orbital_count, header.mesh_size);
    if count == 0 {
        return Ok(Vec::new());
    }
    let parent = require(text, "PP_PSWFC")?;
    numbered(parent.body, "PP_CHI", count)?
        .iter()
        .map(|section| {
            let info = OrbitalInfo {
                label: section.attribute("label").unwrap_or("").to_owned(),
                l: section.integer("l", L_LIMIT)?,
                occupation: section.number("occupation")?,
            };
            Ok((info, section.values(mesh_size)?))
        })
        .collect()
}

fn augmentation(section: &Section<'_>, raw: &RawPotential) -> Result<RawAugmentation, UpfError> {
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
        return Err(UpfError::unsupported(
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
                let found = found.ok_or_else(|| UpfError::new(&name, "not found"))?;
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

fn paw(text: &str, augmentation: &Section<'_>, raw: &RawPotential) -> Result<PawData, UpfError> {
    let mesh_size = raw.mesh.r.len();
    let count = raw.projectors.len();
    let section = require(text, "PP_PAW")?;
    let waves = require(text, "PP_FULL_WFC")?;
    let partial_waves = |kind: &str| {
        let sections = numbered(waves.body, kind, count)?;
        let values = sections.iter().map(|section| section.values(mesh_size));
        values.collect::<Result<Vec<_>, _>>()
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
