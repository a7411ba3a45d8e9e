//! Plane waves and box of densities and potentials.

use rustfft::num_complex::Complex64;

use super::{
    by_length::sort_by_length,
    fft::{FftBox, OccupiedColumns, good_fft_size},
};
use crate::{
    DftError,
    cancellation::Cancellation,
    cell::Cell,
    vector::{Vector3, dot},
};

/// The plane waves of densities and potentials: all G with `G²/2 ≤ ecut`, and their FFT box.
///
/// Fields are `f(r) = Σ_G f(G) e^{iGr}`. G vectors are ordered by length, so that a sphere of a
/// smaller cutoff is a prefix.
#[derive(Debug, Clone)]
pub(crate) struct DensityGrid {
    pub(crate) cell: Cell,
    pub(crate) fft: FftBox,
    /// Miller indices of each G; the first is G = 0.
    pub(crate) miller: Vec<[i32; 3]>,
    /// Cartesian G in bohr⁻¹.
    pub(crate) g_cart: Vec<Vector3>,
    /// |G|² in bohr⁻².
    pub(crate) g2: Vec<f64>,
    /// Index of the shell (|G| alike) of each G.
    pub(crate) shell: Vec<u32>,
    /// |G| of each shell in bohr⁻¹.
    pub(crate) shell_g: Vec<f64>,
    /// Position of each G in the FFT box.
    pub(crate) positions: Vec<u32>,
    /// Position of each −G.
    opposite_positions: Vec<u32>,
    pub(crate) occupied: OccupiedColumns,
}

/// Relative difference of |G|² up to which two G lie in the same shell.
const SHELL_TOLERANCE: f64 = 1e-9;

impl DensityGrid {
    /// The sphere of `ecut` (hartree) in the smallest box that holds it.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        cell: Cell,
        ecut: f64,
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let (miller, g2) = sphere(&cell, ecut, cancellation)?;
        let fft = FftBox::new(box_sides(&miller).map(good_fft_size));
        let positions_of = |sign: i32| -> Result<Vec<u32>, DftError> {
            cancellation.check()?;
            let places = miller
                .iter()
                .filter_map(|&m| fft.position(m.map(|x| sign * x)));
            Ok(places.map(|position| position as u32).collect())
        };
        let positions = positions_of(1)?;
        debug_assert_eq!(positions.len(), miller.len());
        let occupied = OccupiedColumns::of_positions(fft.dims(), &positions);
        let mut shell = Vec::with_capacity(g2.len());
        let mut shell_g2: Vec<f64> = Vec::new();
        for &g2 in &g2 {
            match shell_g2.last() {
                Some(&last) if g2 - last <= SHELL_TOLERANCE * g2.max(1.0) => {}
                _ => shell_g2.push(g2),
            }
            shell.push((shell_g2.len() - 1) as u32);
        }
        cancellation.check()?;
        Ok(Self {
            cell,
            g_cart: miller
                .iter()
                .map(|m| cell.wave_vector(m.map(f64::from)))
                .collect(),
            opposite_positions: positions_of(-1)?,
            fft,
            miller,
            g2,
            shell,
            shell_g: shell_g2.into_iter().map(f64::sqrt).collect(),
            positions,
            occupied,
        })
    }

    /// One G of each pair ±G, by its index, with the index of its opposite; G = 0, which is its
    /// own, comes first.
    pub(crate) fn opposite_pairs(&self) -> Vec<(u32, u32)> {
        let mut index_at = vec![0; self.fft.len()];
        for (index, &position) in self.positions.iter().enumerate() {
            index_at[position as usize] = index as u32;
        }
        let indices = (0u32..).zip(&self.miller);
        indices
            .filter(|(_, m)| **m >= [0; 3])
            .filter_map(|(index, m)| {
                let opposite = self.fft.position(m.map(|x| -x))?;
                Some((index, index_at[opposite]))
            })
            .collect()
    }

    /// Number of plane waves.
    pub(crate) fn len(&self) -> usize {
        self.miller.len()
    }

    /// A real field at the points of the box, `[z][y][x]` with x fastest.
    pub(crate) fn to_real(&self, field: &[Complex64]) -> Vec<f64> {
        let packed = self.to_real_pair(field, None);
        packed.into_iter().map(|value| value.re).collect()
    }

    /// Two real fields with one transform: the first as real part, the second as imaginary part.
    pub(crate) fn to_real_pair(
        &self,
        first: &[Complex64],
        second: Option<&[Complex64]>,
    ) -> Vec<Complex64> {
        let zero = Complex64::new(0.0, 0.0);
        let mut scratch = self.fft.scratch();
        let mut packed = vec![zero; self.fft.len()];
        let mut real = vec![zero; self.fft.len()];
        for (g, &position) in self.positions.iter().enumerate().take(first.len()) {
            // f + i h, whose transform has f(r) as real part and h(r) as imaginary part
            packed[position as usize] =
                first[g] + second.map_or(zero, |second| Complex64::i() * second[g]);
        }
        let occupied = &self.occupied;
        self.fft
            .to_real(&mut packed, occupied, &mut scratch, &mut real);
        real
    }

    /// The plane-wave coefficients of a real field given at the points of the box.
    pub(crate) fn to_reciprocal(&self, field: &[f64]) -> Vec<Complex64> {
        let mut real: Vec<Complex64> = field.iter().map(|&x| Complex64::new(x, 0.0)).collect();
        self.complex_to_reciprocal(&mut real)
    }

    /// The coefficients of two real fields with one transform: with `f + i h` for field,
    /// `f(G) = (c(G) + c*(−G))/2` and `h(G) = (c(G) − c*(−G))/2i`.
    pub(crate) fn pair_to_reciprocal(
        &self,
        first: &[f64],
        second: &[f64],
    ) -> (Vec<Complex64>, Vec<Complex64>) {
        let mut packed: Vec<Complex64> = (first.iter().zip(second))
            .map(|(&f, &h)| Complex64::new(f, h))
            .collect();
        let mut scratch = self.fft.scratch();
        let mut field = vec![Complex64::new(0.0, 0.0); self.fft.len()];
        self.fft
            .to_reciprocal(&mut packed, &self.occupied, &mut scratch, &mut field);
        let at = |position: u32| field[position as usize];
        (self.positions.iter().zip(&self.opposite_positions))
            .map(|(&position, &opposite)| {
                let (c, mirrored) = (at(position), at(opposite).conj());
                let difference = c - mirrored;
                (
                    0.5 * (c + mirrored),
                    Complex64::new(0.5 * difference.im, -0.5 * difference.re),
                )
            })
            .unzip()
    }

    /// As [`Self::to_reciprocal`], for a complex field, which is destroyed.
    pub(crate) fn complex_to_reciprocal(&self, real: &mut [Complex64]) -> Vec<Complex64> {
        let mut scratch = self.fft.scratch();
        let mut field = vec![Complex64::new(0.0, 0.0); self.fft.len()];
        self.fft
            .to_reciprocal(real, &self.occupied, &mut scratch, &mut field);
        self.positions
            .iter()
            .map(|&position| field[position as usize])
            .collect()
    }

    /// `∫ f g d³r = Ω Σ_G f*(G) g(G)` of two real fields.
    pub(crate) fn integrate_product(&self, f: &[Complex64], g: &[Complex64]) -> f64 {
        let sum: f64 = f
            .iter()
            .zip(g)
            .map(|(f, g)| f.re * g.re + f.im * g.im)
            .sum();
        self.cell.volume() * sum
    }
}

