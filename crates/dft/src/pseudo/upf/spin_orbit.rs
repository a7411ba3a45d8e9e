//! Fully relativistic potentials averaged over the total angular momentum j = l ± 1/2.
//!
//! A projector of angular momentum l comes twice, with strengths D₊ and D₋ for j = l + 1/2 and
//! l − 1/2, whose 2l + 2 and 2l states have the weights (l+1)/(2l+1) and l/(2l+1). One projector
//! takes their place, as in `pw.x` without spin–orbit coupling:
//!
//! D = w₊ D₊ + w₋ D₋, β = w₊ √|D₊/D| β₊ + w₋ √|D₋/D| β₋.

use crystalgym_pseudopotential::upf::{Lines, UpfError, find, parse_number, require, shorten};

use super::raw::{RawPotential, RawProjector};
use crate::pseudo::types::{OrbitalInfo, PseudopotentialKind};

/// The total angular momenta of projectors and orbitals.
pub(super) struct TotalMomenta {
    section: &'static str,
    projector_j: Vec<f64>,
    orbital_j: Vec<f64>,
}

/// `None` where a version 1 file has none, or the zeros that older programs wrote.
pub(super) fn of_version_1(
    text: &str,
    raw: &RawPotential,
) -> Result<Option<TotalMomenta>, UpfError> {
    let name = "PP_ADDINFO";
    let Some(section) = find(text, name)? else {
        return Ok(None);
    };
    let mut lines = Lines::new(&section);
    let mut read = |what: &str, column: usize| {
        let words = lines.words(what)?;
        let number = words.get(column).and_then(|word| parse_number(word));
        number.ok_or_else(|| {
            let line = shorten(&words.join(" "));
            UpfError::new(name, format!("line '{line}', expected '{what}'"))
        })
    };
    let momenta = TotalMomenta {
        section: name,
        orbital_j: (0..raw.orbitals.len())
            .map(|_| read("label n l j occupation", 3))
            .collect::<Result<_, _>>()?,
        projector_j: (0..raw.projectors.len())
            .map(|_| read("l j", 1))
            .collect::<Result<_, _>>()?,
    };
    let mut all = momenta.orbital_j.iter().chain(&momenta.projector_j);
    Ok(all.any(|&j| j != 0.0).then_some(momenta))
}

