//! Fits of equations of state to energies at several volumes, and what a fit must fulfil.

use serde::{Deserialize, Serialize};

use crate::EquationOfStateFit;

/// 1 eV/Å³ in GPa (exact in the SI of 2019).
pub const GPA_PER_EV_ANG3: f64 = 160.217_663_4;

/// Why energies over volumes gave no equation of state.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EquationOfStateError {
    /// Fewer points than parameters, or points that are no volumes and energies.
    #[error("{0}")]
    BadData(String),
    /// The curve has no minimum.
    #[error(
        "no equilibrium volume: B = {modulus_gpa:.1} GPa and B' = {derivative:.2} at {volume:.3} Å³"
    )]
    NoMinimum {
        /// Bulk modulus at the reference volume.
        modulus_gpa: f64,
        /// Its pressure derivative.
        derivative: f64,
        /// The reference volume in Å³.
        volume: f64,
    },
    /// A value has more digits than the columns that `ev.x` prints.
    #[error("the fit has a value of {value:e}, which {width} characters cannot hold")]
    Unprintable {
        /// The value.
        value: f64,
        /// Characters of the column.
        width: usize,
    },
    /// The minimum is too far from the data.
    #[error("the fitted V₀ is {found:.3} times the cell's volume, expected {least} to {most}")]
    FarExtrapolation {
        /// V₀/V of the fit.
        found: f64,
        /// Least that is accepted.
        least: f64,
        /// Most that is accepted.
        most: f64,
    },
    /// The derivative is none that a solid has: the data are too rough for it.
    #[error("the fitted B' is {found:.2}, expected {least} to {most}")]
    UnlikelyDerivative {
        /// B' of the fit.
        found: f64,
        /// Least that is accepted.
        least: f64,
        /// Most that is accepted.
        most: f64,
    },
    /// The points scatter about the curve.
    #[error(
        "the fit leaves {rms_mev:.3} meV, {relative:.3} of the curvature that it measures, \
         expected at most {most}"
    )]
    Scatter {
        /// Root mean square residual in meV.
        rms_mev: f64,
        /// The same over ½ B V ε².
        relative: f64,
        /// Most that is accepted.
        most: f64,
    },
}

/// What a fit must fulfil to be believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EquationOfStateLimits {
    /// Range of V₀ over the cell's volume.
    pub volume_ratio: [f64; 2],
    /// Range of B'.
    pub derivative: [f64; 2],
    /// Largest residual (rms) over ½ B V ε², the energy by which the curvature raises the
    /// outermost points, ε their relative strain.
    pub relative_residual: f64,
}

impl Default for EquationOfStateLimits {
    fn default() -> Self {
        Self {
            volume_ratio: [0.5, 2.0],
            derivative: [0.0, 20.0],
            relative_residual: 0.05,
        }
    }
}

impl EquationOfStateLimits {
    /// Whether `fit`, of data around `reference_volume_ang3`, is to be believed.
    ///
    /// # Errors
    /// [`EquationOfStateError`] for the first limit that it breaks.
    pub fn check(
        &self,
        fit: &EquationOfStateFit,
        reference_volume_ang3: f64,
    ) -> Result<(), EquationOfStateError> {
        let strain = fit
            .volumes_ang3
            .iter()
            .map(|volume| (volume / reference_volume_ang3 - 1.0).abs())
            .fold(0.0, f64::max);
        let curvature_ev = 0.5 * fit.modulus_at_reference_gpa / GPA_PER_EV_ANG3
            * reference_volume_ang3
            * strain.powi(2);
        let relative = fit.rms_residual_ev / curvature_ev;
        if relative.is_nan() || relative > self.relative_residual {
            return Err(EquationOfStateError::Scatter {
                rms_mev: 1e3 * fit.rms_residual_ev,
                relative,
                most: self.relative_residual,
            });
        }
        let [least, most] = self.volume_ratio;
        let found = fit.equilibrium_volume_ang3 / reference_volume_ang3;
        if !(least..=most).contains(&found) {
            return Err(EquationOfStateError::FarExtrapolation { found, least, most });
        }
        let [least, most] = self.derivative;
        let found = fit.bulk_modulus_derivative;
        if !(least..=most).contains(&found) {
            return Err(EquationOfStateError::UnlikelyDerivative { found, least, most });
        }
        Ok(())
    }
}

