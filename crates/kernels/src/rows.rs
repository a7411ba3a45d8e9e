//! Movement of whole rows between the tables of edges, nodes and graphs.
//!
//! Plain loops over rows; the dispatch lets the compiler use the machine's vectors.

use pulp::{Arch, Simd, WithSimd};

/// Rows of a table picked by an index for each output row.
#[derive(Clone, Copy)]
pub struct Gather<'a> {
    /// Rows to pick from.
    pub table: &'a [f32],
    /// Row for each output row.
    pub index: &'a [u32],
}

/// `out[i, :] = Σ_t table_t[index_t[i], :]`
pub fn gather_sum<const N: usize>(
    arch: Arch,
    width: usize,
    tables: [Gather<'_>; N],
    out: &mut [f32],
) {
    struct Kernel<'a, const N: usize> {
        width: usize,
        tables: [Gather<'a>; N],
        out: &'a mut [f32],
    }
    impl<const N: usize> WithSimd for Kernel<'_, N> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let width = self.width;
            for (i, out) in self.out.chunks_exact_mut(width).enumerate() {
                let rows = self.tables.map(|t| row(t.table, t.index[i], width));
                for (j, out) in out.iter_mut().enumerate() {
                    let mut sum = rows[0][j];
                    for other in &rows[1..] {
                        sum += other[j];
                    }
                    *out = sum;
                }
            }
        }
    }
    arch.dispatch(Kernel { width, tables, out });
}

/// `out[i, :] += weight[i] · table[index[i], :]`
pub fn gather_add_scaled(
    arch: Arch,
    width: usize,
    from: Gather<'_>,
    weight: &[f32],
    out: &mut [f32],
) {
    struct Kernel<'a> {
        width: usize,
        from: Gather<'a>,
        weight: &'a [f32],
        out: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let rows = self.out.chunks_exact_mut(self.width);
            for ((out, &index), &weight) in rows.zip(self.from.index).zip(self.weight) {
                let from = row(self.from.table, index, self.width);
                for (out, &x) in out.iter_mut().zip(from) {
                    *out += weight * x;
                }
            }
        }
    }
    arch.dispatch(Kernel {
        width,
        from,
        weight,
        out,
    });
}

/// `table[index[i], :] += rows[i, :]`, in the order of i.
pub fn scatter_add(arch: Arch, width: usize, rows: &[f32], index: &[u32], table: &mut [f32]) {
    struct Kernel<'a> {
        width: usize,
        rows: &'a [f32],
        index: &'a [u32],
        table: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for (from, &index) in self.rows.chunks_exact(self.width).zip(self.index) {
                let start = index as usize * self.width;
                for (out, &x) in self.table[start..start + self.width].iter_mut().zip(from) {
                    *out += x;
                }
            }
        }
    }
    arch.dispatch(Kernel {
        width,
        rows,
        index,
        table,
    });
}

/// `table[index[i], :] += weight[i] · rows[i, :]`, in the order of i.
pub fn scatter_add_scaled(
    arch: Arch,
    width: usize,
    rows: &[f32],
    index: &[u32],
    weight: &[f32],
    table: &mut [f32],
) {
    struct Kernel<'a> {
        width: usize,
        rows: &'a [f32],
        index: &'a [u32],
        weight: &'a [f32],
        table: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let rows = self.rows.chunks_exact(self.width);
            for ((from, &index), &weight) in rows.zip(self.index).zip(self.weight) {
                let start = index as usize * self.width;
                for (out, &x) in self.table[start..start + self.width].iter_mut().zip(from) {
                    *out += weight * x;
                }
            }
        }
    }
    arch.dispatch(Kernel {
        width,
        rows,
        index,
        weight,
        table,
    });
}

#[inline(always)]
fn row(table: &[f32], index: u32, width: usize) -> &[f32] {
    let start = index as usize * width;
    &table[start..start + width]
}
