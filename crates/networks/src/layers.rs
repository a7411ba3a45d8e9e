//! Affine layers and small stacks of them.

use crystalgym_kernels::{self as kernels, Buffer, Start, Strided};
use pulp::Arch;

use crate::parameters::{Initial, ParameterInfo};

/// What every layer needs in a forward pass.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) arch: Arch,
    pub(crate) values: &'a [f32],
}

/// What every layer needs in a backward pass.
#[derive(Clone, Copy)]
pub(crate) struct BackwardWeights<'a> {
    pub(crate) arch: Arch,
    /// Every weight matrix as (outputs, inputs), in the place where the parameters have it as
    /// (inputs, outputs).
    pub(crate) transposed: &'a [f32],
}

/// Builds the list of a network's parameters, layer by layer.
#[derive(Default)]
pub(crate) struct LayoutBuilder {
    entries: Vec<ParameterInfo>,
    next: usize,
}

impl LayoutBuilder {
    /// Adds one tensor and returns its place.
    pub(crate) fn tensor(
        &mut self,
        name: String,
        shape: Vec<usize>,
        transposed: bool,
        initial: Initial,
    ) -> usize {
        let info = ParameterInfo {
            name,
            shape,
            offset: self.next,
            transposed,
            initial,
        };
        let offset = self.next;
        self.next += info.len();
        self.entries.push(info);
        offset
    }

    /// Adds an affine layer with PyTorch's initialisation, uniform within 1/√inputs.
    pub(crate) fn linear(&mut self, name: &str, inputs: usize, outputs: usize) -> Linear {
        let initial = Initial::Uniform(1.0 / (inputs as f32).sqrt());
        Linear {
            weight: self.tensor(
                format!("{name}.weight"),
                vec![outputs, inputs],
                true,
                initial,
            ),
            bias: self.tensor(format!("{name}.bias"), vec![outputs], false, initial),
            inputs,
            outputs,
        }
    }

    /// Adds a multi-layer perceptron; activations take the odd places of its list of layers.
    pub(crate) fn mlp(&mut self, name: &str, widths: &[usize], activate_last: bool) -> Mlp {
        let layers = widths
            .windows(2)
            .enumerate()
            .map(|(i, pair)| self.linear(&format!("{name}.layers.{}", 2 * i), pair[0], pair[1]))
            .collect();
        Mlp {
            layers,
            activate_last,
            activation: Activation::Softplus2,
        }
    }

    pub(crate) fn finish(self) -> Vec<ParameterInfo> {
        self.entries
    }
}

/// Places of an affine layer `y = x·W + b` in the flat vector.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub(crate) weight: usize,
    pub(crate) bias: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Linear {
    pub(crate) fn bias<'a>(&self, weights: Weights<'a>) -> &'a [f32] {
        &weights.values[self.bias..self.bias + self.outputs]
    }

    /// `out = start + x · W[first_input .., :]` for `x` of `inputs` columns: the part of the layer
    /// that reads these inputs.
    pub(crate) fn forward_part(
        &self,
        weights: Weights<'_>,
        first_input: usize,
        inputs: usize,
        x: &[f32],
        start: Start<'_>,
        out: &mut [f32],
    ) {
        let rows = out.len() / self.outputs;
        let first = self.weight + first_input * self.outputs;
        kernels::matmul(
            weights.arch,
            rows,
            inputs,
            self.outputs,
            Strided {
                data: x,
                stride: inputs,
            },
            Strided {
                data: &weights.values[first..],
                stride: self.outputs,
            },
            start,
            out,
        );
    }

    /// `out = x · W + b`
    pub(crate) fn forward(&self, weights: Weights<'_>, x: &[f32], out: &mut [f32]) {
        self.forward_part(
            weights,
            0,
            self.inputs,
            x,
            Start::Row(self.bias(weights)),
            out,
        );
    }

    /// `grad_x = start + grad · W[first_input .., :]ᵀ`
    pub(crate) fn backward_part(
        &self,
        weights: BackwardWeights<'_>,
        first_input: usize,
        inputs: usize,
        grad: &[f32],
        start: Start<'_>,
        grad_x: &mut [f32],
    ) {
        let rows = grad.len() / self.outputs;
        kernels::matmul(
            weights.arch,
            rows,
            self.outputs,
            inputs,
            Strided {
                data: grad,
                stride: self.outputs,
            },
            Strided {
                data: &weights.transposed[self.weight + first_input..],
                stride: self.inputs,
            },
            start,
            grad_x,
        );
    }

    /// Adds `xᵀ · grad` to the gradient of `W[first_input .., :]`.
    pub(crate) fn weight_gradient_part(
        &self,
        arch: Arch,
        first_input: usize,
        inputs: usize,
        x: &[f32],
        grad: &[f32],
        gradients: &mut [f32],
    ) {
        let rows = grad.len() / self.outputs;
        let first = self.weight + first_input * self.outputs;
        kernels::matmul_transposed(
            arch,
            inputs,
            rows,
            self.outputs,
            Strided {
                data: x,
                stride: inputs,
            },
            Strided {
                data: grad,
                stride: self.outputs,
            },
            &mut gradients[first..first + inputs * self.outputs],
        );
    }

    /// Adds the column sums of `grad` to the gradient of the bias.
    pub(crate) fn bias_gradient(&self, arch: Arch, grad: &[f32], gradients: &mut [f32]) {
        let bias = &mut gradients[self.bias..self.bias + self.outputs];
        kernels::sum_rows(arch, grad, bias);
    }
}