/// Fits Murnaghan's equation of state, `P(V) = B₀/B' [(V₀/V)^B' − 1]`, by least squares in the
/// energy.
///
/// At a reference volume Vᵣ, with x = V/Vᵣ, the same curve is
///
/// `E(x) = Eᵣ − Pᵣ Vᵣ (x − 1) + Bᵣ Vᵣ g(x; B')`, `g = ∫₁ˣ (1 − u^−B')/B' du`,
///
/// linear in Eᵣ, Pᵣ and Bᵣ. So only B' is searched for, and B₀ = Bᵣ − B' Pᵣ and
/// V₀ = Vᵣ (Bᵣ/B₀)^(1/B') follow: no start values, no divergence.
///
/// Volumes in Å³, energies in eV. Source: F. D. Murnaghan, PNAS 30, 244 (1944).
///
/// # Errors
/// [`EquationOfStateError::BadData`] or [`EquationOfStateError::NoMinimum`].
pub fn fit_murnaghan(
    volumes_ang3: &[f64],
    energies_ev: &[f64],
    reference_volume_ang3: f64,
) -> Result<EquationOfStateFit, EquationOfStateError> {
    check_data(volumes_ang3, energies_ev, reference_volume_ang3)?;
    let mean_energy = energies_ev.iter().sum::<f64>() / energies_ev.len() as f64;
    let energies: Vec<f64> = energies_ev.iter().map(|e| e - mean_energy).collect();
    let fit = |derivative: f64| {
        let columns: Vec<[f64; 3]> = volumes_ang3
            .iter()
            .map(|volume| {
                let strain = volume / reference_volume_ang3 - 1.0;
                [1.0, strain, murnaghan_shape(strain, derivative)]
            })
            .collect();
        linear_least_squares(&columns, &energies)
    };
    let derivative = minimize(|derivative| fit(derivative).map_or(f64::INFINITY, |found| found.1));
    let ([_, slope, curvature], square_sum) = fit(derivative).ok_or_else(|| {
        EquationOfStateError::BadData("the volumes do not determine a curve".to_owned())
    })?;
    let pressure = -slope / reference_volume_ang3;
    let modulus = curvature / reference_volume_ang3;
    let zero_pressure_modulus = modulus - derivative * pressure;
    let modulus_gpa = modulus * GPA_PER_EV_ANG3;
    let no_minimum = EquationOfStateError::NoMinimum {
        modulus_gpa,
        derivative,
        volume: reference_volume_ang3,
    };
    let compression = zero_pressure_modulus / modulus;
    if !(modulus > 0.0 && compression > 0.0) {
        return Err(no_minimum);
    }
    // (B₀/Bᵣ)^(−1/B'); for B' → 0 it is exp(Pᵣ/Bᵣ).
    let ratio = if derivative.abs() < SMALL_DERIVATIVE {
        (pressure / modulus).exp()
    } else {
        (-compression.ln() / derivative).exp()
    };
    let equilibrium = reference_volume_ang3 * ratio;
    if !equilibrium.is_finite() {
        return Err(no_minimum);
    }
    Ok(EquationOfStateFit {
        volumes_ang3: volumes_ang3.to_vec(),
        energies_ev: energies_ev.to_vec(),
        equilibrium_volume_ang3: equilibrium,
        bulk_modulus_gpa: zero_pressure_modulus * GPA_PER_EV_ANG3,
        bulk_modulus_derivative: derivative,
        rms_residual_ev: (square_sum / energies.len() as f64).sqrt(),
        modulus_at_reference_gpa: modulus_gpa,
    })
}

