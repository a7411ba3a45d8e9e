//! Post-conditions that every pseudopotential must meet.

use super::raw::RawPotential;
use crate::pseudo::error::SectionError;

/// Share of the valence electrons that the atomic density must hold. Files made from an ion hold
/// less (GBRV: 2.55 of 3 for Li, 14 of 15 for Bi); the starting density is scaled anyway.
const DENSITY_SHARE: std::ops::Range<f64> = 0.7..1.01;

pub(super) fn check(raw: &RawPotential) -> Result<(), SectionError> {
    let header = |message: String| Err(SectionError::new("PP_HEADER", message));
    let mesh_size = raw.mesh.r.len();
    if mesh_size < 3 {
        return header(format!("{mesh_size} mesh points, expected at least 3"));
    }
    if !(raw.z_valence > 0.0 && raw.z_valence <= 118.0) {
        return header(format!("z_valence is {}, expected 0 to 118", raw.z_valence));
    }
    check_mesh(raw)?;
    check_symmetry("PP_DIJ", raw, &raw.coupling_ry)?;
    if let Some(augmentation) = &raw.augmentation {
        check_symmetry("PP_Q", raw, &augmentation.charges)?;
    }
    if let Some(paw) = &raw.paw
        && paw.augmentation_points < 3
    {
        return Err(SectionError::new(
            "PP_AUGMENTATION",
            format!(
                "cutoff_r_index is {}, expected 3 to {mesh_size}",
                paw.augmentation_points
            ),
        ));
    }
    let electrons = raw.mesh.integrate(mesh_size, |i| raw.atomic_density[i]);
    // A density of zero everywhere means that the file has none.
    if electrons != 0.0 && !DENSITY_SHARE.contains(&(electrons / raw.z_valence)) {
        return Err(SectionError::new(
            "PP_RHOATOM",
            format!(
                "integrates to {electrons}, expected about z_valence = {}",
                raw.z_valence
            ),
        ));
    }
    Ok(())
}

fn check_mesh(raw: &RawPotential) -> Result<(), SectionError> {
    let r = &raw.mesh.r;
    if r[0] < 0.0 {
        return Err(SectionError::new(
            "PP_R",
            format!("begins at {}, expected 0 or more", r[0]),
        ));
    }
    if let Some(i) = (1..r.len()).find(|&i| r[i] <= r[i - 1]) {
        return Err(SectionError::new(
            "PP_R",
            format!(
                "point {} is {}, expected more than {}",
                i + 1,
                r[i],
                r[i - 1]
            ),
        ));
    }
    if let Some(i) = raw.mesh.rab.iter().position(|&rab| rab < 0.0) {
        return Err(SectionError::new(
            "PP_RAB",
            format!("point {} is negative: {}", i + 1, raw.mesh.rab[i]),
        ));
    }
    Ok(())
}

/// n × n, symmetric, and coupling equal angular momenta only.
fn check_symmetry(section: &str, raw: &RawPotential, matrix: &[f64]) -> Result<(), SectionError> {
    let count = raw.projectors.len();
    let largest = matrix.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    for i in 0..count {
        for j in 0..count {
            let (a, b) = (matrix[i * count + j], matrix[j * count + i]);
            if (a - b).abs() > 1e-6 * largest {
                return Err(SectionError::new(
                    section,
                    format!(
                        "element ({0}, {1}) is {a} but ({1}, {0}) is {b}",
                        i + 1,
                        j + 1
                    ),
                ));
            }
            if raw.projectors[i].l != raw.projectors[j].l && a.abs() > 1e-6 * largest {
                return Err(SectionError::new(
                    section,
                    format!(
                        "element ({}, {}) is {a}, expected 0 between different angular momenta",
                        i + 1,
                        j + 1
                    ),
                ));
            }
        }
    }
    Ok(())
}
