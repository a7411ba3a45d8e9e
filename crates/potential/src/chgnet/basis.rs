//! The basis functions of CHGNet: how a length or an angle becomes 31 numbers.
//!
//! Deng et al., Nature Machine Intelligence 5, 1031 (2023), Methods; the radial functions are those
//! of DimeNet, Gasteiger et al., ICLR 2020, equations 7 and 8.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Functions of a length or of an angle.
pub(crate) const BASIS: usize = 31;
/// Frequencies of an angle, each with a sine and a cosine.
pub(crate) const ANGULAR_FREQUENCIES: usize = 15;
/// Numbers from one row of basis values to the next: a whole number of vectors.
pub(super) const BASIS_STRIDE: usize = 32;
/// What keeps the arc cosine off its ends, where it has no slope.
pub(super) const COSINE_SHRINK: f64 = 1.0 - 1e-6;

/// The envelope `1 − 45 x⁸ + 80 x⁹ − 36 x¹⁰` and its slope; zero from `x = 1`, with zero slope and
/// curvature there.
fn envelope(x: f64) -> (f64, f64) {
    if x >= 1.0 {
        return (0.0, 0.0);
    }
    let x7 = x.powi(7);
    let x8 = x7 * x;
    (
        1.0 + x8 * (-45.0 + x * (80.0 - 36.0 * x)),
        x7 * (-360.0 + x * (720.0 - 360.0 * x)),
    )
}

/// `φₙ(r) = f(r/r_c) √(2/r_c) sin(ωₙ r/r_c) / r` and `dφₙ/dr`, rows of [`BASIS_STRIDE`].
pub(super) fn radial(
    length_ang: f64,
    cutoff_ang: f64,
    frequencies: &[f32],
    values: &mut [f32],
    slopes: &mut [f32],
) {
    let x = length_ang / cutoff_ang;
    let (height, slope) = envelope(x);
    let unit = (2.0 / cutoff_ang).sqrt() / length_ang;
    // d(f u)/dr with u = √(2/r_c) / r.
    let (height, slope) = (
        height * unit,
        unit * (slope / cutoff_ang - height / length_ang),
    );
    values[BASIS] = 0.0;
    slopes[BASIS] = 0.0;
    for ((&frequency, value), slope_out) in frequencies.iter().zip(values).zip(slopes) {
        let frequency = f64::from(frequency);
        let (sin, cos) = (frequency * x).sin_cos();
        *value = (height * sin) as f32;
        *slope_out = (slope * sin + height * cos * frequency / cutoff_ang) as f32;
    }
}

/// `[1/√2, sin κ₁θ … sin κ₁₅θ, cos κ₁θ … cos κ₁₅θ] / √π` with `θ = arccos((1 − 1e-6) cos)`, and the
/// derivatives by the cosine; rows of [`BASIS_STRIDE`].
pub(super) fn angular(cosine: f64, frequencies: &[f32], values: &mut [f32], slopes: &mut [f32]) {
    let unit = 1.0 / PI.sqrt();
    let shrunk = COSINE_SHRINK * cosine.clamp(-1.0, 1.0);
    let angle = shrunk.acos();
    let by_cosine = -COSINE_SHRINK / (1.0 - shrunk * shrunk).sqrt();
    values[0] = (FRAC_1_SQRT_2 * unit) as f32;
    slopes[0] = 0.0;
    values[BASIS] = 0.0;
    slopes[BASIS] = 0.0;
    for (k, &frequency) in frequencies.iter().enumerate() {
        let frequency = f64::from(frequency);
        let (sin, cos) = (frequency * angle).sin_cos();
        let slope = unit * frequency * by_cosine;
        values[1 + k] = (unit * sin) as f32;
        values[1 + ANGULAR_FREQUENCIES + k] = (unit * cos) as f32;
        slopes[1 + k] = (slope * cos) as f32;
        slopes[1 + ANGULAR_FREQUENCIES + k] = (-slope * sin) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values_at(argument: f64, function: impl Fn(f64, &mut [f32], &mut [f32])) -> [Vec<f64>; 2] {
        let mut values = [0.0; BASIS_STRIDE];
        let mut slopes = [0.0; BASIS_STRIDE];
        function(argument, &mut values, &mut slopes);
        [values, slopes].map(|row| row.map(f64::from).to_vec())
    }

    /// Oracle: central differences over a step where f32 values still differ enough.
    #[test]
    fn slopes_are_those_of_the_values() {
        let frequencies: Vec<f32> = (1..=BASIS).map(|n| n as f32 * 3.1).collect();
        for r in [0.7, 1.5, 2.9, 2.999, 3.1, 5.5] {
            let at = |r| values_at(r, |r, v, s| radial(r, 3.0, &frequencies, v, s));
            let h = 1e-3;
            let ([above, _], [below, _], [_, slopes]) = (at(r + h), at(r - h), at(r));
            for n in 0..BASIS_STRIDE {
                let difference = (above[n] - below[n]) / (2.0 * h);
                let scale = 1.0 + 30.0 / r;
                assert!((difference - slopes[n]).abs() < 2e-3 * scale, "{r} {n}");
            }
        }
        let frequencies: Vec<f32> = (1..=15).map(|n| n as f32 * 1.01).collect();
        for cosine in [-0.9, -0.3, 0.0, 0.5, 0.8] {
            let at = |c| values_at(c, |c, v, s| angular(c, &frequencies, v, s));
            let h = 1e-4;
            let ([above, _], [below, _], [_, slopes]) =
                (at(cosine + h), at(cosine - h), at(cosine));
            for n in 0..BASIS_STRIDE {
                let difference = (above[n] - below[n]) / (2.0 * h);
                assert!((difference - slopes[n]).abs() < 5e-3, "{cosine} {n}");
            }
        }
    }

    #[test]
    fn nothing_is_left_beyond_the_cutoff_and_angles_keep_a_slope_at_their_ends() {
        let frequencies = [3.0_f32; BASIS];
        for r in [3.0, 4.0] {
            let [values, slopes] = values_at(r, |r, v, s| radial(r, 3.0, &frequencies, v, s));
            assert!(values.iter().chain(&slopes).all(|x| *x == 0.0));
        }
        for cosine in [-1.0 - 1e-15, -1.0, 1.0, 1.0 + 1e-15] {
            let [values, slopes] =
                values_at(cosine, |c, v, s| angular(c, &frequencies[..15], v, s));
            assert!(values.iter().chain(&slopes).all(|x| x.is_finite()));
        }
    }
}
