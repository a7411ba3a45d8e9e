//! Bands to start from at the k-points of a mesh, out of those of a coarser one.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use super::{start::add_noise, storage::Bands};
use crate::{
    band_scalar::BandScalar,
    basis::{KMesh, PlaneWaveBasis, Precision, WaveBasis},
    hamiltonian::{Hamiltonian, Operators},
    linear_algebra::Scalar,
    parallel::parallel_map,
    symmetry::SymmetryOperation,
    vector::{Vector3, dot, subtract},
};

/// The bands on a coarse mesh, `ψ_nk = e^{ikr} u_nk`.
///
/// A new k-point's bands are the best combinations, by Rayleigh and Ritz, of the periodic parts u at
/// the points of the mesh around it: E. L. Shirley, Phys. Rev. B 54, 16464 (1996); D. Prendergast and
/// S. G. Louie, Phys. Rev. B 80, 235126 (2009). The local potential acts on u alone, so that one product
/// with it serves all k-points.
#[derive(Debug)]
pub(super) struct CoarseBands<S: Scalar> {
    mesh: KMesh,
    waves: Vec<WaveBasis>,
    /// Coefficients at each irreducible k-point, one column per band: in single precision, whose
    /// rounding is far below what they are changed by.
    psi: Vec<Vec<S::Single>>,
    /// `V ψ` likewise, once it is known.
    local: Vec<Vec<S::Single>>,
    /// How each point of the mesh follows from an irreducible one.
    images: Vec<Image>,
}

/// `±Wᵀk` of an irreducible k-point.
#[derive(Debug, Clone)]
struct Image {
    source: usize,
    operation: SymmetryOperation,
    /// Whether time reversal follows.
    reversed: bool,
}

/// Points of the coarse mesh whose bands are combined, at most: the nearest ones.
const MOST_POINTS: usize = 4;
/// Directions in which the combined vectors overlap less than this are left out.
const DEPENDENCE_THRESHOLD: f64 = 1e-6;
/// Randomness in each band, relative to its norm, that keeps what the combinations lack within reach.
const NOISE: f64 = 1e-3;

impl<S: BandScalar> CoarseBands<S> {
    /// From what was found on the coarse mesh.
    pub(super) fn new(coarse: PlaneWaveBasis, bands: &Bands<S>) -> Self {
        let mesh = coarse.discretisation.k_mesh;
        let narrowed = |k: usize| bands.at(k).iter().map(|c| c.narrowed()).collect();
        Self {
            images: images(&coarse),
            psi: (0..coarse.waves.len()).map(narrowed).collect(),
            local: Vec::new(),
            waves: coarse.waves,
            mesh,
        }
    }

    /// Lets the local potential act on the bands.
    pub(super) fn apply_potential<T: Precision>(
        &mut self,
        basis: &PlaneWaveBasis,
        operators: &Operators<T>,
        threads: NonZeroUsize,
    ) {
        let work = self.waves.iter().zip(&self.psi);
        self.local = parallel_map(threads, work, |(waves, psi)| {
            let psi: Vec<S> = psi.iter().map(|&c| S::widened(c)).collect();
            let product = operators.local_product(waves, &basis.wave_grid, &psi);
            product.into_iter().map(Scalar::narrowed).collect()
        });
    }

    /// So many bands at the k-point of this index; `None` if the points around it do not give as many.
    pub(super) fn bands_at<T: Precision>(
        &self,
        basis: &PlaneWaveBasis,
        k: usize,
        hamiltonian: &Hamiltonian<'_, S, T>,
        bands: usize,
    ) -> Option<Vec<S>> {
        let waves = &basis.waves[k];
        let mut index_at = vec![u32::MAX; basis.wave_grid.fft.len()];
        for (index, &position) in (0u32..).zip(&waves.places.positions) {
            index_at[position as usize] = index;
        }
        let (mut u, mut local) = (Vec::new(), Vec::new());
        for point in self.nearest(basis, waves.k_point.frac) {
            let image = &self.images[self.mesh.index_of(point)?];
            let moves = self.moves(basis, image, point, &index_at)?;
            let source = image.source;
            for (from, to) in [(&self.psi, &mut u), (&self.local, &mut local)] {
                moves.apply(&from[source], self.waves[source].len(), waves.len(), to);
            }
        }
        let (h, s) = hamiltonian.matrices_in(&u, &mut local);
        let combinations = lowest_combinations::<S>(&h, &s, u.len() / waves.len(), bands)?;
        let mut psi = vec![S::from_real(0.0); bands * waves.len()];
        S::product_into(&mut psi, false, &u, &combinations, waves.len(), 1.0);
        add_noise(waves, k, NOISE, &mut psi);
        Some(psi)
    }

