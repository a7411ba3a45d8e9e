//! What CHGNet reads from the features of atoms: energies and magnetic moments.

use crystalgym_crystal::Element;
use crystalgym_kernels::{Buffer, Start, Strided, silu, silu_backward};
use pulp::Arch;

use super::{
    dense::{Dense, Rows},
    row_kernels::{WIDTH, layer_norm, layer_norm_backward},
    weights::Weights,
};
use crate::PotentialError;

/// Hidden layers of the perceptron of the energy.
const HIDDEN_LAYERS: usize = 3;

/// The norm after the last convolution, the energy's perceptron, the reference energies of the
/// elements and the moment's linear form.
#[derive(Debug)]
pub(super) struct Readout {
    scale: Vec<f32>,
    shift: Vec<f32>,
    hidden: Vec<(Dense, Vec<f32>)>,
    last: Vec<f32>,
    last_bias: f64,
    reference_ev: Vec<f64>,
    moment: Vec<f32>,
    moment_bias: f64,
}

/// What the reverse pass reads.
#[derive(Debug, Default)]
pub(super) struct ReadoutKept {
    atoms: Buffer,
    normalised: Buffer,
    /// Hidden layers before their activations.
    hidden: [Buffer; HIDDEN_LAYERS],
    activated: Buffer,
    grad: Buffer,
}

impl ReadoutKept {
    /// The features that the energy was read from.
    pub(super) fn features(&self) -> &[f32] {
        &self.normalised
    }
}

impl Readout {
    pub(super) fn new(weights: &Weights) -> Result<Self, PotentialError> {
        let list = |name: &str| weights.values(name).map(<[f32]>::to_vec);
        let number = |name: &str| -> Result<f64, PotentialError> {
            Ok(weights.values(name)?.iter().copied().map(f64::from).sum())
        };
        let hidden = [0, 2, 4]
            .map(|n| -> Result<_, PotentialError> {
                let matrix = weights.values(&format!("mlp.layers.{n}.weight"))?;
                let dense = Dense::new(WIDTH, WIDTH, |o, i| matrix[o * WIDTH + i]);
                Ok((dense, list(&format!("mlp.layers.{n}.bias"))?))
            })
            .into_iter()
            .collect::<Result<_, _>>()?;
        Ok(Self {
            scale: list("readout_norm.weight")?,
            shift: list("readout_norm.bias")?,
            hidden,
            last: list("mlp.layers.7.weight")?,
            last_bias: number("mlp.layers.7.bias")?,
            reference_ev: list("composition_model.fc.weight")?
                .into_iter()
                .map(f64::from)
                .collect(),
            moment: list("site_wise.weight")?,
            moment_bias: number("site_wise.bias")?,
        })
    }

    /// Energy of each site in eV.
    pub(super) fn forward(
        &self,
        arch: Arch,
        elements: &[Element],
        atoms: &[f32],
        kept: &mut ReadoutKept,
    ) -> Vec<f64> {
        let rows = elements.len();
        kept.atoms.resize(rows * WIDTH).copy_from_slice(atoms);
        let normalised = kept.normalised.resize(rows * WIDTH);
        layer_norm(arch, atoms, &self.scale, &self.shift, normalised);
        kept.activated
            .resize(rows * WIDTH)
            .copy_from_slice(normalised);
        for ((dense, bias), hidden) in self.hidden.iter().zip(&mut kept.hidden) {
            let x = Strided {
                data: &kept.activated,
                stride: WIDTH,
            };
            let y = Rows {
                data: hidden.resize(rows * WIDTH),
                stride: WIDTH,
            };
            dense.forward(arch, rows, x, Start::Row(bias), y);
            silu(arch, hidden, &mut kept.activated);
        }
        kept.activated
            .chunks_exact(WIDTH)
            .zip(elements)
            .map(|(row, element)| {
                let reference = self.reference_ev[usize::from(element.atomic_number()) - 1];
                reference + self.last_bias + dot(row, &self.last)
            })
            .collect()
    }

    /// The norm alone, in place.
    pub(super) fn normalise(&self, arch: Arch, atoms: &mut Buffer, kept: &mut ReadoutKept) {
        let normalised = kept.normalised.resize(atoms.len());
        layer_norm(arch, atoms, &self.scale, &self.shift, normalised);
        atoms.copy_from_slice(normalised);
    }

    /// Size of the moment of each site, from its features before the last convolution.
    pub(super) fn magnetic_moments(&self, atoms: &[f32]) -> Vec<f64> {
        atoms
            .chunks_exact(WIDTH)
            .map(|row| (self.moment_bias + dot(row, &self.moment)).abs())
            .collect()
    }

    /// Writes the gradient of the energy by the features of atoms.
    pub(super) fn backward(&self, arch: Arch, kept: &mut ReadoutKept, grad_atoms: &mut [f32]) {
        let rows = grad_atoms.len() / WIDTH;
        for row in grad_atoms.chunks_exact_mut(WIDTH) {
            row.copy_from_slice(&self.last);
        }
        let grad = kept.grad.resize(rows * WIDTH);
        for ((dense, _), hidden) in self.hidden.iter().zip(&kept.hidden).rev() {
            silu_backward(arch, hidden, grad_atoms);
            grad.copy_from_slice(grad_atoms);
            let grad_y = Strided {
                data: grad,
                stride: WIDTH,
            };
            let grad_x = Rows {
                data: grad_atoms,
                stride: WIDTH,
            };
            dense.backward(arch, rows, grad_y, Start::Zero, grad_x);
        }
        layer_norm_backward(arch, &kept.atoms, &self.scale, grad_atoms);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}
