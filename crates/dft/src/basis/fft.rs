//! Three-dimensional Fourier transforms that skip what is known to be zero.
//!
//! Reciprocal space is stored as `[x][y][z]` with z fastest, real space as `[z][y][x]` with x
//! fastest. A transform to real space goes along z (only the columns that the G-sphere touches),
//! then along y (only the planes that it touches; each plane is left transposed, `[x][z][y]`),
//! then along x, in chunks of rows small enough to stay in cache. A local operator works on those
//! rows and sends them back without the whole real-space array ever being formed.

use std::{fmt, ops::Range, sync::Arc};

use pulp::{Arch, Simd, WithSimd};
use rustfft::{Fft, FftNum, FftPlanner, num_complex::Complex};

/// Rows along x that are transformed together: 16 rows of 48 points are 12 KiB.
const ROWS_PER_CHUNK: usize = 16;

/// A real number in which transforms are done.
pub(crate) trait Precision: FftNum {
    const IS_DOUBLE: bool;

    fn rounded(x: f64) -> Self;
    fn widened(self) -> f64;

    /// The box of this precision.
    fn choose<'a>(double: &'a FftBox<f64>, single: &'a FftBox<f32>) -> &'a FftBox<Self>;
}

impl Precision for f64 {
    const IS_DOUBLE: bool = true;

    fn rounded(x: f64) -> Self {
        x
    }

    fn widened(self) -> f64 {
        self
    }

    fn choose<'a>(double: &'a FftBox<f64>, _: &'a FftBox<f32>) -> &'a FftBox<Self> {
        double
    }
}

/// Half the bytes and twice the numbers a register: for bands that are not yet converged.
impl Precision for f32 {
    const IS_DOUBLE: bool = false;

    fn rounded(x: f64) -> Self {
        x as Self
    }

    fn widened(self) -> f64 {
        f64::from(self)
    }

    fn choose<'a>(_: &'a FftBox<f64>, single: &'a FftBox<f32>) -> &'a FftBox<Self> {
        single
    }
}

/// An FFT box with its plans.
#[derive(Clone)]
pub(crate) struct FftBox<T = f64> {
    dims: [usize; 3],
    /// `e^{+iGr}` sums, along x, y and z.
    to_real: [Arc<dyn Fft<T>>; 3],
    /// `e^{−iGr}` sums.
    to_reciprocal: [Arc<dyn Fft<T>>; 3],
}

impl<T> fmt::Debug for FftBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FftBox").field("dims", &self.dims).finish()
    }
}

/// Where the box is not zero in reciprocal space.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OccupiedColumns {
    /// The planes x with at least one column.
    planes: Vec<OccupiedPlane>,
}

/// The columns along z that are occupied in a plane x.
#[derive(Debug, Clone, PartialEq)]
struct OccupiedPlane {
    x: usize,
    /// Runs of y.
    columns: Vec<Range<usize>>,
}

impl OccupiedColumns {
    /// The columns that hold the given positions of the reciprocal array.
    pub(crate) fn of_positions(dims: [usize; 3], positions: &[u32]) -> Self {
        let [nx, ny, nz] = dims;
        let mut touched = vec![false; nx * ny];
        for &position in positions {
            touched[position as usize / nz] = true;
        }
        let plane = |x: usize| {
            let touched = &touched[x * ny..(x + 1) * ny];
            let mut columns: Vec<Range<usize>> = Vec::new();
            for y in (0..ny).filter(|&y| touched[y]) {
                match columns.last_mut() {
                    Some(run) if run.end == y => run.end += 1,
                    _ => columns.push(y..y + 1),
                }
            }
            OccupiedPlane { x, columns }
        };
        let planes = (0..nx).map(plane);
        Self {
            planes: planes.filter(|plane| !plane.columns.is_empty()).collect(),
        }
    }