/// Fits the Birch–Murnaghan equation of state of third order by least squares in the energy.
///
/// `E` is a polynomial of third degree in the Eulerian strain `f = ½[(Vᵣ/V)^(2/3) − 1]`; minimum,
/// modulus and derivative are those of the polynomial.
///
/// Source: F. Birch, Phys. Rev. 71, 809 (1947).
///
/// # Errors
/// [`EquationOfStateError::BadData`] or [`EquationOfStateError::NoMinimum`].
pub fn fit_birch_murnaghan(
    volumes_ang3: &[f64],
    energies_ev: &[f64],
    reference_volume_ang3: f64,
) -> Result<EquationOfStateFit, EquationOfStateError> {
    check_data(volumes_ang3, energies_ev, reference_volume_ang3)?;
    let mean_energy = energies_ev.iter().sum::<f64>() / energies_ev.len() as f64;
    let energies: Vec<f64> = energies_ev.iter().map(|e| e - mean_energy).collect();
    // Strains of a few per cent are scaled to the order of one.
    const STRAIN: f64 = 0.01;
    let columns: Vec<[f64; 4]> = volumes_ang3
        .iter()
        .map(|volume| {
            let f = 0.5 * ((reference_volume_ang3 / volume).powf(2.0 / 3.0) - 1.0) / STRAIN;
            [1.0, f, f * f, f * f * f]
        })
        .collect();
    let ([_, c1, c2, c3], square_sum) =
        linear_least_squares(&columns, &energies).ok_or_else(|| {
            EquationOfStateError::BadData("the volumes do not determine a curve".to_owned())
        })?;
    let [c1, c2, c3] = [c1 / STRAIN, c2 / STRAIN.powi(2), c3 / STRAIN.powi(3)];
    // B = V d²E/dV² and B' = −V/B dB/dV from derivatives with respect to f.
    let modulus_and_slope = |f: f64| {
        let y = 1.0 + 2.0 * f; // (Vᵣ/V)^(2/3)
        let volume = reference_volume_ang3 * y.powf(-1.5);
        let (e1, e2, e3) = (
            c1 + 2.0 * c2 * f + 3.0 * c3 * f * f,
            2.0 * c2 + 6.0 * c3 * f,
            6.0 * c3,
        );
        // df/d ln V = −y/3; with D = d/d ln V: V² E'' = D²E − DE, and so on.
        let d1 = -y / 3.0 * e1;
        let d2 = y / 9.0 * (2.0 * e1 + y * e2);
        let d3 = -y / 27.0 * (4.0 * e1 + 6.0 * y * e2 + y * y * e3);
        let modulus = (d2 - d1) / volume;
        // dB/d ln V = (D³E − D²E)/V − B.
        let slope = (d3 - d2) / volume - modulus;
        (volume, modulus, -slope / modulus)
    };
    let (_, modulus_at_reference, derivative_at_reference) = modulus_and_slope(0.0);
    let no_minimum = EquationOfStateError::NoMinimum {
        modulus_gpa: modulus_at_reference * GPA_PER_EV_ANG3,
        derivative: derivative_at_reference,
        volume: reference_volume_ang3,
    };
    // The root of c₁ + 2c₂f + 3c₃f² with positive curvature, in the form without cancellation.
    let root = (c2 * c2 - 3.0 * c1 * c3).sqrt();
    let strain = -c1 / (c2 + root);
    if !strain.is_finite() || strain <= -0.5 || modulus_at_reference <= 0.0 {
        return Err(no_minimum);
    }
    let (volume, modulus, derivative) = modulus_and_slope(strain);
    if modulus <= 0.0 {
        return Err(no_minimum);
    }
    Ok(EquationOfStateFit {
        volumes_ang3: volumes_ang3.to_vec(),
        energies_ev: energies_ev.to_vec(),
        equilibrium_volume_ang3: volume,
        bulk_modulus_gpa: modulus * GPA_PER_EV_ANG3,
        bulk_modulus_derivative: derivative,
        rms_residual_ev: (square_sum / energies.len() as f64).sqrt(),
        modulus_at_reference_gpa: modulus_at_reference * GPA_PER_EV_ANG3,
    })
}