pub(super) fn of_version_2(text: &str, raw: &RawPotential) -> Result<TotalMomenta, UpfError> {
    let name = "PP_SPIN_ORB";
    let section = require(text, name)?;
    let read = |kind: &str, key: &str, count: usize| {
        (1..=count)
            .map(|index| require(section.body, &format!("{kind}.{index}"))?.number(key))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(TotalMomenta {
        section: name,
        projector_j: read("PP_RELBETA", "jjj", raw.projectors.len())?,
        orbital_j: read("PP_RELWFC", "jchi", raw.orbitals.len())?,
    })
}

/// Replaces pairs of projectors and of orbitals by their averages.
pub(super) fn average(raw: &mut RawPotential, momenta: &TotalMomenta) -> Result<(), UpfError> {
    let section = momenta.section;
    if raw.kind != PseudopotentialKind::NormConserving {
        return Err(UpfError::unsupported(
            section,
            format!(
                "a fully relativistic {} pseudopotential needs spin–orbit coupling, which is not \
                 supported; norm-conserving ones are averaged",
                raw.kind
            ),
        ));
    }
    let count = raw.projectors.len();
    let strength = |i: usize| raw.coupling_ry[i * count + i];
    let largest = (0..count).fold(0.0_f64, |most, i| most.max(strength(i).abs()));
    let couples =
        |index: usize, value: f64| index / count != index % count && value.abs() > 1e-6 * largest;
    let mut elements = raw.coupling_ry.iter().enumerate();
    if elements.any(|(index, &value)| couples(index, value)) {
        return Err(UpfError::unsupported(
            "PP_DIJ",
            "couples different projectors of a fully relativistic file, which has no average",
        ));
    }
    let l: Vec<usize> = raw.projectors.iter().map(|projector| projector.l).collect();
    let groups = groups(section, "projector", &l, &momenta.projector_j)?;
    let mut projectors = Vec::with_capacity(groups.len());
    let mut strengths = Vec::with_capacity(groups.len());
    for group in &groups {
        let mean: f64 = group.iter().map(|&(i, weight)| weight * strength(i)).sum();
        let scale = |i: usize| match group.len() {
            1 => 1.0,
            _ if strength(i) == 0.0 => 0.0,
            _ => (strength(i) / mean).abs().sqrt(),
        };
        if !group.iter().all(|&(i, _)| scale(i).is_finite()) {
            return Err(UpfError::unsupported(
                "PP_DIJ",
                format!(
                    "the strengths of projectors {} and {} cancel each other in their average",
                    group[0].0 + 1,
                    group[1].0 + 1
                ),
            ));
        }
        let parts = group
            .iter()
            .map(|&(i, weight)| (weight * scale(i), &raw.projectors[i]));
        projectors.push(RawProjector {
            l: l[group[0].0],
            points: parts.clone().map(|(_, one)| one.points).max().unwrap_or(0),
            values: sum(parts.map(|(factor, one)| (factor, &one.values[..]))),
        });
        strengths.push(mean);
    }
    let kept = projectors.len();
    raw.projectors = projectors;
    raw.coupling_ry = vec![0.0; kept * kept];
    for (i, strength) in strengths.into_iter().enumerate() {
        raw.coupling_ry[i * kept + i] = strength;
    }
    raw.is_spin_orbit_average = true;
    average_orbitals(raw, momenta)
}

/// The orbitals, with the weights alone; together they hold the electrons of both.
fn average_orbitals(raw: &mut RawPotential, momenta: &TotalMomenta) -> Result<(), UpfError> {
    let l: Vec<usize> = raw.orbitals.iter().map(|(info, _)| info.l).collect();
    let groups = groups(momenta.section, "orbital", &l, &momenta.orbital_j)?;
    raw.orbitals = (groups.iter())
        .map(|group| {
            let parts = group
                .iter()
                .map(|&(i, weight)| (weight, &raw.orbitals[i].1[..]));
            let first = &raw.orbitals[group[0].0].0;
            let occupations = group.iter().map(|&(i, _)| raw.orbitals[i].0.occupation);
            let info = OrbitalInfo {
                occupation: occupations.sum(),
                ..first.clone()
            };
            (info, sum(parts))
        })
        .collect();
    Ok(())
}

/// `Σ factor × values`
fn sum<'a>(parts: impl Iterator<Item = (f64, &'a [f64])>) -> Vec<f64> {
    let mut total = Vec::new();
    for (factor, values) in parts {
        total.resize(values.len(), 0.0);
        for (total, value) in total.iter_mut().zip(values) {
            *total += factor * value;
        }
    }
    total
}

/// Indices and weights of what belongs together: one function of l = 0, and two neighbours, in
/// either order, of j = l ± 1/2.
fn groups(
    section: &str,
    what: &str,
    l: &[usize],
    j: &[f64],
) -> Result<Vec<Vec<(usize, f64)>>, UpfError> {
    const TOLERANCE: f64 = 1e-7;
    let error = |i: usize, expected: String| {
        let found = format!("{what} {} has l = {} and j = {}", i + 1, l[i], j[i]);
        Err(UpfError::new(
            section,
            format!("{found}, expected {expected}"),
        ))
    };
    let has_j = |i: usize, shift: f64| (j[i] - l[i] as f64 - shift).abs() < TOLERANCE;
    let mut groups = Vec::new();
    let mut i = 0;
    while i < l.len() {
        let above = match (has_j(i, 0.5), has_j(i, -0.5)) {
            (true, _) => true,
            (_, true) if l[i] > 0 => false,
            _ => return error(i, "j = l + 1/2 or l − 1/2".to_owned()),
        };
        if l[i] == 0 {
            groups.push(vec![(i, 1.0)]);
            i += 1;
            continue;
        }
        let other = i + 1;
        let other_shift = if above { -0.5 } else { 0.5 };
        if other == l.len() || l[other] != l[i] || !has_j(other, other_shift) {
            let wanted = l[i] as f64 + other_shift;
            return error(i, format!("one of j = {wanted} and the same l after it"));
        }
        let (plus, minus) = if above { (i, other) } else { (other, i) };
        let l = l[i] as f64;
        groups.push(vec![
            (plus, (l + 1.0) / (2.0 * l + 1.0)),
            (minus, l / (2.0 * l + 1.0)),
        ]);
        i += 2;
    }
    Ok(groups)
}