    /// Ranges of the reciprocal array, each a whole number of z columns.
    fn ranges(&self, [_, ny, nz]: [usize; 3]) -> impl Iterator<Item = Range<usize>> {
        self.planes.iter().flat_map(move |plane| {
            let first = plane.x * ny;
            (plane.columns.iter()).map(move |run| (first + run.start) * nz..(first + run.end) * nz)
        })
    }
}

/// Places of some plane waves in a box.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Position of each in the reciprocal array.
    pub(crate) positions: Vec<u32>,
    pub(crate) occupied: OccupiedColumns,
}

impl Places {
    /// Of waves that differ by less than the box, about whatever centre.
    pub(crate) fn wrapped<T: Precision>(fft: &FftBox<T>, miller: &[[i32; 3]]) -> Self {
        let positions = miller.iter().map(|&m| fft.wrapped_position(m) as u32);
        Self::of_positions(fft, positions.collect())
    }

    pub(crate) fn of_positions<T: Precision>(fft: &FftBox<T>, positions: Vec<u32>) -> Self {
        Self {
            occupied: OccupiedColumns::of_positions(fft.dims(), &positions),
            positions,
        }
    }
}

/// Scratch space of one thread.
#[derive(Debug, Clone)]
pub(crate) struct FftScratch<T = f64> {
    plane: Vec<Complex<T>>,
    rows: Vec<Complex<T>>,
    fft: Vec<Complex<T>>,
}

fn zero<T: Precision>() -> Complex<T> {
    Complex::new(T::zero(), T::zero())
}

impl<T: Precision> FftBox<T> {
    pub(crate) fn new(dims: [usize; 3]) -> Self {
        let mut planner = FftPlanner::new();
        Self {
            dims,
            to_real: dims.map(|n| planner.plan_fft_inverse(n)),
            to_reciprocal: dims.map(|n| planner.plan_fft_forward(n)),
        }
    }

    pub(crate) fn dims(&self) -> [usize; 3] {
        self.dims
    }

    /// Number of points.
    pub(crate) fn len(&self) -> usize {
        self.dims.iter().product()
    }

    pub(crate) fn scratch(&self) -> FftScratch<T> {
        let [nx, ny, nz] = self.dims;
        let plans = self.to_real.iter().chain(&self.to_reciprocal);
        let fft = plans
            .map(|plan| (plan.get_inplace_scratch_len()).max(plan.get_outofplace_scratch_len()))
            .max();
        FftScratch {
            plane: vec![zero(); ny * nz],
            rows: vec![zero(); ROWS_PER_CHUNK * nx],
            fft: vec![zero(); fft.unwrap_or(0)],
        }
    }

    /// Position of Miller indices in the reciprocal array, if they fit into the box.
    pub(crate) fn position(&self, miller: [i32; 3]) -> Option<usize> {
        let mut position = 0;
        for (m, n) in miller.into_iter().zip(self.dims) {
            if 2 * m.unsigned_abs() as usize >= n {
                return None;
            }
            position = position * n + m.rem_euclid(n as i32) as usize;
        }
        Some(position)
    }

    /// Position of Miller indices in the reciprocal array, a whole number of boxes away if need be.
    fn wrapped_position(&self, miller: [i32; 3]) -> usize {
        let axes = miller.into_iter().zip(self.dims);
        axes.fold(0, |position, (m, n)| {
            position * n + m.rem_euclid(n as i32) as usize
        })
    }

    /// Sets to zero what [`Self::visit_real_rows`] will read.
    pub(crate) fn clear(&self, field: &mut [Complex<T>], occupied: &OccupiedColumns) {
        for range in occupied.ranges(self.dims) {
            field[range].fill(zero());
        }
    }