/// Miller indices and |G|² of all G with `G²/2 ≤ ecut`, by length, then by index.
fn sphere(
    cell: &Cell,
    ecut: f64,
    cancellation: Cancellation<'_>,
) -> Result<(Vec<[i32; 3]>, Vec<f64>), DftError> {
    let mut pace = cancellation.pace();
    let limit2 = 2.0 * ecut;
    let limits = miller_limits(cell, limit2.sqrt());
    let mut vectors = Vec::new();
    for i in -limits[0]..=limits[0] {
        for j in -limits[1]..=limits[1] {
            pace.spend(2 * limits[2] as usize + 1)?;
            for k in -limits[2]..=limits[2] {
                let g = cell.wave_vector([i, j, k].map(f64::from));
                let g2 = dot(g, g);
                if g2 <= limit2 {
                    vectors.push((g2, [i, j, k]));
                }
            }
        }
    }
    sort_by_length(&mut vectors, cancellation)?;
    Ok(vectors.into_iter().map(|(g2, m)| (m, g2)).unzip())
}

/// Sides of the smallest box that holds the given Miller indices.
pub(crate) fn box_sides(miller: &[[i32; 3]]) -> [usize; 3] {
    let mut reach = [0u32; 3];
    for m in miller {
        for i in 0..3 {
            reach[i] = reach[i].max(m[i].unsigned_abs());
        }
    }
    reach.map(|n| 2 * n as usize + 1)
}

/// `|mᵢ| ≤ |aᵢ| |G| / 2π`: the largest Miller indices within a sphere of radius `g_max`.
pub(crate) fn miller_limits(cell: &Cell, g_max: f64) -> [i32; 3] {
    cell.vectors()
        .map(|a| (dot(a, a).sqrt() * g_max / std::f64::consts::TAU + 1e-9).floor() as i32)
}
