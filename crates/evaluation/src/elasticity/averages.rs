//! Moduli of a solid of grains in all orientations.

use serde::{Deserialize, Serialize};

use super::tensors::Matrix6;

/// Bulk and shear modulus in GPa.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct IsotropicModuli {
    /// Bulk modulus in GPa.
    pub bulk_gpa: f64,
    /// Shear modulus in GPa.
    pub shear_gpa: f64,
}

/// The averages of Voigt (equal strain in all grains, an upper bound), Reuss (equal stress, a lower
/// bound) and Hill, their mean: R. Hill, Proc. Phys. Soc. A 65, 349 (1952).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct IsotropicAverage {
    /// Voigt's.
    pub voigt: IsotropicModuli,
    /// Reuss's.
    pub reuss: IsotropicModuli,
    /// Hill's.
    pub hill: IsotropicModuli,
}

impl IsotropicAverage {
    /// Of a stiffness (GPa) and its inverse (1/GPa) in Mandel's weights.
    ///
    /// With `J = 1ᵀ M 1` over the first three rows and columns and the trace T of all six, a stiffness
    /// has `9 K = J` and `30 G = 3 T − J`, which in Voigt's notation are Hill's equations; the inverse
    /// has `1/K = J` and `15/(2 G) = 3 T − J`.
    pub(super) fn of(stiffness: &Matrix6, compliance: &Matrix6) -> Self {
        let invariants = |matrix: &Matrix6| -> (f64, f64) {
            let dilation: f64 = matrix[..3].iter().flat_map(|row| &row[..3]).sum();
            let trace: f64 = (0..6).map(|m| matrix[m][m]).sum();
            (dilation, 3.0 * trace - dilation)
        };
        let (dilation, deviator) = invariants(stiffness);
        let voigt = IsotropicModuli {
            bulk_gpa: dilation / 9.0,
            shear_gpa: deviator / 30.0,
        };
        let (dilation, deviator) = invariants(compliance);
        let reuss = IsotropicModuli {
            bulk_gpa: 1.0 / dilation,
            shear_gpa: 7.5 / deviator,
        };
        Self {
            voigt,
            reuss,
            hill: IsotropicModuli {
                bulk_gpa: 0.5 * (voigt.bulk_gpa + reuss.bulk_gpa),
                shear_gpa: 0.5 * (voigt.shear_gpa + reuss.shear_gpa),
            },
        }
    }
}