    /// The points around one, the nearest first.
    fn nearest(&self, basis: &PlaneWaveBasis, k: Vector3) -> Vec<Vector3> {
        let distance2 = |point: &Vector3| {
            let between = basis.model.cell.wave_vector(subtract(*point, k));
            dot(between, between)
        };
        let mut points = self.mesh.points_around(k);
        points.sort_by(|a, b| distance2(a).total_cmp(&distance2(b)));
        points.truncate(MOST_POINTS);
        points
    }

    /// Where coefficients of an irreducible k-point go at the given image of it; `None` where bands are
    /// real and the operation does not leave them so.
    fn moves(
        &self,
        basis: &PlaneWaveBasis,
        image: &Image,
        point: Vector3,
        index_at: &[u32],
    ) -> Option<Moves<S>> {
        let sign = if image.reversed { -1 } else { 1 };
        let source = &self.waves[image.source];
        let turned = image.operation.rotate_wave_vector(source.k_point.frac);
        let shift: [i32; 3] = std::array::from_fn(|axis| {
            (point[axis] - f64::from(sign) * turned[axis]).round() as i32
        });
        let mut targets = Vec::with_capacity(source.len());
        let mut phases = Vec::with_capacity(source.len());
        for &miller in &source.miller {
            let turned = image.operation.transposed_rotation(miller);
            let place = std::array::from_fn(|axis| sign * turned[axis] - shift[axis]);
            let position = basis.wave_grid.fft.position(place);
            targets.push(position.map_or(u32::MAX, |position| index_at[position]));
            let turns = dot(miller.map(f64::from), image.operation.translation);
            let phase = Complex64::cis(std::f64::consts::TAU * turns);
            let kept = S::of_complex(phase);
            if (kept.to_complex() - phase).norm_sqr() > 1e-12 {
                return None;
            }
            phases.push(kept);
        }
        Some(Moves {
            targets,
            phases,
            reversed: image.reversed,
        })
    }
}

/// Coefficients that go from one sphere to another.
struct Moves<S> {
    /// Where each goes; `u32::MAX` for nowhere.
    targets: Vec<u32>,
    phases: Vec<S>,
    reversed: bool,
}

impl<S: BandScalar> Moves<S> {
    /// Appends the columns that `from` becomes.
    fn apply(&self, from: &[S::Single], source_len: usize, target_len: usize, to: &mut Vec<S>) {
        for column in from.chunks_exact(source_len) {
            let start = to.len();
            to.resize(start + target_len, S::from_real(0.0));
            let to = &mut to[start..];
            for ((&c, &target), &phase) in column.iter().zip(&self.targets).zip(&self.phases) {
                if let Some(to) = to.get_mut(target as usize) {
                    let c = S::widened(c).times(phase);
                    *to = if self.reversed { c.conjugate() } else { c };
                }
            }
        }
    }
}

/// Each point of the basis' mesh as an image of an irreducible one, by the plainest operation there is.
fn images(basis: &PlaneWaveBasis) -> Vec<Image> {
    let mesh = basis.discretisation.k_mesh;
    let total = mesh.divisions.iter().map(|&n| n as usize).product();
    let mut images: Vec<Option<Image>> = vec![None; total];
    for reversed in [false, true] {
        for operation in &basis.operations {
            for (source, waves) in basis.waves.iter().enumerate() {
                let turned = operation.rotate_wave_vector(waves.k_point.frac);
                let point = if reversed { turned.map(|x| -x) } else { turned };
                if let Some(index) = mesh.index_of(point) {
                    images[index].get_or_insert_with(|| Image {
                        source,
                        operation: operation.clone(),
                        reversed,
                    });
                }
            }
        }
    }
    // The irreducible points stand for all.
    images.into_iter().flatten().collect()
}

/// The lowest solutions of `H c = ε S c`, one column each; `None` if the space has fewer dimensions.
fn lowest_combinations<S: Scalar>(h: &[S], s: &[S], side: usize, bands: usize) -> Option<Vec<S>> {
    let (lambda, vectors) = S::hermitian_eigen(s, side)?;
    let largest = lambda.last().copied()?;
    let dropped = lambda.partition_point(|&l| l <= largest * DEPENDENCE_THRESHOLD);
    let kept = side - dropped;
    if kept < bands {
        return None;
    }
    let mut orthonormal = vectors[dropped * side..].to_vec();
    for (column, lambda) in orthonormal.chunks_exact_mut(side).zip(&lambda[dropped..]) {
        for c in column {
            *c *= 1.0 / lambda.sqrt();
        }
    }
    let mut product = vec![S::from_real(0.0); side * kept];
    S::product_into(&mut product, false, h, &orthonormal, side, 1.0);
    let reduced = S::adjoint_product(&orthonormal, &product, side);
    let (_, solutions) = S::hermitian_eigen(&reduced, kept)?;
    let mut combinations = vec![S::from_real(0.0); side * bands];
    let lowest = &solutions[..kept * bands];
    S::product_into(&mut combinations, false, &orthonormal, lowest, side, 1.0);
    Some(combinations)
}