    /// Transforms `field` (reciprocal) to real space chunk by chunk: `visit` gets the index of
    /// the first point of a chunk in the `[z][y][x]` order, and the chunk.
    ///
    /// `field` is left half transformed and is of no further use.
    pub(crate) fn visit_real_rows(
        &self,
        field: &mut [Complex<T>],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch<T>,
        mut visit: impl FnMut(usize, &mut [Complex<T>]),
    ) {
        self.z_and_y_to_real(field, occupied, scratch);
        let nx = self.dims[0];
        for (first_row, rows) in self.row_chunks() {
            let chunk = &mut scratch.rows[..rows * nx];
            self.gather_rows(field, occupied, first_row, chunk);
            self.to_real[0].process_with_scratch(chunk, &mut scratch.fft);
            visit(first_row * nx, chunk);
        }
    }

    /// `field ← F⁻¹ [ V(r) · F[field] ]`, the local operator, normalised; only the occupied
    /// columns of the result are right, the rest is not computed.
    pub(crate) fn multiply_in_real_space(
        &self,
        field: &mut [Complex<T>],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch<T>,
        potential: &[T],
    ) {
        self.z_and_y_to_real(field, occupied, scratch);
        let nx = self.dims[0];
        for (first_row, rows) in self.row_chunks() {
            let chunk = &mut scratch.rows[..rows * nx];
            self.gather_rows(field, occupied, first_row, chunk);
            self.to_real[0].process_with_scratch(chunk, &mut scratch.fft);
            Arch::new().dispatch(Multiplication {
                psi: &mut *chunk,
                potential: &potential[first_row * nx..][..rows * nx],
            });
            self.to_reciprocal[0].process_with_scratch(chunk, &mut scratch.fft);
            self.scatter_rows(chunk, occupied, first_row, field);
        }
        self.y_and_z_to_reciprocal(field, occupied, scratch);
        let scale = T::rounded(1.0 / self.len() as f64);
        for range in occupied.ranges(self.dims) {
            for value in &mut field[range] {
                *value = value.scale(scale);
            }
        }
    }

    /// `f(r) = Σ_G f(G) e^{iGr}`; `field` is destroyed.
    pub(crate) fn to_real(
        &self,
        field: &mut [Complex<T>],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch<T>,
        real: &mut [Complex<T>],
    ) {
        self.visit_real_rows(field, occupied, scratch, |first, chunk| {
            real[first..first + chunk.len()].copy_from_slice(chunk);
        });
    }

    /// `f(G) = 1/N Σ_r f(r) e^{−iGr}` on the occupied columns; `real` is destroyed.
    pub(crate) fn to_reciprocal(
        &self,
        real: &mut [Complex<T>],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch<T>,
        field: &mut [Complex<T>],
    ) {
        let nx = self.dims[0];
        let scale = T::rounded(1.0 / self.len() as f64);
        for (first_row, rows) in self.row_chunks() {
            let chunk = &mut real[first_row * nx..][..rows * nx];
            self.to_reciprocal[0].process_with_scratch(chunk, &mut scratch.fft);
            for value in chunk.iter_mut() {
                *value = value.scale(scale);
            }
            self.scatter_rows(chunk, occupied, first_row, field);
        }
        self.y_and_z_to_reciprocal(field, occupied, scratch);
    }

    fn z_and_y_to_real(
        &self,
        field: &mut [Complex<T>],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch<T>,
    ) {
        let [_, ny, nz] = self.dims;
        for range in occupied.ranges(self.dims) {
            self.to_real[2].process_with_scratch(&mut field[range], &mut scratch.fft);
        }
        for OccupiedPlane { x, columns } in &occupied.planes {
            let plane = &mut field[x * ny * nz..(x + 1) * ny * nz];
            scratch.plane.fill(zero());
            for run in columns {
                let from = &plane[run.start * nz..run.end * nz];
                transpose(
                    from,
                    nz,
                    &mut scratch.plane[run.start..],
                    ny,
                    [run.len(), nz],
                );
            }
            let (from, fft) = (&mut scratch.plane, &mut scratch.fft);
            self.to_real[1].process_outofplace_with_scratch(from, plane, fft);
        }
    }

