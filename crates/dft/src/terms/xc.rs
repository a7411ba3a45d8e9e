//! Exchange and correlation, with gradient corrections and a non-linear core correction:
//! `E = ∫ ε_xc(ρ + ρ_core, |∇(ρ + ρ_core)|²)`, potential `∂f/∂ρ − 2∇·(∂f/∂σ ∇ρ)`.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use crate::{
    DftError,
    basis::DensityGrid,
    cancellation::Cancellation,
    parallel::{parallel_map, parallel_pair},
    xc::Functional,
};

/// Energy, and potential on the density grid's G, in hartree.
#[derive(Debug, Clone)]
pub(crate) struct ExchangeCorrelation {
    pub(crate) energy: f64,
    pub(crate) potential: Vec<Complex64>,
}

/// Evaluates the functional for a valence density, the core density added.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn exchange_correlation(
    functional: Functional,
    grid: &DensityGrid,
    density: &[Complex64],
    core: Option<&[Complex64]>,
    threads: NonZeroUsize,
    cancellation: Cancellation<'_>,
) -> Result<ExchangeCorrelation, DftError> {
    cancellation.check()?;
    let total: Vec<Complex64> = match core {
        Some(core) => density.iter().zip(core).map(|(a, b)| a + b).collect(),
        None => density.to_vec(),
    };
    if !functional.needs_gradient() {
        let rho = grid.to_real(&total);
        let mut potential = vec![0.0; rho.len()];
        let energy = evaluate_points(
            functional,
            &rho,
            None,
            &mut potential,
            threads,
            cancellation,
        )?;
        return Ok(ExchangeCorrelation {
            energy: energy * grid.cell.volume() / rho.len() as f64,
            potential: grid.to_reciprocal(&potential),
        });
    }
    // ρ and its derivatives, and then v and h, two to a transform.
    let real = |a: &[Complex64], b: &[Complex64]| {
        cancellation.check()?;
        Ok::<_, DftError>(split(grid.to_real_pair(a, Some(b))))
    };
    let derivative = |axis| derivative(grid, &total, axis);
    let (first, second) = parallel_pair(
        threads,
        || real(&total, &derivative(0)),
        || real(&derivative(1), &derivative(2)),
    );
    let ((rho, x), (y, z)) = (first?, second?);
    let mut gradient = [x, y, z];
    let mut potential = vec![0.0; rho.len()];
    let energy = evaluate_points(
        functional,
        &rho,
        Some(&mut gradient),
        &mut potential,
        threads,
        cancellation,
    )?;
    let [x, y, z] = &gradient;
    let reciprocal = |a: &[f64], b: &[f64]| {
        cancellation.check()?;
        Ok::<_, DftError>(grid.pair_to_reciprocal(a, b))
    };
    let (first, second) = parallel_pair(threads, || reciprocal(&potential, x), || reciprocal(y, z));
    let ((mut potential, x), (y, z)) = (first?, second?);
    // v − ∇·h, h cut off at the G-sphere.
    let divergence = grid.g_cart.iter().zip(x.iter().zip(y.iter().zip(&z)));
    for (v, (g, (x, (y, z)))) in potential.iter_mut().zip(divergence) {
        let flow = x * g[0] + y * g[1] + z * g[2];
        *v -= Complex64::new(-flow.im, flow.re);
    }
    Ok(ExchangeCorrelation {
        energy: energy * grid.cell.volume() / rho.len() as f64,
        potential,
    })
}

/// Real and imaginary parts.
fn split(values: Vec<Complex64>) -> (Vec<f64>, Vec<f64>) {
    values.into_iter().map(|value| (value.re, value.im)).unzip()
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
    cancellation: Cancellation<'_>,
) -> Result<f64, DftError> {
    let chunks = (potential.chunks_mut(POINTS_PER_CHUNK)).zip(rho.chunks(POINTS_PER_CHUNK));
    let energies: Vec<Result<f64, DftError>> = match gradient {
        None => parallel_map(threads, chunks, |(potential, rho)| {
            cancellation.check()?;
            let mut energy = 0.0;
            functional.evaluate_many(rho, &[], |i, point| {
                energy += point.energy;
                potential[i] = point.v_rho;
            });
            Ok(energy)
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
                    cancellation.check()?;
                    let along = x.iter().zip(y.iter()).zip(z.iter());
                    let sigma: Vec<f64> = along.map(|((x, y), z)| x * x + y * y + z * z).collect();
                    let mut energy = 0.0;
                    functional.evaluate_many(rho, &sigma, |i, point| {
                        energy += point.energy;
                        potential[i] = point.v_rho;
                        for d in [&mut x[i], &mut y[i], &mut z[i]] {
                            *d *= 2.0 * point.v_sigma;
                        }
                    });
                    Ok(energy)
                },
            )
        }
    };
    energies.into_iter().sum()
}

/// `∇f = Σ_G iG f(G) e^{iGr}`
pub(crate) fn gradient(grid: &DensityGrid, field: &[Complex64]) -> [Vec<f64>; 3] {
    let component = |axis| derivative(grid, field, axis);
    let (x, y) = split(grid.to_real_pair(&component(0), Some(&component(1))));
    [x, y, grid.to_real(&component(2))]
}

/// `iG f(G)` along one axis.
fn derivative(grid: &DensityGrid, field: &[Complex64], axis: usize) -> Vec<Complex64> {
    field
        .iter()
        .zip(&grid.g_cart)
        .map(|(f, g)| Complex64::new(-f.im * g[axis], f.re * g[axis]))
        .collect()
}
