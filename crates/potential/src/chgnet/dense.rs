//! Affine maps of rows and their reverse.

use crystalgym_kernels::{Buffer, Start, Strided, matmul_into};
use pulp::Arch;

/// A weight matrix in the two orders that the products read.
#[derive(Debug)]
pub(super) struct Dense {
    inputs: usize,
    outputs: usize,
    /// Inputs × outputs.
    forward: Buffer,
    /// Outputs × inputs, as published.
    backward: Buffer,
}

/// Rows inside a slice, of which some columns are meant.
pub(super) struct Rows<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) stride: usize,
}

impl Dense {
    /// From `matrix(output, input)`.
    pub(super) fn new(inputs: usize, outputs: usize, matrix: impl Fn(usize, usize) -> f32) -> Self {
        let mut forward = Buffer::zeros(inputs * outputs);
        let mut backward = Buffer::zeros(inputs * outputs);
        for o in 0..outputs {
            for i in 0..inputs {
                forward[i * outputs + o] = matrix(o, i);
                backward[o * inputs + i] = matrix(o, i);
            }
        }
        Self {
            inputs,
            outputs,
            forward,
            backward,
        }
    }

    /// Numbers in a row of the output.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `y = start + x Wᵀ` for `rows` rows.
    pub(super) fn forward(
        &self,
        arch: Arch,
        rows: usize,
        x: Strided<'_>,
        start: Start<'_>,
        y: Rows<'_>,
    ) {
        let weights = Strided {
            data: &self.forward,
            stride: self.outputs,
        };
        let (inner, columns) = (self.inputs, self.outputs);
        matmul_into(
            arch, rows, inner, columns, x, weights, start, y.data, y.stride,
        );
    }

    /// `dx = start + dy W` for `rows` rows.
    pub(super) fn backward(
        &self,
        arch: Arch,
        rows: usize,
        grad_y: Strided<'_>,
        start: Start<'_>,
        grad_x: Rows<'_>,
    ) {
        let weights = Strided {
            data: &self.backward,
            stride: self.inputs,
        };
        let (inner, columns) = (self.outputs, self.inputs);
        let (data, stride) = (grad_x.data, grad_x.stride);
        matmul_into(
            arch, rows, inner, columns, grad_y, weights, start, data, stride,
        );
    }
}
