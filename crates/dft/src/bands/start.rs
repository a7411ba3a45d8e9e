//! Bands to start from.

use crate::{
    band_scalar::BandScalar,
    basis::{PlaneWaveBasis, WaveBasis},
    pseudo::{Pseudopotential, RadialTable},
    terms::atomic_columns::{RadialFunction, atomic_columns},
};

/// Vectors to start from, at least `bands`: the atomic orbitals of the pseudopotentials, and random
/// vectors where they are too few. A trace of randomness in each orbital keeps any symmetry that
/// the orbitals lack within reach.
///
/// The numbers follow from the k-point's index alone, so that every run starts alike.
pub(crate) fn starting_bands<S: BandScalar>(
    basis: &PlaneWaveBasis,
    waves: &WaveBasis,
    bands: usize,
    k_index: usize,
) -> Vec<S> {
    let mut random = SplitMix(k_index as u64);
    let q_max = waves.q_max();
    let mut psi = Vec::new();
    let orbitals =
        |species: &Pseudopotential, lengths: &[f64]| radial_orbitals(species, lengths, q_max);
    atomic_columns(basis, waves, orbitals, &mut psi);
    for column in psi.chunks_exact_mut(waves.len()) {
        let norm = crate::linear_algebra::norm2(column).sqrt();
        // Files hold orbitals that are zero everywhere, or in other units.
        let (keep, noise_scale) = match norm {
            norm if USABLE_NORMS.contains(&norm) => (1.0, ORBITAL_NOISE * norm),
            _ => (0.0, 1.0),
        };
        for (c, noise) in column.iter_mut().zip(long_waves::<S>(waves, &mut random)) {
            *c = *c * keep + noise * noise_scale;
        }
    }
    let missing = (bands * waves.len()).saturating_sub(psi.len());
    psi.reserve_exact(missing);
    for _ in psi.len() / waves.len()..bands {
        psi.extend(long_waves::<S>(waves, &mut random));
    }
    psi
}

/// Adds randomness of this share of each column's norm.
pub(super) fn add_noise<S: BandScalar>(
    waves: &WaveBasis,
    k_index: usize,
    share: f64,
    columns: &mut [S],
) {
    let mut random = SplitMix(k_index as u64);
    for column in columns.chunks_exact_mut(waves.len()) {
        let scale = share * crate::linear_algebra::norm2(column).sqrt();
        for (c, noise) in column.iter_mut().zip(long_waves::<S>(waves, &mut random)) {
            *c += noise * scale;
        }
    }
}

const ORBITAL_NOISE: f64 = 0.02;
/// Of orbitals to start from; a normalised one has about 1.
const USABLE_NORMS: std::ops::Range<f64> = 1e-3..1e3;

/// A random vector made mostly of long waves, as the lowest bands are.
fn long_waves<S: BandScalar>(waves: &WaveBasis, random: &mut SplitMix) -> impl Iterator<Item = S> {
    waves.kinetic.iter().map(|kinetic| {
        let amplitude = random.unit() / (1.0 + 4.0 * kinetic * kinetic);
        S::from_random(amplitude, random.unit())
    })
}

/// χ(|k+G|) of the orbitals that are bound in the free atom.
fn radial_orbitals(species: &Pseudopotential, lengths: &[f64], q_max: f64) -> Vec<RadialFunction> {
    let tables = species.wave_tables(q_max);
    let (orbitals, tables): (Vec<_>, Vec<_>) = (species.orbitals().iter().zip(&tables.orbitals))
        .filter(|(orbital, _)| orbital.occupation >= 0.0)
        .unzip();
    (orbitals.iter().zip(RadialTable::values_of(tables, lengths)))
        .map(|(orbital, values)| RadialFunction {
            l: orbital.l,
            values,
        })
        .collect()
}

/// Steele, Lea and Flood's SplitMix64: a few lines, and the same numbers for ever.
struct SplitMix(u64);

impl SplitMix {
    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}
