//! Named tensors of a network.

use std::sync::Arc;

use crystalgym_kernels::{self as kernels, Buffer};
use pulp::Arch;
use rand_pcg::Pcg64;

use crate::{NetworkError, random};

/// Trainable numbers of the largest network, which is some gigabyte with an optimiser's moments.
const MOST_PARAMETERS: usize = 1 << 25;

/// One named tensor of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterInfo {
    /// Name as in a PyTorch state dictionary, such as `edge_encoder.layers.0.weight`.
    pub name: String,
    /// Shape as PyTorch stores it: a weight matrix is (outputs, inputs).
    pub shape: Vec<usize>,
    /// Start in the flat vector.
    pub offset: usize,
    /// Whether the flat vector holds the transpose of `shape`, (inputs, outputs).
    ///
    /// True for weight matrices: one row per input is what the forward product reads.
    pub transposed: bool,
    pub(crate) initial: Initial,
}

impl ParameterInfo {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// This tensor's values out of a flat vector (parameters, gradients, moments), in PyTorch's
    /// order.
    pub fn to_torch_order(&self, flat: &[f32]) -> Vec<f32> {
        let values = &flat[self.offset..self.offset + self.len()];
        if self.transposed {
            transpose(values, self.shape[1], self.shape[0])
        } else {
            values.to_vec()
        }
    }

    /// Puts this tensor's values, in PyTorch's order, into a flat vector.
    pub(crate) fn set_from_torch_order(&self, values: &[f32], flat: &mut [f32]) {
        let place = &mut flat[self.offset..self.offset + self.len()];
        if self.transposed {
            place.copy_from_slice(&transpose(values, self.shape[0], self.shape[1]));
        } else {
            place.copy_from_slice(values);
        }
    }
}

/// Distribution of initial values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Initial {
    /// Normal with mean 0 and variance 1.
    Normal,
    /// Uniform between −bound and bound.
    Uniform(f32),
}

/// The trainable numbers of a network: one flat vector with named views.
#[derive(Debug, Clone)]
pub struct Parameters {
    layout: Arc<[ParameterInfo]>,
    values: Buffer,
}

impl Parameters {
    /// Numbers drawn as the layout says.
    ///
    /// # Errors
    /// [`NetworkError::Config`] if they are more than a network can have.
    pub(crate) fn random(
        layout: Arc<[ParameterInfo]>,
        rng: &mut Pcg64,
    ) -> Result<Self, NetworkError> {
        let len: usize = layout.iter().map(ParameterInfo::len).sum();
        if len > MOST_PARAMETERS {
            return Err(NetworkError::Config {
                field: "number of parameters",
                found: len.to_string(),
                expected: format!("at most {MOST_PARAMETERS}: fewer or narrower layers"),
            });
        }
        let mut values = Buffer::zeros(len);
        for info in layout.iter() {
            let values = &mut values[info.offset..info.offset + info.len()];
            match info.initial {
                Initial::Normal => {
                    for pair in values.chunks_mut(2) {
                        let sample = random::normal_pair(rng);
                        pair.copy_from_slice(&sample[..pair.len()]);
                    }
                }
                Initial::Uniform(bound) => {
                    values.fill_with(|| random::uniform(rng, bound));
                }
            }
        }
        Ok(Self { layout, values })
    }

    pub(crate) fn from_values(layout: Arc<[ParameterInfo]>, values: &[f32]) -> Self {
        let mut buffer = Buffer::zeros(values.len());
        buffer.copy_from_slice(values);
        Self {
            layout,
            values: buffer,
        }
    }

    /// Number of trainable numbers.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Names, shapes and places of the tensors, in the order of the flat vector.
    pub fn layout(&self) -> &[ParameterInfo] {
        &self.layout
    }

    /// The flat vector.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The flat vector, to change.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The values of one tensor in PyTorch's order, row by row of its
    /// [`shape`](ParameterInfo::shape).
    pub fn tensor(&self, name: &str) -> Option<Vec<f32>> {
        let info = self.layout.iter().find(|info| info.name == name)?;
        Some(info.to_torch_order(&self.values))
    }

    /// A vector of zeros as long as this one, for gradients.
    pub fn zeros_like(&self) -> Gradients {
        Gradients {
            values: Buffer::zeros(self.len()),
        }
    }

    /// Copies all values from a network of the same shape (hard target update).
    ///
    /// # Errors
    /// [`NetworkError::Length`] if the numbers of parameters differ.
    pub fn copy_from(&mut self, other: &Self) -> Result<(), NetworkError> {
        self.check_len(other)?;
        self.values.copy_from_slice(&other.values);
        Ok(())
    }

    /// Moves all values towards another network's: `θ ← θ + rate · (θ_other − θ)` (soft target
    /// update, Polyak averaging with τ = `rate`).
    ///
    /// # Errors
    /// [`NetworkError::Length`] if the numbers of parameters differ.
    pub fn blend_from(&mut self, other: &Self, rate: f32) -> Result<(), NetworkError> {
        self.check_len(other)?;
        kernels::blend(Arch::new(), rate, &other.values, &mut self.values);
        Ok(())
    }

    fn check_len(&self, other: &Self) -> Result<(), NetworkError> {
        if self.len() == other.len() {
            Ok(())
        } else {
            Err(NetworkError::Length {
                what: "parameter vector",
                found: other.len(),
                expected: self.len(),
            })
        }
    }
}

/// The gradient of a loss with respect to a network's [`Parameters`], in the same flat order.
#[derive(Debug, Clone)]
pub struct Gradients {
    values: Buffer,
}

impl Gradients {
    /// The flat vector.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The flat vector, to change.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Sets all to zero.
    pub fn clear(&mut self) {
        self.values.fill(0.0);
    }

    /// Euclidean norm over all parameters, summed in f64.
    pub fn norm(&self) -> f64 {
        kernels::squared_norm(Arch::new(), &self.values).sqrt()
    }

    /// Scales the gradient so that its norm is at most `max_norm`; returns the norm before.
    ///
    /// `g ← g · min(1, max_norm / (‖g‖ + 1e-6))`, as `torch.nn.utils.clip_grad_norm_`.
    pub fn clip_norm(&mut self, max_norm: f64) -> f64 {
        let norm = self.norm();
        let factor = max_norm / (norm + 1e-6);
        if factor < 1.0 {
            kernels::scale(Arch::new(), factor as f32, &mut self.values);
        }
        norm
    }
}

/// The transpose of a `rows × columns` matrix.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (i, row) in values.chunks_exact(columns).enumerate() {
        for (j, &x) in row.iter().enumerate() {
            out[j * rows + i] = x;
        }
    }
    out
}