/// What is between affine layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `ln(1 + eˣ) − ln 2`
    Softplus2,
    /// `x σ(x)`
    Silu,
}

/// Affine layers with an activation between them, and after the last one if `activate_last`.
#[derive(Debug, Clone)]
pub(crate) struct Mlp {
    pub(crate) layers: Vec<Linear>,
    pub(crate) activate_last: bool,
    pub(crate) activation: Activation,
}

/// Activated outputs of each layer, kept for the backward pass, and what they are outputs of where
/// the slope does not follow from the output.
#[derive(Debug, Default)]
pub(crate) struct MlpCache {
    pub(crate) outputs: Vec<Buffer>,
    inputs: Vec<Buffer>,
}

impl MlpCache {
    /// The output of the last layer.
    pub(crate) fn output(&self) -> &[f32] {
        self.outputs.last().map_or(&[], |output| output)
    }

    /// The buffer of layer 0, for `rows` rows.
    pub(crate) fn first(&mut self, mlp: &Mlp, rows: usize) -> &mut [f32] {
        self.prepare(mlp);
        self.outputs[0].resize(rows * mlp.layers[0].outputs)
    }

    fn prepare(&mut self, mlp: &Mlp) {
        if self.outputs.len() != mlp.layers.len() {
            self.outputs.resize_with(mlp.layers.len(), Buffer::default);
            self.inputs.resize_with(mlp.layers.len(), Buffer::default);
        }
    }
}

/// A gradient on its way through layers, and room for the next one.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub(crate) grad: Buffer,
    next: Buffer,
}

impl Mlp {
    pub(crate) fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// The whole perceptron on `rows` rows of `x`.
    pub(crate) fn forward(
        &self,
        weights: Weights<'_>,
        x: &[f32],
        rows: usize,
        cache: &mut MlpCache,
    ) {
        let first = cache.first(self, rows);
        self.layers[0].forward(weights, x, first);
        self.forward_from_first(weights, rows, cache);
    }

    /// The rest of the perceptron after the affine part of layer 0, which the caller has put into
    /// [`MlpCache::first`].
    pub(crate) fn forward_from_first(
        &self,
        weights: Weights<'_>,
        rows: usize,
        cache: &mut MlpCache,
    ) {
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter().enumerate() {
            let (before, after) = cache.outputs.split_at_mut(i);
            if let Some(x) = before.last() {
                layer.forward(weights, x, after[0].resize(rows * layer.outputs));
            }
            if i < last || self.activate_last {
                match self.activation {
                    Activation::Softplus2 => kernels::softplus2(weights.arch, &mut after[0]),
                    Activation::Silu => {
                        let kept = cache.inputs[i].resize(after[0].len());
                        kept.copy_from_slice(&after[0]);
                        kernels::silu(weights.arch, kept, &mut after[0]);
                    }
                }
            }
        }
    }

    /// Takes `flow.grad` from the output back to the affine part of layer 0, adding the gradients
    /// of all later layers and of layer 0's bias to `gradients`.
    pub(crate) fn backward_to_first(
        &self,
        weights: BackwardWeights<'_>,
        cache: &MlpCache,
        flow: &mut Flow,
        gradients: &mut [f32],
    ) {
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter().enumerate().rev() {
            if i < last || self.activate_last {
                let (arch, grad) = (weights.arch, &mut flow.grad);
                match self.activation {
                    Activation::Softplus2 => {
                        kernels::softplus2_backward(arch, &cache.outputs[i], grad);
                    }
                    Activation::Silu => kernels::silu_backward(arch, &cache.inputs[i], grad),
                }
            }
            layer.bias_gradient(weights.arch, &flow.grad, gradients);
            if i > 0 {
                let x = &cache.outputs[i - 1];
                layer.weight_gradient_part(weights.arch, 0, layer.inputs, x, &flow.grad, gradients);
                let next = flow.next.resize(x.len());
                layer.backward_part(weights, 0, layer.inputs, &flow.grad, Start::Zero, next);
                std::mem::swap(&mut flow.grad, &mut flow.next);
            }
        }
    }

    /// Takes `flow.grad` from the output back to layer 0 and adds all gradients of parameters;
    /// the gradient of `x` is left to the caller.
    pub(crate) fn backward(
        &self,
        weights: BackwardWeights<'_>,
        x: &[f32],
        cache: &MlpCache,
        flow: &mut Flow,
        gradients: &mut [f32],
    ) {
        self.backward_to_first(weights, cache, flow, gradients);
        let first = &self.layers[0];
        first.weight_gradient_part(weights.arch, 0, first.inputs, x, &flow.grad, gradients);
    }
}
