//! A frozen matrix in whatever precision it is held, and products with it.

use std::ops::Range;

use crystalgym_kernels::Buffer;
use pulp::Arch;

use super::{
    blocks::BlockFormat,
    half::{bf16_to_f32, f16_to_f32},
};
use crate::operations::{Layout, dot, product};

/// Rows below which a product reads the weights once, row by row, instead of unpacking them all.
const FEW_ROWS: usize = 12;

/// How the weights of a matrix are held.
#[derive(Debug, Clone, PartialEq)]
pub enum Storage {
    /// As they are.
    F32(Vec<f32>),
    /// Half precision, bits.
    F16(Vec<u16>),
    /// Brain floating point, bits.
    Bf16(Vec<u16>),
    /// Signed bytes with one scale for each row, its largest absolute value over 127 (the vector-wise
    /// scheme of Dettmers et al. 2022, "LLM.int8()", without its outliers).
    Row8 {
        /// Scale of each row.
        scales: Vec<f32>,
        /// Row by row.
        values: Vec<i8>,
    },
    /// Blocks of GGML, as the file has them.
    Blocks(BlockFormat, Vec<u8>),
}

/// A frozen `rows × columns` matrix; of a linear layer, rows are outputs and columns are inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    storage: Storage,
}

impl Matrix {
    /// A matrix; `None` if the storage does not hold so many weights.
    pub fn new(rows: usize, columns: usize, storage: Storage) -> Option<Self> {
        let count = rows.checked_mul(columns)?;
        let fits = match &storage {
            Storage::F32(values) => values.len() == count,
            Storage::F16(values) | Storage::Bf16(values) => values.len() == count,
            Storage::Row8 { scales, values } => scales.len() == rows && values.len() == count,
            Storage::Blocks(format, bytes) => {
                columns.is_multiple_of(format.values())
                    && bytes.len() == count / format.values() * format.bytes()
            }
        };
        fits.then_some(Self {
            rows,
            columns,
            storage,
        })
    }

