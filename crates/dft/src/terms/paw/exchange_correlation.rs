//! Exchange and correlation inside the spheres of PAW atoms.

use std::f64::consts::PI;

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::mirrors::{Mirrors, mirrored};
use crate::{
    pseudo::{
        RadialMesh, real_spherical_harmonics, real_spherical_harmonics_gradient, sphere_quadrature,
    },
    terms::pair_expansion::PairExpansion,
    vector::dot,
    xc::Functional,
};

/// Exchange–correlation energy of one sphere's density plus its core, on directions times radii:
/// `ρ(r, n) = Σ_LM Y_LM(n) ρ_LM(r) + ρ_c(r)`, `ρ_LM = Σ_f B_fM f(r)`.
#[derive(Debug, Clone)]
pub(super) struct SphereXc {
    functional: Functional,
    radii: Vec<f64>,
    /// `w_k r_k²`, the weights of the radii.
    radial_weights: Vec<f64>,
    /// f(r) and df/dr of each radial function, one after the other.
    values: Vec<f64>,
    slopes: Vec<f64>,
    core: Vec<f64>,
    core_slope: Vec<f64>,
    /// Energy of the core outside the sphere in hartree.
    outside: f64,
}

/// Directions n with the harmonics there, each `directions × harmonics`, column by column.
///
/// One of each set of directions that mirror planes turn into each other stands for all, with the sum of
/// their weights and the mean of their harmonics: those of a symmetric density are the same there.
#[derive(Debug, Clone)]
pub(super) struct Directions {
    weights: Vec<f64>,
    harmonics: Vec<f64>,
    /// r∇Y along two directions at right angles to n.
    tangents: [Vec<f64>; 2],
    harmonic_count: usize,
}

/// Energy in hartree, and its derivative by the moments B_fM.
pub(super) struct SphereEnergy {
    pub(super) energy: f64,
    pub(super) by_moment: Vec<f64>,
}

/// The functional is no polynomial in ρ; harmonics of this many times the largest L of ρ are
/// integrated exactly, and of two more.
const DEGREE_FACTOR: usize = 3;

impl SphereXc {
    /// `functions` hold r² f(r), zero from point `points` on.
    pub(super) fn new(
        functional: Functional,
        mesh: &RadialMesh,
        points: usize,
        functions: &[Vec<f64>],
        core: &[f64],
    ) -> Self {
        let r = &mesh.r;
        // One point more than the functions reach: their slope does not vanish there.
        let inside = (points + 1).min(r.len());
        let weights = mesh.weights(r.len());
        let weight = |k: usize| weights.get(k).copied().unwrap_or(0.0) * r[k] * r[k];
        let core_slope = radial_derivative(r, core);
        let outside = (inside..r.len())
            .map(|k| {
                let sigma = core_slope[k] * core_slope[k];
                4.0 * PI * weight(k) * functional.evaluate(core[k], sigma).energy
            })
            .sum();
        let mut values = Vec::with_capacity(functions.len() * inside);
        let mut slopes = Vec::with_capacity(functions.len() * inside);
        for f in functions {
            let f: Vec<f64> = f
                .iter()
                .zip(r)
                .map(|(f, r)| f / (r * r).max(1e-20))
                .collect();
            values.extend_from_slice(&f[..inside]);
            slopes.extend_from_slice(&radial_derivative(r, &f)[..inside]);
        }
        Self {
            functional,
            radii: r[..inside].to_vec(),
            radial_weights: (0..inside).map(weight).collect(),
            values,
            slopes,
            core: core[..inside].to_vec(),
            core_slope: core_slope[..inside].to_vec(),
            outside,
        }
    }