    fn y_and_z_to_reciprocal(
        &self,
        field: &mut [Complex<T>],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch<T>,
    ) {
        let [_, ny, nz] = self.dims;
        for OccupiedPlane { x, columns } in &occupied.planes {
            let plane = &mut field[x * ny * nz..(x + 1) * ny * nz];
            let (to, fft) = (&mut scratch.plane, &mut scratch.fft);
            self.to_reciprocal[1].process_outofplace_with_scratch(plane, to, fft);
            for run in columns {
                let to = &mut plane[run.start * nz..run.end * nz];
                transpose(&scratch.plane[run.start..], ny, to, nz, [nz, run.len()]);
            }
        }
        for range in occupied.ranges(self.dims) {
            self.to_reciprocal[2].process_with_scratch(&mut field[range], &mut scratch.fft);
        }
    }

    fn row_chunks(&self) -> impl Iterator<Item = (usize, usize)> + use<T> {
        let rows = self.dims[1] * self.dims[2];
        (0..rows)
            .step_by(ROWS_PER_CHUNK)
            .map(move |first| (first, ROWS_PER_CHUNK.min(rows - first)))
    }

    /// Rows along x out of `[x][zy]` planes, zero where a plane is not occupied.
    fn gather_rows(
        &self,
        field: &[Complex<T>],
        occupied: &OccupiedColumns,
        first_row: usize,
        chunk: &mut [Complex<T>],
    ) {
        let [nx, ny, nz] = self.dims;
        let rows = chunk.len() / nx;
        chunk.fill(zero());
        for &OccupiedPlane { x, .. } in &occupied.planes {
            let column = &field[x * ny * nz + first_row..][..rows];
            for (row, value) in column.iter().enumerate() {
                chunk[row * nx + x] = *value;
            }
        }
    }

    fn scatter_rows(
        &self,
        chunk: &[Complex<T>],
        occupied: &OccupiedColumns,
        first_row: usize,
        field: &mut [Complex<T>],
    ) {
        let [nx, ny, nz] = self.dims;
        let rows = chunk.len() / nx;
        for &OccupiedPlane { x, .. } in &occupied.planes {
            let column = &mut field[x * ny * nz + first_row..][..rows];
            for (row, value) in column.iter_mut().enumerate() {
                *value = chunk[row * nx + x];
            }
        }
    }
}

/// `ψ(r) ← V(r) ψ(r)`
struct Multiplication<'a, T> {
    psi: &'a mut [Complex<T>],
    potential: &'a [T],
}

impl<T: Precision> WithSimd for Multiplication<'_, T> {
    type Output = ();

    /// One copy of the loop for each instruction set, with the same bits.
    #[inline(always)]
    fn with_simd<I: Simd>(self, _: I) {
        for (psi, v) in self.psi.iter_mut().zip(self.potential) {
            *psi = psi.scale(*v);
        }
    }
}

/// `to[j][i] = from[i][j]` for i below m and j below n, where rows begin `from_stride` and
/// `to_stride` apart; in blocks that stay in cache.
fn transpose<T: Copy>(
    from: &[T],
    from_stride: usize,
    to: &mut [T],
    to_stride: usize,
    [m, n]: [usize; 2],
) {
    const BLOCK: usize = 8;
    for i0 in (0..m).step_by(BLOCK) {
        for j0 in (0..n).step_by(BLOCK) {
            for j in j0..(j0 + BLOCK).min(n) {
                for i in i0..(i0 + BLOCK).min(m) {
                    to[j * to_stride + i] = from[i * from_stride + j];
                }
            }
        }
    }
}

/// Lengths for which the transforms are fast, in single precision above all, by timing: with AVX2
/// 48, 54, 64 and 72 points take 0.4 ns a point in single precision, 45, 50, 60 and 75 take 0.7 to
/// 1.6 (double precision: 0.8 to 1.1 against 1.1 to 2.0).
const FAST_SIZES: [usize; 17] = [
    4, 6, 8, 9, 12, 16, 24, 32, 36, 48, 54, 64, 72, 80, 96, 108, 128,
];

