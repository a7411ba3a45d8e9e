//! The vectorised loops that networks and potentials are made of.
//!
//! Each kernel is written once over [`pulp::Simd`] and dispatched at run time to AVX-512, AVX2,
//! NEON or plain scalar code, so a binary for a baseline processor uses what the machine has.

mod activation;
mod attention;
mod buffer;
mod elementwise;
mod lstm;
mod matmul;
mod rows;
mod silu;

pub use activation::{exp_nonpositive, minus_abs, softplus2, softplus2_backward};
pub use attention::{Attention, AttentionBackward, attend, attend_backward};
pub use buffer::Buffer;
pub use elementwise::{
    AdamStep, adam_update, add, add_assign, blend, scale, squared_norm, sum_rows, transpose,
};
pub use lstm::{LstmCell, LstmCellBackward, lstm_cell, lstm_cell_backward};
pub use matmul::{Start, Strided, matmul, matmul_into, matmul_transposed};
pub use rows::{Gather, gather_add_scaled, gather_sum, scatter_add, scatter_add_scaled};
pub use silu::{sigmoid, silu, silu_backward, silu_slope};

/// Every kind of code that this machine can run, the plain one first.
pub fn all_architectures() -> Vec<pulp::Arch> {
    let mut list = vec![pulp::Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = pulp::x86::V3::try_new() {
        list.push(pulp::Arch::V3(avx2));
    }
    list.push(pulp::Arch::new());
    list
}