    pub(super) fn evaluate(
        &self,
        directions: &Directions,
        expansion: &PairExpansion,
        moments: &[f64],
    ) -> SphereEnergy {
        let (radii, angles) = (self.radii.len(), directions.weights.len());
        let count = directions.harmonic_count;
        let density_lm = self.expand(count, expansion, moments, &self.values);
        let slope_lm = self.expand(count, expansion, moments, &self.slopes);
        // Points of the sphere: directions × radii, column by column.
        let at_points = |harmonics: &[f64], by_harmonic: &[f64]| {
            real_product(harmonics, by_harmonic, angles, count)
        };
        let density = at_points(&directions.harmonics, &density_lm);
        let along = at_points(&directions.harmonics, &slope_lm);
        let across = [0, 1].map(|i| at_points(&directions.tangents[i], &density_lm));

        // w ∂e/∂ρ and 2 w ∂e/∂σ ∇ρ
        let mut energy = self.outside;
        let mut by_density = density;
        let mut by_slope = along;
        let mut by_tangent = across;
        let mut rho = vec![0.0; angles];
        let mut sigma = vec![0.0; angles];
        for k in 0..radii {
            let points = k * angles..(k + 1) * angles;
            let by_density = &mut by_density[points.clone()];
            let by_slope = &mut by_slope[points.clone()];
            let [first, second] = &mut by_tangent;
            let (first, second) = (&mut first[points.clone()], &mut second[points]);
            let inverse = 1.0 / self.radii[k].max(1e-10);
            for n in 0..angles {
                rho[n] = by_density[n] + self.core[k];
                let radial = by_slope[n] + self.core_slope[k];
                let across = [first[n] * inverse, second[n] * inverse];
                sigma[n] = radial * radial + across[0] * across[0] + across[1] * across[1];
            }
            self.functional.evaluate_many(&rho, &sigma, |n, xc| {
                let weight = directions.weights[n] * self.radial_weights[k];
                energy += weight * xc.energy;
                by_density[n] = weight * xc.v_rho;
                let flow = 2.0 * weight * xc.v_sigma;
                by_slope[n] = flow * (by_slope[n] + self.core_slope[k]);
                for across in [&mut first[n], &mut second[n]] {
                    *across *= flow * inverse * inverse;
                }
            });
        }
        let back =
            |harmonics: &[f64], by_point: &[f64]| real_adjoint_product(harmonics, by_point, angles);
        let mut by_harmonic = back(&directions.harmonics, &by_density);
        for (tangents, by_tangent) in directions.tangents.iter().zip(&by_tangent) {
            let part = back(tangents, by_tangent);
            for (sum, value) in by_harmonic.iter_mut().zip(part) {
                *sum += value;
            }
        }
        let by_harmonic_slope = back(&directions.harmonics, &by_slope);
        SphereEnergy {
            energy,
            by_moment: self.contract(count, expansion, &by_harmonic, &by_harmonic_slope),
        }
    }

    /// `Σ_f B_fM f(r_k)`: harmonics × radii, column by column.
    fn expand(
        &self,
        count: usize,
        expansion: &PairExpansion,
        moments: &[f64],
        functions: &[f64],
    ) -> Vec<f64> {
        let radii = self.radii.len();
        let mut sums = vec![0.0; count * radii];
        for (f, (&l, function)) in expansion
            .function_l()
            .iter()
            .zip(functions.chunks_exact(radii))
            .enumerate()
        {
            let moments = &moments[expansion.moments_of(f)];
            if moments.iter().all(|&moment| moment == 0.0) {
                continue;
            }
            for (value, sums) in function.iter().zip(sums.chunks_exact_mut(count)) {
                for (sum, moment) in sums[l * l..].iter_mut().zip(moments) {
                    *sum += value * moment;
                }
            }
        }
        sums
    }

    /// `Σ_k f(r_k) U_LM(k) + f′(r_k) U′_LM(k)` for each moment.
    fn contract(
        &self,
        count: usize,
        expansion: &PairExpansion,
        u: &[f64],
        u_slope: &[f64],
    ) -> Vec<f64> {
        let radii = self.radii.len();
        let mut by_moment = vec![0.0; expansion.moment_count()];
        let functions = self
            .values
            .chunks_exact(radii)
            .zip(self.slopes.chunks_exact(radii));
        for (f, (&l, (values, slopes))) in expansion.function_l().iter().zip(functions).enumerate()
        {
            let sums = &mut by_moment[expansion.moments_of(f)];
            for (k, (value, slope)) in values.iter().zip(slopes).enumerate() {
                let first = k * count + l * l;
                for (m, sum) in sums.iter_mut().enumerate() {
                    *sum += value * u[first + m] + slope * u_slope[first + m];
                }
            }
        }
        by_moment
    }
}

