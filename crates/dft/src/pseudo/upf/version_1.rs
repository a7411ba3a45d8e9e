//! Version 1: free text, numbers followed by their labels.

use crystalgym_pseudopotential::upf::{
    Lines, Section, UpfError, UpfHeader, find, parse_integer, parse_number, require, shorten,
};

use super::{
    physics::Physics,
    raw::{L_LIMIT, RawAugmentation, RawPotential, RawProjector},
};
use crate::pseudo::{
    radial::RadialMesh,
    types::{AugmentationFunction, OrbitalInfo, PseudopotentialKind},
};

/// Numbers in the heads of blocks above this are damaged.
const FUNCTION_LIMIT: usize = 100;

pub(super) fn read(
    text: &str,
    header: &UpfHeader,
    physics: Physics,
) -> Result<RawPotential, UpfError> {
    let mesh_size = header.mesh_size;
    let mesh = require(text, "PP_MESH")?;
    let mesh = RadialMesh {
        r: require(mesh.body, "PP_R")?.values(mesh_size)?,
        rab: require(mesh.body, "PP_RAB")?.values(mesh_size)?,
    };
    let mut raw = RawPotential {
        element: header.element,
        kind: physics.kind,
        functional: physics.functional,
        z_valence: header.z_valence,
        local_ry: require(text, "PP_LOCAL")?.values(mesh_size)?,
        core_density: if header.core_correction {
            Some(require(text, "PP_NLCC")?.values(mesh_size)?)
        } else {
            None
        },
        coupling_ry: Vec::new(),
        projectors: Vec::new(),
        augmentation: None,
        orbitals: orbitals(text, header)?,
        atomic_density: require(text, "PP_RHOATOM")?.values(mesh_size)?,
        is_spin_orbit_average: false,
        mesh,
        paw: None,
    };
    if header.projector_count > 0 {
        let nonlocal = require(text, "PP_NONLOCAL")?;
        raw.projectors = projectors(&nonlocal, header)?;
        raw.coupling_ry = coupling(&nonlocal, header.projector_count)?;
        if physics.kind != PseudopotentialKind::NormConserving {
            raw.augmentation = Some(augmentation(&nonlocal, &raw.projectors, &raw.mesh)?);
        }
    }
    Ok(raw)
}

fn projectors(nonlocal: &Section<'_>, header: &UpfHeader) -> Result<Vec<RawProjector>, UpfError> {
    let mut rest = nonlocal.body;
    let mut projectors = Vec::new();
    for _ in 0..header.projector_count {
        let section = require(rest, "PP_BETA")?;
        rest = section.rest;
        let mut lines = Lines::new(&section);
        let l = lines.integers("Beta L", 2, FUNCTION_LIMIT)?[1];
        if l > L_LIMIT {
            return Err(section.error(format!("angular momentum {l}, expected at most {L_LIMIT}")));
        }
        let points = lines.integers("number of points", 1, header.mesh_size)?[0];
        if points == 0 {
            return Err(section.error("0 points, expected at least 1"));
        }
        let mut values = lines.block(points)?;
        values.resize(header.mesh_size, 0.0);
        projectors.push(RawProjector { l, values, points });
    }
    Ok(projectors)
}

fn coupling(nonlocal: &Section<'_>, count: usize) -> Result<Vec<f64>, UpfError> {
    let section = require(nonlocal.body, "PP_DIJ")?;
    let mut lines = Lines::new(&section);
    let nonzero = lines.integers("Number of nonzero Dij", 1, FUNCTION_LIMIT * FUNCTION_LIMIT)?[0];
    let mut matrix = vec![0.0; count * count];
    for _ in 0..nonzero {
        let words = lines.words("i j D_ij")?;
        let index = |k: usize| {
            words
                .get(k)
                .and_then(|word| parse_integer(word, count))
                .filter(|&index| index > 0)
                .map(|index| index - 1)
        };
        let value = words.get(2).and_then(|word| parse_number(word));
        let (Some(i), Some(j), Some(value)) = (index(0), index(1), value) else {
            return Err(section.error(format!(
                "line '{}', expected i j D_ij with i and j from 1 to {count}",
                shorten(&words.join(" "))
            )));
        };
        matrix[i * count + j] = value;
        matrix[j * count + i] = value;
    }
    Ok(matrix)
}

