//! Fourier transforms of the radial functions, by direct integration or in closed form.
//!
//! All are transforms over whole space for one atom, without the factors (−i)^l, Y_lm and 1/√Ω or
//! 1/Ω, which belong to the basis. q in bohr⁻¹. The radial integrals follow `pw.x`: Simpson's rule,
//! long-ranged functions cut at 10 bohr ([`RadialMesh::integration_points`]), projectors and
//! augmentation charges at the outermost cutoff radius that the file names.
//!
//! [`RadialMesh::integration_points`]: super::RadialMesh::integration_points

use std::f64::consts::PI;

use super::{
    radial::{RadialMesh, spherical_bessel, spherical_bessel_derivative},
    types::{Pseudopotential, RadialFunctions, Source},
};

/// Below this q in bohr⁻¹ a form factor is its q → 0 limit.
const Q_ZERO: f64 = 1e-8;

impl Pseudopotential {
    /// Local potential V(q) in hartree·bohr³.
    ///
    /// V(q) = 4π/q ∫ (r V(r) + Z erf r) sin qr dr − 4πZ/q² e^{−q²/4}; at q = 0 the non-divergent
    /// part ∫ 4πr² (V(r) + Z/r) dr.
    pub fn local(&self, q: f64) -> f64 {
        match &self.source {
            Source::Analytic(gth) => gth.local(q),
            Source::Tabulated(f) if q < Q_ZERO => {
                let r = &f.mesh.r;
                let integral = f.mesh.integrate(f.mesh.integration_points(), |i| {
                    r[i] * (r[i] * f.local[i] + self.z_valence)
                });
                4.0 * PI * integral
            }
            Source::Tabulated(f) => {
                self.local_short_range(f, q, |q, r| (q * r).sin() / q)
                    + long_range(self.z_valence, q)
            }
        }
    }

    /// dV/dq of [`local`](Self::local); 0 at q = 0.
    pub fn local_derivative(&self, q: f64) -> f64 {
        match &self.source {
            _ if q < Q_ZERO => 0.0,
            Source::Analytic(gth) => gth.local_derivative(q),
            Source::Tabulated(f) => {
                let z = self.z_valence;
                let kernel = |q: f64, r: f64| {
                    let (sin, cos) = (q * r).sin_cos();
                    (r * cos - sin / q) / q
                };
                self.local_short_range(f, q, kernel)
                    + 4.0 * PI * z * (-0.25 * q * q).exp() * (2.0 / (q * q * q) + 0.5 / q)
            }
        }
    }

    fn local_short_range(
        &self,
        f: &RadialFunctions,
        q: f64,
        kernel: impl Fn(f64, f64) -> f64,
    ) -> f64 {
        let r = &f.mesh.r;
        let integral = f.mesh.integrate(f.mesh.integration_points(), |i| {
            f.short_range_local[i] * kernel(q, r[i])
        });
        4.0 * PI * integral
    }

    /// Projector β_i(q) = 4π ∫ r² β_i(r) j_l(qr) dr in bohr^{3/2}.
    pub fn projector(&self, i: usize, q: f64) -> f64 {
        match &self.source {
            Source::Analytic(gth) => gth.projector(i, q),
            Source::Tabulated(f) => transform(
                &f.mesh,
                f.projector_points,
                &f.projectors[i],
                1,
                self.projector_l[i],
                q,
            ),
        }
    }

    /// dβ_i/dq.
    pub fn projector_derivative(&self, i: usize, q: f64) -> f64 {
        match &self.source {
            Source::Analytic(gth) => gth.projector_derivative(i, q),
            Source::Tabulated(f) => transform_derivative(
                &f.mesh,
                f.projector_points,
                &f.projectors[i],
                1,
                self.projector_l[i],
                q,
            ),
        }
    }

    /// Atomic orbital χ_i(q) = 4π ∫ r² χ_i(r) j_l(qr) dr in bohr^{3/2}.
    pub fn orbital(&self, i: usize, q: f64) -> f64 {
        match &self.source {
            Source::Analytic(gth) => gth.orbital(i, q),
            Source::Tabulated(f) => transform(
                &f.mesh,
                f.mesh.integration_points(),
                &f.orbitals[i],
                1,
                self.orbitals[i].l,
                q,
            ),
        }
    }

