//! The equation of state of Quantum ESPRESSO's `ev.x`, whatever it is worth.

use crystalgym_qe::{BOHR_ANG, EV_PER_RY};

use crate::{EquationOfStateError, EquationOfStateFit, levenberg_marquardt::minimize};

/// 1 Ry/bohr³ in kbar, to the last bit as `ev.x` has it.
const RY_BOHR3_KBAR: f64 = 147_105.078_482_610_5;
/// Where the search starts: bulk modulus in kbar and its derivative.
const START_KBAR: f64 = 500.0;
const START_DERIVATIVE: f64 = 5.0;
/// Its relative tolerance.
const TOLERANCE: f64 = 1e-12;
const KBAR_PER_GPA: f64 = 10.0;

/// What `ev.x` prints of a fit to Murnaghan's equation of state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvXFit {
    /// Equilibrium volume in Å³, to 0.01.
    pub equilibrium_volume_ang3: f64,
    /// Bulk modulus in GPa, to 0.1.
    pub bulk_modulus_gpa: f64,
    /// Its pressure derivative, to 0.01.
    pub bulk_modulus_derivative: f64,
    /// Mean square residual in Ry².
    pub mean_square_ry2: f64,
    /// Whether the search met one of its tests of convergence; a result is printed either way.
    pub has_converged: bool,
}

/// Fits Murnaghan's equation of state in the way of `ev.x` to volumes in Å³ and energies in Ry.
///
/// `χ²(V₀, B, B′)`, the mean square residual with the best additive constant, is the only residual of
/// MINPACK's `lmdif` beside two zeros, from the volume in the middle (the lower of two), 500 kbar and 5, to
/// a relative tolerance of 1e-12 or 800 evaluations: away from the minimum it ends where it stands. Rows are
/// rounded as in the published input, to six decimals of a cube's edge in Å and of the energy, and each cube
/// holds `cells_per_cube` cells.
///
/// # Errors
/// [`EquationOfStateError::BadData`] for fewer than two rows or numbers that are not finite, and
/// [`EquationOfStateError::Unprintable`] for values with more digits than the columns of `ev.x`.
pub fn fit_as_ev_x(
    volumes_ang3: &[f64],
    energies_ry: &[f64],
    cells_per_cube: f64,
) -> Result<EvXFit, EquationOfStateError> {
    let all = volumes_ang3.iter().chain(energies_ry);
    if volumes_ang3.len() != energies_ry.len()
        || volumes_ang3.len() < 2
        || !all.copied().all(f64::is_finite)
    {
        return Err(EquationOfStateError::BadData(format!(
            "{} volumes and {} energies, expected as many finite numbers of both, at least 2",
            volumes_ang3.len(),
            energies_ry.len()
        )));
    }
    let volumes: Vec<f64> = (volumes_ang3.iter())
        .map(|volume| {
            let edge = rounded(volume.cbrt(), 6) / BOHR_ANG;
            edge * edge * edge / cells_per_cube
        })
        .collect();
    let energies: Vec<f64> = energies_ry
        .iter()
        .map(|&energy| rounded(energy, 6))
        .collect();
    let start = [volumes[volumes.len() / 2 - 1], START_KBAR, START_DERIVATIVE];
    let square = |parameters: &[f64; 3]| mean_square(&volumes, &energies, parameters);
    let found = minimize(
        |parameters| [square(parameters), 0.0, 0.0],
        start,
        TOLERANCE,
    );
    let [volume, modulus_kbar, derivative] = found.parameters;
    // Columns of 8, 6 and 6 characters, signs and points among them.
    let printed = |value: f64, digits: usize, width: usize| {
        let text = format!("{value:.digits$}");
        match text.len() <= width && value.is_finite() {
            true => Ok(rounded(value, digits)),
            false => Err(EquationOfStateError::Unprintable { value, width }),
        }
    };
    Ok(EvXFit {
        equilibrium_volume_ang3: printed(volume * BOHR_ANG.powi(3), 2, 8)?,
        bulk_modulus_gpa: printed(modulus_kbar / KBAR_PER_GPA, 1, 6)?,
        bulk_modulus_derivative: printed(derivative, 2, 6)?,
        mean_square_ry2: square(&found.parameters),
        has_converged: found.has_converged,
    })
}

impl EquationOfStateFit {
    /// What [`fit_as_ev_x`] gives for energies in eV, with the modulus at a cell's volume that follows from it,
    /// `B (V₀/V)^B′`.
    ///
    /// # Errors
    /// As [`fit_as_ev_x`].
    pub(crate) fn of_ev_x(
        volumes_ang3: &[f64],
        energies_ev: &[f64],
        cell_ang3: f64,
        cells_per_cube: f64,
    ) -> Result<Self, EquationOfStateError> {
        let energies_ry: Vec<f64> = energies_ev.iter().map(|e| e / EV_PER_RY).collect();
        let found = fit_as_ev_x(volumes_ang3, &energies_ry, cells_per_cube)?;
        let compression = found.equilibrium_volume_ang3 / (cell_ang3 / cells_per_cube);
        Ok(Self {
            volumes_ang3: volumes_ang3.to_vec(),
            energies_ev: energies_ev.to_vec(),
            equilibrium_volume_ang3: found.equilibrium_volume_ang3,
            bulk_modulus_gpa: found.bulk_modulus_gpa,
            bulk_modulus_derivative: found.bulk_modulus_derivative,
            rms_residual_ev: found.mean_square_ry2.sqrt() * EV_PER_RY,
            modulus_at_reference_gpa: found.bulk_modulus_gpa
                * compression.powf(found.bulk_modulus_derivative),
        })
    }
}

/// The number that is left when it is written with so many decimals.
fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$}").parse().unwrap_or(value)
}

/// χ² in Ry² of volumes in bohr³ and energies in Ry, with V₀ in bohr³ and B in kbar.
fn mean_square(volumes: &[f64], energies: &[f64], parameters: &[f64; 3]) -> f64 {
    let [v0, modulus_kbar, b1] = *parameters;
    let b = modulus_kbar / RY_BOHR3_KBAR;
    // E(V) = −B V₀/(B′−1) + B V/B′ [(V₀/V)^B′/(B′−1) + 1], in the order of operations that `ev.x` has: a search
    // that stops before convergence ends where rounding leaves it. The last term is Keane's, which is zero
    // here but for negative volumes: these have no logarithm.
    let curve = |v: f64| {
        let power = (v0 / v).powf(b1) / (b1 - 1.0) + 1.0;
        let keane = b * 0.0 / b1 * (v * (v0 / v).ln() + v - v0);
        v * b * b1 / (b1 * b1) * power - b * b1 / b1 * v0 / (b1 - 1.0) - keane
    };
    let fitted: Vec<f64> = volumes.iter().map(|&v| curve(v)).collect();
    let count = volumes.len() as f64;
    let mut constant = 0.0;
    for (energy, fitted) in energies.iter().zip(&fitted) {
        constant = constant + energy - fitted;
    }
    constant /= count;
    let mut square = 0.0;
    for (energy, fitted) in energies.iter().zip(&fitted) {
        square += (energy - (fitted + constant)).powi(2);
    }
    square / count
}