    /// Number of outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of inputs.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How the weights are held.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        match &self.storage {
            Storage::F32(values) => 4 * values.len(),
            Storage::F16(values) | Storage::Bf16(values) => 2 * values.len(),
            Storage::Row8 { scales, values } => 4 * scales.len() + values.len(),
            Storage::Blocks(_, bytes) => bytes.len(),
        }
    }

    /// The same weights rounded to signed bytes with one scale for each row.
    #[must_use]
    pub fn to_row8(&self) -> Self {
        let mut scales = Vec::with_capacity(self.rows);
        let mut values = Vec::with_capacity(self.rows * self.columns);
        let mut row = vec![0.0; self.columns];
        for index in 0..self.rows {
            self.dequantise(index..index + 1, &mut row);
            let largest = row.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let scale = largest / 127.0;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            scales.push(scale);
            values.extend(row.iter().map(|x| (x * inverse).round() as i8));
        }
        Self {
            storage: Storage::Row8 { scales, values },
            ..*self
        }
    }

    /// The same weights in numbers of 32 bits.
    #[must_use]
    pub fn to_f32(&self) -> Self {
        Self {
            storage: Storage::F32(self.to_values()),
            ..*self
        }
    }

    /// All weights in f32, row by row.
    pub fn to_values(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.columns];
        self.dequantise(0..self.rows, &mut values);
        values
    }

    /// A matrix without weights.
    pub(crate) fn empty() -> Self {
        Self {
            rows: 0,
            columns: 0,
            storage: Storage::F32(Vec::new()),
        }
    }

    /// The same matrix with its rows in another order: row `i` is row `order(i)` of this one.
    #[must_use]
    pub(crate) fn with_rows(&self, order: impl Fn(usize) -> usize) -> Self {
        fn pick<T: Copy>(
            values: &[T],
            rows: usize,
            width: usize,
            order: impl Fn(usize) -> usize,
        ) -> Vec<T> {
            let of_row = |row: usize| &values[order(row) * width..][..width];
            (0..rows).flat_map(of_row).copied().collect()
        }
        let (rows, columns) = (self.rows, self.columns);
        let storage = match &self.storage {
            Storage::F32(values) => Storage::F32(pick(values, rows, columns, order)),
            Storage::F16(values) => Storage::F16(pick(values, rows, columns, order)),
            Storage::Bf16(values) => Storage::Bf16(pick(values, rows, columns, order)),
            Storage::Row8 { scales, values } => Storage::Row8 {
                scales: pick(scales, rows, 1, &order),
                values: pick(values, rows, columns, &order),
            },
            Storage::Blocks(format, bytes) => {
                let width = columns / format.values() * format.bytes();
                Storage::Blocks(*format, pick(bytes, rows, width, order))
            }
        };
        Self {
            rows,
            columns,
            storage,
        }
    }

    /// Some rows in f32.
    pub fn dequantise(&self, rows: Range<usize>, out: &mut [f32]) {
        let arch = Arch::new();
        arch.dispatch(
            #[inline(always)]
            || self.dequantise_here(rows, out),
        );
    }

    #[inline(always)]
    fn dequantise_here(&self, rows: Range<usize>, out: &mut [f32]) {
        let columns = self.columns;
        let range = rows.start * columns..rows.end * columns;
        match &self.storage {
            Storage::F32(values) => out.copy_from_slice(&values[range]),
            Storage::F16(values) => {
                for (out, &bits) in out.iter_mut().zip(&values[range]) {
                    *out = f16_to_f32(bits);
                }
            }
            Storage::Bf16(values) => {
                for (out, &bits) in out.iter_mut().zip(&values[range]) {
                    *out = bf16_to_f32(bits);
                }
            }
            Storage::Row8 { scales, values } => {
                let rows = out.chunks_exact_mut(columns).zip(&scales[rows]);
                for ((out, &scale), values) in rows.zip(values[range].chunks_exact(columns)) {
                    for (out, &value) in out.iter_mut().zip(values) {
                        *out = scale * f32::from(value);
                    }
                }
            }
            Storage::Blocks(format, bytes) => {
                let width = columns / format.values() * format.bytes();
                format.dequantise(&bytes[rows.start * width..rows.end * width], out);
            }
        }
    }

    /// All weights in f32, in `scratch` unless they are held so.
    fn unpacked<'a>(&'a self, scratch: &'a mut Buffer) -> &'a [f32] {
        if let Storage::F32(values) = &self.storage {
            return values;
        }
        let out = scratch.resize(self.rows * self.columns);
        self.dequantise(0..self.rows, out);
        out
    }

    /// `y[t, :] = W x[t, :]` for `t` rows of inputs.
    pub fn apply(&self, t: usize, x: &[f32], y: &mut [f32], scratch: &mut Buffer) {
        let weights = self.unpacked(scratch);
        let (n, k) = (self.rows, self.columns);
        product(Layout::AB_T, (t, k, n), x, weights, 1.0, false, y);
    }

    /// The same for some of the outputs, `y[t, i] = W[rows.start + i, :] · x[t, :]`; for few rows of
    /// inputs each weight is unpacked and used at once.
    pub fn apply_rows(&self, rows: Range<usize>, t: usize, x: &[f32], y: &mut [f32]) {
        let (count, columns) = (rows.len(), self.columns);
        if t >= FEW_ROWS {
            let mut weights = vec![0.0; count * columns];
            self.dequantise(rows, &mut weights);
            product(
                Layout::AB_T,
                (t, columns, count),
                x,
                &weights,
                1.0,
                false,
                y,
            );
            return;
        }
        let mut weights = vec![0.0; columns];
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (place, row) in rows.enumerate() {
                    self.dequantise_here(row..row + 1, &mut weights);
                    for (sample, x) in x.chunks_exact(columns).take(t).enumerate() {
                        y[sample * count + place] = dot(&weights, x);
                    }
                }
            },
        );
    }

    /// `x[t, :] = Wᵀ y[t, :]`, added to what `x` holds if `add`.
    pub fn apply_transposed(
        &self,
        t: usize,
        y: &[f32],
        x: &mut [f32],
        add: bool,
        scratch: &mut Buffer,
    ) {
        let weights = self.unpacked(scratch);
        let (n, k) = (self.rows, self.columns);
        product(Layout::AB, (t, n, k), y, weights, 1.0, add, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: half a step of the scale is the largest error of rounding.
    #[test]
    fn bytes_by_row_err_by_half_a_step_at_most() {
        let values: Vec<f32> = (0..60)
            .map(|i| ((i * 37 % 61) as f32 - 30.0) / 7.0)
            .collect();
        let matrix = Matrix::new(4, 15, Storage::F32(values.clone())).unwrap();
        let rounded = matrix.to_row8();
        let mut out = vec![0.0; 60];
        rounded.dequantise(0..4, &mut out);
        for (row, (found, exact)) in out.chunks(15).zip(values.chunks(15)).enumerate() {
            let step = exact.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / 127.0;
            for (found, exact) in found.iter().zip(exact) {
                assert!((found - exact).abs() <= 0.5001 * step, "row {row}");
            }
        }
        assert_eq!(rounded.bytes(), 60 + 16);
        assert_eq!(Matrix::new(4, 16, Storage::F32(values)), None);
    }

    /// Oracle: the sums in f64, within what f32 may lose over so many terms.
    #[test]
    fn products_are_the_sums() {
        let weights: Vec<f32> = (0..5 * 32)
            .map(|i| ((i * 29 % 97) as f32 - 48.0) / 50.0)
            .collect();
        let matrix = Matrix::new(5, 32, Storage::F32(weights)).unwrap();
        let check = |found: f32, terms: &mut dyn Iterator<Item = (f32, f32)>| {
            let terms: Vec<f64> = terms.map(|(a, b)| f64::from(a) * f64::from(b)).collect();
            let sizes: f64 = terms.iter().map(|term| term.abs()).sum();
            let error = (f64::from(found) - terms.iter().sum::<f64>()).abs();
            assert!(
                error <= 32.0 * f64::from(f32::EPSILON) * sizes,
                "{found}: {error}"
            );
        };
        for matrix in [matrix.to_row8(), matrix] {
            let w = matrix.to_values();
            for t in [1, 3, FEW_ROWS, 20] {
                let x: Vec<f32> = (0..t * 32)
                    .map(|i| ((i * 17 % 31) as f32 - 15.0) / 9.0)
                    .collect();
                let mut y = vec![f32::NAN; t * 5];
                matrix.apply(t, &x, &mut y, &mut Buffer::default());
                let mut some = vec![f32::NAN; t * 3];
                matrix.apply_rows(1..4, t, &x, &mut some);
                let mut back = vec![1.0; t * 32];
                matrix.apply_transposed(t, &y, &mut back, true, &mut Buffer::default());
                for sample in 0..t {
                    let x = &x[sample * 32..][..32];
                    for row in 0..5 {
                        let terms = || w[row * 32..][..32].iter().copied().zip(x.iter().copied());
                        check(y[sample * 5 + row], &mut terms());
                        if (1..4).contains(&row) {
                            check(some[sample * 3 + row - 1], &mut terms());
                        }
                    }
                    for column in 0..32 {
                        let terms = (0..5).map(|row| (w[row * 32 + column], y[sample * 5 + row]));
                        let found = back[sample * 32 + column];
                        check(found, &mut terms.chain([(1.0, 1.0)]));
                    }
                }
            }
        }
    }
}