    /// Density of the free pseudo-atom ρ(q) = ∫ 4πr² ρ(r) j_0(qr) dr; the number of valence
    /// electrons at q = 0.
    pub fn atomic_density(&self, q: f64) -> f64 {
        match &self.source {
            Source::Analytic(gth) => gth.atomic_density(q),
            Source::Tabulated(f) => {
                let points = f.mesh.integration_points();
                transform(&f.mesh, points, &f.atomic_density, 2, 0, q) / (4.0 * PI)
            }
        }
    }

    /// dρ/dq of [`atomic_density`](Self::atomic_density).
    pub fn atomic_density_derivative(&self, q: f64) -> f64 {
        match &self.source {
            Source::Analytic(gth) => gth.atomic_density_derivative(q),
            Source::Tabulated(f) => {
                let points = f.mesh.integration_points();
                transform_derivative(&f.mesh, points, &f.atomic_density, 2, 0, q) / (4.0 * PI)
            }
        }
    }

    /// Core charge ρ_core(q) = 4π ∫ r² ρ_core(r) j_0(qr) dr; 0 without core correction.
    pub fn core_density(&self, q: f64) -> f64 {
        self.core_transform(q, transform)
    }

    /// dρ_core/dq.
    pub fn core_density_derivative(&self, q: f64) -> f64 {
        self.core_transform(q, transform_derivative)
    }

    fn core_transform(
        &self,
        q: f64,
        transform: impl Fn(&RadialMesh, usize, &[f64], i32, usize, f64) -> f64,
    ) -> f64 {
        let Some(f) = self.radial_functions() else {
            return 0.0;
        };
        f.core_density.as_ref().map_or(0.0, |core| {
            transform(&f.mesh, f.mesh.integration_points(), core, 0, 0, q)
        })
    }

    /// Augmentation charge Q^L_ij(q) = 4π ∫ r² Q^L_ij(r) j_L(qr) dr, by the index of the function in
    /// [`Augmentation::functions`](super::Augmentation::functions).
    ///
    /// The charge of projectors (i, l_i m_i) and (j, l_j m_j) is
    /// Q(q⃗) = Σ_LM (−i)^L ⟨Y_LM Y_lm Y_l'm'⟩ Y_LM(q̂) Q^L_ij(q).
    pub fn augmentation_charge(&self, function: usize, q: f64) -> f64 {
        self.augmentation_transform(function, q, transform)
    }

    /// dQ^L_ij/dq.
    pub fn augmentation_charge_derivative(&self, function: usize, q: f64) -> f64 {
        self.augmentation_transform(function, q, transform_derivative)
    }

    fn augmentation_transform(
        &self,
        function: usize,
        q: f64,
        transform: impl Fn(&RadialMesh, usize, &[f64], i32, usize, f64) -> f64,
    ) -> f64 {
        let Some(f) = self.radial_functions() else {
            return 0.0;
        };
        f.augmentation.as_ref().map_or(0.0, |augmentation| {
            let charge = &augmentation.functions[function];
            transform(&f.mesh, f.projector_points, &charge.values, 2, charge.l, q)
        })
    }
}

/// Transform of −Z erf(r)/r: −4πZ/q² e^{−q²/4}.
fn long_range(z: f64, q: f64) -> f64 {
    -4.0 * PI * z / (q * q) * (-0.25 * q * q).exp()
}

/// 4π ∫ r² f(r) j_l(qr) dr, where `values` hold r^power f(r).
fn transform(
    mesh: &RadialMesh,
    points: usize,
    values: &[f64],
    power: i32,
    l: usize,
    q: f64,
) -> f64 {
    let integral = mesh.integrate(points, |i| {
        let r = mesh.r[i];
        values[i] * r.powi(2 - power) * spherical_bessel(l, q * r)
    });
    4.0 * PI * integral
}

/// 4π ∫ r³ f(r) j_l′(qr) dr.
fn transform_derivative(
    mesh: &RadialMesh,
    points: usize,
    values: &[f64],
    power: i32,
    l: usize,
    q: f64,
) -> f64 {
    let integral = mesh.integrate(points, |i| {
        let r = mesh.r[i];
        values[i] * r.powi(3 - power) * spherical_bessel_derivative(l, q * r)
    });
    4.0 * PI * integral
}
