//! The tensors of CHGNet 0.3.0 by name.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{
    basis::{ANGULAR_FREQUENCIES, BASIS},
    row_kernels::WIDTH,
};
use crate::{PotentialError, hexadecimal::hexadecimal};

/// Elements of the embedding: H to Pu.
pub(crate) const ELEMENTS: usize = 94;
/// Convolutions on the atom graph.
pub(crate) const ATOM_LAYERS: usize = 4;
/// Convolutions on the bond graph, and updates of angles.
pub(crate) const BOND_LAYERS: usize = 3;

/// One array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extent of each dimension.
    pub shape: Vec<usize>,
    /// The numbers, the last dimension running fastest.
    pub values: Vec<f32>,
}

/// All tensors of the network, with the names and shapes of the published state dictionary.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// Weights from named tensors.
    ///
    /// # Errors
    /// [`PotentialError::Weights`] names the tensor that is missing, unknown, of another shape or
    /// not finite.
    pub fn new(
        tensors: BTreeMap<String, Tensor>,
        source_name: &str,
    ) -> Result<Self, PotentialError> {
        let wrong = |message: String| Err(PotentialError::weights(source_name, message));
        let expected = Self::shapes();
        for (name, shape) in &expected {
            let Some(tensor) = tensors.get(name) else {
                return wrong(format!(
                    "the tensor {name} is missing, expected those of CHGNet 0.3.0"
                ));
            };
            if tensor.shape != *shape {
                return wrong(format!(
                    "the tensor {name} has the shape {:?}, expected {shape:?} as in CHGNet 0.3.0",
                    tensor.shape
                ));
            }
            if tensor.values.len() != shape.iter().product::<usize>() {
                return wrong(format!(
                    "the tensor {name} of shape {shape:?} has {} numbers",
                    tensor.values.len()
                ));
            }
            if let Some(x) = tensor.values.iter().find(|x| !x.is_finite()) {
                return wrong(format!(
                    "the tensor {name} holds {x}, expected finite numbers"
                ));
            }
        }
        if let Some(name) = tensors.keys().find(|name| !expected.contains_key(*name)) {
            return wrong(format!(
                "the tensor {name} is unknown, expected those of CHGNet 0.3.0 alone"
            ));
        }
        Ok(Self { tensors })
    }

    /// Name and shape of every tensor.
    pub fn shapes() -> BTreeMap<String, Vec<usize>> {
        let mut list = BTreeMap::new();
        let mut add = |name: &str, shape: &[usize]| {
            list.insert(name.to_owned(), shape.to_vec());
        };
        add("composition_model.fc.weight", &[1, ELEMENTS]);
        add("atom_embedding.embedding.weight", &[ELEMENTS, WIDTH]);
        for graph in ["ag", "bg"] {
            let name = format!("bond_basis_expansion.rbf_expansion_{graph}.frequencies");
            add(&name, &[BASIS]);
            add(&format!("bond_weights_{graph}.weight"), &[WIDTH, BASIS]);
        }
        add("bond_embedding.weight", &[WIDTH, BASIS]);
        add(
            "angle_basis_expansion.fourier_expansion.frequencies",
            &[ANGULAR_FREQUENCIES],
        );
        add("angle_embedding.weight", &[WIDTH, BASIS]);
        let mut gated = |prefix: &str, inputs: usize, first: usize, two_layers: bool| {
            for half in ["core", "gate"] {
                let layer = |n: usize| format!("{prefix}.mlp_{half}.layers.{n}");
                add(
                    &format!("{}.weight", layer(first)),
                    &[WIDTH, inputs * WIDTH],
                );
                add(&format!("{}.bias", layer(first)), &[WIDTH]);
                if two_layers {
                    add(&format!("{}.weight", layer(first + 3)), &[WIDTH, WIDTH]);
                    add(&format!("{}.bias", layer(first + 3)), &[WIDTH]);
                }
            }
            for norm in ["bn1", "bn2"] {
                add(&format!("{prefix}.{norm}.weight"), &[WIDTH]);
                add(&format!("{prefix}.{norm}.bias"), &[WIDTH]);
            }
        };
        for l in 0..ATOM_LAYERS {
            gated(&format!("atom_conv_layers.{l}.twoBody_atom"), 3, 0, true);
        }
        for l in 0..BOND_LAYERS {
            gated(&format!("bond_conv_layers.{l}.twoBody_bond"), 4, 0, true);
            gated(&format!("angle_layers.{l}.twoBody_bond"), 4, 1, false);
        }
        let outputs = (0..ATOM_LAYERS)
            .map(|l| format!("atom_conv_layers.{l}"))
            .chain((0..BOND_LAYERS).map(|l| format!("bond_conv_layers.{l}")));
        for layer in outputs {
            add(&format!("{layer}.mlp_out.layers.1.weight"), &[WIDTH, WIDTH]);
        }
        add("site_wise.weight", &[1, WIDTH]);
        add("site_wise.bias", &[1]);
        add("readout_norm.weight", &[WIDTH]);
        add("readout_norm.bias", &[WIDTH]);
        for (n, outputs) in [(0, WIDTH), (2, WIDTH), (4, WIDTH), (7, 1)] {
            add(&format!("mlp.layers.{n}.weight"), &[outputs, WIDTH]);
            add(&format!("mlp.layers.{n}.bias"), &[outputs]);
        }
        list
    }

    /// SHA-256 of the names and numbers of all tensors, in alphabetical order.
    pub fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        for (name, tensor) in &self.tensors {
            hash.update(name.as_bytes());
            hash.update([0]);
            for x in &tensor.values {
                hash.update(x.to_le_bytes());
            }
        }
        hexadecimal(&hash.finalize())
    }

    /// All tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// The numbers of a tensor.
    pub(super) fn values(&self, name: &str) -> Result<&[f32], PotentialError> {
        match self.tensors.get(name) {
            Some(tensor) => Ok(&tensor.values),
            None => Err(PotentialError::weights(
                "CHGNet",
                format!("the tensor {name} is missing"),
            )),
        }
    }
}
