use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use crate::{basis::PlaneWaveBasis, linear_algebra::ZERO, parallel::parallel_map};

/// Occupations below this add nothing to a density.
const OCCUPATION_THRESHOLD: f64 = 1e-14;

/// `ρ(r) = Σ_k w Σ_n f |ψ_nk(r)|²`, symmetrised, on the density grid's G.
///
/// k-points are added up in their order, whatever the number of threads.
pub(crate) fn density_of_bands(
    basis: &PlaneWaveBasis,
    bands: &[Vec<Complex64>],
    occupations: &[Vec<f64>],
    threads: NonZeroUsize,
) -> Vec<Complex64> {
    let fft = &basis.wave_grid.fft;
    let volume = basis.model.cell.volume();
    let work = basis.waves.iter().zip(bands).zip(occupations);
    let by_k_point = parallel_map(threads, work, |((waves, bands), occupations)| {
        let mut density = vec![0.0; fft.len()];
        let mut field = vec![ZERO; fft.len()];
        let mut scratch = fft.scratch();
        for (band, occupation) in bands.chunks_exact(waves.len()).zip(occupations) {
            if occupation.abs() < OCCUPATION_THRESHOLD {
                continue;
            }
            let weight = waves.k_point.weight * occupation / volume;
            waves.scatter(band, fft, &mut field);
            fft.visit_real_rows(&mut field, &waves.occupied, &mut scratch, |first, chunk| {
                for (rho, psi) in density[first..].iter_mut().zip(chunk.iter()) {
                    *rho += weight * psi.norm_sqr();
                }
            });
        }
        density
    });
    let mut sum = vec![0.0; fft.len()];
    for density in by_k_point {
        for (sum, rho) in sum.iter_mut().zip(density) {
            *sum += rho;
        }
    }
    let mut density = basis
        .wave_grid
        .field_to_reciprocal(&sum, &basis.density_grid);
    basis.symmetrizer.symmetrize(&mut density);
    density
}
