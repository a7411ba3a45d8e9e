//! Hartree energy: `E = Ω/2 Σ_{G≠0} 4π/G² |ρ(G)|²`, potential `4π/G² ρ(G)`; the G = 0 parts
//! cancel between electrons and ions.

use std::f64::consts::PI;

use rustfft::num_complex::Complex64;

use crate::basis::DensityGrid;

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
