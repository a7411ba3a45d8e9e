//! Exchange and correlation, with gradient corrections and a non-linear core correction:
//! `E = ∫ ε_xc(ρ + ρ_core, |∇(ρ + ρ_core)|²)`, potential `∂f/∂ρ − 2∇·(∂f/∂σ ∇ρ)`.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use super::{
    core_correction::core_strain,
    strain::{add_diagonal, add_outer},
};
use crate::{
    DftError,
    basis::{DensityGrid, PlaneWaveBasis, PointOrbits},
    cancellation::Cancellation,
    parallel::{parallel_map, parallel_pair},
    vector::Matrix3,
    xc::Functional,
};

/// Energy, and potential on the density grid's G, in hartree.
#[derive(Debug, Clone)]
pub(crate) struct ExchangeCorrelation {
    pub(crate) energy: f64,
    pub(crate) potential: Vec<Complex64>,
}

/// Evaluates the functional for a valence density, the core density added, both with the symmetry
/// that the orbits are made of.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn exchange_correlation(
    functional: Functional,
    grid: &DensityGrid,
    orbits: &PointOrbits,
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
    let energy_per_sum = grid.cell.volume() / grid.fft.len() as f64;
    let at_orbits = |rho: &[f64], gradient: Option<&[Vec<f64>; 3]>| {
        OrbitValues::of(functional, orbits, rho, gradient, threads, cancellation)
    };
    if !functional.needs_gradient() {
        let mut field = grid.to_real(&total);
        let values = at_orbits(&field, None)?;
        for (v, &orbit) in field.iter_mut().zip(orbits.orbit_of()) {
            *v = values.v_rho[orbit as usize];
        }
        return Ok(ExchangeCorrelation {
            energy: values.energy * energy_per_sum,
            potential: grid.to_reciprocal(&field),
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
    let ((mut field, x), (y, z)) = (first?, second?);
    let mut gradient = [x, y, z];
    let values = at_orbits(&field, Some(&gradient))?;
    // v, and h = 2 ∂e/∂σ ∇ρ with each point's own ∇ρ.
    for (v, &orbit) in field.iter_mut().zip(orbits.orbit_of()) {
        *v = values.v_rho[orbit as usize];
    }
    for component in &mut gradient {
        for (d, &orbit) in component.iter_mut().zip(orbits.orbit_of()) {
            *d *= 2.0 * values.v_sigma[orbit as usize];
        }
    }
    let [x, y, z] = &gradient;
    let reciprocal = |a: &[f64], b: &[f64]| {
        cancellation.check()?;
        Ok::<_, DftError>(grid.pair_to_reciprocal(a, b))
    };
    let (first, second) = parallel_pair(threads, || reciprocal(&field, x), || reciprocal(y, z));
    let ((mut potential, x), (y, z)) = (first?, second?);
    // v − ∇·h, h cut off at the G-sphere.
    let divergence = grid.g_cart.iter().zip(x.iter().zip(y.iter().zip(&z)));
    for (v, (g, (x, (y, z)))) in potential.iter_mut().zip(divergence) {
        let flow = x * g[0] + y * g[1] + z * g[2];
        *v -= Complex64::new(-flow.im, flow.re);
    }
    Ok(ExchangeCorrelation {
        energy: values.energy * energy_per_sum,
        potential,
    })
}

/// `∂E/∂ε_ab = (E − ∫ V ρ) δ_ab − 2 ∫ ∂f/∂σ ∂_aρ ∂_bρ − Ω Σ_G Re V* (dρ_core/d|G|) G_a G_b / |G|` in hartree, with
/// what was found for a valence density and ρ with the core density, the electrons Ωρ(G) held.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn exchange_correlation_strain(
    basis: &PlaneWaveBasis,
    density: &[Complex64],
    core: Option<&[Complex64]>,
    found: (f64, &[Complex64]),
    threads: NonZeroUsize,
    cancellation: Cancellation<'_>,
) -> Result<Matrix3, DftError> {
    let (model, grid) = (&basis.model, &basis.density_grid);
    let (energy, potential) = found;
    let mut density = density.to_vec();
    let mut sum = [[0.0; 3]; 3];
    if let Some(core) = core {
        for (rho, core) in density.iter_mut().zip(core) {
            *rho += core;
        }
        sum = core_strain(model, grid, potential, cancellation)?;
    }
    add_diagonal(
        &mut sum,
        energy - grid.integrate_product(potential, &density),
    );
    if model.functional.needs_gradient() {
        cancellation.check()?;
        let values = grid.to_real(&density);
        cancellation.check()?;
        let slopes = gradient(grid, &density);
        let orbits = &basis.point_orbits;
        let found = OrbitValues::of(
            model.functional,
            orbits,
            &values,
            Some(&slopes),
            threads,
            cancellation,
        )?;
        let share = grid.cell.volume() / values.len() as f64;
        for (r, &orbit) in orbits.orbit_of().iter().enumerate() {
            let slope = [0, 1, 2].map(|axis| slopes[axis][r]);
            let factor = -2.0 * share * found.v_sigma[orbit as usize];
            add_outer(&mut sum, factor, slope, slope);
        }
    }
    Ok(sum)
}

/// Real and imaginary parts.
fn split(values: Vec<Complex64>) -> (Vec<f64>, Vec<f64>) {
    values.into_iter().map(|value| (value.re, value.im)).unzip()
}

/// Points that one thread takes at a time.
const POINTS_PER_CHUNK: usize = 4096;

/// The functional where a symmetric density has different values: at one point of each orbit.
pub(crate) struct OrbitValues {
    /// The sum of e over all points.
    pub(crate) energy: f64,
    /// ∂e/∂ρ on each orbit.
    pub(crate) v_rho: Vec<f64>,
    /// ∂e/∂σ on each orbit.
    pub(crate) v_sigma: Vec<f64>,
}

impl OrbitValues {
    /// From ρ and, for functionals of it, ∇ρ at all points.
    ///
    /// The chunks' energies are added up in their order, whatever the number of threads.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn of(
        functional: Functional,
        orbits: &PointOrbits,
        rho: &[f64],
        gradient: Option<&[Vec<f64>; 3]>,
        threads: NonZeroUsize,
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let (points, sizes) = orbits.representatives();
        let mut v_rho = vec![0.0; points.len()];
        let mut v_sigma = vec![0.0; points.len()];
        let chunks = (points.chunks(POINTS_PER_CHUNK))
            .zip(sizes.chunks(POINTS_PER_CHUNK))
            .zip(v_rho.chunks_mut(POINTS_PER_CHUNK))
            .zip(v_sigma.chunks_mut(POINTS_PER_CHUNK));
        let energies = parallel_map(threads, chunks, |(((points, sizes), v_rho), v_sigma)| {
            cancellation.check()?;
            let at = |field: &[f64]| -> Vec<f64> {
                points.iter().map(|&point| field[point as usize]).collect()
            };
            let rho = at(rho);
            let sigma: Vec<f64> = gradient.map_or(Vec::new(), |gradient| {
                let [x, y, z] = gradient.each_ref().map(|component| at(component));
                let along = x.iter().zip(&y).zip(&z);
                along.map(|((x, y), z)| x * x + y * y + z * z).collect()
            });
            let mut energy = 0.0;
            functional.evaluate_many(&rho, &sigma, |i, point| {
                energy += f64::from(sizes[i]) * point.energy;
                v_rho[i] = point.v_rho;
                v_sigma[i] = point.v_sigma;
            });
            Ok(energy)
        });
        let energy = energies.into_iter().sum::<Result<f64, DftError>>()?;
        Ok(Self {
            energy,
            v_rho,
            v_sigma,
        })
    }
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
