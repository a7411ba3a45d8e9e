//! Matrix products.

use pulp::{Arch, Simd, WithSimd};

/// A row-major matrix inside a slice; row `i` starts at `i * stride`.
#[derive(Clone, Copy)]
pub struct Strided<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// Distance between the starts of two rows.
    pub stride: usize,
}

/// What the result of a product starts from.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Zero.
    Zero,
    /// The same row everywhere, such as a bias.
    Row(&'a [f32]),
    /// What the output already holds.
    Output,
}

/// `c[i, :] = start[i, :] + Σ_k a[i, k] · b[k, :]` for `rows × columns` elements over `inner`
/// terms, summed in the order of k. `c` is contiguous.
#[allow(clippy::too_many_arguments)]
pub fn matmul(
    arch: Arch,
    rows: usize,
    inner: usize,
    columns: usize,
    a: Strided<'_>,
    b: Strided<'_>,
    start: Start<'_>,
    c: &mut [f32],
) {
    matmul_into(arch, rows, inner, columns, a, b, start, c, columns);
}

/// As [`matmul`], into rows of `c` that start `c_stride` apart.
#[allow(clippy::too_many_arguments)]
pub fn matmul_into(
    arch: Arch,
    rows: usize,
    inner: usize,
    columns: usize,
    a: Strided<'_>,
    b: Strided<'_>,
    start: Start<'_>,
    c: &mut [f32],
    c_stride: usize,
) {
    if rows == 0 {
        return;
    }
    if inner > 0 {
        assert!(a.data.len() >= (rows - 1) * a.stride + inner);
    }
    product(
        arch,
        rows,
        inner,
        columns,
        a.data,
        (a.stride, 1),
        b,
        start,
        c,
        c_stride,
    );
}

/// `c[i, :] += Σ_k a[k, i] · b[k, :]`, the gradient of a weight matrix (`rows` inputs × `columns`
/// outputs) from `inner` samples of its input `a` and of its output's gradient `b`.
#[allow(clippy::too_many_arguments)]
pub fn matmul_transposed(
    arch: Arch,
    rows: usize,
    inner: usize,
    columns: usize,
    a: Strided<'_>,
    b: Strided<'_>,
    c: &mut [f32],
) {
    if inner == 0 || rows == 0 {
        return;
    }
    assert!(a.data.len() >= (inner - 1) * a.stride + rows);
    product(
        arch,
        rows,
        inner,
        columns,
        a.data,
        (1, a.stride),
        b,
        Start::Output,
        c,
        columns,
    );
}

#[allow(clippy::too_many_arguments)]
fn product(
    arch: Arch,
    rows: usize,
    inner: usize,
    columns: usize,
    a: &[f32],
    a_strides: (usize, usize),
    b: Strided<'_>,
    start: Start<'_>,
    c: &mut [f32],
    c_stride: usize,
) {
    if columns == 0 {
        return;
    }
    if inner > 0 {
        assert!(b.data.len() >= (inner - 1) * b.stride + columns);
    }
    assert!(c.len() >= (rows - 1) * c_stride + columns);
    if let Start::Row(row) = start {
        assert!(row.len() >= columns);
    }
    arch.dispatch(Product {
        rows,
        inner,
        columns,
        a,
        a_strides,
        b,
        start,
        c,
        c_stride,
    });
}

