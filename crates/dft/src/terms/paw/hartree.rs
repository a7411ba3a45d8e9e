//! Hartree energy inside the spheres of PAW atoms.

use std::f64::consts::PI;

use crate::pseudo::RadialMesh;

/// `W_fg = ∫∫ f(r) g(r′) 4π/(2L+1) r_<^L / r_>^{L+1} dr dr′` of functions `r² f(r)` of equal L over
/// the first `points` points, 0 for different L; hartree, row by row.
pub(super) fn interaction(
    mesh: &RadialMesh,
    points: usize,
    function_l: &[usize],
    functions: &[Vec<f64>],
) -> Vec<f64> {
    let count = functions.len();
    let weights = mesh.weights(points);
    let potentials: Vec<Vec<f64>> = functions
        .iter()
        .zip(function_l)
        .map(|(f, &l)| potential(mesh, points, l, f))
        .collect();
    let mut matrix = vec![0.0; count * count];
    for f in 0..count {
        for g in 0..count {
            if function_l[f] == function_l[g] {
                let integrand = functions[f].iter().zip(&potentials[g]);
                matrix[f * count + g] = (weights.iter().zip(integrand))
                    .map(|(w, (f, v))| w * f * v)
                    .sum();
            }
        }
    }
    // Symmetric but for the error of the quadrature; exactly so, the potential is the derivative
    // of the energy.
    for f in 0..count {
        for g in 0..f {
            let mean = 0.5 * (matrix[f * count + g] + matrix[g * count + f]);
            matrix[f * count + g] = mean;
            matrix[g * count + f] = mean;
        }
    }
    matrix
}

/// `v(r) = 4π/(2L+1) [r^{−L−1} ∫_0^r r′^L g dr′ + r^L ∫_r^∞ r′^{−L−1} g dr′]` of `g = r² ρ_L`.
fn potential(mesh: &RadialMesh, points: usize, l: usize, g: &[f64]) -> Vec<f64> {
    let power = l as i32;
    let r = &mesh.r[..points];
    let inner = running_integral(mesh, points, |k| r[k].powi(power) * g[k]);
    let outer = running_integral(mesh, points, |k| {
        // Mesh that begins at the nucleus: g vanishes there as r^{L+2} or faster.
        if r[k] > 0.0 {
            r[k].powi(-power - 1) * g[k]
        } else {
            0.0
        }
    });
    let whole = outer.last().copied().unwrap_or(0.0);
    let scale = 4.0 * PI / (2 * l + 1) as f64;
    (0..points)
        .map(|k| {
            let near = if r[k] > 0.0 {
                r[k].powi(-power - 1) * inner[k]
            } else {
                0.0
            };
            scale * (near + r[k].powi(power) * (whole - outer[k]))
        })
        .collect()
}

/// `∫_{r_0}^{r_k} f dr` for each k, by the cubic through four points in each interval.
fn running_integral(mesh: &RadialMesh, points: usize, f: impl Fn(usize) -> f64) -> Vec<f64> {
    let values: Vec<f64> = (0..points).map(|k| f(k) * mesh.rab[k]).collect();
    let mut sum = 0.0;
    let mut integral = vec![0.0; points];
    for k in 0..points - 1 {
        sum += if k == 0 {
            (5.0 * values[0] + 8.0 * values[1] - values[2]) / 12.0
        } else if k + 2 == points {
            (5.0 * values[k + 1] + 8.0 * values[k] - values[k - 1]) / 12.0
        } else {
            (13.0 * (values[k] + values[k + 1]) - values[k - 1] - values[k + 2]) / 24.0
        };
        integral[k + 1] = sum;
    }
    integral
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the self-energy of a Gaussian charge, 1/(σ√(2π)) for ρ = e^{−r²/σ²}/(π^{3/2}σ³).
    #[test]
    fn gaussian_self_energy() {
        let count = 1201;
        let r: Vec<f64> = (0..count)
            .map(|k| 1e-5 * (0.0115 * k as f64).exp())
            .collect();
        let mesh = RadialMesh {
            rab: r.iter().map(|r| 0.0115 * r).collect(),
            r,
        };
        let sigma = 0.6;
        let density = |r: f64| (-(r / sigma).powi(2)).exp() / (PI.powf(1.5) * sigma.powi(3));
        // ρ = Y_00 ρ_00 with ρ_00 = √4π ρ
        let f = mesh
            .r
            .iter()
            .map(|&r| r * r * (4.0 * PI).sqrt() * density(r));
        let w = interaction(&mesh, count, &[0], &[f.collect()])[0];
        // Two interacting copies: twice the self-energy.
        let expected = 2.0 / (sigma * (2.0 * PI).sqrt());
        assert!((w - expected).abs() < 1e-7, "{w} {expected}");
    }
}
