//! The free pseudo-atom: its orbitals start the self-consistency of a crystal.

use std::f64::consts::PI;

use super::{
    gaussian::gamma_half, orbital::AtomicOrbital, parameters::GthParameters,
    symmetric_eigen::generalized_eigen,
};
use crate::xc::Functional;

/// Exponents of the basis in bohr⁻², from the tails of caesium to the inside of oxygen.
const SMALLEST_EXPONENT: f64 = 0.02;
const EXPONENT_RATIO: f64 = 2.0;
const EXPONENTS: usize = 13;
/// Iterations of the self-consistency; its density only has to be a good guess.
const ITERATIONS: usize = 100;
const MIXING: f64 = 0.4;
/// Change of the electron count ∫ |Δρ| at which the iterations end.
const CONVERGED: f64 = 1e-5;
const MESH_POINTS: usize = 700;

/// The occupied orbitals of the spherical pseudo-atom in LDA, with `shells` electrons in s, p, d, f.
///
/// Even-tempered Gaussians, radial integrals on a logarithmic mesh, linear mixing. LDA in place of
/// the potential's own functional, whose gradient the guess does not need.
pub(super) fn solve(gth: &GthParameters, shells: &[u8]) -> Vec<AtomicOrbital> {
    let mesh = Mesh::new();
    let exponents: Vec<f64> = (0..EXPONENTS)
        .map(|k| SMALLEST_EXPONENT * EXPONENT_RATIO.powi(k as i32))
        .collect();
    let channels: Vec<Channel> = shells
        .iter()
        .enumerate()
        .filter(|(_, electrons)| **electrons > 0)
        .map(|(l, &electrons)| Channel::new(gth, &mesh, &exponents, l, electrons))
        .collect();
    let mut density = Vec::new();
    let mut orbitals = Vec::new();
    for _ in 0..ITERATIONS {
        let potential = mesh.screening(&density);
        orbitals = channels
            .iter()
            .flat_map(|channel| channel.solve(&mesh, &potential, &exponents))
            .collect();
        let output = mesh.density(&orbitals);
        if density.is_empty() {
            density = output;
            continue;
        }
        let change: f64 = (0..mesh.r.len())
            .map(|i| mesh.weight[i] * (output[i] - density[i]).abs())
            .sum();
        for (density, output) in density.iter_mut().zip(output) {
            *density += MIXING * (output - *density);
        }
        if change < CONVERGED {
            break;
        }
    }
    orbitals
}

/// A logarithmic mesh with its trapezoidal weights.
struct Mesh {
    r: Vec<f64>,
    weight: Vec<f64>,
}

impl Mesh {
    fn new() -> Self {
        const R_MIN: f64 = 1e-4;
        const R_MAX: f64 = 40.0;
        let step = (R_MAX / R_MIN).ln() / (MESH_POINTS - 1) as f64;
        let r: Vec<f64> = (0..MESH_POINTS)
            .map(|i| R_MIN * (step * i as f64).exp())
            .collect();
        let weight = r.iter().map(|r| r * step).collect();
        Self { r, weight }
    }

    /// 4πr² ρ(r).
    fn density(&self, orbitals: &[AtomicOrbital]) -> Vec<f64> {
        let at = |&r: &f64| -> f64 {
            let orbitals = orbitals.iter();
            orbitals.map(|o| o.occupation * o.radial(r).powi(2)).sum()
        };
        self.r.iter().map(at).collect()
    }

    /// V_H + V_xc of 4πr² ρ; zero for no density.
    fn screening(&self, density: &[f64]) -> Vec<f64> {
        if density.is_empty() {
            return vec![0.0; self.r.len()];
        }
        // V_H(r) = 1/r ∫_0^r 4πr'²ρ dr' + ∫_r^∞ 4πr'ρ dr'
        let mut outer: f64 = (0..self.r.len())
            .map(|i| self.weight[i] * density[i] / self.r[i])
            .sum();
        let mut inner = 0.0;
        let mut potential = Vec::with_capacity(self.r.len());
        for (i, &r) in self.r.iter().enumerate() {
            let shell = self.weight[i] * density[i];
            inner += 0.5 * shell;
            outer -= 0.5 * shell / r;
            let rho = density[i] / (4.0 * PI * r * r);
            potential.push(inner / r + outer + Functional::LdaPw.evaluate(rho, 0.0).v_rho);
            inner += 0.5 * shell;
            outer -= 0.5 * shell / r;
        }
        potential
    }
}

