//! Exchange and correlation, with gradient corrections and a non-linear core correction:
//! `E = ∫ ε_xc(ρ + ρ_core, |∇(ρ + ρ_core)|²)`, potential `∂f/∂ρ − 2∇·(∂f/∂σ ∇ρ)`.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use crate::{basis::DensityGrid, parallel::parallel_map, xc::Functional};

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
    threads: NonZeroUsize,
) -> ExchangeCorrelation {
    let total: Vec<Complex64> = match core {
        Some(core) => density.iter().zip(core).map(|(a, b)| a + b).collect(),
        None => density.to_vec(),
    };
    let rho = grid.to_real(&total);
    let mut gradient = functional.needs_gradient().then(|| gradient(grid, &total));
    let mut potential = vec![0.0; rho.len()];
    let mut energy = evaluate_points(functional, &rho, gradient.as_mut(), &mut potential, threads);
    if let Some(gradient) = &gradient {
        for (v, divergence) in potential.iter_mut().zip(divergence(grid, gradient)) {
            *v -= divergence;
        }
    }
    energy *= grid.cell.volume() / rho.len() as f64;
    ExchangeCorrelation { energy, potential }
}

/// Points that one thread takes at a time.
const POINTS_PER_CHUNK: usize = 4096;

/// The sum of e over the points; `potential` becomes `∂e/∂ρ` and ∇ρ becomes `h = 2 ∂e/∂σ ∇ρ`.
///
/// The chunks' energies are added up in their order, whatever the number of threads.
fn evaluate_points(
    functional: Functional,
    rho: &[f64],
    gradient: Option<&mut [Vec<f64>; 3]>,
    potential: &mut [f64],
    threads: NonZeroUsize,
) -> f64 {
    let chunks = (potential.chunks_mut(POINTS_PER_CHUNK)).zip(rho.chunks(POINTS_PER_CHUNK));
    let energies: Vec<f64> = match gradient {
        None => parallel_map(threads, chunks, |(potential, rho)| {
            let mut energy = 0.0;
            for (v, &rho) in potential.iter_mut().zip(rho) {
                let point = functional.evaluate(rho, 0.0);
                energy += point.energy;
                *v = point.v_rho;
            }
            energy
        }),
        Some([x, y, z]) => {
            let gradient = x
                .chunks_mut(POINTS_PER_CHUNK)
                .zip(y.chunks_mut(POINTS_PER_CHUNK))
                .zip(z.chunks_mut(POINTS_PER_CHUNK));
            parallel_map(
                threads,
                chunks.zip(gradient),
                |((potential, rho), ((x, y), z))| {
                    let mut energy = 0.0;
                    for (point, (v, &rho)) in potential.iter_mut().zip(rho).enumerate() {
                        let along = [&mut x[point], &mut y[point], &mut z[point]];
                        let sigma = along.iter().map(|d| **d * **d).sum();
                        let xc = functional.evaluate(rho, sigma);
                        energy += xc.energy;
                        *v = xc.v_rho;
                        for d in along {
                            *d *= 2.0 * xc.v_sigma;
                        }
                    }
                    energy
                },
            )
        }
    };
    energies.iter().sum()
}

/// `∇f = Σ_G iG f(G) e^{iGr}`
pub(crate) fn gradient(grid: &DensityGrid, field: &[Complex64]) -> [Vec<f64>; 3] {
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