/// Operands whose bounds [`product`] has checked.
struct Product<'a> {
    rows: usize,
    inner: usize,
    columns: usize,
    a: &'a [f32],
    a_strides: (usize, usize),
    b: Strided<'a>,
    start: Start<'a>,
    c: &'a mut [f32],
    c_stride: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // The weights of these networks fit the first-level cache, so nothing is packed: tiles of
        // 6 rows × 4, 2 or 1 vectors stay in registers over the whole sum.
        let lanes = S::F32_LANES;
        let mut column = 0;
        while S::REGISTER_COUNT >= 32 && column + 4 * lanes <= self.columns {
            self.column_block::<S, 4>(simd, column);
            column += 4 * lanes;
        }
        while column + 2 * lanes <= self.columns {
            self.column_block::<S, 2>(simd, column);
            column += 2 * lanes;
        }
        while column + lanes <= self.columns {
            self.column_block::<S, 1>(simd, column);
            column += lanes;
        }
        if column < self.columns {
            self.last_columns(simd, column);
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn column_block<S: Simd, const VECTORS: usize>(&mut self, simd: S, column: usize) {
        let mut row = 0;
        // SAFETY: rows and columns of every tile lie inside the bounds that `product` checked.
        unsafe {
            while row + 6 <= self.rows {
                self.tile::<S, 6, VECTORS>(simd, row, column);
                row += 6;
            }
            if row + 4 <= self.rows {
                self.tile::<S, 4, VECTORS>(simd, row, column);
                row += 4;
            }
            if row + 2 <= self.rows {
                self.tile::<S, 2, VECTORS>(simd, row, column);
                row += 2;
            }
            if row < self.rows {
                self.tile::<S, 1, VECTORS>(simd, row, column);
            }
        }
    }

    /// # Safety
    /// `row + ROWS <= rows` and `column + VECTORS · lanes <= columns`.
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) {
        let lanes = S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        // SAFETY: the caller's promise and the checks of `product` put every access in bounds.
        unsafe {
            let load = |pointer: *const f32| pointer.cast::<S::f32s>().read_unaligned();
            let c = self.c.as_mut_ptr().add(row * self.c_stride + column);
            match self.start {
                Start::Zero => {}
                Start::Row(start) => {
                    for v in 0..VECTORS {
                        let value = load(start.as_ptr().add(column + v * lanes));
                        for sum in &mut sums {
                            sum[v] = value;
                        }
                    }
                }
                Start::Output => {
                    for (r, sum) in sums.iter_mut().enumerate() {
                        for (v, value) in sum.iter_mut().enumerate() {
                            *value = load(c.add(r * self.c_stride + v * lanes));
                        }
                    }
                }
            }
            let (row_stride, inner_stride) = self.a_strides;
            let mut a = self.a.as_ptr().add(row * row_stride);
            let mut b = self.b.data.as_ptr().add(column);
            for k in 0..self.inner {
                if k > 0 {
                    a = a.add(inner_stride);
                    b = b.add(self.b.stride);
                }
                let mut vectors = [simd.splat_f32s(0.0); VECTORS];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = load(b.add(v * lanes));
                }
                for (r, sum) in sums.iter_mut().enumerate() {
                    let factor = simd.splat_f32s(*a.add(r * row_stride));
                    for (value, vector) in sum.iter_mut().zip(vectors) {
                        *value = simd.mul_add_e_f32s(factor, vector, *value);
                    }
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                for (v, value) in sum.iter().enumerate() {
                    c.add(r * self.c_stride + v * lanes)
                        .cast::<S::f32s>()
                        .write_unaligned(*value);
                }
            }
        }
    }

    /// The columns left over by whole vectors.
    #[inline(always)]
    fn last_columns<S: Simd>(&mut self, simd: S, column: usize) {
        let width = self.columns - column;
        for row in 0..self.rows {
            let c = &mut self.c[row * self.c_stride + column..][..width];
            let mut sum = match self.start {
                Start::Zero => simd.splat_f32s(0.0),
                Start::Row(start) => simd.partial_load_f32s(&start[column..][..width]),
                Start::Output => simd.partial_load_f32s(c),
            };
            for k in 0..self.inner {
                let factor = simd.splat_f32s(self.a[row * self.a_strides.0 + k * self.a_strides.1]);
                let b = &self.b.data[k * self.b.stride + column..][..width];
                sum = simd.mul_add_e_f32s(factor, simd.partial_load_f32s(b), sum);
            }
            simd.partial_store_f32s(c, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    /// Oracle: the triple loop in f64, for all tile remainders.
    #[test]
    fn products_agree_with_the_triple_loop() {
        for arch in crate::all_architectures() {
            check_products(arch);
        }
    }

    fn check_products(arch: Arch) {
        for rows in 1..15 {
            for (inner, columns) in [(1, 64), (3, 18), (17, 1), (64, 128), (5, 50), (32, 33)] {
                let a = values(rows * inner, 1);
                let b = values(inner * columns, 2);
                let bias = values(columns, 3);
                let mut c = vec![f32::NAN; rows * columns];
                matmul(
                    arch,
                    rows,
                    inner,
                    columns,
                    Strided {
                        data: &a,
                        stride: inner,
                    },
                    Strided {
                        data: &b,
                        stride: columns,
                    },
                    Start::Row(&bias),
                    &mut c,
                );
                // aᵀ as the k-major operand must give the same product.
                let mut transposed = vec![0.0; a.len()];
                for i in 0..rows {
                    for k in 0..inner {
                        transposed[k * rows + i] = a[i * inner + k];
                    }
                }
                let mut from_transposed: Vec<f32> =
                    (0..rows).flat_map(|_| bias.iter().copied()).collect();
                matmul_transposed(
                    arch,
                    rows,
                    inner,
                    columns,
                    Strided {
                        data: &transposed,
                        stride: rows,
                    },
                    Strided {
                        data: &b,
                        stride: columns,
                    },
                    &mut from_transposed,
                );
                let stride = columns + 3;
                let mut spread = vec![7.0; rows * stride];
                let (first, second) = (
                    Strided {
                        data: &a,
                        stride: inner,
                    },
                    Strided {
                        data: &b,
                        stride: columns,
                    },
                );
                matmul_into(
                    arch,
                    rows,
                    inner,
                    columns,
                    first,
                    second,
                    Start::Row(&bias),
                    &mut spread,
                    stride,
                );
                for (row, spread) in c.chunks(columns).zip(spread.chunks(stride)) {
                    assert_eq!(row, &spread[..columns]);
                    assert_eq!(spread[columns..], [7.0; 3]);
                }
                for i in 0..rows {
                    for j in 0..columns {
                        let exact = f64::from(bias[j])
                            + (0..inner)
                                .map(|k| {
                                    f64::from(a[i * inner + k]) * f64::from(b[k * columns + j])
                                })
                                .sum::<f64>();
                        let index = i * columns + j;
                        assert!((f64::from(c[index]) - exact).abs() < 1e-5);
                        assert_eq!(c[index], from_transposed[index]);
                    }
                }
            }
        }
    }
}