/// Q_ij(r) without angular momentum; inside r_inner(L) the polynomial
/// r^{L+2} Σ_k c_k r^{2k} replaces r² Q_ij.
///
/// # Source
/// Laasonen et al., PRB 47, 10142 (1993), section III.
fn augmentation(
    nonlocal: &Section<'_>,
    projectors: &[RawProjector],
    mesh: &RadialMesh,
) -> Result<RawAugmentation, UpfError> {
    let count = projectors.len();
    let angular = 2 * projectors.iter().map(|p| p.l).max().unwrap_or(0) + 1;
    let section = require(nonlocal.body, "PP_QIJ")?;
    let coefficients = Lines::new(&section).integers("nqf", 1, FUNCTION_LIMIT)?[0];
    let (inner_radii, mut rest) = match find(section.body, "PP_RINNER")? {
        Some(found) if coefficients > 0 => {
            let numbers = found.values(2 * angular)?;
            let radii = numbers.chunks(2).map(|pair| pair[1]).collect();
            (radii, found.rest)
        }
        _ if coefficients > 0 => return Err(UpfError::new("PP_RINNER", "not found")),
        _ => {
            let after = section.body.trim_start().split_once('\n');
            (vec![0.0; angular], after.map_or("", |(_, rest)| rest))
        }
    };
    let mut charges = vec![0.0; count * count];
    let mut functions = Vec::new();
    for i in 0..count {
        for j in i..count {
            let mut lines = Lines::from(&section, rest);
            let indices = lines.integers("i j l(j)", 3, FUNCTION_LIMIT)?;
            if (indices[0], indices[1]) != (i + 1, j + 1) {
                return Err(section.error(format!(
                    "charge of projectors {} and {}, expected {} and {}",
                    indices[0],
                    indices[1],
                    i + 1,
                    j + 1
                )));
            }
            let charge = lines.numbers("Q_int", 1)?[0];
            charges[i * count + j] = charge;
            charges[j * count + i] = charge;
            let values = lines.block(mesh.r.len())?;
            rest = lines.rest();
            let polynomials = if coefficients > 0 {
                let found = require(rest, "PP_QFCOEF")?;
                rest = found.rest;
                found.values(coefficients * angular)?
            } else {
                Vec::new()
            };
            let (li, lj) = (projectors[i].l, projectors[j].l);
            for l in (li.abs_diff(lj)..=li + lj).step_by(2) {
                let mut values = values.clone();
                let inner = mesh.r.iter().take_while(|&&r| r < inner_radii[l]);
                if coefficients > 0 {
                    let c = &polynomials[l * coefficients..(l + 1) * coefficients];
                    for (value, &r) in values.iter_mut().zip(inner) {
                        let sum = c.iter().rev().fold(0.0, |sum, c| sum * r * r + c);
                        *value = r.powi(l as i32 + 2) * sum;
                    }
                }
                functions.push(AugmentationFunction { i, j, l, values });
            }
        }
    }
    Ok(RawAugmentation { charges, functions })
}

fn orbitals(text: &str, header: &UpfHeader) -> Result<Vec<(OrbitalInfo, Vec<f64>)>, UpfError> {
    if header.orbital_count == 0 {
        return Ok(Vec::new());
    }
    let section = require(text, "PP_PSWFC")?;
    let mut lines = Lines::new(&section);
    (0..header.orbital_count)
        .map(|_| {
            let words = lines.words("label l occupation")?;
            let l = words.get(1).and_then(|word| parse_integer(word, L_LIMIT));
            let occupation = words.get(2).and_then(|word| parse_number(word));
            let (Some(l), Some(occupation)) = (l, occupation) else {
                return Err(section.error(format!(
                    "line '{}', expected a label, l up to {L_LIMIT} and an occupation",
                    shorten(&words.join(" "))
                )));
            };
            let info = OrbitalInfo {
                label: words[0].to_owned(),
                l,
                occupation,
            };
            Ok((info, lines.block(header.mesh_size)?))
        })
        .collect()
}