/// The smallest fast length of at least `n`.
pub(crate) fn fast_fft_size(n: usize) -> usize {
    let fast = FAST_SIZES.into_iter().find(|&size| size >= n);
    fast.unwrap_or_else(|| good_fft_size(n))
}

/// The smallest number of at least `n` whose only prime factors are 2, 3 and 5: the sizes that
/// `pw.x` takes.
pub(crate) fn good_fft_size(n: usize) -> usize {
    (n.max(1)..)
        .find(|&candidate| {
            let mut rest = candidate;
            for factor in [2, 3, 5] {
                while rest % factor == 0 {
                    rest /= factor;
                }
            }
            rest == 1
        })
        .unwrap_or(n)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use rustfft::num_complex::Complex64;

    use super::*;

    const ZERO: Complex64 = Complex64::new(0.0, 0.0);

    /// Oracle: the plane-wave sum written out, on a box with three different sides.
    #[test]
    fn agrees_with_the_plain_sum() {
        let fft = FftBox::<f64>::new([5, 6, 4]);
        let waves = [
            ([1, -2, 0], 0.7),
            ([-2, 1, 1], -0.3),
            ([0, 0, -1], 1.1),
            ([0, 2, 0], 0.2),
        ];
        let positions = waves.map(|(m, _)| fft.position(m).unwrap() as u32);
        let occupied = OccupiedColumns::of_positions(fft.dims(), &positions);
        assert!(occupied.planes.len() < 5);
        let mut field = vec![ZERO; fft.len()];
        for (position, (_, c)) in positions.into_iter().zip(waves) {
            field[position as usize] = Complex64::new(c, 0.5 * c);
        }
        let before = field.clone();
        let mut scratch = fft.scratch();
        let mut real = vec![ZERO; fft.len()];
        fft.to_real(&mut field, &occupied, &mut scratch, &mut real);
        for z in 0..4 {
            for y in 0..6 {
                for x in 0..5 {
                    let r = [x as f64 / 5.0, y as f64 / 6.0, z as f64 / 4.0];
                    let expected: Complex64 = waves
                        .iter()
                        .map(|(m, c)| {
                            let phase: f64 = (0..3).map(|i| f64::from(m[i]) * r[i]).sum();
                            Complex64::new(*c, 0.5 * c) * Complex64::cis(TAU * phase)
                        })
                        .sum();
                    let found = real[(z * 6 + y) * 5 + x];
                    assert!((found - expected).norm() < 1e-13, "{found} {expected}");
                }
            }
        }
        let mut back = vec![ZERO; fft.len()];
        fft.to_reciprocal(&mut real.clone(), &occupied, &mut scratch, &mut back);
        for position in positions {
            let position = position as usize;
            assert!((back[position] - before[position]).norm() < 1e-13);
        }
        // The fused operator against its steps.
        let potential: Vec<f64> = (0..fft.len()).map(|i| (i as f64 * 0.37).sin()).collect();
        let mut fused = before.clone();
        fft.multiply_in_real_space(&mut fused, &occupied, &mut scratch, &potential);
        for (value, v) in real.iter_mut().zip(&potential) {
            *value *= *v;
        }
        let mut stepwise = vec![ZERO; fft.len()];
        fft.to_reciprocal(&mut real, &occupied, &mut scratch, &mut stepwise);
        for position in positions {
            let position = position as usize;
            assert!((fused[position] - stepwise[position]).norm() < 1e-13);
        }
    }

    /// Oracle: the sizes that pw.x prints for spheres of these extents.
    #[test]
    fn sizes_have_small_factors() {
        for (n, size) in [
            (1, 1),
            (7, 8),
            (11, 12),
            (17, 18),
            (33, 36),
            (49, 50),
            (121, 125),
        ] {
            assert_eq!(good_fft_size(n), size);
        }
    }
}
