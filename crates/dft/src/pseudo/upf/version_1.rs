//! Version 1: free text, numbers followed by their labels.

use super::{
    raw::{RawAugmentation, RawPotential, RawProjector},
    sections::{Section, find, parse_integer, parse_number, require, shorten},
    version_2::{FUNCTION_LIMIT, L_LIMIT, MESH_LIMIT},
};
use crate::pseudo::{
    error::{PseudoError, SectionError},
    radial::RadialMesh,
    types::{AugmentationFunction, OrbitalInfo, PseudopotentialKind},
};

/// What the header says.
struct Header {
    mesh_size: usize,
    orbital_count: usize,
    projector_count: usize,
    core_correction: bool,
}

pub(super) fn read(text: &str, header: &Section<'_>) -> Result<RawPotential, SectionError> {
    let mut lines = Lines::new(header);
    lines.words("Version Number")?;
    let element = lines.first("Element")?.parse();
    let element = element.map_err(|error| header.error(format!("{error}")))?;
    let kind = match lines.first("pseudopotential type")? {
        "NC" | "SL" => PseudopotentialKind::NormConserving,
        "US" => PseudopotentialKind::Ultrasoft,
        other => {
            return Err(header.error(format!(
                "pseudopotential type is '{}', expected NC or US in a version 1 file",
                shorten(other)
            )));
        }
    };
    let core_correction = matches!(
        lines.first("Nonlinear Core Correction")?,
        "T" | "t" | ".true." | ".T."
    );
    // The label follows the name on the same line; names have at most five words.
    let words = lines.words("Exchange-Correlation functional")?;
    let name: Vec<&str> = words
        .iter()
        .copied()
        .take_while(|word| !word.starts_with("Exchange"))
        .collect();
    let functional = name
        .join(" ")
        .parse()
        .map_err(|error: PseudoError| header.error(error.to_string()))?;
    let z_valence = lines.numbers("Z valence", 1)?[0];
    lines.words("Total energy")?;
    lines.words("Suggested cutoff")?;
    lines.words("Max angular momentum")?;
    let mesh_size = lines.integers("Number of points in mesh", 1, MESH_LIMIT)?[0];
    let counts = lines.integers("Number of Wavefunctions", 2, FUNCTION_LIMIT)?;
    let shape = Header {
        mesh_size,
        orbital_count: counts[0],
        projector_count: counts[1],
        core_correction,
    };
    let mesh = require(text, "PP_MESH")?;
    let nonlocal = require(text, "PP_NONLOCAL")?;
    let mesh = RadialMesh {
        r: require(mesh.body, "PP_R")?.values(mesh_size)?,
        rab: require(mesh.body, "PP_RAB")?.values(mesh_size)?,
    };
    let projectors = projectors(&nonlocal, &shape)?;
    let augmentation = match kind {
        PseudopotentialKind::NormConserving => None,
        _ => Some(augmentation(&nonlocal, &projectors, &mesh)?),
    };
    Ok(RawPotential {
        element,
        kind,
        functional,
        z_valence,
        local_ry: require(text, "PP_LOCAL")?.values(mesh_size)?,
        core_density: if shape.core_correction {
            Some(require(text, "PP_NLCC")?.values(mesh_size)?)
        } else {
            None
        },
        coupling_ry: coupling(&nonlocal, shape.projector_count)?,
        projectors,
        augmentation,
        orbitals: orbitals(text, &shape)?,
        atomic_density: require(text, "PP_RHOATOM")?.values(mesh_size)?,
        mesh,
        paw: None,
    })
}

fn projectors(nonlocal: &Section<'_>, shape: &Header) -> Result<Vec<RawProjector>, SectionError> {
    let mut rest = nonlocal.body;
    let mut projectors = Vec::new();
    for _ in 0..shape.projector_count {
        let section = require(rest, "PP_BETA")?;
        rest = section.rest;
        let mut lines = Lines::new(&section);
        let l = lines.integers("Beta L", 2, FUNCTION_LIMIT)?[1];
        if l > L_LIMIT {
            return Err(section.error(format!("angular momentum {l}, expected at most {L_LIMIT}")));
        }
        let points = lines.integers("number of points", 1, shape.mesh_size)?[0];
        if points == 0 {
            return Err(section.error("0 points, expected at least 1"));
        }
        let mut values = lines.block(points)?;
        values.resize(shape.mesh_size, 0.0);
        projectors.push(RawProjector { l, values, points });
    }
    Ok(projectors)
}

