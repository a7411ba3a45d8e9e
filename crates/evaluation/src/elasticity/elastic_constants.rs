//! The elastic constants of a cell and what follows from them.

use serde::{Deserialize, Serialize};

use super::{
    averages::IsotropicAverage,
    stability::{ElasticallyUnstable, check_stability},
    stress_strain::StressStrain,
    symmetric_matrix::Spectrum,
    tensors::to_voigt,
};

/// Stress–strain coefficients of a stable cell, and the moduli of grains in all orientations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElasticConstants {
    /// Symmetric part of the stress–strain coefficients in GPa, in Voigt's notation (xx, yy, zz, yz,
    /// xz, xy): `σ = C e` with twice the shears in e. Along the Cartesian axes of the calculation,
    /// on which the skeleton's symmetry axes lie.
    pub stiffness_gpa: [[f64; 6]; 6],
    /// Averages over orientations.
    pub average: IsotropicAverage,
    /// Largest element of the antisymmetric part, less what the stress of the cell explains, in GPa:
    /// an error of the measurement.
    pub asymmetry_gpa: f64,
    /// Strains that were measured.
    pub strains: u32,
}

impl ElasticConstants {
    /// What coefficients say.
    ///
    /// # Errors
    /// [`ElasticallyUnstable`] if a strain lowers the energy at constant stress.
    pub fn of(measured: &StressStrain) -> Result<Self, ElasticallyUnstable> {
        let stiffness = measured.symmetric_part();
        let spectrum = Spectrum::of(&stiffness);
        check_stability(&spectrum)?;
        Ok(Self {
            stiffness_gpa: to_voigt(&stiffness),
            average: IsotropicAverage::of(&stiffness, &spectrum.inverse()),
            asymmetry_gpa: measured.asymmetry_gpa(),
            strains: measured.strains as u32,
        })
    }
}
