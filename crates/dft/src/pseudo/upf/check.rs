//! Post-conditions that every pseudopotential must meet.

use crystalgym_pseudopotential::upf::UpfError;

use super::raw::RawPotential;

/// Largest relative deviation of the local potential's tail from −Z/r.
const TAIL_TOLERANCE: f64 = 0.05;

pub(super) fn check(raw: &RawPotential) -> Result<(), UpfError> {
    let mesh_size = raw.mesh.r.len();
    check_mesh(raw)?;
    check_symmetry("PP_DIJ", raw, &raw.coupling_ry)?;
    if let Some(augmentation) = &raw.augmentation {
        check_symmetry("PP_Q", raw, &augmentation.charges)?;
    }
    if let Some(paw) = &raw.paw
        && paw.augmentation_points < 3
    {
        return Err(UpfError::new(
            "PP_AUGMENTATION",
            format!(
                "cutoff_r_index is {}, expected 3 to {mesh_size}",
                paw.augmentation_points
            ),
        ));
    }
    check_tail(raw)?;
    // An ion or a core hole has other than Z electrons: the starting density is scaled. One of zero
    // everywhere means that the file has none.
    let electrons = raw.mesh.integrate(mesh_size, |i| raw.atomic_density[i]);
    if electrons < 0.0 {
        return Err(UpfError::new(
            "PP_RHOATOM",
            format!("integrates to {electrons}, expected a number of electrons"),
        ));
    }
    Ok(())
}

/// Outside the core the potential is that of the valence charge, −2Z/r in rydberg.
fn check_tail(raw: &RawPotential) -> Result<(), UpfError> {
    let last = raw.mesh.integration_points() - 1;
    let charge = -0.5 * raw.mesh.r[last] * raw.local_ry[last];
    if (charge / raw.z_valence - 1.0).abs() > TAIL_TOLERANCE {
        return Err(UpfError::new(
            "PP_LOCAL",
            format!(
                "is that of a charge of {charge:.3} at {:.2} bohr, expected z_valence = {}",
                raw.mesh.r[last], raw.z_valence
            ),
        ));
    }
    Ok(())
}

fn check_mesh(raw: &RawPotential) -> Result<(), UpfError> {
    let r = &raw.mesh.r;
    if r[0] < 0.0 {
        return Err(UpfError::new(
            "PP_R",
            format!("begins at {}, expected 0 or more", r[0]),
        ));
    }
    if let Some(i) = (1..r.len()).find(|&i| r[i] <= r[i - 1]) {
        return Err(UpfError::new(
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
        return Err(UpfError::new(
            "PP_RAB",
            format!("point {} is negative: {}", i + 1, raw.mesh.rab[i]),
        ));
    }
    Ok(())
}

/// n × n, symmetric, and coupling equal angular momenta only.
fn check_symmetry(section: &str, raw: &RawPotential, matrix: &[f64]) -> Result<(), UpfError> {
    let count = raw.projectors.len();
    let largest = matrix.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    for i in 0..count {
        for j in 0..count {
            let (a, b) = (matrix[i * count + j], matrix[j * count + i]);
            if (a - b).abs() > 1e-6 * largest {
                return Err(UpfError::new(
                    section,
                    format!(
                        "element ({0}, {1}) is {a} but ({1}, {0}) is {b}",
                        i + 1,
                        j + 1
                    ),
                ));
            }
            if raw.projectors[i].l != raw.projectors[j].l && a.abs() > 1e-6 * largest {
                return Err(UpfError::new(
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