fn coupling(nonlocal: &Section<'_>, count: usize) -> Result<Vec<f64>, SectionError> {
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
) -> Result<RawAugmentation, SectionError> {
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
        _ if coefficients > 0 => return Err(SectionError::new("PP_RINNER", "not found")),
        _ => {
            let after = section.body.trim_start().split_once('\n');
            (vec![0.0; angular], after.map_or("", |(_, rest)| rest))
        }
    };
    let mut charges = vec![0.0; count * count];
    let mut functions = Vec::new();
    for i in 0..count {
        for j in i..count {
            let mut lines = Lines {
                section: &section,
                text: rest,
            };
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
            rest = lines.text;
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

fn orbitals(text: &str, shape: &Header) -> Result<Vec<(OrbitalInfo, Vec<f64>)>, SectionError> {
    if shape.orbital_count == 0 {
        return Ok(Vec::new());
    }
    let section = require(text, "PP_PSWFC")?;
    let mut lines = Lines::new(&section);
    (0..shape.orbital_count)
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
            Ok((info, lines.block(shape.mesh_size)?))
        })
        .collect()
}

/// Reads a section line by line: labels end a line, blocks of numbers go over many.
struct Lines<'a, 'b> {
    section: &'b Section<'a>,
    text: &'a str,
}

impl<'a, 'b> Lines<'a, 'b> {
    fn new(section: &'b Section<'a>) -> Self {
        Self {
            section,
            text: section.body,
        }
    }

    /// The words of the next line that is not empty; `what` is for the message.
    fn words(&mut self, what: &str) -> Result<Vec<&'a str>, SectionError> {
        self.text = self.text.trim_start();
        if self.text.is_empty() {
            return Err(self.section.error(format!("it ends before '{what}'")));
        }
        let (line, rest) = self.text.split_once('\n').unwrap_or((self.text, ""));
        self.text = rest;
        Ok(line.split_whitespace().collect())
    }

    fn first(&mut self, what: &str) -> Result<&'a str, SectionError> {
        self.words(what).map(|words| words[0])
    }

    /// The first `count` words of the next line as numbers.
    fn numbers(&mut self, what: &str, count: usize) -> Result<Vec<f64>, SectionError> {
        let words = self.words(what)?;
        let numbers: Option<Vec<f64>> = (0..count)
            .map(|i| words.get(i).and_then(|word| parse_number(word)))
            .collect();
        numbers.ok_or_else(|| {
            let line = shorten(&words.join(" "));
            self.section.error(format!(
                "line '{line}', expected {count} number(s) for '{what}'"
            ))
        })
    }

    /// The first `count` words of the next line as whole numbers up to `limit`.
    fn integers(
        &mut self,
        what: &str,
        count: usize,
        limit: usize,
    ) -> Result<Vec<usize>, SectionError> {
        let words = self.words(what)?;
        let numbers: Option<Vec<usize>> = (0..count)
            .map(|i| words.get(i).and_then(|word| parse_integer(word, limit)))
            .collect();
        numbers.ok_or_else(|| {
            let line = shorten(&words.join(" "));
            self.section.error(format!(
                "line '{line}', expected {count} whole number(s) up to {limit} for '{what}'"
            ))
        })
    }

    /// The next `count` numbers, over as many lines as they take.
    fn block(&mut self, count: usize) -> Result<Vec<f64>, SectionError> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let text = self.text.trim_start();
            let end = text.find(char::is_whitespace).unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            self.text = rest;
            values.push(parse_number(word).ok_or_else(|| {
                self.section.error(format!(
                    "number {} of {count} is '{}', expected a finite number",
                    values.len() + 1,
                    shorten(word)
                ))
            })?);
        }
        Ok(values)
    }
}
