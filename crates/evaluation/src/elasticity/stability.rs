//! Whether a crystal withstands every small strain.

use super::{
    symmetric_matrix::Spectrum,
    tensors::{Matrix3, to_tensor},
};

/// A strain lowers the energy at constant stress: the cell has no elastic moduli.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "elastically unstable: the stiffness has the eigenvalue {stiffness_gpa:.2} GPa, expected all \
     above 0; its strain (xx, yy, zz, yz, xz, xy) is {}",
    listed(strain)
)]
pub struct ElasticallyUnstable {
    /// Lowest eigenvalue of the symmetric part of the stress–strain coefficients in GPa.
    pub stiffness_gpa: f64,
    /// Its strain, of length 1.
    pub strain: [[f64; 3]; 3],
}

fn listed(strain: &Matrix3) -> String {
    let [[xx, xy, xz], [_, yy, yz], [.., zz]] = strain;
    format!("{xx:.2}, {yy:.2}, {zz:.2}, {yz:.2}, {xz:.2}, {xy:.2}")
}

/// Refuses a stiffness that is not positive definite.
pub(super) fn check_stability(spectrum: &Spectrum) -> Result<(), ElasticallyUnstable> {
    let (stiffness_gpa, strain) = spectrum.lowest();
    // Not `<=`: NaN is no stiffness either.
    if stiffness_gpa > 0.0 {
        return Ok(());
    }
    Err(ElasticallyUnstable {
        stiffness_gpa,
        strain: to_tensor(&strain),
    })
}