fn check_data(
    volumes: &[f64],
    energies: &[f64],
    reference: f64,
) -> Result<(), EquationOfStateError> {
    let bad = |message: String| Err(EquationOfStateError::BadData(message));
    if volumes.len() != energies.len() || volumes.len() < 4 {
        return bad(format!(
            "{} volumes and {} energies, expected as many of both, at least 4",
            volumes.len(),
            energies.len()
        ));
    }
    if let Some(volume) = volumes
        .iter()
        .chain([&reference])
        .find(|volume| !(volume.is_finite() && **volume > 0.0))
    {
        return bad(format!(
            "a volume is {volume} Å³, expected a positive number"
        ));
    }
    if let Some(energy) = energies.iter().find(|energy| !energy.is_finite()) {
        return bad(format!(
            "an energy is {energy} eV, expected a finite number"
        ));
    }
    Ok(())
}

/// Below this, B' is treated as its limit 0; the error is of the order of it times the strain³.
const SMALL_DERIVATIVE: f64 = 1e-7;

/// `g(x; B') = ∫₁ˣ (1 − u^−B')/B' du` at x = 1 + strain: ½ strain² to lowest order.
fn murnaghan_shape(strain: f64, derivative: f64) -> f64 {
    let log = strain.ln_1p();
    if derivative.abs() < SMALL_DERIVATIVE {
        // ∫₁ˣ ln u du.
        return (1.0 + strain) * log - strain;
    }
    // ∫₁ˣ u^−B' du = (x^a − 1)/a with a = 1 − B'; ln x for a = 0.
    let a = 1.0 - derivative;
    let power = if a.abs() < SMALL_DERIVATIVE {
        log
    } else {
        (a * log).exp_m1() / a
    };
    (strain - power) / derivative
}

/// Coefficients with the least sum of squares, and that sum: QR by modified Gram–Schmidt.
/// `None` if the columns are dependent.
fn linear_least_squares<const N: usize>(
    rows: &[[f64; N]],
    target: &[f64],
) -> Option<([f64; N], f64)> {
    let column = |j: usize| rows.iter().map(|row| row[j]).collect::<Vec<f64>>();
    let dot = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(x, y)| x * y).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(N);
    let mut triangle = [[0.0; N]; N];
    let mut residual = target.to_vec();
    let mut projections = [0.0; N];
    for j in 0..N {
        let mut vector = column(j);
        let length = dot(&vector, &vector).sqrt();
        // Twice is enough for orthogonality to rounding.
        for _ in 0..2 {
            for (i, unit) in basis.iter().enumerate() {
                let part = dot(unit, &vector);
                triangle[i][j] += part;
                vector
                    .iter_mut()
                    .zip(unit)
                    .for_each(|(x, u)| *x -= part * u);
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        if norm.is_nan() || norm <= 1e-13 * length {
            return None;
        }
        vector.iter_mut().for_each(|x| *x /= norm);
        triangle[j][j] = norm;
        projections[j] = dot(&vector, &residual);
        let part = projections[j];
        residual
            .iter_mut()
            .zip(&vector)
            .for_each(|(r, u)| *r -= part * u);
        basis.push(vector);
    }
    let mut coefficients = [0.0; N];
    for j in (0..N).rev() {
        let known: f64 = (j + 1..N).map(|k| triangle[j][k] * coefficients[k]).sum();
        coefficients[j] = (projections[j] - known) / triangle[j][j];
    }
    Some((coefficients, dot(&residual, &residual)))
}

/// The B' of least residual: the best of a grid about the usual 4, then golden sections.
fn minimize(residual: impl Fn(f64) -> f64) -> f64 {
    const LEAST: f64 = -40.0;
    const STEP: f64 = 0.5;
    const POINTS: u32 = 200;
    let at = |index: u32| LEAST + STEP * f64::from(index);
    let best = (0..=POINTS)
        .min_by(|&i, &j| residual(at(i)).total_cmp(&residual(at(j))))
        .unwrap_or(0);
    let (mut low, mut high) = (at(best) - STEP, at(best) + STEP);
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let mut inner = [high - golden * (high - low), low + golden * (high - low)];
    let mut values = inner.map(&residual);
    while high - low > 1e-10 {
        if values[0] < values[1] {
            high = inner[1];
            inner = [high - golden * (high - low), inner[0]];
            values = [residual(inner[0]), values[0]];
        } else {
            low = inner[0];
            inner = [inner[1], low + golden * (high - low)];
            values = [values[1], residual(inner[1])];
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
#[path = "equation_of_state_tests.rs"]
mod tests;
