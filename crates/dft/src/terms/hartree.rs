//! Hartree energy: `E = Ω/2 Σ_{G≠0} 4π/G² |ρ(G)|²`, potential `4π/G² ρ(G)`; the G = 0 parts
//! cancel between electrons and ions.

use std::f64::consts::PI;

use rustfft::num_complex::Complex64;

use super::strain::{add_diagonal, add_outer};
use crate::{basis::DensityGrid, vector::Matrix3};

/// Potential in hartree.
pub(crate) fn hartree_potential(grid: &DensityGrid, density: &[Complex64]) -> Vec<Complex64> {
    let mut potential: Vec<Complex64> = density
        .iter()
        .zip(&grid.g2)
        .map(|(rho, g2)| rho * (4.0 * PI / g2))
        .collect();
    potential[0] = Complex64::new(0.0, 0.0);
    potential
}

/// Energy in hartree.
pub(crate) fn hartree_energy(grid: &DensityGrid, density: &[Complex64]) -> f64 {
    let sum: f64 = density
        .iter()
        .zip(&grid.g2)
        .skip(1)
        .map(|(rho, g2)| rho.norm_sqr() / g2)
        .sum();
    0.5 * grid.cell.volume() * 4.0 * PI * sum
}

/// `∂E/∂ε_ab = −E δ_ab + Ω Σ_{G≠0} 4π |ρ|² G_a G_b / G⁴` in hartree, the electrons Ωρ(G) held.
pub(crate) fn hartree_strain(grid: &DensityGrid, density: &[Complex64]) -> Matrix3 {
    let mut sum = [[0.0; 3]; 3];
    for ((rho, &g), g2) in density.iter().zip(&grid.g_cart).zip(&grid.g2).skip(1) {
        let factor = 4.0 * PI * grid.cell.volume() * rho.norm_sqr() / (g2 * g2);
        add_outer(&mut sum, factor, g, g);
    }
    add_diagonal(&mut sum, -hartree_energy(grid, density));
    sum
}