impl Directions {
    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.weights.len()
    }

    /// For harmonics up to twice the largest l of the projectors, `l_max`.
    pub(super) fn new(l_max: usize, mirrors: &Mirrors) -> Self {
        let points = mirrors.representatives(sphere_quadrature(DEGREE_FACTOR * l_max + 2));
        let images = mirrors.operations();
        let share = 1.0 / images.len() as f64;
        let count = (l_max + 1) * (l_max + 1);
        let angles = points.len();
        let mut harmonics = vec![0.0; angles * count];
        let mut tangents = [vec![0.0; angles * count], vec![0.0; angles * count]];
        for (n, (place, _)) in points.iter().enumerate() {
            let [x, y, z] = *place;
            // Unit vectors of growing polar angle and azimuth in the frame; no direction is along its z.
            let rho = (x * x + y * y).sqrt();
            let axes = [[x * z / rho, y * z / rho, -rho], [-y / rho, x / rho, 0.0]];
            for image in &images {
                let direction = mirrors.to_crystal(mirrored(*image, *place));
                let axes = axes.map(|axis| mirrors.to_crystal(mirrored(*image, axis)));
                let values = real_spherical_harmonics(l_max, direction);
                let gradients = real_spherical_harmonics_gradient(l_max, direction);
                for (lm, (value, gradient)) in values.into_iter().zip(gradients).enumerate() {
                    harmonics[lm * angles + n] += share * value;
                    for (tangent, axis) in tangents.iter_mut().zip(axes) {
                        tangent[lm * angles + n] += share * dot(gradient, axis);
                    }
                }
            }
        }
        Self {
            weights: points.into_iter().map(|(_, weight)| weight).collect(),
            harmonics,
            tangents,
            harmonic_count: count,
        }
    }
}

/// df/dr by the parabola through three neighbours, as `pw.x` has it: total energies contain the
/// exchange and correlation of the core, which depend on this choice. The first point continues
/// the next two linearly, the last is 0.
fn radial_derivative(r: &[f64], f: &[f64]) -> Vec<f64> {
    let count = r.len();
    let mut slope = vec![0.0; count];
    for k in 1..count.saturating_sub(1) {
        let (ahead, behind) = (r[k + 1] - r[k], r[k - 1] - r[k]);
        slope[k] = (ahead * ahead * (f[k - 1] - f[k]) - behind * behind * (f[k + 1] - f[k]))
            / (ahead * behind * (ahead - behind));
    }
    if count > 2 {
        slope[0] = slope[1] + (slope[2] - slope[1]) * (r[0] - r[1]) / (r[2] - r[1]);
    }
    slope
}

/// `A B` for real `rows × inner` and `inner × columns` matrices, column by column.
fn real_product(a: &[f64], b: &[f64], rows: usize, inner: usize) -> Vec<f64> {
    let columns = b.len() / inner;
    let mut product = vec![0.0; rows * columns];
    matmul(
        MatMut::from_column_major_slice_mut(&mut product, rows, columns),
        Accum::Replace,
        MatRef::from_column_major_slice(a, rows, inner),
        MatRef::from_column_major_slice(b, inner, columns),
        1.0,
        Par::Seq,
    );
    product
}

/// `AᵀB` for real matrices of `rows` rows.
fn real_adjoint_product(a: &[f64], b: &[f64], rows: usize) -> Vec<f64> {
    let (inner, columns) = (a.len() / rows, b.len() / rows);
    let mut product = vec![0.0; inner * columns];
    matmul(
        MatMut::from_column_major_slice_mut(&mut product, inner, columns),
        Accum::Replace,
        MatRef::from_column_major_slice(a, rows, inner).transpose(),
        MatRef::from_column_major_slice(b, rows, columns),
        1.0,
        Par::Seq,
    );
    product
}