/// The matrices of one angular momentum that do not change with the density.
struct Channel {
    l: usize,
    electrons: f64,
    /// Basis functions r^{l+1} e^{−ar²} on the mesh.
    basis: Vec<Vec<f64>>,
    overlap: Vec<f64>,
    core_hamiltonian: Vec<f64>,
}

impl Channel {
    fn new(gth: &GthParameters, mesh: &Mesh, exponents: &[f64], l: usize, electrons: u8) -> Self {
        let n = exponents.len();
        let basis: Vec<Vec<f64>> = exponents
            .iter()
            .map(|a| {
                let value = |r: &f64| r.powi(l as i32 + 1) * (-a * r * r).exp();
                mesh.r.iter().map(value).collect()
            })
            .collect();
        // ⟨p_i|a⟩
        let projections: Vec<Vec<f64>> = gth
            .projectors()
            .enumerate()
            .filter(|(_, (other, _))| *other == l)
            .map(|(index, _)| {
                let p: Vec<f64> = mesh.r.iter().map(|&r| gth.projector_at(index, r)).collect();
                let project = |u: &Vec<f64>| -> f64 {
                    (0..p.len()).map(|i| mesh.weight[i] * p[i] * u[i]).sum()
                };
                basis.iter().map(project).collect()
            })
            .collect();
        let local: Vec<f64> = mesh.r.iter().map(|&r| gth.local_at(r)).collect();
        let mut overlap = vec![0.0; n * n];
        let mut core_hamiltonian = potential_matrix(mesh, &basis, &local);
        for a in 0..n {
            for b in 0..n {
                let (x, y) = (exponents[a], exponents[b]);
                // ∫ r^{2l+2} e^{−(a+b)r²} dr, and the kinetic energy (2l+3) ab/(a+b) times it
                let s = 0.5 * gamma_half(l + 1) / (x + y).powf(l as f64 + 1.5);
                overlap[a * n + b] = s;
                core_hamiltonian[a * n + b] += (2 * l + 3) as f64 * x * y / (x + y) * s;
                for (i, left) in projections.iter().enumerate() {
                    for (j, right) in projections.iter().enumerate() {
                        let channel = &gth.channels[l];
                        let h = channel.coupling[i * channel.count + j];
                        core_hamiltonian[a * n + b] += left[a] * h * right[b];
                    }
                }
            }
        }
        Self {
            l,
            electrons: f64::from(electrons),
            basis,
            overlap,
            core_hamiltonian,
        }
    }

    /// The occupied orbitals in a screening potential: lowest shell first, each filled with up to
    /// 2(2l+1) electrons.
    fn solve(&self, mesh: &Mesh, potential: &[f64], exponents: &[f64]) -> Vec<AtomicOrbital> {
        let n = exponents.len();
        let mut hamiltonian = potential_matrix(mesh, &self.basis, potential);
        for (h, core) in hamiltonian.iter_mut().zip(&self.core_hamiltonian) {
            *h += core;
        }
        let vectors = generalized_eigen(&hamiltonian, &self.overlap, n);
        let capacity = (2 * (2 * self.l + 1)) as f64;
        let shells = (self.electrons / capacity).ceil() as usize;
        (0..shells.min(n))
            .map(|shell| AtomicOrbital {
                shell,
                l: self.l,
                occupation: (self.electrons - shell as f64 * capacity).min(capacity),
                gaussians: exponents
                    .iter()
                    .copied()
                    .zip(vectors[shell].iter().copied())
                    .collect(),
            })
            .collect()
    }
}

/// ∫ u_a V u_b dr.
fn potential_matrix(mesh: &Mesh, basis: &[Vec<f64>], potential: &[f64]) -> Vec<f64> {
    let n = basis.len();
    let mut matrix = vec![0.0; n * n];
    let mut weighted = vec![0.0; potential.len()];
    for a in 0..n {
        for (i, weighted) in weighted.iter_mut().enumerate() {
            *weighted = mesh.weight[i] * potential[i] * basis[a][i];
        }
        for b in 0..=a {
            let value: f64 = weighted.iter().zip(&basis[b]).map(|(x, y)| x * y).sum();
            matrix[a * n + b] = value;
            matrix[b * n + a] = value;
        }
    }
    matrix
}
