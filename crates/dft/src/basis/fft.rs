//! Three-dimensional Fourier transforms that skip what is known to be zero.
//!
//! Reciprocal space is stored as `[x][y][z]` with z fastest, real space as `[z][y][x]` with x
//! fastest. A transform to real space goes along z (only the columns that the G-sphere touches),
//! then along y (only the planes that it touches; each plane is left transposed, `[x][z][y]`),
//! then along x, in chunks of rows small enough to stay in cache. A local operator works on those
//! rows and sends them back without the whole real-space array ever being formed.

use std::{fmt, ops::Range, sync::Arc};

use rustfft::{Fft, FftPlanner, num_complex::Complex64};

const ZERO: Complex64 = Complex64::new(0.0, 0.0);
/// Rows along x that are transformed together: 16 rows of 48 points are 12 KiB.
const ROWS_PER_CHUNK: usize = 16;

/// An FFT box with its plans.
#[derive(Clone)]
pub(crate) struct FftBox {
    dims: [usize; 3],
    /// `e^{+iGr}` sums, along x, y and z.
    to_real: [Arc<dyn Fft<f64>>; 3],
    /// `e^{−iGr}` sums.
    to_reciprocal: [Arc<dyn Fft<f64>>; 3],
}

impl fmt::Debug for FftBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FftBox").field("dims", &self.dims).finish()
    }
}

/// Where the box is not zero in reciprocal space.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OccupiedColumns {
    /// Ranges of the reciprocal array, each a whole number of z columns.
    columns: Vec<Range<usize>>,
    /// Planes x with at least one column.
    planes: Vec<usize>,
}

impl OccupiedColumns {
    /// The columns that hold the given positions of the reciprocal array.
    pub(crate) fn of_positions(dims: [usize; 3], positions: &[u32]) -> Self {
        let [nx, ny, nz] = dims;
        let mut touched = vec![false; nx * ny];
        for &position in positions {
            touched[position as usize / nz] = true;
        }
        let mut columns = Vec::new();
        let mut planes = Vec::new();
        for x in 0..nx {
            let mut run: Option<usize> = None;
            let mut any = false;
            for y in 0..=ny {
                let inside = y < ny && touched[x * ny + y];
                any |= inside;
                match (run, inside) {
                    (None, true) => run = Some(x * ny + y),
                    (Some(start), false) => {
                        columns.push(start * nz..(x * ny + y) * nz);
                        run = None;
                    }
                    _ => {}
                }
            }
            if any {
                planes.push(x);
            }
        }
        Self { columns, planes }
    }
}

/// Scratch space of one thread.
#[derive(Debug, Clone)]
pub(crate) struct FftScratch {
    plane: Vec<Complex64>,
    rows: Vec<Complex64>,
    fft: Vec<Complex64>,
}

impl FftBox {
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

