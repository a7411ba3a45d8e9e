//! Products of matrices that lie row by row, by cuBLAS.

use cudarc::cublas::{
    result,
    sys::{
        cublasComputeType_t::CUBLAS_COMPUTE_32F, cublasGemmAlgo_t::CUBLAS_GEMM_DFALT,
        cublasOperation_t as Operation, cudaDataType_t as DataType,
    },
};

use crate::{CudaError, Device, Precision, error::Asked};

/// Which factor is transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `A (m × k) · B (k × n)`.
    Ab,
    /// `A (m × k) · B (n × k)ᵀ`.
    AbT,
    /// `A (k × m)ᵀ · B (k × n)`.
    AtB,
}

/// A matrix on the GPU: where it starts, and how many numbers there are from row to row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) at: u64,
    pub(crate) leading: usize,
}

/// Matrices of one shape at equal distances: the first, and numbers from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Many {
    pub(crate) first: View,
    pub(crate) stride: usize,
}

/// What a result is held in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// As the factors are.
    Element,
    F32,
    /// f32, added to what is there.
    Added,
}

impl Device {
    /// `C (m × n) = alpha · A · B`, or added to it.
    pub(crate) fn product(
        &self,
        layout: Layout,
        (m, k, n): (usize, usize, usize),
        alpha: f32,
        (a, b): (View, View),
        (c, held): (View, Held),
    ) -> Result<(), CudaError> {
        let beta = if held == Held::Added { 1.0_f32 } else { 0.0 };
        let (of_a, of_b) = operations(layout);
        let (factor, sum) = self.types(held);
        // cuBLAS counts column by column, where these matrices are their transposes: Cᵀ = Bᵀ Aᵀ.
        // SAFETY: the views lie in memory of this device, which outlives the stream's work.
        unsafe {
            result::gemm_ex(
                *self.blas.handle(),
                of_b,
                of_a,
                n as i32,
                m as i32,
                k as i32,
                (&raw const alpha).cast(),
                b.at as *const _,
                factor,
                b.leading as i32,
                a.at as *const _,
                factor,
                a.leading as i32,
                (&raw const beta).cast(),
                c.at as *mut _,
                sum,
                c.leading as i32,
                CUBLAS_COMPUTE_32F,
                CUBLAS_GEMM_DFALT,
            )
        }
        .asked(&format!("multiply ({layout:?}, {m} × {k} × {n})"))
    }

    /// The same for `count` products.
    pub(crate) fn products(
        &self,
        layout: Layout,
        (m, k, n): (usize, usize, usize),
        alpha: f32,
        (a, b): (Many, Many),
        (c, held): (Many, Held),
        count: usize,
    ) -> Result<(), CudaError> {
        let beta = if held == Held::Added { 1.0_f32 } else { 0.0 };
        let (of_a, of_b) = operations(layout);
        let (factor, sum) = self.types(held);
        // SAFETY: as above.
        unsafe {
            result::gemm_strided_batched_ex(
                *self.blas.handle(),
                of_b,
                of_a,
                n as i32,
                m as i32,
                k as i32,
                (&raw const alpha).cast(),
                b.first.at as *const _,
                factor,
                b.first.leading as i32,
                b.stride as i64,
                a.first.at as *const _,
                factor,
                a.first.leading as i32,
                a.stride as i64,
                (&raw const beta).cast(),
                c.first.at as *mut _,
                sum,
                c.first.leading as i32,
                c.stride as i64,
                count as i32,
                CUBLAS_COMPUTE_32F,
                CUBLAS_GEMM_DFALT,
            )
        }
        .asked(&format!(
            "multiply {count} times ({layout:?}, {m} × {k} × {n})"
        ))
    }

    fn types(&self, held: Held) -> (DataType, DataType) {
        let factor = match self.precision() {
            Precision::Bf16 => DataType::CUDA_R_16BF,
            Precision::F32 => DataType::CUDA_R_32F,
        };
        match held {
            Held::Element => (factor, factor),
            Held::F32 | Held::Added => (factor, DataType::CUDA_R_32F),
        }
    }
}

/// What is done with A and B.
fn operations(layout: Layout) -> (Operation, Operation) {
    let (plain, turned) = (Operation::CUBLAS_OP_N, Operation::CUBLAS_OP_T);
    match layout {
        Layout::Ab => (plain, plain),
        Layout::AbT => (plain, turned),
        Layout::AtB => (turned, plain),
    }
}
