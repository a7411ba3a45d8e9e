//! Exchange and correlation, with gradient corrections and a non-linear core correction:
//! `E = ∫ ε_xc(ρ + ρ_core, |∇(ρ + ρ_core)|²)`, potential `∂f/∂ρ − 2∇·(∂f/∂σ ∇ρ)`.

use rustfft::num_complex::Complex64;

use crate::{basis::DensityGrid, xc::Functional};

/// Energy in hartree, and the potential at the points of the box in hartree.
#[derive(Debug, Clone)]
pub(crate) struct ExchangeCorrelation {
    pub(crate) energy: f64,
    pub(crate) potential: Vec<f64>,
}

/// Evaluates the functional for a valence density, the core density added.
pub(crate) fn exchange_correlation(
    functional: Functional,
    grid: &DensityGrid,
    density: &[Complex64],
    core: Option<&[Complex64]>,
) -> ExchangeCorrelation {
    let total: Vec<Complex64> = match core {
        Some(core) => density.iter().zip(core).map(|(a, b)| a + b).collect(),
        None => density.to_vec(),
    };
    let rho = grid.to_real(&total);
    let gradient = functional.needs_gradient().then(|| gradient(grid, &total));
    let mut energy = 0.0;
    let mut potential = vec![0.0; rho.len()];
    match gradient {
        None => {
            for (v, &rho) in potential.iter_mut().zip(&rho) {
                let point = functional.evaluate(rho, 0.0);
                energy += point.energy;
                *v = point.v_rho;
            }
        }
        Some(mut gradient) => {
            for (r, (v, &rho)) in potential.iter_mut().zip(&rho).enumerate() {
                let sigma = gradient.iter().map(|along| along[r] * along[r]).sum();
                let point = functional.evaluate(rho, sigma);
                energy += point.energy;
                *v = point.v_rho;
                // ∇ρ becomes h = 2 ∂f/∂σ ∇ρ
                for along in &mut gradient {
                    along[r] *= 2.0 * point.v_sigma;
                }
            }
            for (v, divergence) in potential.iter_mut().zip(divergence(grid, &gradient)) {
                *v -= divergence;
            }
        }
    }
    energy *= grid.cell.volume() / rho.len() as f64;
    ExchangeCorrelation { energy, potential }
}

/// `∇f = Σ_G iG f(G) e^{iGr}`
fn gradient(grid: &DensityGrid, field: &[Complex64]) -> [Vec<f64>; 3] {
    let component = |axis: usize| -> Vec<Complex64> {
        field
            .iter()
            .zip(&grid.g_cart)
            .map(|(f, g)| Complex64::new(-f.im * g[axis], f.re * g[axis]))
            .collect()
    };
    let xy = grid.to_real_pair(&component(0), Some(&component(1)));
    [
        xy.iter().map(|value| value.re).collect(),
        xy.iter().map(|value| value.im).collect(),
        grid.to_real(&component(2)),
    ]
}

/// `∇·h` with h cut off at the G-sphere.
fn divergence(grid: &DensityGrid, h: &[Vec<f64>; 3]) -> Vec<f64> {
    let mut sum = vec![Complex64::new(0.0, 0.0); grid.len()];
    for (axis, component) in h.iter().enumerate() {
        for ((sum, h), g) in sum
            .iter_mut()
            .zip(grid.to_reciprocal(component))
            .zip(&grid.g_cart)
        {
            *sum += Complex64::new(-h.im * g[axis], h.re * g[axis]);
        }
    }
    grid.to_real(&sum)
}