    pub(crate) fn scratch(&self) -> FftScratch {
        let [nx, ny, nz] = self.dims;
        let plans = self.to_real.iter().chain(&self.to_reciprocal);
        let fft = plans.map(|plan| plan.get_inplace_scratch_len()).max();
        FftScratch {
            plane: vec![ZERO; ny * nz],
            rows: vec![ZERO; ROWS_PER_CHUNK * nx],
            fft: vec![ZERO; fft.unwrap_or(0)],
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

    /// Sets to zero what [`Self::visit_real_rows`] will read.
    pub(crate) fn clear(&self, field: &mut [Complex64], occupied: &OccupiedColumns) {
        let plane = self.dims[1] * self.dims[2];
        for &x in &occupied.planes {
            field[x * plane..(x + 1) * plane].fill(ZERO);
        }
    }

    /// Transforms `field` (reciprocal) to real space chunk by chunk: `visit` gets the index of
    /// the first point of a chunk in the `[z][y][x]` order, and the chunk.
    ///
    /// `field` is left half transformed and is of no further use.
    pub(crate) fn visit_real_rows(
        &self,
        field: &mut [Complex64],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch,
        mut visit: impl FnMut(usize, &mut [Complex64]),
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
        field: &mut [Complex64],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch,
        potential: &[f64],
    ) {
        self.z_and_y_to_real(field, occupied, scratch);
        let nx = self.dims[0];
        for (first_row, rows) in self.row_chunks() {
            let chunk = &mut scratch.rows[..rows * nx];
            self.gather_rows(field, occupied, first_row, chunk);
            self.to_real[0].process_with_scratch(chunk, &mut scratch.fft);
            let values = &potential[first_row * nx..][..rows * nx];
            for (psi, v) in chunk.iter_mut().zip(values) {
                *psi *= *v;
            }
            self.to_reciprocal[0].process_with_scratch(chunk, &mut scratch.fft);
            self.scatter_rows(chunk, occupied, first_row, field);
        }
        self.y_and_z_to_reciprocal(field, occupied, scratch);
        let scale = 1.0 / self.len() as f64;
        for columns in &occupied.columns {
            for value in &mut field[columns.clone()] {
                *value *= scale;
            }
        }
    }

    /// `f(r) = Σ_G f(G) e^{iGr}`; `field` is destroyed.
    pub(crate) fn to_real(
        &self,
        field: &mut [Complex64],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch,
        real: &mut [Complex64],
    ) {
        self.visit_real_rows(field, occupied, scratch, |first, chunk| {
            real[first..first + chunk.len()].copy_from_slice(chunk);
        });
    }

    /// `f(G) = 1/N Σ_r f(r) e^{−iGr}` on the occupied columns; `real` is destroyed.
    pub(crate) fn to_reciprocal(
        &self,
        real: &mut [Complex64],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch,
        field: &mut [Complex64],
    ) {
        let nx = self.dims[0];
        let scale = 1.0 / self.len() as f64;
        for (first_row, rows) in self.row_chunks() {
            let chunk = &mut real[first_row * nx..][..rows * nx];
            self.to_reciprocal[0].process_with_scratch(chunk, &mut scratch.fft);
            for value in chunk.iter_mut() {
                *value *= scale;
            }
            self.scatter_rows(chunk, occupied, first_row, field);
        }
        self.y_and_z_to_reciprocal(field, occupied, scratch);
    }

    fn z_and_y_to_real(
        &self,
        field: &mut [Complex64],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch,
    ) {
        let [_, ny, nz] = self.dims;
        for columns in &occupied.columns {
            self.to_real[2].process_with_scratch(&mut field[columns.clone()], &mut scratch.fft);
        }
        for &x in &occupied.planes {
            let plane = &mut field[x * ny * nz..(x + 1) * ny * nz];
            transpose(plane, &mut scratch.plane, ny, nz);
            self.to_real[1].process_with_scratch(&mut scratch.plane, &mut scratch.fft);
            plane.copy_from_slice(&scratch.plane);
        }
    }

    fn y_and_z_to_reciprocal(
        &self,
        field: &mut [Complex64],
        occupied: &OccupiedColumns,
        scratch: &mut FftScratch,
    ) {
        let [_, ny, nz] = self.dims;
        for &x in &occupied.planes {
            let plane = &mut field[x * ny * nz..(x + 1) * ny * nz];
            self.to_reciprocal[1].process_with_scratch(plane, &mut scratch.fft);
            transpose(plane, &mut scratch.plane, nz, ny);
            plane.copy_from_slice(&scratch.plane);
        }
        for columns in &occupied.columns {
            let columns = &mut field[columns.clone()];
            self.to_reciprocal[2].process_with_scratch(columns, &mut scratch.fft);
        }
    }

    fn row_chunks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = self.dims[1] * self.dims[2];
        (0..rows)
            .step_by(ROWS_PER_CHUNK)
            .map(move |first| (first, ROWS_PER_CHUNK.min(rows - first)))
    }

    /// Rows along x out of `[x][zy]` planes, zero where a plane is not occupied.
    fn gather_rows(
        &self,
        field: &[Complex64],
        occupied: &OccupiedColumns,
        first_row: usize,
        chunk: &mut [Complex64],
    ) {
        let [nx, ny, nz] = self.dims;
        let rows = chunk.len() / nx;
        chunk.fill(ZERO);
        for &x in &occupied.planes {
            let column = &field[x * ny * nz + first_row..][..rows];
            for (row, value) in column.iter().enumerate() {
                chunk[row * nx + x] = *value;
            }
        }
    }

    fn scatter_rows(
        &self,
        chunk: &[Complex64],
        occupied: &OccupiedColumns,
        first_row: usize,
        field: &mut [Complex64],
    ) {
        let [nx, ny, nz] = self.dims;
        let rows = chunk.len() / nx;
        for &x in &occupied.planes {
            let column = &mut field[x * ny * nz + first_row..][..rows];
            for (row, value) in column.iter_mut().enumerate() {
                *value = chunk[row * nx + x];
            }
        }
    }
}

/// `to[j][i] = from[i][j]` for an `m × n` matrix, in blocks that stay in cache.
fn transpose(from: &[Complex64], to: &mut [Complex64], m: usize, n: usize) {
    const BLOCK: usize = 8;
    for i0 in (0..m).step_by(BLOCK) {
        for j0 in (0..n).step_by(BLOCK) {
            for j in j0..(j0 + BLOCK).min(n) {
                for i in i0..(i0 + BLOCK).min(m) {
                    to[j * m + i] = from[i * n + j];
                }
            }
        }
    }
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

    use super::*;

    /// Oracle: the plane-wave sum written out, on a box with three different sides.
    #[test]
    fn agrees_with_the_plain_sum() {
        let fft = FftBox::new([5, 6, 4]);
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
